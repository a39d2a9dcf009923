"""What was spent in each rate window, so that the next process knows. The Render client keeps the budget itself."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from securewatch.store.codec import dump_mapping, load_mapping
from securewatch.store.tables import rate_window
from securewatch.store.tx import Prepared, Tx

Spent = Mapping[str, float | int]
"""One bucket: `window_start` (epoch seconds of product time), and what is known of that window."""
_WINDOW = "window_start"
_GROWING = ("spent", "blocked_until")
"""What only rises within a window, whoever saw it; of everything else the last word stands."""
_INSERT = sqlite.insert(rate_window)
_SAVE = Prepared(
    _INSERT.on_conflict_do_update(index_elements=["bucket"], set_={"document": _INSERT.excluded.document}),
    ("bucket", "document"),
)
_LOAD = Prepared(sa.select(rate_window.c.bucket, rate_window.c.document))


async def save_spent(tx: Tx, spent: Mapping[str, Spent]) -> None:
    """Keep what was spent: a newer window replaces an older one; of the same window the greater `spent` stays."""
    kept = await load_spent(tx)
    for bucket, numbers in spent.items():
        merged = _merge(kept.get(bucket), numbers)
        if merged != kept.get(bucket):
            await tx.change(_SAVE, {"bucket": bucket, "document": dump_mapping(merged)})


async def load_spent(tx: Tx) -> dict[str, dict[str, float | int]]:
    """What was spent in the last window of each bucket."""
    return {bucket: load_mapping(document) for bucket, document in await tx.rows(_LOAD)}


def _merge(kept: Spent | None, new: Spent) -> dict[str, float | int]:
    if kept is None or new.get(_WINDOW, 0) > kept.get(_WINDOW, 0):
        return dict(new)
    if new.get(_WINDOW, 0) < kept.get(_WINDOW, 0):
        return dict(kept)
    risen = {name: max(kept.get(name, 0), new.get(name, 0)) for name in _GROWING if name in kept or name in new}
    return {**kept, **new, **risen}
