"""The audit log: an append-only chain of keyed MACs, one entry per thing that happened. Callers leave secrets out."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack

import sqlalchemy as sa

from securewatch.core.errors import InternalError
from securewatch.store import former
from securewatch.store.box import SecretBox
from securewatch.store.codec import dump_canonical, from_text, load_mapping, safe_text, to_text
from securewatch.store.head import GENESIS, Head
from securewatch.store.tables import audit
from securewatch.store.tx import Prepared, Row, Tx

_PAGE = 500
_PROBLEMS_MAX = 20
_BEFORE_ALL = -(2**63)
ROTATED = "key.rotated"
"""The action of the entry from which on another key counts; it is the first one under that key."""
_COLUMNS = tuple(column.name for column in audit.columns)
_SELECT = sa.select(audit)
_LAST = Prepared(sa.select(audit.c.seq, audit.c.mac, audit.c.key_id).order_by(audit.c.seq.desc()).limit(1))
_INSERT = Prepared(sa.insert(audit), _COLUMNS)
_AFTER = Prepared(
    _SELECT.where(audit.c.seq > sa.bindparam("p_after")).order_by(audit.c.seq).limit(sa.bindparam("p_limit"))
)
_SLUG, _RUN_ID = sa.bindparam("p_slug", type_=sa.Text), sa.bindparam("p_run_id", type_=sa.Text)
_NEWEST = Prepared(
    _SELECT.where(
        audit.c.seq > sa.bindparam("p_after"),
        sa.or_(_SLUG.is_(None), audit.c.slug == _SLUG),
        sa.or_(_RUN_ID.is_(None), audit.c.run_id == _RUN_ID),
    )
    .order_by(audit.c.seq.desc())
    .limit(sa.bindparam("p_limit"))
)


class AuditEvent(TypedDict):
    """Something to be noted: who did what, to whom. `detail` holds plain values and no secret."""

    actor: str
    action: str
    slug: NotRequired[str | None]
    run_id: NotRequired[str | None]
    plan_hash: NotRequired[str | None]
    detail: NotRequired[Mapping[str, Any]]
    request_id: NotRequired[str | None]


@dataclass(frozen=True)
class AuditEntry:
    """One event in the chain: `prev` is the MAC of the entry before, `mac` its own over everything else here."""

    seq: int
    at: datetime
    actor: str
    action: str
    slug: str | None
    run_id: str | None
    plan_hash: str | None
    detail: Mapping[str, Any]
    request_id: str | None
    prev: str
    mac: str


@dataclass(frozen=True)
class AuditReport:
    """What `verify` found: how many entries there are, the MAC of the last, and the first 20 things that are wrong."""

    count: int
    head_mac: str
    problems: tuple[str, ...]


async def append(tx: Tx, box: SecretBox, *, at: datetime, **event: Unpack[AuditEvent]) -> AuditEntry:
    """Add an event to the chain; its head is written beside the database after the commit.

    Raises ConfigError (SW107) where the box is ephemeral or the log was begun under another key, InternalError where
    `detail` holds what JSON cannot.
    """
    return await _append(tx, box, box, at, event)


async def append_rotation(tx: Tx, old: SecretBox, new: SecretBox, *, at: datetime, actor: str) -> AuditEntry:
    """Add the entry from which on `new` counts, in the place of `old`. Raises like `append`."""
    detail = {"from": old.key_id, "to": new.key_id}
    return await _append(tx, new, old, at, AuditEvent(actor=actor, action=ROTATED, detail=detail))


async def key_in_force(tx: Tx) -> str | None:
    """The id of the key under which the newest entry stands; None of an empty log."""
    found = await tx.first(_LAST)
    return None if found is None else str(found[2])


async def check_key(tx: Tx, box: SecretBox) -> None:
    """Raise ConfigError (SW107) where the log stands under another key: nothing that is done could be noted."""
    in_force = await key_in_force(tx)
    if in_force is not None:
        box.check_key_id(in_force, "the audit log")


async def _append(tx: Tx, box: SecretBox, in_force: SecretBox, at: datetime, event: AuditEvent) -> AuditEntry:
    box.check_lasting()
    standing = (tx.head.count, tx.head.mac, in_force.key_id) if tx.head else await tx.first(_LAST)
    seq, prev, key_id = standing or (0, GENESIS, in_force.key_id)
    in_force.check_key_id(key_id, "the audit log")
    row = {
        "seq": seq + 1,
        "at": to_text(at),
        "actor": safe_text(event["actor"]),
        "action": safe_text(event["action"]),
        "slug": _safe_or_none(event.get("slug")),
        "run_id": _safe_or_none(event.get("run_id")),
        "plan_hash": _safe_or_none(event.get("plan_hash")),
        "detail": dump_canonical(dict(event.get("detail", {}))),
        "request_id": _safe_or_none(event.get("request_id")),
        "key_id": box.key_id,
        "prev": prev,
    }
    row["mac"] = _mac(box.audit_key(), tuple(row.values()))
    await tx.change(_INSERT, row)
    tx.head = Head(seq + 1, row["mac"])
    return _entry(tuple(row.values()))


async def entries(
    tx: Tx, *, slug: str | None = None, run_id: str | None = None, limit: int = 100, after: int = 0
) -> Sequence[AuditEntry]:
    """The newest `limit` entries numbered above `after`, oldest first; of one customer or run where given."""
    found = await tx.rows(_NEWEST, {"p_slug": slug, "p_run_id": run_id, "p_after": after, "p_limit": limit})
    return [_entry(row) for row in reversed(found)]


async def verify(tx: Tx, box: SecretBox, head: Head | None) -> AuditReport:
    """Check the whole chain against its key and against a head noted elsewhere; memory stays bounded.

    Finds entries changed, left out, put in, reordered or cut off after the head was noted. A head from outside (of a
    summary) also shows that the database and `audit.head` were both put back. Entries of before a rotation are checked
    under the key of their time. Raises ConfigError (SW107) where the newest stands under another key.
    """
    last = await tx.first(_LAST)
    if last is not None:
        box.check_key_id(str(last[2]), "the audit log")
    check = _Check(await former.audit_keys(tx, box) if last is not None else {}, head)
    after = _BEFORE_ALL
    while page := await tx.rows(_AFTER, {"p_after": after, "p_limit": _PAGE}):
        for row in page:
            check.see(row)
        after = page[-1][0]
    return check.finish()


class _Check:
    """The state of one walk along the chain; after a break it goes on from the entry as it stands."""

    def __init__(self, keys: Mapping[str, bytes], head: Head | None) -> None:
        self._keys = keys
        self._key_id: str | None = None
        self._head = head
        self._seq = 0
        self._mac = GENESIS
        self._count = 0
        self._has_met_head = head is not None and head.count == 0
        self._problems: list[str] = []

    def see(self, row: Row) -> None:
        seq, key_id, prev, mac = row[0], row[-3], row[-2], row[-1]
        if seq < 1:
            self._add(f"entry {seq} has no place in the log")
            return
        if seq != self._seq + 1:
            self._add(_gap(self._seq + 1, seq - 1))
        elif prev != self._mac:
            self._add(f"entry {seq} does not follow from the one before")
        if not self._is_genuine(row):
            self._add(f"entry {seq} is not as it was written")
        elif not self._may_change_to(key_id, row):
            self._add(f"entry {seq} stands under another key, and no rotation says why")
        self._compare_head(seq, mac)
        self._seq, self._mac, self._count, self._key_id = seq, mac, self._count + 1, key_id

    def finish(self) -> AuditReport:
        if self._head is None and self._count:
            self._add("the head of the log is missing, so a cut could not be seen")
        elif self._head is not None and not self._has_met_head:
            self._add(f"the log ends at entry {self._seq}, and its head says {self._head.count}")
        return AuditReport(self._count, str(self._mac), tuple(self._problems))

    def _is_genuine(self, row: Row) -> bool:
        key = self._keys.get(str(row[-3]))
        try:
            return key is not None and str(row[-1]) == _mac(key, row[:-1])
        except InternalError:
            return False

    def _may_change_to(self, key_id: str, row: Row) -> bool:
        """Whether the entry stands under the key of the one before, or is the one of the rotation between them."""
        if key_id == self._key_id or self._key_id is None:
            return True
        said = load_mapping(row[7])
        return row[3] == ROTATED and (said["from"], said["to"]) == (self._key_id, key_id)

    def _compare_head(self, seq: int, mac: object) -> None:
        if self._head is None or seq != self._head.count:
            return
        self._has_met_head = True
        if mac != self._head.mac:
            self._add(f"entry {seq} is another one than the head of the log says")

    def _add(self, problem: str) -> None:
        if len(self._problems) < _PROBLEMS_MAX:
            self._problems.append(problem)


def _gap(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def _mac(key: bytes, fields: Row) -> str:
    return hmac.new(key, dump_canonical(fields).encode(), hashlib.sha256).hexdigest()


def _safe_or_none(text: str | None) -> str | None:
    return None if text is None else safe_text(text)


def _entry(row: Row) -> AuditEntry:
    seq, at, actor, action, slug, run_id, plan_hash, detail, request_id, _, prev, mac = row
    return AuditEntry(
        seq, from_text(at), actor, action, slug, run_id, plan_hash, load_mapping(detail), request_id, prev, mac
    )
