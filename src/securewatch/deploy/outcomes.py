"""What came of one try of an effect, and what effects act with. Values and ports; the work is in `effects.py`."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from securewatch.core.errors import Retryable
from securewatch.deploy.ports import Databases, Guard, Vault
from securewatch.render.client import RenderClient


class OutcomeKind(StrEnum):
    """How one try of an effect ended."""

    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    FAILED = "failed"
    NOTHING_FOUND = "nothing_found"
    NEEDS_HUMAN = "needs_human"


@dataclass(frozen=True)
class Outcome:
    """What came of an effect; the ledger records it."""

    kind: OutcomeKind
    result: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    reason: str = ""
    request_id: str | None = None


class Sending(Protocol):
    """Commits the row as sent, with what existed before, and hands out the guard of the request (S1)."""

    def __call__(self, before: Mapping[str, Any]) -> Awaitable[Guard]:
        """Raises `Superseded` where the row or its run has moved on, so that nothing is sent."""


@dataclass(frozen=True)
class Tools:
    """What effects act with."""

    client: RenderClient
    vault: Vault
    databases: Databases
    owner_id: str


class Superseded(Retryable):
    """The row or its run moved on before the send; nothing was sent."""
