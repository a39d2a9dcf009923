"""Values of env vars at rest: what is to be written and what was there before, readable only through the box."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypedDict, Unpack

import sqlalchemy as sa

from securewatch.store.box import SecretBox
from securewatch.store.codec import to_text
from securewatch.store.tables import sealed
from securewatch.store.tx import Prepared, Tx

WRITE: Final = "write"
BACKUP: Final = "backup"
TEMPLATES: Final = "templates"

_SLOT = (
    sealed.c.purpose == sa.bindparam("p_purpose"),
    sealed.c.run_id == sa.bindparam("p_run_id"),
    sealed.c.service_id == sa.bindparam("p_service_id"),
)
_INSERT = Prepared(
    sa.insert(sealed).returning(sealed.c.id), [column.name for column in sealed.columns if column.name != "id"]
)
_NEWEST = Prepared(sa.select(sealed.c.box).where(*_SLOT).order_by(sealed.c.id.desc()).limit(1))
_FORGET = Prepared(sa.delete(sealed).where(*_SLOT).returning(sealed.c.id))


class Slot(TypedDict):
    """What sealed values are for: WRITE or BACKUP, of which run and service; TEMPLATES of which rollout and kind."""

    purpose: Literal["write", "backup", "templates"]
    run_id: str
    service_id: str


async def seal_values(
    tx: Tx, box: SecretBox, *, values: Mapping[str, str | None], at: datetime, **slot: Unpack[Slot]
) -> int:
    """Seal env vars by name (None: there is no such var); gives the row's id. The newest of a slot is what counts.

    Raises ConfigError (SW107) for an ephemeral box.
    """
    row = {**slot, "at": to_text(at), "box": box.seal(json.dumps(dict(values)).encode(), _context(slot))}
    found = await tx.change(_INSERT, row)
    return int(found[0][0])


async def open_values(tx: Tx, box: SecretBox, **slot: Unpack[Slot]) -> dict[str, str | None] | None:
    """The values sealed last in a slot, None where there are none. Raises ConfigError (SW107) for another key."""
    found = await tx.first(_NEWEST, _parameters(slot))
    if found is None:
        return None
    opened: dict[str, str | None] = json.loads(box.open(bytes(found[0]), _context(slot)))
    return opened


async def forget_values(tx: Tx, **slot: Unpack[Slot]) -> int:
    """Delete every sealed value of a slot that nothing needs any more; says how many there were."""
    return len(await tx.change(_FORGET, _parameters(slot)))


def _context(slot: Slot) -> str:
    """What the box binds the values to, so that they open in no other slot."""
    return json.dumps([slot["purpose"], slot["run_id"], slot["service_id"]])


def _parameters(slot: Slot) -> dict[str, str]:
    return {"p_purpose": slot["purpose"], "p_run_id": slot["run_id"], "p_service_id": slot["service_id"]}
