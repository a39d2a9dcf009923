"""Freezes, pins and holds that people set, until somebody ends them. When one holds, `rollout/freezes.py` says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import sqlalchemy as sa

from securewatch.core.errors import NeedsHuman
from securewatch.rollout.freezes import FreezeKind, StandingFreeze
from securewatch.store.codec import dump, load, safe_text, to_text
from securewatch.store.tables import freeze as freezes
from securewatch.store.tx import Prepared, Row, Tx

_INSERT = Prepared(sa.insert(freezes).returning(freezes.c.id), ("kind", "name", "document"))
_SELECT = sa.select(freezes.c.id, freezes.c.kind, freezes.c.name, freezes.c.document)
_IS_OPEN = freezes.c.ended_at.is_(None)
_OPEN = Prepared(_SELECT.where(_IS_OPEN).order_by(freezes.c.id))
_NAMED = Prepared(
    _SELECT.where(_IS_OPEN, freezes.c.kind == sa.bindparam("p_kind"), freezes.c.name == sa.bindparam("p_name"))
)
_END = Prepared(
    sa.update(freezes).where(_IS_OPEN, freezes.c.id == sa.bindparam("p_id")).returning(freezes.c.id),
    ("ended_at",),
)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


async def add(tx: Tx, freeze: StandingFreeze) -> StandingFreeze:
    """Keep one; gives it with its id."""
    row = {"kind": freeze.kind.value, "name": safe_text(freeze.name), "document": dump(freeze)}
    found = await tx.change(_INSERT, row)
    return replace(freeze, id=found[0][0])


async def end(tx: Tx, freeze_id: int, *, at: datetime) -> bool:
    """End one; False where it is ended already."""
    return bool(await tx.change(_END, {"p_id": freeze_id, "ended_at": to_text(at)}))


async def open_freezes(tx: Tx) -> Sequence[StandingFreeze]:
    """All that nobody has ended, oldest first: also those whose time is over."""
    return [_freeze(row) for row in await tx.rows(_OPEN)]


async def find_open(tx: Tx, kind: FreezeKind, name: str) -> StandingFreeze | None:
    """The one of that kind and name that nobody has ended."""
    found = await tx.first(_NAMED, {"p_kind": kind.value, "p_name": safe_text(name)})
    return None if found is None else _freeze(found)


@lru_cache(maxsize=4096)
def _freeze(row: Row) -> StandingFreeze:
    """What a row holds; one that this version cannot read holds every customer, for it cannot tell whom it means."""
    freeze_id, kind, name, document = row
    try:
        return replace(load(StandingFreeze, document, f"the {kind} {name!r}"), id=freeze_id, name=name)
    except NeedsHuman as error:
        hold = StandingFreeze(FreezeKind.HOLD, name, _LONG_AGO, None, "another version", _LONG_AGO)
        return replace(hold, reason=error.what, id=freeze_id)
