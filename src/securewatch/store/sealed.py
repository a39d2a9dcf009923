"""Values of env vars at rest: what is to be written and what was there before, readable only through the box.

Keys of before a rotation are kept the same way (see `former`).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypedDict, Unpack

import sqlalchemy as sa

from securewatch.store.box import SecretBox
from securewatch.store.codec import to_text
from securewatch.store.tables import audit, sealed
from securewatch.store.tx import Prepared, Tx

WRITE: Final = "write"
BACKUP: Final = "backup"
TEMPLATES: Final = "templates"
WROTE: Final = "wrote"
RESTORED: Final = "restored"
FORMER_KEY: Final = "former_key"
Purpose = Literal["write", "backup", "templates", "wrote", "restored", "former_key"]
"""WRITE: to be written; BACKUP: as they were before a run; WROTE, RESTORED: as they were seen after it wrote or took
back; TEMPLATES: of a rollout; FORMER_KEY: what hangs on a key of before a rotation, by that key's id.
"""

_PAGE = 100

_SLOT = (
    sealed.c.purpose == sa.bindparam("p_purpose"),
    sealed.c.run_id == sa.bindparam("p_run_id"),
    sealed.c.service_id == sa.bindparam("p_service_id"),
)
_INSERT = Prepared(
    sa.insert(sealed).returning(sealed.c.id), [column.name for column in sealed.columns if column.name != "id"]
)
_NEWEST = Prepared(sa.select(sealed.c.box).where(*_SLOT).order_by(sealed.c.id.desc()).limit(1))
_LAST_KEY = Prepared(sa.select(audit.c.key_id).order_by(audit.c.seq.desc()).limit(1))
_FORMER_KEYS = Prepared(
    sa.select(sealed.c.service_id, sealed.c.box)
    .where(sealed.c.run_id == "", sealed.c.purpose == FORMER_KEY)
    .order_by(sealed.c.id)
)
_AFTER = Prepared(
    sa.select(sealed.c.id, sealed.c.purpose, sealed.c.run_id, sealed.c.service_id, sealed.c.box)
    .where(sealed.c.id > sa.bindparam("p_after"))
    .order_by(sealed.c.id)
    .limit(_PAGE)
)
_RESEAL = Prepared(sa.update(sealed).where(sealed.c.id == sa.bindparam("p_id")).returning(sealed.c.id), ("box",))
_FORGET = Prepared(sa.delete(sealed).where(*_SLOT).returning(sealed.c.id))


class Slot(TypedDict):
    """What sealed values are for, of which run and service; of templates, which rollout and kind."""

    purpose: Purpose
    run_id: str
    service_id: str


async def seal_values(
    tx: Tx, box: SecretBox, *, values: Mapping[str, str | None], at: datetime, **slot: Unpack[Slot]
) -> int:
    """Seal env vars by name (None: there is no such var); gives the row's id. The newest of a slot is what counts.

    Raises ConfigError (SW107) for an ephemeral box, and for a key that is not the one in force: after a rotation
    nobody could open what a process that still has the old key had sealed.
    """
    box.check_lasting()
    standing = await tx.first(_LAST_KEY)
    if standing is not None:
        box.check_key_id(str(standing[0]), "the audit log")
    return await _insert(tx, box, values=values, at=at, **slot)


async def _insert(
    tx: Tx, box: SecretBox, *, values: Mapping[str, str | None], at: datetime, **slot: Unpack[Slot]
) -> int:
    row = {**slot, "at": to_text(at), "box": box.seal(json.dumps(dict(values)).encode(), _context(slot))}
    found = await tx.change(_INSERT, row)
    return int(found[0][0])


async def open_values(tx: Tx, box: SecretBox, **slot: Unpack[Slot]) -> dict[str, str | None] | None:
    """The values sealed last in a slot, None where there are none. Raises ConfigError (SW107) for another key."""
    found = await tx.first(_NEWEST, _parameters(slot))
    if found is None:
        return None
    return open_box(box, bytes(found[0]), slot)


async def open_former_keys(tx: Tx, box: SecretBox) -> dict[str, dict[str, str | None]]:
    """What `keep_former_key` kept, by the ids of the keys. Raises like `open_values`."""
    found = await tx.rows(_FORMER_KEYS)
    return {key_id: open_box(box, bytes(content), _former(key_id)) for key_id, content in found}


def open_box(box: SecretBox, content: bytes, slot: Slot) -> dict[str, str | None]:
    """The values in the sealed bytes of a slot. Raises like `open_values`."""
    opened: dict[str, str | None] = json.loads(box.open(content, _context(slot)))
    return opened


async def reseal_every(tx: Tx, old: SecretBox, new: SecretBox) -> int:
    """Seal anew under `new` all that is sealed under `old`; says how much. Raises ConfigError (SW107) for another key.

    Part of a rotation of the key (see `rotation`), which commits all or nothing.
    """
    count, after = 0, 0
    while page := await tx.rows(_AFTER, {"p_after": after}):
        for row_id, purpose, run_id, service_id, content in page:
            context = _context(Slot(purpose=purpose, run_id=run_id, service_id=service_id))
            await tx.change(_RESEAL, {"p_id": row_id, "box": new.seal(old.open(bytes(content), context), context)})
        count, after = count + len(page), page[-1][0]
    return count


async def keep_former_key(tx: Tx, old: SecretBox, new: SecretBox, *, at: datetime) -> None:
    """Keep under `new` what hangs on `old`, for what was written while that was the key in force."""
    values = {purpose: key.hex() for purpose, key in old.derived().items()}
    await _insert(tx, new, values=values, at=at, **_former(old.key_id))


def _former(key_id: str) -> Slot:
    return Slot(purpose=FORMER_KEY, run_id="", service_id=key_id)


async def forget_values(tx: Tx, **slot: Unpack[Slot]) -> int:
    """Delete every sealed value of a slot that nothing needs any more; says how many there were."""
    return len(await tx.change(_FORGET, _parameters(slot)))


def _context(slot: Slot) -> str:
    """What the box binds the values to, so that they open in no other slot."""
    return json.dumps([slot["purpose"], slot["run_id"], slot["service_id"]])


def _parameters(slot: Slot) -> dict[str, str]:
    return {"p_purpose": slot["purpose"], "p_run_id": slot["run_id"], "p_service_id": slot["service_id"]}
