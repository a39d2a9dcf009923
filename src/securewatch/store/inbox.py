"""What people asked for, waiting for whoever holds the controller lock. Carries out nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from securewatch.store.codec import dump_mapping, from_text, from_text_or_none, load_mapping, safe_text, to_text
from securewatch.store.tables import inbox
from securewatch.store.tx import Prepared, Row, Tx

_SLUG = sa.bindparam("p_slug", type_=sa.Text)
_INSERT = Prepared(
    sa.insert(inbox).returning(inbox.c.id), [column.name for column in inbox.columns if column.name != "id"]
)
_PENDING = Prepared(
    sa.select(inbox)
    .where(sa.text("handled_at IS NULL"), sa.or_(_SLUG.is_(None), inbox.c.slug == _SLUG))
    .order_by(inbox.c.id)
)
_HANDLE = Prepared(
    sa.update(inbox).where(inbox.c.id == sa.bindparam("p_id"), inbox.c.handled_at.is_(None)).returning(inbox.c.id),
    ("handled_at",),
)


@dataclass(frozen=True)
class Request:
    """One thing that an actor asked for. `slug` is None where it is for everything; `id` is 0 until stored."""

    at: datetime
    actor: str
    verb: str
    slug: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    handled_at: datetime | None = None
    id: int = 0


async def put(tx: Tx, request: Request) -> Request:
    """Leave a request; gives it with its id."""
    row = {
        "at": to_text(request.at),
        "actor": safe_text(request.actor),
        "verb": request.verb,
        "slug": request.slug,
        "payload": dump_mapping(request.payload),
        "handled_at": None,
    }
    found = await tx.change(_INSERT, row)
    return replace(request, id=found[0][0])


async def pending(tx: Tx, slug: str | None = None) -> Sequence[Request]:
    """The requests that nobody has handled yet, oldest first; those for one customer where given."""
    return [_request(row) for row in await tx.rows(_PENDING, {"p_slug": slug})]


async def mark_handled(tx: Tx, request_id: int, *, at: datetime) -> bool:
    """Tick a request off; False where that was done before."""
    return bool(await tx.change(_HANDLE, {"p_id": request_id, "handled_at": to_text(at)}))


def _request(row: Row) -> Request:
    request_id, at, actor, verb, slug, payload, handled_at = row
    return Request(
        from_text(at), actor, verb, slug, load_mapping(payload), handled_at=from_text_or_none(handled_at), id=request_id
    )
