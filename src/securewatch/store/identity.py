"""Fingerprints of what belongs to one customer alone, so that two customers never share a service or a database."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from securewatch.store.codec import to_text
from securewatch.store.tables import identity
from securewatch.store.tx import Prepared, Tx

_INSERT = sqlite.insert(identity)
_SAVE = Prepared(
    _INSERT.on_conflict_do_update(
        index_elements=["slug", "kind"],
        set_={"fingerprint": _INSERT.excluded.fingerprint, "at": _INSERT.excluded.at},
    ),
    [column.name for column in identity.columns],
)
_OTHERS = Prepared(
    sa.select(identity.c.slug)
    .where(
        identity.c.family == sa.bindparam("p_family"),
        identity.c.fingerprint == sa.bindparam("p_fingerprint"),
        identity.c.slug != sa.bindparam("p_slug"),
    )
    .distinct()
    .order_by(identity.c.slug)
)
_KNOWN = Prepared(sa.select(identity.c.slug).where(identity.c.family == sa.bindparam("p_family")).distinct())


async def save_identity(tx: Tx, slug: str, *, kind: str, fingerprint: str, at: datetime) -> None:
    """Keep the fingerprint of a customer's `kind` in place of the one before.

    A kind may have parts, `service:backend` and `service:frontend`: each is kept, and all of `service` are compared.
    """
    row = {"slug": slug, "kind": kind, "family": _family(kind), "fingerprint": fingerprint, "at": to_text(at)}
    await tx.change(_SAVE, row)


async def others_with(tx: Tx, slug: str, kind: str, fingerprint: str) -> Sequence[str]:
    """The other customers that have that fingerprint in the kind or in another part of it."""
    found = await tx.rows(_OTHERS, {"p_family": _family(kind), "p_fingerprint": fingerprint, "p_slug": slug})
    return [row[0] for row in found]


async def known(tx: Tx, kind: str) -> set[str]:
    """The customers of which a fingerprint of that kind is kept."""
    return {row[0] for row in await tx.rows(_KNOWN, {"p_family": _family(kind)})}


def _family(kind: str) -> str:
    return kind.partition(":")[0]
