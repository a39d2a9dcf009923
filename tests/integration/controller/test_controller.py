"""Whole runs of the real controller over the local platform: forward, back, carried on, paused, gated."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from securewatch.controller.controller import Scope
from securewatch.deploy.model import GateRules, Stage
from securewatch.store import approvals, audit, inbox, plans, releases, runs
from securewatch.store.approvals import Approval
from securewatch.store.head import read_head
from tests.factories import BACKEND, FRONTEND, SERVICE_IDS
from tests.integration.controller.given import NEW, OLD, Engine, ask_back, ended, reached, running_engine


def serving(engine: Engine) -> list[str]:
    return [engine.rig.host.serving[SERVICE_IDS[kind]][0] for kind in (BACKEND, FRONTEND)]


async def pending(engine: Engine) -> int:
    async with engine.database.read() as tx:
        return len(await inbox.pending(tx, "acme-corp"))


async def approve(engine: Engine, actor: str = "alice") -> None:
    now = engine.clock.now()
    async with engine.database.write("approve") as tx:
        expires_at = now + timedelta(days=1)
        await approvals.add(tx, Approval(engine.plan.hash, "acme-corp", actor, now, expires_at))


async def test_a_good_version_goes_out_backend_first_and_the_watch_ends_complete(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        original = {kind: dict(engine.env(kind)) for kind in (BACKEND, FRONTEND)}

        run = await engine.run_until(ended)

        assert (run.stage, run.code, run.unwatched_seconds) == (Stage.DONE, "", 0.0)
        assert serving(engine) == [NEW, NEW]
        assert len(engine.ours(BACKEND)) == len(engine.ours(FRONTEND)) == 1
        assert engine.ours(BACKEND)[0].created_at < engine.ours(FRONTEND)[0].created_at
        assert dict(engine.env()) == {**original[BACKEND], "VERSION_TAG": "v1.1.0"}
        assert dict(engine.env(FRONTEND)) == {**original[FRONTEND], "VITE_VERSION_TAG": "v1.1.0"}
        async with engine.database.read() as tx:
            assert (await audit.verify(tx, engine.box, read_head(tmp_path / "audit.head"))).problems == ()
            found = await releases.current_releases(tx)
        assert {one.version for one in found} == {"v1.1.0"}


async def test_a_version_that_fails_its_checks_is_taken_back_with_its_env_vars(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        original = {kind: dict(engine.env(kind)) for kind in (BACKEND, FRONTEND)}
        engine.prober.sick.add(NEW)

        run = await engine.run_until(ended)

        assert (run.stage, run.code, run.went_live) == (Stage.ROLLED_BACK, "SW503", True)
        assert serving(engine) == [OLD, OLD]
        assert [str(one.trigger) for one in reversed(engine.ours())] in (["api", "rollback"], ["rollback", "api"])
        assert {kind: dict(engine.env(kind)) for kind in (BACKEND, FRONTEND)} == original


async def test_a_version_that_turns_sick_during_the_watch_is_taken_back_on_both_services(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        engine.prober.sick.add(NEW)

        run = await engine.run_until(ended)

        assert run.stage is Stage.ROLLED_BACK
        assert serving(engine) == [OLD, OLD]


async def test_a_frontend_that_does_not_build_takes_the_verified_backend_back(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(lambda run: run.of(BACKEND).verified_at is not None)
        engine.rig.host.broken_builds.add(NEW)

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.ROLLED_BACK, "SW501")
        assert serving(engine) == [OLD, OLD]
        assert engine.env(FRONTEND)["VITE_VERSION_TAG"] == "v1.0.0"


async def test_a_backend_that_does_not_build_leaves_the_old_version_serving(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        engine.rig.host.broken_builds.add(NEW)

        run = await engine.run_until(ended)

        assert (run.stage, run.code, run.went_live) == (Stage.FAILED, "SW501", False)
        assert serving(engine) == [OLD, OLD]
        assert engine.env()["VERSION_TAG"] == "v1.0.0"


async def test_another_key_that_changed_meanwhile_makes_the_way_back_a_build(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        engine.rig.backend.env["JWT_SECRET"].value = "rotated"
        await ask_back(engine)

        run = await engine.run_until(ended)

        assert (run.stage, run.of(BACKEND).way_back, run.of(FRONTEND).way_back) == (
            Stage.ROLLED_BACK,
            "build",
            "render",
        )
        assert serving(engine) == [OLD, OLD]
        assert engine.rig.host.serving[SERVICE_IDS[BACKEND]][1]["JWT_SECRET"] == "rotated"


async def test_a_rollback_that_fails_is_held_and_not_tried_again(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        engine.rig.host.broken_starts.add(OLD)
        await ask_back(engine)

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.HELD, "SW601")
        assert len([one for one in engine.ours(FRONTEND) if one.trigger == "rollback"]) == 1


async def test_a_request_to_go_back_after_the_watch_is_done_is_taken_up(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(ended)
        await ask_back(engine)

        run = await engine.run_until(lambda one: one.stage is Stage.ROLLED_BACK)

        assert run.trigger == "customer request"
        assert serving(engine) == [OLD, OLD]
        assert await pending(engine) == 0


async def test_a_request_that_comes_when_the_run_is_going_back_anyway_does_not_stay_open(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        engine.prober.sick.add(NEW)
        await engine.run_until(reached(Stage.ROLLING_BACK))
        await ask_back(engine)

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.ROLLED_BACK, "SW503")
        assert await pending(engine) == 0


async def test_autodeploy_that_is_switched_on_during_a_rollback_holds_the_customer(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        await ask_back(engine)
        await engine.run_until(reached(Stage.ROLLING_BACK))
        engine.rig.platform.state.services[SERVICE_IDS[FRONTEND]].auto_deploy = True

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.HELD, "SW407")


async def test_a_moved_tag_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        engine.repository.tags["v1.1.0"] = OLD

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.REFUSED, "SW412")
        assert engine.wire.writes == []


async def test_a_new_process_carries_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.arm("drop_after", method="POST", path="/deploys$", count=1)
        for _ in range(120):
            await engine.step()
            engine.restart()

        run = await engine.run_until(ended)

        assert run.stage is Stage.DONE
        assert len(engine.ours(BACKEND)) == len(engine.ours(FRONTEND)) == 1


async def test_a_gap_between_two_controllers_is_told_and_the_watch_is_not_called_complete(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        await engine.pass_seconds(3 * 3600)
        engine.restart()

        run = await engine.run_until(ended)

        assert run.stage is Stage.DONE
        assert run.unwatched_seconds >= 3 * 3600 - 60
        assert "not complete" in run.detail


async def test_while_everything_is_paused_nothing_is_written_and_a_failing_version_raises_an_alarm(
    tmp_path: Path,
) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        await engine.pause()
        engine.prober.sick.add(NEW)
        written = len(engine.wire.writes)

        for _ in range(60):
            await engine.step()
        waiting = engine.controller.decisions[engine.run.id].waiting_on
        stage = (await engine.load()).stage
        assert len(engine.wire.writes) == written
        await engine.pause(False)
        run = await engine.run_until(ended)

        assert stage is Stage.WATCHING
        assert waiting is not None
        assert "ALARM" in waiting.what
        assert run.stage is Stage.ROLLED_BACK


async def test_an_approval_opens_one_run_once(tmp_path: Path) -> None:
    async with running_engine(tmp_path, gates=GateRules(needs_approval=True)) as engine:
        for _ in range(3):
            await engine.step()
        assert ((await engine.load()).stage, engine.wire.writes) == (Stage.QUEUED, [])

        await approve(engine)
        run = await engine.run_until(ended)

        async with engine.database.read() as tx:
            (used,) = await approvals.approvals_of(tx, engine.plan.hash, "acme-corp")
        assert (run.stage, run.approved_by, used.used_by) == (Stage.DONE, ("alice",), run.id)
        again = replace(engine.run, id="acme-corp-2", generation=2)
        async with engine.database.write("again") as tx:
            await runs.add_run(tx, again)
        for _ in range(3):
            await engine.step()
        assert (await engine.load("acme-corp-2")).stage is Stage.QUEUED


async def test_a_following_command_acts_only_for_its_own_run_and_for_rollbacks(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        engine.restart(scope=Scope(run_id="somebody-elses-1"))
        for _ in range(3):
            await engine.step()
        untouched, asked = await engine.load(), engine.rig.platform.state.services
        await ask_back(engine)
        await engine.run_until(ended)

        assert (untouched.stage, engine.wire.writes) == (Stage.PREFLIGHT, [])
        assert asked[SERVICE_IDS[BACKEND]].deploys == engine.rig.backend.deploys
        assert (await engine.load()).stage is Stage.ROLLED_BACK


async def test_a_new_run_ends_the_watch_of_the_one_before_with_its_first_write(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        newer = replace(engine.run, id="acme-corp-2", generation=2, since=engine.clock.now())
        async with engine.database.write("again") as tx:
            assert await plans.load_plan(tx, newer.plan_hash) is not None
            await runs.add_run(tx, newer)

        old = await engine.run_until(ended)

        assert (old.stage, (await engine.load("acme-corp-2")).stage) == (Stage.SUPERSEDED, Stage.BACKING_UP)


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "drop_before"}, {"kind": "html"}])
async def test_a_platform_that_stumbles_on_reads_only_delays(tmp_path: Path, fault: dict[str, Any]) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.arm(**fault, method="GET", path="/v1/services", count=5, after=3)

        run = await engine.run_until(reached(Stage.WATCHING))

        assert run.stage is Stage.WATCHING
        assert len(engine.ours(BACKEND)) == len(engine.ours(FRONTEND)) == 1


async def test_the_clock_never_jumps_while_an_effect_is_in_doubt(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        engine.clock.skips_idle = True
        await engine.arm("drop_before", method="PUT", path="VERSION_TAG$")

        async def is_live() -> bool:
            return (await engine.load()).went_live

        await engine.controller.run(is_live)

        async with engine.database.read() as tx:
            told = {one.action: one.at for one in await audit.entries(tx) if one.action.startswith("effect.")}
        jumps = [one for one in engine.clock.skipped_at if told["effect.in_doubt"] <= one < told["effect.dropped"]]
        assert engine.clock.skipped_at
        assert jumps == []
