"""What is at rest with many customers at once, in one query: their newest run, and what it did to the database."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from securewatch.deploy.model import DatabasePlan, Run, RunKind, Stage
from securewatch.store.codec import dump_canonical, load
from securewatch.store.plans import KNOWN_PLAN_FORMATS
from securewatch.store.tables import plan
from securewatch.store.tables import run as runs
from securewatch.store.tx import Prepared, Tx

_ASKED = sa.func.json_each(sa.bindparam("p_slugs", type_=sa.Text)).table_valued("value")
_SLUGS = sa.select(_ASKED.c.value)
_NEWEST = (
    sa.select(runs.c.slug, sa.func.max(runs.c.generation).label("generation"))
    .where(runs.c.kind != RunKind.ENV.value, runs.c.stage != Stage.REFUSED.value, runs.c.slug.in_(_SLUGS))
    .group_by(runs.c.slug)
    .subquery()
)
_LIVE = Prepared(
    sa.select(
        *(runs.c.id, runs.c.document),
        sa.func.json_extract(plan.c.document, "$.customers[0].slug"),
        sa.func.json_extract(plan.c.document, "$.customers[0].database"),
    )
    .join_from(runs, _NEWEST, sa.and_(runs.c.slug == _NEWEST.c.slug, runs.c.generation == _NEWEST.c.generation))
    .join(plan, plan.c.hash == runs.c.plan_hash)
    .where(
        runs.c.stage.in_([sa.literal_column(f"'{one.value}'") for one in (Stage.WATCHING, Stage.DONE)]),
        plan.c.plan_format.in_([sa.literal_column(str(one)) for one in sorted(KNOWN_PLAN_FORMATS)]),
    )
)


@dataclass(frozen=True)
class LiveRun:
    """A customer's newest run, which is verified and at rest, and what its plan did to the database."""

    run: Run
    database: DatabasePlan | None


async def live_runs(tx: Tx, slugs: Collection[str]) -> Mapping[str, LiveRun]:
    """By slug the newest run of each of the customers, where it is at rest; those of env vars alone, and what was
    refused, do not count. Whose newest run is under way or was undone is left out, and so is one with a plan of a
    format that this version does not know. Raises NeedsHuman (SW703) for a run that it cannot read.
    """
    found = {}
    for run_id, document, slug, database in await tx.rows(_LIVE, {"p_slugs": dump_canonical(list(slugs))}):
        run = load(Run, document, f"the run {run_id}")
        if slug == run.slug:
            what = f"the plan of the run {run_id}"
            found[run.slug] = LiveRun(run, load(DatabasePlan, database, what) if database else None)
    return found
