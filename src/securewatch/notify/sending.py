"""What it means to send: the port that both senders fill, and what a try may come to. Sends nothing itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from securewatch.notify.channels import Channel
from securewatch.notify.notice import Letter
from securewatch.rollout.notices import Notice


class Outcome(StrEnum):
    """What a try came to. After `unknown` it may have arrived; after `refused` it did not, and may be tried again."""

    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Sending:
    """The result of a try. `reason` is in our own words: what a neighbour says may hold a secret."""

    outcome: Outcome
    reason: str = ""


class Sender(Protocol):
    """Brings one letter to one recipient, in one try. Never raises for a delivery that fails."""

    async def send(self, channel: Channel, letter: Letter, notice: Notice) -> Sending:
        """Try once."""
