"""Read and check the audit log."""

from collections.abc import Sequence

from securewatch.core.errors import Refused
from securewatch.deps import Deps
from securewatch.store import audit
from securewatch.store.audit import AuditEntry, AuditReport
from securewatch.store.head import Head, read_head


async def list_entries(deps: Deps, *, slug: str | None, run_id: str | None, limit: int) -> Sequence[AuditEntry]:
    """The newest entries, oldest first; none where there is no state yet."""
    database = await deps.existing_database()
    if database is None:
        return []
    async with database.read() as tx:
        return await audit.entries(tx, slug=slug, run_id=run_id, limit=limit)


async def verify_log(deps: Deps, *, noted: Head | None = None) -> AuditReport:
    """Check the whole chain, against a head noted elsewhere where one is given.

    Raises Refused (SW701) with what is wrong where it does not verify.
    """
    database = await deps.existing_database()
    head = noted or read_head(deps.settings.state_dir / "audit.head")
    if database is None:
        gone = ("the state database is gone, and it had entries",) if head and head.count else ()
        report = AuditReport(0, "", gone)
    else:
        async with database.read() as tx:
            report = await audit.verify(tx, deps.box(), head)
    if report.problems:
        raise Refused(
            "SW701",
            "the audit log does not verify",
            why="; ".join(report.problems),
            fix="keep the files as they are and find out who changed them; see the runbook page",
        )
    return report
