"""The calendar's entries as they were last told, so that a change is told as one and a vanished one as cancelled."""

import hashlib
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from securewatch.rollout.calendar import KeptEntry
from securewatch.store.codec import dump, load
from securewatch.store.tables import calendar_entry as table
from securewatch.store.tx import Prepared, Tx

_SELECT = Prepared(sa.select(table.c.uid, table.c.document).order_by(table.c.uid))
_INSERT = sqlite.insert(table)
_COLUMNS = ("sequence", "fingerprint", "document")
_SAVE = Prepared(
    _INSERT.on_conflict_do_update(index_elements=["uid"], set_={name: _INSERT.excluded[name] for name in _COLUMNS}),
    ("uid", *_COLUMNS),
)


async def load_entries(tx: Tx, versions: Collection[str]) -> Sequence[KeptEntry]:
    """What was kept of these versions. Raises NeedsHuman (SW703) for an entry that this version cannot read."""
    found = [load(KeptEntry, document, f"the calendar entry {uid}") for uid, document in await tx.rows(_SELECT)]
    return [one for one in found if one.entry.version in versions]


async def save_entries(tx: Tx, kept: Sequence[KeptEntry]) -> None:
    """Keep entries, each in the place of the one with its uid."""
    for one in kept:
        row = {
            "uid": one.entry.uid,
            "sequence": one.sequence,
            "fingerprint": hashlib.sha256(dump(one.entry).encode()).hexdigest(),
            "document": dump(one),
        }
        await tx.change(_SAVE, row)
