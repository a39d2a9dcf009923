"""What the looks of a run saw: the newest of each key, and the health samples of its services."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from securewatch.deploy.model import ServiceKind
from securewatch.deploy.view import Observation
from securewatch.health.verdict import Sample
from securewatch.store.codec import dump_mapping, from_text, load_mapping, safe_text, to_text
from securewatch.store.tables import observation as observations
from securewatch.store.tables import sample as samples
from securewatch.store.tx import Prepared, Tx

_RUN_ID = observations.c.run_id == sa.bindparam("p_run_id")
_INSERT = sqlite.insert(observations)
_SAVE = Prepared(
    _INSERT.on_conflict_do_update(
        index_elements=["run_id", "key"],
        set_={"at": _INSERT.excluded.at, "data": _INSERT.excluded.data, "count": observations.c.count + 1},
    ).returning(observations.c.count),
    [column.name for column in observations.columns],
)
_OF_RUN = Prepared(
    sa.select(observations.c.key, observations.c.at, observations.c.data, observations.c.count).where(_RUN_ID)
)
_CLEAR = Prepared(
    sa.delete(observations).where(
        _RUN_ID, observations.c.key >= sa.bindparam("p_first"), observations.c.key < sa.bindparam("p_end")
    )
)
_ADD_SAMPLE = Prepared(sa.insert(samples), [column.name for column in samples.columns if column.name != "id"])
_NEWER = Prepared(
    sa.select(samples.c.id, samples.c.service_kind, samples.c.at, samples.c.ok, samples.c.response_ms, samples.c.reason)
    .where(samples.c.run_id == sa.bindparam("p_run_id"), samples.c.id > sa.bindparam("p_after"))
    .order_by(samples.c.at, samples.c.id)
)


@dataclass(frozen=True)
class Taken:
    """The newest samples of a run by service, oldest first, and the id of the last row that was read."""

    by_kind: Mapping[ServiceKind, tuple[Sample, ...]] = field(default_factory=dict)
    last_id: int = 0


@dataclass(frozen=True, eq=False)
class TakenSample:
    """A health sample of a run's service; `phase` says what it was taken for."""

    run_id: str
    kind: ServiceKind
    phase: str
    sample: Sample


async def save_observation(tx: Tx, run_id: str, observation: Observation) -> Observation:
    """Keep what a look saw in place of what it saw before; gives it with how often that was so far."""
    row = {
        "run_id": run_id,
        "key": observation.key,
        "at": to_text(observation.at),
        "data": dump_mapping(observation.data),
        "count": 1,
    }
    found = await tx.change(_SAVE, row)
    return replace(observation, count=found[0][0])


async def observations_of(tx: Tx, run_id: str) -> Mapping[str, Observation]:
    """The newest observation of every key of a run."""
    found = await tx.rows(_OF_RUN, {"p_run_id": run_id})
    return {key: Observation(key, from_text(at), load_mapping(data), count) for key, at, data, count in found}


async def clear_observations(tx: Tx, run_id: str, prefix: str = "") -> None:
    """Forget the observations of a run whose keys begin with `prefix`; the next one counts as the first."""
    await tx.change(_CLEAR, {"p_run_id": run_id, "p_first": prefix, "p_end": f"{prefix}\U0010ffff"})


async def add_samples(tx: Tx, taken: Iterable[TakenSample]) -> None:
    """Keep health samples."""
    for one in taken:
        row = {
            "run_id": one.run_id,
            "service_kind": one.kind.value,
            "phase": one.phase,
            "at": to_text(one.sample.at),
            "ok": one.sample.ok,
            "response_ms": one.sample.response_ms,
            "reason": safe_text(one.sample.reason),
        }
        await tx.change(_ADD_SAMPLE, row)


async def newer_samples(tx: Tx, run_id: str, known: Taken, *, limit: int) -> Taken:
    """What was read before, with the samples that were added since; of each service the last `limit`."""
    found = await tx.rows(_NEWER, {"p_run_id": run_id, "p_after": known.last_id})
    if not found:
        return known
    by_kind = {kind: list(taken) for kind, taken in known.by_kind.items()}
    for _, kind, at, ok, response_ms, reason in found:
        by_kind.setdefault(ServiceKind(kind), []).append(Sample(from_text(at), bool(ok), response_ms, reason))
    kept = {kind: tuple(sorted(taken, key=_at)[-limit:]) for kind, taken in by_kind.items()}
    return Taken(kept, max(row[0] for row in found))


def _at(sample: Sample) -> datetime:
    return sample.at
