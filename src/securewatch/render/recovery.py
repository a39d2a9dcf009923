"""How far back Render can recover a database, as a value and in words. Pure: asks nothing and decides nothing.

What is read at Render is `postgres.fetch_recovery_window`; how far a recovery reaches follows from it and from now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from securewatch.render.models import RECOVERY_LAG, RecoveryStatus, RecoveryWindow

_WHY_NOT = {
    RecoveryStatus.BACKUP_NOT_READY: "Render's first backup of it is not ready yet",
    RecoveryStatus.NOT_AVAILABLE: "Render offers none: not on a free plan, and not while the database is unavailable",
    RecoveryStatus.UNKNOWN: "Render's answer says nothing that this version knows",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """From when to when a database can be recovered; without both ends it cannot, and `why` says why not."""

    starts_at: datetime | None
    ends_at: datetime | None
    why: str

    @property
    def is_possible(self) -> bool:
        """Whether a recovery may be asked for now."""
        return self.starts_at is not None

    def holds(self, at: datetime) -> bool:
        """Whether a recovery to that instant may be asked for now."""
        return self.starts_at is not None and self.ends_at is not None and self.starts_at <= at <= self.ends_at


def reach_of(window: RecoveryWindow, now: datetime) -> Reach:
    """How far a recovery reaches at `now`. Its end goes on with the time, ten minutes behind it."""
    ends_at = window.ends_at(now)
    if not window.is_open:
        return Reach(None, None, _WHY_NOT[window.status])
    if window.starts_at is None:
        return Reach(None, None, "Render does not say from when on")
    if window.starts_at > ends_at:
        return Reach(None, None, f"Render's first backup of it is less than {_lag()} old")
    return Reach(window.starts_at, ends_at, "")


def show_utc(at: datetime) -> str:
    """An instant in UTC to the minute, as errors and records say it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def recovery_words(reach: Reach, show: Callable[[datetime], str] = show_utc) -> str:
    """The reach in one line: `from 2026-11-19 20:00 UTC to 2026-11-26 19:50 UTC, 10 minutes ago`, or `none: …`."""
    if reach.starts_at is None or reach.ends_at is None:
        return f"none: {reach.why}"
    return f"from {show(reach.starts_at)} to {show(reach.ends_at)}, {_lag()} ago"


def _lag() -> str:
    return f"{int(RECOVERY_LAG.total_seconds() // 60)} minutes"
