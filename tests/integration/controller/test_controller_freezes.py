"""Whole runs of the real controller while people set freezes, pins and holds and end them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from securewatch.deploy.model import RunKind, Stage
from securewatch.deploy.view import WaitingOn
from securewatch.rollout.freezes import FreezeKind, StandingFreeze
from securewatch.store import freezes
from tests.factories import BACKEND
from tests.integration.controller.given import Engine, ask_back, ended, reached, running_engine

DAY = timedelta(days=1)


async def freeze(engine: Engine, **changes: Any) -> StandingFreeze:
    """Everybody is frozen for two days from now on, unless told otherwise."""
    now = engine.clock.now()
    one = StandingFreeze(FreezeKind.FREEZE, "audit", now, now + 2 * DAY, actor="ann", at=now)
    async with engine.database.write("freeze") as tx:
        return await freezes.add(tx, replace(one, **changes))


async def hold(engine: Engine) -> StandingFreeze:
    return await freeze(engine, kind=FreezeKind.HOLD, name="acme-corp", end=None, customers=("acme-corp",))


async def end(engine: Engine, one: StandingFreeze) -> None:
    async with engine.database.write("end") as tx:
        await freezes.end(tx, one.id, at=engine.clock.now())


async def steps(engine: Engine, count: int = 3) -> None:
    for _ in range(count):
        await engine.step()


def waiting(engine: Engine) -> WaitingOn:
    found = engine.controller.decisions[engine.run.id].waiting_on
    assert found is not None
    return found


async def test_a_run_waits_while_a_freeze_holds_and_goes_on_when_it_is_over(tmp_path: Path) -> None:
    async with running_engine(tmp_path, stage=Stage.QUEUED) as engine:
        one = await freeze(engine)
        await engine.controller.tick()
        told, written = waiting(engine), list(engine.wire.writes)

        run = await engine.run_until(ended)

        assert (told.what, told.code, told.until, told.is_gate) == (
            "the end of the freeze 'audit'",
            "SW401",
            one.end,
            True,
        )
        assert written == []
        assert run.stage is Stage.DONE
        assert engine.ours(BACKEND)[0].created_at >= one.end


async def test_a_freeze_that_recurs_lets_a_run_go_in_between(tmp_path: Path) -> None:
    async with running_engine(tmp_path, stage=Stage.QUEUED) as engine:
        now = engine.clock.now()
        await freeze(engine, end=now + timedelta(hours=18), every="FREQ=DAILY")

        run = await engine.run_until(reached(Stage.WATCHING))

        sent_at = run.of(BACKEND).sent_at
        assert sent_at is not None
        assert timedelta(hours=18) <= sent_at - now < DAY


async def test_a_freeze_that_is_ended_early_lets_the_run_go_on_at_once(tmp_path: Path) -> None:
    async with running_engine(tmp_path, stage=Stage.QUEUED) as engine:
        one = await freeze(engine)
        await engine.controller.tick()
        await end(engine, one)

        await engine.controller.tick()

        assert (await engine.load()).stage is Stage.PREFLIGHT


async def test_a_forced_run_passes_a_freeze_and_a_pin_but_no_hold(tmp_path: Path) -> None:
    async with running_engine(tmp_path, stage=Stage.QUEUED, force=True) as engine:
        await freeze(engine)
        await freeze(engine, kind=FreezeKind.PIN, name="acme-corp", customers=("acme-corp",))
        one = await hold(engine)
        await steps(engine)
        held, written, told = await engine.load(), list(engine.wire.writes), waiting(engine)
        await end(engine, one)

        run = await engine.run_until(reached(Stage.WATCHING))

        assert (held.stage, written) == (Stage.QUEUED, [])
        assert (told.what, told.code, told.person) == ("the end of the hold that ann set", "SW404", "an operator")
        assert run.stage is Stage.WATCHING


async def test_a_freeze_that_begins_before_the_first_deploy_is_sent_puts_the_env_vars_back(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        original = dict(engine.env())
        await engine.run_until(reached(Stage.SETTING_ENV))
        await freeze(engine)

        await engine.run_until(reached(Stage.QUEUED))

        assert dict(engine.env()) == original
        assert engine.ours() == []


async def test_what_has_sent_its_deploy_is_finished_and_watched_though_a_hold_begins(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(lambda run: run.of(BACKEND).sent_at is not None)
        await hold(engine)

        assert (await engine.run_until(ended)).stage is Stage.DONE


async def test_a_rollback_passes_freezes_and_holds(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        await freeze(engine)
        await hold(engine)
        await ask_back(engine)

        assert (await engine.run_until(ended)).stage is Stage.ROLLED_BACK


async def test_env_vars_wait_for_the_end_of_a_freeze_too(tmp_path: Path) -> None:
    async with running_engine(tmp_path, stage=Stage.QUEUED, kind=RunKind.ENV) as engine:
        one = await freeze(engine)
        await engine.controller.tick()
        told, written = waiting(engine), list(engine.wire.writes)

        run = await engine.run_until(ended)

        assert (told.until, written) == (one.end, [])
        assert run.stage is Stage.DONE
