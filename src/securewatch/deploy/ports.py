"""What effects act with besides Render: the vault of env values, and the customers' databases. Ports, no work."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from securewatch.core.errors import SecurewatchError
from securewatch.deploy.view import Effect

Guard = Callable[[], None]
Begin = Callable[[], Awaitable[Guard]]


@dataclass(frozen=True)
class Migrated:
    """The ids of all migrations of an effect that its database has now, and what stopped the others."""

    applied: tuple[str, ...]
    error: SecurewatchError | None = None


class Vault(Protocol):
    """Env values of a run: kept encrypted, handed out only to effects."""

    def fingerprint(self, value: str) -> str:
        """A keyed fingerprint, safe to show."""

    async def wanted(self, effect: Effect) -> Mapping[str, str | None]:
        """The values that the run's plan writes to the effect's service."""

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
