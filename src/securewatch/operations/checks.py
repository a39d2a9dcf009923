"""Pre-deployment checks as people see them. Which are made, `plan.py` says."""

from dataclasses import dataclass

from securewatch.deploy.model import DatabasePlan


@dataclass(frozen=True)
class Check:
    """One pre-deployment check as people see it. `state` is ok, warning or forced."""

    name: str
    detail: str
    state: str = "ok"


def check_database(database: DatabasePlan | None, *, is_waived: bool = False) -> list[Check]:
    """What a deploy does to the customer's database; `is_waived` says that a person wants no backup before it."""
    checks = [Check("backup", "none of the database is taken: --no-backup", "warning")] if is_waived else []
    if database is None:
        return checks
    if database.needs_backup:
        checks = [Check("backup", f"{database.postgres_id} is backed up first, and the backup tried")]
    barring, count = [one.id for one in database.migrations if one.irreversible], len(database.migrations)
    detail = f"{count} {'migration' if count == 1 else 'migrations'} of {database.postgres_id}"
    if barring:
        return [*checks, Check("database", f"{detail}; after {barring[0]} only a restore leads back", "warning")]
    return [*checks, Check("database", f"{detail}; older versions can live with them")] if count else checks
