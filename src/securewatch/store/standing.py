"""Which database a customer's backend uses since the last restore. Read out of the restores that came to their end."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from securewatch.deploy.model import RunKind, Stage
from securewatch.deploy.view import EffectKind, EffectState
from securewatch.store.codec import load_mapping, to_text_or_none
from securewatch.store.tables import effect as effects
from securewatch.store.tables import run as runs
from securewatch.store.tx import Prepared, Tx

_BY = sa.bindparam("p_by", type_=sa.Text)
_NEWEST = Prepared(
    sa.select(effects.c.result)
    .join_from(effects, runs, effects.c.run_id == runs.c.id)
    .where(
        runs.c.slug == sa.bindparam("p_slug"),
        runs.c.kind == RunKind.RESTORE.value,
        runs.c.stage == Stage.DONE.value,
        sa.or_(_BY.is_(None), effects.c.finished_at <= _BY),
        effects.c.kind == EffectKind.RESTORE_DATABASE.value,
        effects.c.state == EffectState.CONFIRMED.value,
    )
    .order_by(runs.c.generation.desc())
    .limit(1)
)


@dataclass(frozen=True)
class StandingDatabase:
    """The database that a restore made: Render's id of its instance, its name there, and the instance of before."""

    postgres_id: str
    database: str
    before: str


async def standing_of(tx: Tx, slug: str, *, by: datetime | None = None) -> StandingDatabase | None:
    """The database of the customer's last restore, or of the last one that was made `by` then; None for none."""
    found = await tx.first(_NEWEST, {"p_slug": slug, "p_by": to_text_or_none(by)})
    if found is None:
        return None
    result = load_mapping(found[0])
    return StandingDatabase(str(result["postgres_id"]), str(result["database"]), str(result["instance_before"]))
