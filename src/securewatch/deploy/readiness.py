"""Whether a customer can go back, to what and until when, as far as the records tell. Pure; asks nobody outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from securewatch.deploy.model import DatabasePlan, Run, RunKind, ServiceKind, Stage

LAPSES_SOON = timedelta(days=3)
"""How long before the promised time is over it is warned of."""
_AT_REST = (Stage.WATCHING, Stage.DONE)


@dataclass(frozen=True)
class KeptBackup:
    """The newest verified backup of the version that one would go back to, and until when it is kept."""

    name: str
    until: datetime


@dataclass(frozen=True)
class WayBack:
    """The way back from what is live. `to` is the version, empty where none is recorded.

    `until` is when the first thing ends that was promised for it (None: nothing was promised), `why` what that is or
    why there is no way; `warning` says what is missing or ends soon.
    """

    to: str
    is_possible: bool
    until: datetime | None = None
    why: str = ""
    warning: str = ""


def find_way_back(
    run: Run, database: DatabasePlan | None, *, window: timedelta | None, backup: KeptBackup | None, now: datetime
) -> WayBack | None:
    """The way back from the run that brought what is live; None where it is under way, or was undone.

    `database` is what that run's plan did to the database, `window` for how long the policy promises a way back. Code
    can go back for as long as git has the version: where Render no longer has its build, it is built anew. Past an
    irreversible migration only a restore of the database leads back.
    """
    if run.stage not in _AT_REST:
        return None
    if run.kind is RunKind.RESTORE:
        return WayBack("", False, why=f"its database was restored to that of {run.version}; {run.detail}")
    good = run.good_of(ServiceKind.BACKEND) or next(iter(run.good), None)
    to = (good.version if good is not None else None) or ""
    if not to:
        return WayBack("", False, why=f"no version is recorded that ran before {run.version}")
    if database is not None and database.is_irreversible:
        barring = next(one.id for one in database.migrations if one.irreversible)
        kept = f"its backup {backup.name} is kept until {_day(backup.until)}" if backup else "no verified backup of it"
        return WayBack(to, False, why=f"after {barring} only a restore of the database leads back; {kept}")
    needs_backup = database is not None and database.needs_backup
    ends = [(run.verified_at + window, "the policy's rollback window")] if run.verified_at and window else []
    ends += [(backup.until, f"the backup {backup.name}")] if backup and needs_backup else []
    missing = f"there is no verified backup of {to}" if needs_backup and backup is None else ""
    return _with_end(to, ends, missing, now)


def _with_end(to: str, ends: Sequence[tuple[datetime, str]], missing: str, now: datetime) -> WayBack:
    if not ends:
        return WayBack(to, True, warning=missing)
    until, why = min(ends)
    soon = ""
    if until <= now:
        soon = f"{why} is over since {_day(until)}"
    elif until - now <= LAPSES_SOON:
        soon = f"{why} ends soon"
    return WayBack(to, True, until, why, "; ".join(filter(None, (missing, soon))))


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
