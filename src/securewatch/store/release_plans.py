"""Plans of releases as they were made: kept whole, found by their hash, never changed."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from securewatch.rollout.model import RELEASE_PLAN_FORMAT, ReleasePlan
from securewatch.store.codec import dump, load, safe_text, to_text, unreadable
from securewatch.store.tables import release_plan as table
from securewatch.store.tx import Prepared, Row, Tx

KNOWN_PLAN_FORMATS = frozenset({RELEASE_PLAN_FORMAT})
"""The formats that this version reads. A format once released stays here for ever."""
_COLUMNS = ("hash", "plan_format", "version", "commit", "at", "actor", "document")
_SELECT = sa.select(table.c.hash, table.c.plan_format, table.c.document)
_SAVE = Prepared(sqlite.insert(table).on_conflict_do_nothing(index_elements=["hash"]), _COLUMNS)
_LOAD = Prepared(_SELECT.where(table.c.hash == sa.bindparam("p_hash")))
_FIND = Prepared(
    _SELECT.where(table.c.hash >= sa.bindparam("p_first"), table.c.hash < sa.bindparam("p_end")).order_by(table.c.hash)
)


async def save_release_plan(tx: Tx, plan: ReleasePlan, *, at: datetime, actor: str) -> ReleasePlan:
    """Keep a plan; where one of that hash is kept already, that one stands and is returned."""
    row = {
        "hash": plan.hash,
        "plan_format": plan.plan_format,
        "version": safe_text(plan.version),
        "commit": safe_text(plan.commit),
        "at": to_text(at),
        "actor": safe_text(actor),
        "document": dump(plan),
    }
    await tx.change(_SAVE, row)
    return await load_release_plan(tx, plan.hash) or plan


async def load_release_plan(tx: Tx, plan_hash: str) -> ReleasePlan | None:
    """The plan with exactly that hash. Raises NeedsHuman (SW703) for a format that this version does not know."""
    known = tx.release_plans.get(plan_hash)
    if known is not None:
        return known
    found = await tx.first(_LOAD, {"p_hash": plan_hash})
    if found is None:
        return None
    plan = _plan(found)
    if not tx.has_written:
        tx.release_plans[plan_hash] = plan
    return plan


async def find_release_plans(tx: Tx, prefix: str) -> Sequence[ReleasePlan]:
    """Every plan whose hash begins with `prefix`. Raises like `load_release_plan`."""
    return [_plan(row) for row in await tx.rows(_FIND, {"p_first": prefix, "p_end": f"{prefix}\U0010ffff"})]


def _plan(row: Row) -> ReleasePlan:
    plan_hash, plan_format, document = row
    if plan_format not in KNOWN_PLAN_FORMATS:
        raise unreadable(f"the plan {plan_hash[:12]}", f"it has the format {plan_format}")
    return load(ReleasePlan, document, f"the plan {plan_hash[:12]}")
