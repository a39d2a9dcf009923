"""Read and check the audit log."""

from collections.abc import Sequence

from securewatch.core.errors import NotFound, Refused
from securewatch.deps import Deps
from securewatch.store import audit
from securewatch.store.audit import AuditEntry, AuditReport
from securewatch.store.database import Database
from securewatch.store.head import Head, read_head


async def list_entries(deps: Deps, *, slug: str | None, run_id: str | None, limit: int) -> Sequence[AuditEntry]:
    """The newest entries, oldest first; none where there is no state yet.

    Raises NotFound for a customer that neither the files nor the log know (SW202) and for an unknown run (SW206).
    """
    database = await deps.existing_database()
    if slug is not None:
        slug = await _slug_of(deps, database, slug)
    if database is None and run_id is None:
        return []
    found: Sequence[AuditEntry] = []
    if database is not None:
        async with database.read() as tx:
            found = await audit.entries(tx, slug=slug, run_id=run_id, limit=limit)
    if run_id is not None and not found:
        why = f"no entry names it{f' for {slug}' if slug else ''}"
        raise NotFound("SW206", f"there is no run {run_id}", why=why, fix="securewatch audit list")
    return found


async def _slug_of(deps: Deps, database: Database | None, text: str) -> str:
    """The customer's slug; one that left the files is still in the log."""
    try:
        return deps.fleet.find_customer(text).slug
    except NotFound:
        if database is not None:
            async with database.read() as tx:
                if await audit.entries(tx, slug=text, limit=1):
                    return text
        raise


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
