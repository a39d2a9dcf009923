"""The env vars of a service as they were, one entry each time a run backed up, wrote or took back. Reads only.

The entries are sealed rows that runs leave (see `sealed`). A rollback of its own begins with an older run's backup:
that is no entry, since nobody saw it then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from securewatch.deploy.model import RunKind
from securewatch.store import sealed
from securewatch.store.box import SecretBox, key_id_of
from securewatch.store.codec import from_text
from securewatch.store.tables import run
from securewatch.store.tables import sealed as table
from securewatch.store.tx import Prepared, Row, Tx


class Seen(StrEnum):
    """When an entry was seen: before its run wrote anything, after it wrote, or after it took that back."""

    BEFORE = sealed.BACKUP
    WRITTEN = sealed.WROTE
    TAKEN_BACK = sealed.RESTORED

    @property
    def words(self) -> str:
        """In words, to be followed by the run."""
        return {Seen.BEFORE: "before", Seen.WRITTEN: "written by", Seen.TAKEN_BACK: "taken back by"}[self]


_IS_ENTRY = sa.or_(
    table.c.purpose == Seen.WRITTEN.value,
    table.c.purpose == Seen.TAKEN_BACK.value,
    sa.and_(table.c.purpose == Seen.BEFORE.value, run.c.kind != RunKind.ROLLBACK.value),
)
_SELECT = (
    sa.select(
        *(table.c.id, table.c.purpose, table.c.run_id, table.c.service_id, table.c.at, table.c.box),
        sa.func.json_extract(run.c.document, "$.requested_by"),
    )
    .join_from(table, run, run.c.id == table.c.run_id)
    .where(_IS_ENTRY)
)
_OF_SERVICE = Prepared(
    _SELECT.where(run.c.slug == sa.bindparam("p_slug"), table.c.service_id == sa.bindparam("p_service_id"))
    .order_by(table.c.id.desc())
    .limit(sa.bindparam("p_limit"))
)
_ONE = Prepared(_SELECT.where(run.c.slug == sa.bindparam("p_slug"), table.c.id == sa.bindparam("p_id")))


@dataclass(frozen=True)
class EnvEntry:
    """All env vars of one service at one time. `number` is never used twice; `actor` asked for the run."""

    number: int
    service_id: str
    at: datetime
    run_id: str
    actor: str
    seen: Seen
    key_id: str
    values: Mapping[str, str] = field(repr=False)


async def entries_of(tx: Tx, box: SecretBox, slug: str, *, service_id: str, limit: int) -> Sequence[EnvEntry]:
    """The newest entries of a customer's service, newest first. Raises ConfigError (SW107) where they do not open."""
    found = await tx.rows(_OF_SERVICE, {"p_slug": slug, "p_service_id": service_id, "p_limit": limit})
    return [_entry(row, box) for row in found]


async def load_entry(tx: Tx, box: SecretBox, slug: str, number: int) -> EnvEntry | None:
    """One entry of a customer's by its number, None where there is none. Raises like `entries_of`."""
    found = await tx.first(_ONE, {"p_slug": slug, "p_id": number})
    return None if found is None else _entry(found, box)


def _entry(row: Row, box: SecretBox) -> EnvEntry:
    number, purpose, run_id, service_id, at, content, actor = row
    slot = sealed.Slot(purpose=purpose, run_id=run_id, service_id=service_id)
    opened = sealed.open_box(box, bytes(content), slot)
    return EnvEntry(
        number=number,
        service_id=service_id,
        at=from_text(at),
        run_id=run_id,
        actor=str(actor),
        seen=Seen(purpose),
        key_id=key_id_of(bytes(content)),
        values={key: value for key, value in opened.items() if value is not None},
    )
