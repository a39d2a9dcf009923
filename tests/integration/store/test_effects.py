"""The effect ledger: one open write per service, epochs that shut out whoever lost the row, generations that fence."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from securewatch.core.errors import Conflict
from securewatch.deploy.model import Run, RunKind, Stage
from securewatch.deploy.view import Effect, EffectState, NewEffect
from securewatch.store import effects
from tests.integration.store.given import NOW, State, add, later, move, new_effect, next_run, opened, with_run

OPEN = [state for state in EffectState if state.is_open]
ENDED = [state for state in EffectState if not state.is_open]


async def intend(state: State, run: Run, *new: NewEffect) -> list[Effect]:
    async with state.database.write("intend") as tx:
        return list(await effects.add_effects(tx, run, new or (new_effect(),), at=NOW))


async def claim(state: State, effect: Effect) -> Effect:
    async with state.database.write("claim") as tx:
        claimed = await effects.claim_effect(tx, effect.id)
    assert claimed is not None
    return claimed


async def send(state: State, effect: Effect, generation: int | None = None) -> Effect | None:
    async with state.database.write("sent") as tx:
        return await effects.mark_sent(
            tx,
            effect,
            generation=effect.generation if generation is None else generation,
            before={"ids": ["dep-0"]},
            at=later(1),
        )


async def finish(state: State, effect: Effect, outcome: EffectState, **more: Any) -> bool:
    async with state.database.write("record") as tx:
        return await effects.finish_effect(tx, effect, at=later(2), state=outcome, **more)


async def load(state: State, effect: Effect) -> Effect:
    async with state.database.read() as tx:
        found = await effects.load_effect(tx, effect.id)
    assert found is not None
    return found


async def test_an_effect_goes_from_intent_to_confirmed(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        (intent,) = await intend(state, run)
        claimed = await claim(state, intent)
        sent = await send(state, claimed)
        done = await finish(
            state, claimed, EffectState.CONFIRMED, result={"deploy_id": "dep-1"}, code="", reason="", request_id="req-1"
        )
        found = await load(state, intent)

    assert (intent.state, intent.seq, intent.epoch, intent.args) == (
        EffectState.INTENT,
        1,
        0,
        {"commit": "9c1e2ab", "tries": [1, 2]},
    )
    assert claimed == replace(intent, epoch=1)
    assert sent == replace(claimed, state=EffectState.SENT, before={"ids": ["dep-0"]}, sent_at=later(1))
    assert done
    assert found == replace(
        sent,
        state=EffectState.CONFIRMED,
        result={"deploy_id": "dep-1"},
        finished_at=later(2),
        request_id="req-1",
    )


async def test_an_effect_that_is_open_or_confirmed_is_not_intended_again(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        (effect,) = await intend(state, run)
        while_open = await intend(state, run)
        await finish(state, effect, EffectState.CONFIRMED)
        once_confirmed = await intend(state, run)

    assert (while_open, once_confirmed) == ([], [])


@pytest.mark.parametrize("outcome", [state for state in ENDED if state is not EffectState.CONFIRMED])
async def test_an_effect_that_came_to_nothing_is_armed_again_under_the_next_number(
    tmp_path: Path, outcome: EffectState
) -> None:
    async with with_run(tmp_path) as (state, run):
        (first,) = await intend(state, run)
        await finish(state, first, outcome, reason="why")
        (second,) = await intend(state, run)
        async with state.database.read() as tx:
            newest = await effects.effects_of(tx, run.id)
            history = await effects.history_of(tx, run.id)

    assert (second.seq, second.state) == (2, EffectState.INTENT)
    assert newest == {"deploy:backend": second}
    assert [(one.seq, one.state) for one in history] == [(1, outcome), (2, EffectState.INTENT)]


async def test_a_second_open_write_to_a_service_is_a_conflict_and_another_service_is_none(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        await intend(state, run)

        with pytest.raises(Conflict) as caught:
            await intend(state, run, new_effect("env:backend:A"))
        added = await intend(state, run, new_effect("deploy:frontend", "srv-front"))

    assert caught.value.code == "SW410"
    assert len(added) == 1


@pytest.mark.parametrize("outcome", OPEN[1:])
async def test_a_write_that_was_sent_and_has_not_ended_keeps_its_service(tmp_path: Path, outcome: EffectState) -> None:
    async with with_run(tmp_path) as (state, run):
        (effect,) = await intend(state, run)
        await send(state, effect)
        await finish(state, effect, outcome)

        with pytest.raises(Conflict):
            await intend(state, run, new_effect("env:backend:A"))
        async with state.database.read() as tx:
            found = await effects.open_effects(tx)

    assert [(one.state, one.finished_at) for one in found] == [(outcome, None)]


async def test_two_processes_intend_one_write_once(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run), opened(tmp_path) as other:
        added = await asyncio.gather(*(intend(one, run) for one in (state, other)))

    assert sorted(len(one) for one in added) == [0, 1]


async def test_whoever_lost_the_claim_records_nothing(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        (intent,) = await intend(state, run)
        frozen = await claim(state, intent)
        taken_over = await claim(state, intent)

        assert await send(state, frozen) is None
        assert not await finish(state, frozen, EffectState.CONFIRMED)
        async with state.database.write("w") as tx:
            assert await effects.mark_doubt(tx, frozen, reason="?", at=NOW) is None
            assert not await effects.touch_look(tx, frozen, NOW)
        assert await load(state, intent) == taken_over
        assert await send(state, taken_over) is not None


async def test_an_effect_is_sent_once(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        (intent,) = await intend(state, run)
        first = await send(state, intent)
        second = await send(state, intent)

    assert first is not None
    assert second is None


@pytest.mark.parametrize("outcome", ENDED)
async def test_an_effect_that_ended_stays_as_it_is(tmp_path: Path, outcome: EffectState) -> None:
    async with with_run(tmp_path) as (state, run):
        (effect,) = await intend(state, run)
        await finish(state, effect, outcome)
        before = await load(state, effect)

        assert await send(state, before) is None
        assert not await finish(state, before, EffectState.FAILED, reason="late")
        async with state.database.write("w") as tx:
            assert await effects.claim_effect(tx, effect.id) is None
            assert await effects.mark_doubt(tx, before, reason="late", at=NOW) is None
        assert await load(state, effect) == before


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.is_terminal])
async def test_nothing_is_sent_for_a_finished_run(tmp_path: Path, stage: Stage) -> None:
    async with with_run(tmp_path) as (state, run):
        (intent,) = await intend(state, run)
        await move(state, run, stage)

        assert await send(state, intent) is None
        assert await load(state, intent) == intent


async def test_nothing_is_sent_under_another_generation(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        (intent,) = await intend(state, run)

        assert await send(state, intent, generation=2) is None
        assert await send(state, intent, generation=1) is not None


async def newer_deploy(state: State, run: Run, stage: Stage, service_id: str = "srv-acme") -> None:
    """A newer run of the customer that sent a deploy, and is now in that stage."""
    newer = await add(state, next_run(run, stage=Stage.DEPLOYING))
    (theirs,) = await intend(state, newer, new_effect("deploy:backend", service_id))
    assert await send(state, theirs, generation=newer.generation) is not None
    await finish(state, theirs, EffectState.CONFIRMED)
    await move(state, newer, stage)


@pytest.mark.parametrize("stage", [Stage.WATCHING, Stage.DONE, Stage.HELD, Stage.SUPERSEDED])
async def test_nothing_is_sent_once_what_a_newer_run_deployed_may_stand(tmp_path: Path, stage: Stage) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, run):
        (intent,) = await intend(state, run, new_effect("rollback:backend"))
        await finish(state, intent, EffectState.DROPPED)
        await newer_deploy(state, run, stage)
        (intent,) = await intend(state, run, new_effect("rollback:backend"))

        assert await send(state, intent) is None


async def test_nothing_is_sent_while_a_newer_run_acts(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, run):
        await add(state, next_run(run, stage=Stage.SETTING_ENV))
        (intent,) = await intend(state, run)

        assert await send(state, intent) is None


@pytest.mark.parametrize("stage", [Stage.FAILED, Stage.ROLLED_BACK])
async def test_the_way_back_is_sent_after_a_newer_run_was_undone(tmp_path: Path, stage: Stage) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, run):
        await newer_deploy(state, run, stage)
        (intent,) = await intend(state, run, new_effect("rollback:backend"))

        assert await send(state, intent) is not None


async def test_a_newer_deploy_of_the_other_service_hinders_nothing(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, run):
        await newer_deploy(state, run, Stage.DONE, "srv-acme-other")
        (intent,) = await intend(state, run, new_effect("rollback:backend"))

        assert await send(state, intent) is not None


@pytest.mark.parametrize("stage", [Stage.QUEUED, Stage.PREFLIGHT, Stage.REFUSED])
async def test_the_way_back_of_a_watch_is_sent_while_a_newer_run_has_written_nothing(
    tmp_path: Path, stage: Stage
) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, run):
        await add(state, next_run(run, stage=stage))
        run = await move(state, run, Stage.ROLLING_BACK)
        (intent,) = await intend(state, run)

        assert await send(state, intent) is not None


async def test_the_way_back_of_a_watch_is_sent_after_a_later_change_of_env_vars(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, run):
        await add(state, next_run(run, stage=Stage.DONE, kind=RunKind.ENV))
        (intent,) = await intend(state, run)

        assert await send(state, intent) is not None


async def test_a_doubt_is_noted_only_of_what_was_sent(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        (intent,) = await intend(state, run)
        async with state.database.write("w") as tx:
            of_an_intent = await effects.mark_doubt(tx, intent, reason="lost", at=later(3))
        sent = await send(state, intent)
        async with state.database.write("w") as tx:
            of_a_send = await effects.mark_doubt(tx, intent, reason="lost", at=later(3))

    assert of_an_intent is None
    assert sent is not None
    assert of_a_send == replace(sent, state=EffectState.IN_DOUBT, looked_at=later(3), code="SW504", reason="lost")


async def test_a_look_is_noted(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        (intent,) = await intend(state, run)
        async with state.database.write("w") as tx:
            assert await effects.touch_look(tx, intent, later(4))

        assert (await load(state, intent)).looked_at == later(4)


async def test_dropping_intents_spares_what_was_sent_and_shuts_out_who_claimed_them(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        intent, sent = await intend(state, run, new_effect(), new_effect("deploy:frontend", "srv-front"))
        claimed = await claim(state, intent)
        await send(state, sent)
        async with state.database.write("w") as tx:
            dropped = await effects.drop_intents(tx, run.id, at=later(5), reason="the run is stopping")

        assert dropped == 1
        assert await send(state, claimed) is None
        found = await load(state, intent)
        assert (found.state, found.finished_at, found.reason) == (EffectState.DROPPED, later(5), "the run is stopping")
        assert (await load(state, sent)).state is EffectState.SENT


async def test_a_hostile_reason_is_stored(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        (intent,) = await intend(state, run)
        await finish(
            state, intent, EffectState.FAILED, reason="\x00 '); DROP TABLE run; \ud800", result={"a": "\ud800"}
        )

        found = await load(state, intent)

    assert (found.reason, found.result) == ("\\x00 '); DROP TABLE run; \\ud800", {"a": "\ud800"})
