"""What a controller takes over from earlier ticks is what it would read and decide anew."""

from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.controller.load import Memory, load_fleet
from securewatch.deploy.model import GateRules, Run, Stage
from securewatch.rollout.decide import FleetDecision, decide
from securewatch.store import approvals, meta
from securewatch.store.approvals import Approval
from tests.integration.controller.given import NEW, RULES, Engine, ask_back, ended, reached, running_engine


async def decided_anew(engine: Engine) -> FleetDecision:
    async with engine.database.read() as tx:
        fleet, _, _ = await load_fleet(tx, Memory())
    return decide(fleet, engine.clock.now())


async def run_compared(engine: Engine) -> Run:
    """Run to the end, comparing at every tick."""
    for _ in range(1500):
        await engine.controller.drain()
        anew = await decided_anew(engine)
        changed = await engine.controller.tick()
        assert engine.controller.decisions == anew.decisions
        run = await engine.load()
        if ended(run):
            return run
        if not changed:
            await engine.controller.drain()
            nexts = [one.next_at for one in engine.controller.decisions.values() if one.next_at is not None]
            until = min(nexts, default=engine.clock.now()) - engine.clock.now()
            await engine.pass_seconds(max(until, timedelta(seconds=1)).total_seconds())
    raise AssertionError("it does not end")


async def test_a_whole_deploy_is_decided_as_if_everything_were_read_at_every_tick(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        run = await run_compared(engine)

    assert run.stage is Stage.DONE


async def test_a_decision_stands_while_nothing_changes_and_its_time_has_not_come(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.SETTLING))
        while await engine.controller.tick() or engine.controller.decisions[engine.run.id].looks:
            await engine.controller.drain()
        standing = engine.controller.decisions[engine.run.id]

        await engine.controller.tick()
        assert engine.controller.decisions[engine.run.id] is standing
        await engine.pass_seconds(RULES.settle_seconds)
        await engine.controller.tick()
        assert engine.controller.decisions[engine.run.id] is not standing


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
async def test_so_is_one_whose_request_is_in_doubt_and_that_goes_back(tmp_path: Path, fault: str) -> None:
    async with running_engine(tmp_path) as engine:
        engine.prober.sick = {NEW}
        await engine.arm(fault, method="POST", path="/deploys$", count=1)

        run = await run_compared(engine)

    assert run.stage is Stage.ROLLED_BACK


async def test_what_other_processes_write_is_seen_at_the_next_tick(tmp_path: Path) -> None:
    async with running_engine(tmp_path, gates=GateRules(needs_approval=True, approvals_needed=1)) as engine:
        await engine.controller.tick()
        assert (await engine.load()).stage is Stage.QUEUED
        now = engine.clock.now()
        async with engine.database.write("approve") as tx:
            await approvals.add(tx, Approval(engine.plan.hash, "acme-corp", "alice", now, now + timedelta(days=1)))

        await engine.controller.tick()
        assert (await engine.load()).stage is Stage.PREFLIGHT
        await engine.pause()
        await engine.controller.tick()
        paused = engine.controller.decisions[engine.run.id].waiting_on
        assert paused is not None
        assert "pause --all" in paused.what
        async with engine.database.write("resume") as tx:
            await meta.set_paused(tx, False, actor="ann", at=engine.clock.now())
        await ask_back(engine)

        await engine.controller.tick()
        assert (await engine.load()).stage is not Stage.PREFLIGHT
