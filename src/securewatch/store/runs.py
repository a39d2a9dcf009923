"""Runs: one row per try of a customer, moved under an epoch so that two movers cannot both win."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from securewatch.core.errors import Conflict
from securewatch.deploy.model import Run, RunKind, Stage
from securewatch.store.codec import dump, load, to_text
from securewatch.store.failures import Duplicate
from securewatch.store.tables import BUSY_RUN, UNFINISHED_RUN
from securewatch.store.tables import run as runs
from securewatch.store.tx import Prepared, Row, Tx

_SLUG: sa.BindParameter[str] = sa.bindparam("p_slug")
_SELECT = sa.select(runs.c.id, runs.c.document)
_INSERT = Prepared(sa.insert(runs), [column.name for column in runs.columns])
_UPDATE = Prepared(
    sa.update(runs)
    .where(runs.c.id == sa.bindparam("p_id"), runs.c.epoch == sa.bindparam("p_epoch"))
    .returning(runs.c.id),
    ("stage", "since", "epoch", "document"),
)
_LOAD = Prepared(_SELECT.where(runs.c.id == sa.bindparam("p_id")))
_OPEN = Prepared(_SELECT.where(sa.text(UNFINISHED_RUN)).order_by(runs.c.slug, runs.c.generation))
_OPEN_IDS = Prepared(sa.select(runs.c.id).where(sa.text(UNFINISHED_RUN)).order_by(runs.c.slug, runs.c.generation))
_BUSY = Prepared(_SELECT.where(runs.c.slug == _SLUG, sa.text(BUSY_RUN)))
_WATCHING = Prepared(
    _SELECT.where(
        runs.c.slug == _SLUG,
        runs.c.generation < sa.bindparam("p_generation"),
        runs.c.stage == sa.literal_column(f"'{Stage.WATCHING.value}'"),
    ).order_by(runs.c.generation)
)
_OF = Prepared(_SELECT.where(runs.c.slug == _SLUG).order_by(runs.c.generation.desc()).limit(sa.bindparam("p_limit")))
_GENERATION = Prepared(sa.select(sa.func.max(runs.c.generation)).where(runs.c.slug == _SLUG))
_NEWEST = sa.select(runs.c.slug, sa.func.max(runs.c.generation).label("generation")).group_by(runs.c.slug).subquery()
_LATEST = Prepared(
    _SELECT.join_from(
        runs, _NEWEST, sa.and_(runs.c.slug == _NEWEST.c.slug, runs.c.generation == _NEWEST.c.generation)
    ).order_by(runs.c.slug)
)
_WENT_LIVE = sa.or_(
    *(runs.c.stage == one.value for one in (Stage.WATCHING, Stage.DONE, Stage.SUPERSEDED, Stage.ROLLED_BACK))
)
_RECENT = Prepared(
    _SELECT.where(runs.c.kind == RunKind.DEPLOY.value, _WENT_LIVE)
    .order_by(runs.c.since.desc())
    .limit(sa.bindparam("p_limit"))
)
_ALL = 2**31


async def add_run(tx: Tx, run: Run) -> Run:
    """Add a run. Raises Conflict (SW410) where the customer has another that is neither finished nor only watched."""
    other = await tx.first(_BUSY, {"p_slug": run.slug})
    if other is not None:
        raise _unfinished(_run(other))
    try:
        await tx.change(_INSERT, _columns(run))
    except Duplicate as error:
        raise _changed(run) from error
    return run


async def update_run(tx: Tx, run: Run, *, expected_epoch: int) -> Run:
    """Store a run as it is now, with the epoch after `expected_epoch`; gives the run with that epoch.

    Raises Conflict (SW410) where the row has moved on since it was read, or where another run of the customer acts (or
    waits to) and this one would too.
    """
    moved = replace(run, epoch=expected_epoch + 1)
    try:
        found = await tx.change(_UPDATE, {**_columns(moved), "p_id": run.id, "p_epoch": expected_epoch})
    except Duplicate as error:
        raise _changed(run) from error
    if not found:
        raise _changed(run)
    return moved


async def end_watches(tx: Tx, run: Run, *, at: datetime) -> Sequence[Run]:
    """Supersede the older runs of the customer that are only watching; gives them as they are now, to be journalled.

    For the transaction in which `run` begins to write: nobody watches what is being replaced.
    """
    found = await tx.rows(_WATCHING, {"p_slug": run.slug, "p_generation": run.generation})
    ended = []
    for old in map(_run, found):
        closed = replace(
            old,
            stage=Stage.SUPERSEDED,
            since=at,
            finished_at=at,
            detail=f"replaced by {run.version or run.id}",
            replaced_by=run.id,
        )
        ended.append(await update_run(tx, closed, expected_epoch=old.epoch))
    return ended


async def reopen_watches(tx: Tx, run: Run) -> Sequence[Run]:
    """Let the watches go on that `run` ended, since it replaced nothing after all; gives them as they are now.

    What nobody watched in between shows as a gap in the samples.
    """
    reopened = []
    for old in await runs_of(tx, run.slug, _ALL):
        if old.stage is Stage.SUPERSEDED and old.replaced_by == run.id:
            since = old.verified_at or old.since
            again = replace(old, stage=Stage.WATCHING, since=since, finished_at=None, detail="", replaced_by="")
            reopened.append(await update_run(tx, again, expected_epoch=old.epoch))
    return reopened


async def load_run(tx: Tx, run_id: str) -> Run | None:
    """The run of that id. Raises NeedsHuman (SW703), as all reads here, for a state that this version does not know."""
    found = await tx.first(_LOAD, {"p_id": run_id})
    return None if found is None else _run(found)


async def open_runs(tx: Tx) -> Sequence[Run]:
    """Every run to which something may still happen by itself, by customer."""
    return [_run(row) for row in await tx.rows(_OPEN)]


async def open_ids(tx: Tx) -> Sequence[str]:
    """The ids of those runs, in the same order, whether or not this version can read them."""
    return [row[0] for row in await tx.rows(_OPEN_IDS)]


async def latest_run(tx: Tx, slug: str, *, kinds: Collection[RunKind] | None = None) -> Run | None:
    """The customer's newest run, of those kinds where given."""
    found = await runs_of(tx, slug, 1 if kinds is None else _ALL)
    return next((run for run in found if kinds is None or run.kind in kinds), None)


