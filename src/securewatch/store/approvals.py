"""Who said yes or no to which plan for which customer. Whether an approval counts is decided elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from securewatch.rollout.gates import Grant
from securewatch.store.codec import from_text, safe_text, to_text
from securewatch.store.tables import approval as approvals
from securewatch.store.tx import Prepared, Row, Tx

_INSERT = Prepared(
    sa.insert(approvals).returning(approvals.c.id), [column.name for column in approvals.columns if column.name != "id"]
)
_LIST = Prepared(
    sa.select(approvals)
    .where(approvals.c.plan_hash == sa.bindparam("p_plan_hash"), approvals.c.slug == sa.bindparam("p_slug"))
    .order_by(approvals.c.id)
)
_OF_PLAN = Prepared(
    sa.select(approvals).where(approvals.c.plan_hash == sa.bindparam("p_plan_hash")).order_by(approvals.c.id)
)
_USABLE = (
    sa.select(sa.func.max(approvals.c.id))
    .where(
        approvals.c.plan_hash == sa.bindparam("p_plan_hash"),
        approvals.c.slug == sa.bindparam("p_slug"),
        approvals.c.actor == sa.bindparam("p_actor"),
        approvals.c.at == sa.bindparam("p_at"),
        approvals.c.granted == sa.true(),
        approvals.c.used_by.is_(None),
    )
    .scalar_subquery()
)
_USE = Prepared(sa.update(approvals).where(approvals.c.id == _USABLE).returning(approvals.c.id), ("used_by",))


@dataclass(frozen=True)
class Approval:
    """One person's answer to a plan. `used_by` is the run that went ahead on it; `id` is 0 until stored."""

    plan_hash: str
    slug: str
    actor: str
    at: datetime
    expires_at: datetime
    comment: str = ""
    granted: bool = True
    used_by: str | None = None
    id: int = 0


async def add(tx: Tx, approval: Approval) -> Approval:
    """Keep an answer; gives it with its id."""
    row = {
        "plan_hash": approval.plan_hash,
        "slug": approval.slug,
        "actor": safe_text(approval.actor),
        "at": to_text(approval.at),
        "expires_at": to_text(approval.expires_at),
        "comment": safe_text(approval.comment),
        "granted": approval.granted,
        "used_by": approval.used_by,
    }
    found = await tx.change(_INSERT, row)
    return replace(approval, id=found[0][0])


async def approvals_of(tx: Tx, plan_hash: str, slug: str) -> Sequence[Approval]:
    """Every answer to a plan for a customer, oldest first: also refused, expired and used ones."""
    return [_approval(row) for row in await tx.rows(_LIST, {"p_plan_hash": plan_hash, "p_slug": slug})]


async def approvals_of_plan(tx: Tx, plan_hash: str) -> Sequence[Approval]:
    """Every answer to a plan for whichever customer, oldest first."""
    return [_approval(row) for row in await tx.rows(_OF_PLAN, {"p_plan_hash": plan_hash})]


async def mark_used(tx: Tx, grant: Grant, *, run_id: str) -> bool:
    """Use that very approval for a run; False where it is used or gone (I9: once)."""
    parameters = {
        "p_plan_hash": grant.plan_hash,
        "p_slug": grant.slug,
        "p_actor": safe_text(grant.actor),
        "p_at": to_text(grant.at),
        "used_by": run_id,
    }
    return bool(await tx.change(_USE, parameters))


def _approval(row: Row) -> Approval:
    approval_id, plan_hash, slug, actor, at, expires_at, comment, granted, used_by = row
    return Approval(
        plan_hash,
        slug,
        actor,
        from_text(at),
        from_text(expires_at),
        comment=comment,
        granted=bool(granted),
        used_by=used_by,
        id=approval_id,
    )
