"""The outbox: what is to be told to whom, and what became of it. Sends nothing; callers audit each change of state.

A notice is told at most once to each recipient: its row is committed as *sending* before it is sent, and a row that is
still sending when nobody is, is *unknown* (docs/decisions/0012). The same event and recipient have one row for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from securewatch.rollout.notices import Notice
from securewatch.store.codec import dump, from_text_or_none, load, safe_text, to_text, to_text_or_none
from securewatch.store.tables import notice as notices
from securewatch.store.tx import Prepared, Row, Tx

TRIES_MAX = 12
FIRST_WAIT_SECONDS = 60.0
WAIT_SECONDS_MAX = 6 * 3600.0
_COLUMNS = [column.name for column in notices.columns if column.name != "id"]
_VERSION, _SLUG = sa.bindparam("p_version", type_=sa.Text), sa.bindparam("p_slug", type_=sa.Text)
_PUT = Prepared(
    sqlite.insert(notices).on_conflict_do_nothing(index_elements=["event", "recipient"]).returning(notices.c.id),
    _COLUMNS,
)
_HAS = Prepared(
    sa.select(notices.c.id).where(
        notices.c.event == sa.bindparam("p_event"), notices.c.recipient == sa.bindparam("p_recipient")
    )
)
_DUE = Prepared(
    sa.select(notices)
    .where(notices.c.next_at <= sa.bindparam("p_now"))
    .order_by(notices.c.next_at, notices.c.id)
    .limit(sa.bindparam("p_limit"))
)
_NEXT = Prepared(sa.select(sa.func.min(notices.c.next_at)).where(notices.c.next_at.is_not(None)))
_UPDATE = Prepared(
    sa.update(notices).where(notices.c.id == sa.bindparam("p_id")).returning(notices.c.id),
    ("state", "next_at", "tries", "document"),
)
_LIST = Prepared(
    sa.select(notices)
    .where(
        notices.c.id > sa.bindparam("p_after"),
        sa.or_(_VERSION.is_(None), notices.c.version == _VERSION),
        sa.or_(_SLUG.is_(None), notices.c.slug == _SLUG),
    )
    .order_by(notices.c.id)
)


class NoticeState(StrEnum):
    """What became of a notice. Unknown: the sender died or got no answer while it sent; it may have arrived."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_CONFIGURED = "not_configured"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self not in (NoticeState.WAITING, NoticeState.SENDING)


@dataclass(frozen=True)
class Delivery:
    """How far the delivery is. `settled` are fingerprints of channels that are not tried again; of these one in
    doubt makes the whole `is_doubtful`.
    """

    settled: tuple[str, ...] = ()
    is_doubtful: bool = False
    reason: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """One row: the notice, and where it is. `next_at` is when it is tried, None where nothing more is tried."""

    id: int
    notice: Notice
    state: NoticeState
    next_at: datetime | None
    tries: int
    delivery: Delivery


@dataclass(frozen=True)
class _Document:
    notice: Notice
    delivery: Delivery


async def put(tx: Tx, notice: Notice) -> bool:
    """Keep a notice for delivery when it is due; False where its recipient has that event already."""
    row = {
        "event": safe_text(notice.event),
        "recipient": notice.recipient.value,
        "slug": safe_text(notice.slug),
        "version": safe_text(notice.version),
        "state": NoticeState.WAITING.value,
        "at": to_text(notice.due_at),
        "next_at": to_text(notice.due_at),
        "tries": 0,
        "document": dump(_Document(notice, Delivery())),
    }
    return bool(await tx.change(_PUT, row))


async def has(tx: Tx, notice: Notice) -> bool:
    """Whether the recipient has that event already."""
    return await tx.first(_HAS, {"p_event": safe_text(notice.event), "p_recipient": notice.recipient.value}) is not None


async def due(tx: Tx, now: datetime, limit: int) -> Sequence[Entry]:
    """What is to be tried now, the longest due first; also what was being sent by somebody who died."""
    return [_entry(row) for row in await tx.rows(_DUE, {"p_now": to_text(now), "p_limit": limit})]


async def next_due(tx: Tx) -> datetime | None:
    """When anything is to be tried next."""
    found = await tx.first(_NEXT)
    return from_text_or_none(found[0]) if found else None


async def mark_sending(tx: Tx, entry: Entry) -> Entry:
    """It is about to be sent; counts as a try."""
    return await _save(tx, replace(entry, state=NoticeState.SENDING, tries=entry.tries + 1))


async def mark_sent(tx: Tx, entry: Entry, *, at: datetime) -> Entry:
    """It arrived, on every way."""
    delivery = replace(entry.delivery, sent_at=at, reason="")
    return await _save(tx, replace(entry, state=NoticeState.SENT, next_at=None, delivery=delivery))


async def mark_failed(tx: Tx, entry: Entry, reason: str, *, at: datetime) -> Entry:
    """It was refused: it waits for the next try, or after the last one it failed."""
    if entry.tries >= TRIES_MAX:
        return await mark_over(tx, entry, NoticeState.FAILED, reason)
    delivery = replace(entry.delivery, reason=safe_text(reason))
    next_at = at + wait_after(entry.tries)
    return await _save(tx, replace(entry, state=NoticeState.WAITING, next_at=next_at, delivery=delivery))


async def mark_over(tx: Tx, entry: Entry, state: NoticeState, reason: str) -> Entry:
    """Nothing more is tried: it may have arrived (unknown), or there is no way to the recipient (not configured)."""
    delivery = replace(entry.delivery, reason=safe_text(reason))
    return await _save(tx, replace(entry, state=state, next_at=None, delivery=delivery))


async def mark_again(tx: Tx, entry: Entry, *, at: datetime) -> Entry:
    """It is tried again from now on, with as many tries as a new one, on the ways that did not take it."""
    return await _save(tx, replace(entry, state=NoticeState.WAITING, next_at=at, tries=0))


def wait_after(tries: int) -> timedelta:
    """How long to wait after so many tries: a minute, doubled with each, at most 6 hours."""
    return timedelta(seconds=min(FIRST_WAIT_SECONDS * 2 ** (tries - 1), WAIT_SECONDS_MAX))


async def notices_of(tx: Tx, *, version: str | None = None, slug: str | None = None, after: int = 0) -> Sequence[Entry]:
    """Every notice, oldest first; of one version and of one customer where given, and those put after one by its id."""
    return [_entry(row) for row in await tx.rows(_LIST, {"p_version": version, "p_slug": slug, "p_after": after})]


async def _save(tx: Tx, entry: Entry) -> Entry:
    row = {
        "state": entry.state.value,
        "next_at": to_text_or_none(entry.next_at),
        "tries": entry.tries,
        "document": dump(_Document(entry.notice, entry.delivery)),
    }
    await tx.change(_UPDATE, {"p_id": entry.id, **row})
    return entry


def _entry(row: Row) -> Entry:
    entry_id, event, recipient, _, _, state, _, next_at, tries, document = row
    found = load(_Document, document, f"the notice {event} to {recipient}")
    return Entry(entry_id, found.notice, NoticeState(state), from_text_or_none(next_at), tries, found.delivery)
