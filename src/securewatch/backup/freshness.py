"""Which backups are kept and which may go, and whether one is fresh enough. Pure; deletes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Kept:
    """A backup of one customer that is stored; `verified_at` is None for one that was never restored on trial."""

    name: str
    version: str
    taken_at: datetime
    verified_at: datetime | None = None


@dataclass(frozen=True)
class Retention:
    """How long backups are kept: all of them for `keep_days`, and for `rollback_days` what a way back needs.

    Raises ValueError for a number of days below zero.
    """

    keep_days: int
    rollback_days: int = 0

    def __post_init__(self) -> None:
        if min(self.keep_days, self.rollback_days) < 0:
            raise ValueError("a number of days is not below zero")


@dataclass(frozen=True)
class Judged:
    """One backup, whether it is kept, and why."""

    backup: Kept
    is_kept: bool
    reason: str


def plan_retention(backups: Sequence[Kept], rules: Retention, *, now: datetime) -> tuple[Judged, ...]:
    """Judge each backup of one customer, the newest first.

    The newest verified one stays always, and where none is verified the newest. A way back to a version is the newest
    verified backup of that version, and the newest of all of them: verified or not, it has the most rows. It stays
    for `rollback_days` after the version's newest backup, since that was taken when the version was last in use.
    """
    newest_first = sorted(backups, key=lambda one: (one.taken_at, one.name), reverse=True)
    anchor = next((one for one in newest_first if one.verified_at), newest_first[0] if newest_first else None)
    needed = _ways_back(newest_first, now - timedelta(days=rules.rollback_days))
    return tuple(_judge(one, anchor, needed, rules, now) for one in newest_first)


def _ways_back(newest_first: Sequence[Kept], since: datetime) -> dict[str, str]:
    """By the backup's name, the version that it leads back to."""
    needed: dict[str, str] = {}
    for version in {one.version for one in newest_first}:
        same = [one for one in newest_first if one.version == version]
        if same[0].taken_at > since:
            verified = next((one for one in same if one.verified_at), same[0])
            needed |= {same[0].name: version, verified.name: version}
    return needed


def _judge(one: Kept, anchor: Kept | None, needed: dict[str, str], rules: Retention, now: datetime) -> Judged:
    if one == anchor:
        return Judged(one, True, "the newest verified one" if one.verified_at else "the newest one; none is verified")
    if now - one.taken_at < timedelta(days=rules.keep_days):
        return Judged(one, True, f"younger than {rules.keep_days} days")
    if one.name in needed:
        return Judged(one, True, f"the way back to {needed[one.name]}, promised for {rules.rollback_days} days")
    return Judged(one, False, f"older than {rules.keep_days} days, and no way back needs it")
