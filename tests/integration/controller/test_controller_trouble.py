"""The whole engine while others interfere: foreign deploys, refused looks, dead processes, the kill switch."""

from dataclasses import replace
from pathlib import Path

from securewatch.deploy.model import RunKind, Stage
from securewatch.store import runs, sealed
from tests.factories import BACKEND, FRONTEND, SERVICE_IDS
from tests.integration.controller.given import NEW, OLD, ask_back, ended, reached, running_engine


async def test_a_run_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        other = replace(engine.run, id="other-1", slug="other")
        async with engine.database.write("other") as tx:
            await runs.add_run(tx, other)
            await tx.run(
                "UPDATE run SET document = replace(document, '\"queued\"', '\"levitating\"') WHERE id = 'other-1'", []
            )

        run = await engine.run_until(reached(Stage.WATCHING))

        assert run.stage is Stage.WATCHING
        assert engine.controller.troubles["other-1"].code == "SW703"


async def test_a_service_that_is_gone_holds_the_watch_instead_of_asking_for_ever(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        await engine.arm("status", method="GET", path=f"/services/{SERVICE_IDS[BACKEND]}", status=404, count=1000)

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.HELD, "SW305")


async def test_a_sick_backend_is_taken_back_while_the_frontend_builds(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(lambda run: run.of(FRONTEND).deploy_id is not None)
        engine.prober.sick.add(NEW)

        run = await engine.run_until(ended)

        assert (run.stage, run.trigger) == (Stage.ROLLED_BACK, "failures_in_a_row")
        assert run.of(FRONTEND).verified_at is None


async def test_a_preflight_that_stood_still_for_a_day_is_made_anew(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(lambda run: run.stage is Stage.PREFLIGHT)
        for _ in range(12):
            await engine.step()
        await engine.pass_seconds(86400)
        engine.prober.sick.add(OLD)
        engine.restart()

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.REFUSED, "SW409")
        assert engine.wire.writes == []


async def test_a_deploy_that_goes_live_in_between_is_not_run_over(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.SETTING_ENV))
        answer = await engine.rig.api.post(f"/services/{SERVICE_IDS[BACKEND]}/deploys", json={"commitId": OLD})
        await engine.pass_seconds(900)

        run = await engine.run_until(ended)

        assert (run.stage, run.code, answer.status_code) == (Stage.HELD, "SW506", 201)
        assert engine.env()["VERSION_TAG"] == "v1.0.0"
        assert not any(one.startswith("POST") for one in engine.wire.writes)


async def test_a_rollback_asked_for_while_env_vars_are_unwound_keeps_the_run_from_the_next_window(
    tmp_path: Path,
) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.SETTING_ENV))
        run = await engine.load()
        async with engine.database.write("shut") as tx:
            await runs.update_run(tx, replace(run, stage=Stage.UNWINDING), expected_epoch=run.epoch)
        await ask_back(engine)

        ended_as = await engine.run_until(lambda run: run.stage.is_terminal or run.stage is Stage.QUEUED)

        assert ended_as.stage is Stage.ROLLED_BACK


async def test_a_watch_goes_on_when_the_run_that_ended_it_replaced_nothing(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        watched = await engine.run_until(reached(Stage.WATCHING))
        newer = replace(engine.run, id="acme-corp-2", generation=2, since=engine.clock.now())
        async with engine.database.write("again") as tx:
            await runs.add_run(tx, newer)
            for service_id in SERVICE_IDS.values():
                slot = sealed.Slot(purpose=sealed.WRITE, run_id=newer.id, service_id=service_id)
                values = {"VERSION_TAG": "v1.2.0", "VITE_VERSION_TAG": "v1.2.0"}
                await sealed.seal_values(tx, engine.box, values=values, at=engine.clock.now(), **slot)
        await engine.run_until(ended)
        await engine.arm("status", method="POST", path="/deploys$", status=400, count=10)

        again = await engine.run_until(lambda run: run.stage is Stage.WATCHING)

        assert (await engine.load("acme-corp-2")).stage is Stage.FAILED
        assert (again.since, again.finished_at, again.replaced_by) == (watched.verified_at, None, "")


async def test_a_rollback_of_its_own_leaves_the_watch_that_it_ended_ended(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        watched = await engine.run_until(reached(Stage.WATCHING))
        back = replace(
            engine.run,
            id="acme-corp-2",
            generation=2,
            kind=RunKind.ROLLBACK,
            trigger="customer request",
            good=watched.good,
            since=engine.clock.now(),
        )
        async with engine.database.write("back") as tx:
            await runs.add_run(tx, back)

        old = await engine.run_until(ended)
        for _ in range(400):
            await engine.step()

        assert (await engine.load("acme-corp-2")).stage is Stage.ROLLED_BACK
        assert old.stage is (await engine.load()).stage is Stage.SUPERSEDED


async def test_while_everything_is_paused_a_deploy_that_goes_live_is_still_watched(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(lambda run: run.of(BACKEND).deploy_id is not None)
        await engine.pause()
        engine.prober.sick.add(NEW)

        for _ in range(200):
            await engine.step()

        told = engine.controller.decisions[engine.run.id].waiting_on
        assert (await engine.load()).of(BACKEND).live_at is not None
        assert told is not None
        assert "ALARM" in told.what