async def runs_of(tx: Tx, slug: str, limit: int) -> Sequence[Run]:
    """The customer's newest runs, newest first."""
    return [_run(row) for row in await tx.rows(_OF, {"p_slug": slug, "p_limit": limit})]


async def next_generation(tx: Tx, slug: str) -> int:
    """The generation that the customer's next run has; the first is 1."""
    found = await tx.first(_GENERATION, {"p_slug": slug})
    return 1 + (found[0] or 0 if found else 0)


async def recent_deploys(tx: Tx, limit: int) -> Sequence[Run]:
    """The deploys to which something happened last, the newest first."""
    return [_run(row) for row in await tx.rows(_RECENT, {"p_limit": limit})]


async def latest_runs(tx: Tx) -> Mapping[str, Run]:
    """The newest run of every customer that has one, by slug."""
    found = [_run(row) for row in await tx.rows(_LATEST)]
    return {run.slug: run for run in found}


def _columns(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "slug": run.slug,
        "generation": run.generation,
        "kind": run.kind.value,
        "stage": run.stage.value,
        "since": to_text(run.since),
        "plan_hash": run.plan_hash,
        "epoch": run.epoch,
        "document": dump(run),
    }


def _run(row: Row) -> Run:
    return load(Run, row[1], f"the run {row[0]}")


def _unfinished(other: Run) -> Conflict:
    return Conflict(
        "SW410",
        f"another deploy of {other.slug} is unfinished",
        why=f"{other.kind} {other.version} is {other.stage}, requested by {other.requested_by}",
        fix=f"wait for it, or look at it with `securewatch customer show {other.slug}`",
    )


def _changed(run: Run) -> Conflict:
    return Conflict(
        "SW410",
        f"another deploy of {run.slug} is unfinished",
        why="another process moved it at the same time",
        fix="run the command again: it goes on from where things stand",
    )
