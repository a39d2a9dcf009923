"""The effect ledger: intents committed before anything is sent, and what came of them. Sends nothing itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack

import sqlalchemy as sa

from securewatch.core.errors import Conflict
from securewatch.deploy.model import Run, RunKind, ServiceKind
from securewatch.deploy.view import Effect, EffectKind, EffectState, NewEffect
from securewatch.store.codec import (
    dump_mapping,
    from_text,
    from_text_or_none,
    load_mapping,
    safe_text,
    to_text,
    unreadable,
)
from securewatch.store.failures import Duplicate
from securewatch.store.tables import ACTING_RUN, DEPLOYING_EFFECT, OPEN_EFFECT, STANDING_RUN, UNFINISHED_RUN
from securewatch.store.tables import effect as effects
from securewatch.store.tables import run as runs
from securewatch.store.tx import Prepared, Row, Tx

_ID = effects.c.id == sa.bindparam("p_id")
_EPOCH = effects.c.epoch == sa.bindparam("p_epoch")
_GENERATION: sa.BindParameter[int] = sa.bindparam("p_generation")
_RUN_ID = effects.c.run_id == sa.bindparam("p_run_id")
_IS_OPEN = sa.text(f"effect.{OPEN_EFFECT}")
_NEWER = runs.alias("newer")
_THEIRS = effects.alias("theirs")
_REPLACED = sa.and_(
    sa.text(f"newer.{STANDING_RUN}"),
    sa.exists()
    .where(
        _THEIRS.c.run_id == _NEWER.c.id,
        _THEIRS.c.service_id == effects.c.service_id,
        sa.text(f"theirs.{DEPLOYING_EFFECT}"),
        _THEIRS.c.sent_at.is_not(None),
    )
    .correlate_except(_THEIRS),
)
"""SQL: a newer run has put something in the place of what the older one knows of this service."""

_INSERT = Prepared(
    sa.insert(effects).returning(*effects.columns), [column.name for column in effects.columns if column.name != "id"]
)
_OF_RUN = Prepared(sa.select(effects).where(_RUN_ID).order_by(effects.c.id))
_LOAD = Prepared(sa.select(effects).where(_ID))
_OPEN = Prepared(sa.select(effects).where(_IS_OPEN).order_by(effects.c.id))
_CLAIM = Prepared(sa.update(effects).where(_ID, _IS_OPEN).values(epoch=effects.c.epoch + 1).returning(*effects.columns))
_SEND = Prepared(
    sa.update(effects)
    .where(
        _ID,
        _EPOCH,
        effects.c.state == EffectState.INTENT.value,
        effects.c.generation == _GENERATION,
        sa.exists().where(runs.c.id == effects.c.run_id, sa.text(f"run.{UNFINISHED_RUN}")),
        ~sa.exists().where(
            _NEWER.c.slug == effects.c.slug,
            _NEWER.c.generation > _GENERATION,
            _NEWER.c.kind != RunKind.ENV.value,
            sa.or_(sa.text(f"newer.{ACTING_RUN}"), _REPLACED),
        ),
    )
    .returning(*effects.columns),
    ("state", "before", "sent_at"),
)
_FINISH = Prepared(
    sa.update(effects).where(_ID, _EPOCH, _IS_OPEN).returning(effects.c.id),
    ("state", "result", "finished_at", "code", "reason", "request_id"),
)
_DOUBT = Prepared(
    sa.update(effects)
    .where(_ID, _EPOCH, _IS_OPEN, effects.c.state != EffectState.INTENT.value)
    .returning(*effects.columns),
    ("state", "looked_at", "code", "reason"),
)
_LOOKED = Prepared(sa.update(effects).where(_ID, _EPOCH).returning(effects.c.id), ("looked_at",))
_DROP = Prepared(
    sa.update(effects)
    .where(_RUN_ID, effects.c.state == EffectState.INTENT.value)
    .values(epoch=effects.c.epoch + 1)
    .returning(effects.c.id),
    ("state", "finished_at", "reason"),
)


class EffectOutcome(TypedDict):
    """What came of an effect. `state` may still be open (ACCEPTED); `reason` and `result` hold no secret."""

    state: EffectState
    result: NotRequired[Mapping[str, Any]]
    code: NotRequired[str]
    reason: NotRequired[str]
    request_id: NotRequired[str | None]


async def add_effects(tx: Tx, run: Run, new: Sequence[NewEffect], *, at: datetime) -> Sequence[Effect]:
    """Write down the intents; gives those that were added.

    A key whose newest effect is open or confirmed is left alone; otherwise it gets the next sequence number, and what
    existed before the first send of that key: a request believed lost may still arrive (S1). Raises Conflict (SW410)
    where another write to the service is open.
    """
    if not new:
        return []
    newest = dict(await effects_of(tx, run.id))
    added = []
    for one in new:
        last = newest.get(one.key)
        if last is not None and (last.state.is_open or last.state is EffectState.CONFIRMED):
            continue
        newest[one.key] = await _insert(tx, _columns(run, one, last, at))
        added.append(newest[one.key])
    return added


async def effects_of(tx: Tx, run_id: str) -> Mapping[str, Effect]:
    """The newest effect of every key of a run."""
    return {effect.key: effect for effect in await history_of(tx, run_id)}


async def history_of(tx: Tx, run_id: str) -> Sequence[Effect]:
    """Every effect of a run, in the order in which they were intended."""
    return [_effect(row) for row in await tx.rows(_OF_RUN, {"p_run_id": run_id})]


async def load_effect(tx: Tx, effect_id: int) -> Effect | None:
    """The effect of that id."""
    found = await tx.first(_LOAD, {"p_id": effect_id})
    return None if found is None else _effect(found)


async def open_effects(tx: Tx) -> Sequence[Effect]:
    """Every effect that may still change something outside, of all runs."""
    return [_effect(row) for row in await tx.rows(_OPEN)]


async def claim_effect(tx: Tx, effect_id: int) -> Effect | None:
    """Take on an open effect, else None: its epoch is raised, so that whoever had it before can record nothing."""
    found = await tx.change(_CLAIM, {"p_id": effect_id})
    return _effect(found[0]) if found else None


async def mark_sent(
    tx: Tx, effect: Effect, *, generation: int, before: Mapping[str, Any], at: datetime
) -> Effect | None:
    """Commit to sending an intent, with what existed before. None where it must not be sent, and nothing was changed.

    That is so where the epoch moved, it is no intent any more, its generation is not `generation`, its run is finished,
    or a newer deploy or rollback of the customer acts or is in force on the service (S5). One that waits or was taken
    back does not hinder the way back of what it found (S18).
    """
    parameters = {
        "p_id": effect.id,
        "p_epoch": effect.epoch,
        "p_generation": generation,
        "state": EffectState.SENT.value,
        "before": dump_mapping(before),
        "sent_at": to_text(at),
    }
    found = await tx.change(_SEND, parameters)
    return _effect(found[0]) if found else None


async def finish_effect(tx: Tx, effect: Effect, *, at: datetime, **outcome: Unpack[EffectOutcome]) -> bool:
    """Record what came of an effect; False where the epoch moved or it is no longer open, and nothing was changed."""
    state = outcome["state"]
    parameters = {
        "p_id": effect.id,
        "p_epoch": effect.epoch,
        "state": state.value,
        "result": dump_mapping(outcome.get("result", {})),
        "finished_at": None if state.is_open else to_text(at),
        "code": outcome.get("code", ""),
        "reason": safe_text(outcome.get("reason", "")),
        "request_id": outcome.get("request_id"),
    }
    return bool(await tx.change(_FINISH, parameters))


async def mark_doubt(tx: Tx, effect: Effect, *, reason: str, at: datetime, code: str = "SW504") -> Effect | None:
    """Record that nobody knew at `at` what came of a request; None where the epoch moved or it was never sent."""
    parameters = {
        "p_id": effect.id,
        "p_epoch": effect.epoch,
        "state": EffectState.IN_DOUBT.value,
        "looked_at": to_text(at),
        "code": code,
        "reason": safe_text(reason),
    }
    found = await tx.change(_DOUBT, parameters)
    return _effect(found[0]) if found else None


async def touch_look(tx: Tx, effect: Effect, at: datetime) -> bool:
    """Record when Render was last asked about an effect; False where the epoch moved."""
    return bool(await tx.change(_LOOKED, {"p_id": effect.id, "p_epoch": effect.epoch, "looked_at": to_text(at)}))


async def drop_intents(tx: Tx, run_id: str, *, reason: str, at: datetime) -> int:
    """Drop the intents of a run that were never sent, and say how many; what was sent needs a look and stays."""
    parameters = {
        "p_run_id": run_id,
        "state": EffectState.DROPPED.value,
        "finished_at": to_text(at),
        "reason": safe_text(reason),
    }
    return len(await tx.change(_DROP, parameters))


async def _insert(tx: Tx, columns: Mapping[str, object]) -> Effect:
    try:
        return _effect((await tx.change(_INSERT, columns))[0])
    except Duplicate as error:
        raise Conflict(
            "SW410",
            f"another write to {columns['service_id']} of {columns['slug']} is open",
            why="only one write to a service may be under way",
            fix="wait until it has ended",
        ) from error


def _columns(run: Run, new: NewEffect, last: Effect | None, at: datetime) -> dict[str, object]:
    return {
        "run_id": run.id,
        "slug": run.slug,
        "generation": run.generation,
        "key": new.key,
        "seq": 1 if last is None else last.seq + 1,
        "kind": new.kind.value,
        "service_kind": new.service_kind.value,
        "service_id": new.service_id,
        "args": dump_mapping(new.args),
        "state": EffectState.INTENT.value,
        "epoch": 0,
        "intent_at": to_text(at),
        "before": "{}" if last is None else dump_mapping(last.before),
        "result": "{}",
        "sent_at": None,
        "finished_at": None,
        "looked_at": None,
        "code": "",
        "reason": "",
        "request_id": None,
    }


def _state(word: str, key: str) -> EffectState:
    try:
        return EffectState(word)
    except ValueError as error:
        raise unreadable(f"the effect {key}", str(error)) from error


def _kind(word: str, key: str) -> EffectKind:
    try:
        return EffectKind(word)
    except ValueError as error:
        raise unreadable(f"the effect {key}", str(error)) from error


def _effect(row: Row) -> Effect:
    key = row[4]
    return Effect(
        id=row[0],
        run_id=row[1],
        slug=row[2],
        generation=row[3],
        key=key,
        seq=row[5],
        kind=_kind(row[6], key),
        service_kind=ServiceKind(row[7]),
        service_id=row[8],
        args=load_mapping(row[9]),
        state=_state(row[10], key),
        epoch=row[11],
        intent_at=from_text(row[12]),
        before=load_mapping(row[13]),
        result=load_mapping(row[14]),
        sent_at=from_text_or_none(row[15]),
        finished_at=from_text_or_none(row[16]),
        looked_at=from_text_or_none(row[17]),
        code=row[18],
        reason=row[19],
        request_id=row[20],
    )
