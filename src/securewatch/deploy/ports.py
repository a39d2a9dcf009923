"""What effects act with besides Render: the vault of env values, and the customers' databases. Ports, no work."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from securewatch.core.errors import SecurewatchError
from securewatch.deploy.view import Effect

Guard = Callable[[], None]


class Begin(Protocol):
    """Commits an effect as sent, with what existed before, and hands out the guard of its first write."""

    def __call__(self, before: Mapping[str, Any] | None = None, /) -> Awaitable[Guard]:
        """Raises `Superseded` where the effect moved on, so that nothing is written."""


@dataclass(frozen=True)
class Migrated:
    """The ids of all migrations of an effect that its database has now, and what stopped the others."""

    applied: tuple[str, ...]
    error: SecurewatchError | None = None


@dataclass(frozen=True)
class RestoredDatabase:
    """A new database that holds what was asked for: the URL by which a backend reaches it, and what to remember of it.

    The URL holds a password; it is never printed or kept in the clear.
    """

    url: str = field(repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict)


class Vault(Protocol):
    """Env values of a run: kept encrypted, handed out only to effects."""

    def fingerprint(self, value: str) -> str:
        """A keyed fingerprint, safe to show."""

    async def wanted(self, effect: Effect) -> Mapping[str, str | None]:
        """The values that the run's plan writes to the effect's service."""

    async def add_wanted(self, effect: Effect, backend: str, key: str, value: str) -> None:
        """Add a value that is known only now to what the run writes to its backend; raises `Superseded` likewise."""

    async def backup(self, effect: Effect) -> Mapping[str, str | None]:
        """The values that the service had before the run."""

    async def keep_backup(self, effect: Effect, values: Mapping[str, str]) -> None:
        """Encrypt and keep the service's values as they are now; raises `Superseded` where the effect moved on."""

    async def keep_entry(self, effect: Effect, values: Mapping[str, str]) -> None:
        """Keep the values for the history, as the effect left them; raises `Superseded` like `keep_backup`."""


class Databases(Protocol):
    """The customers' databases, as effects reach them."""

    async def back_up(self, effect: Effect) -> Mapping[str, Any]:
        """The verified backup of the effect's run, taken now where there is none; gives what to remember of it.

        Raises like `migrate`.
        """

    async def migrate(self, effect: Effect, begin: Begin) -> Migrated:
        """Apply the migrations of the effect that its database does not have. `begin` is awaited once all is at hand,
        and what it gives is called just before the first write.

        Raises Retryable where the database cannot be reached, Refused where the migrations do not fit it.
        """

    async def restore(self, effect: Effect, begin: Begin) -> RestoredDatabase | None:
        """The new database of the effect, whole and compared; None while Render still makes it. `begin` as for
        `migrate`. What an earlier try left half-done is finished or done anew; the database that serves is only read.

        Raises like `migrate`.
        """
