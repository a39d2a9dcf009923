"""What is told of a run is committed with its transitions: verified, taken back, held; and once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from securewatch.controller.commit import Committer
from securewatch.deploy.model import RunKind, Stage
from securewatch.deploy.steps import moved
from securewatch.deploy.view import View
from securewatch.rollout.notices import NoticeKind, RecipientKind
from securewatch.store import outbox, plans, releases, runs
from securewatch.store.releases import Release
from tests.factories import BACKEND, FRONTEND, NOW, SERVICE_IDS, make_live, make_plan, make_run
from tests.integration.controller.given import NEW, Engine, ask_back, ended, reached, running_engine
from tests.integration.store.given import opened

BOTH = [RecipientKind.CUSTOMER, RecipientKind.TEAM]


async def told(engine: Engine) -> Sequence[tuple[str, NoticeKind, RecipientKind]]:
    async with engine.database.read() as tx:
        found = await outbox.notices_of(tx)
    return [(one.notice.event, one.notice.kind, one.notice.recipient) for one in found]


async def test_a_verified_version_is_told_in_the_transaction_that_verifies_it(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        before = await engine.run_until(lambda run: run.stage is Stage.VERIFYING)
        assert (before.verified_at, await told(engine)) == (None, [])

        run = await engine.run_until(reached(Stage.WATCHING))

        live = [(f"live:{run.id}", NoticeKind.CONFIRMATION, one) for one in BOTH]
        actions = await engine.audited()
        assert await told(engine) == live
        assert actions[actions.index("run.watching") + 1] == "notice.waiting"
        await engine.run_until(ended)
        assert await told(engine) == live


async def test_a_version_that_is_taken_back_is_told_again(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        engine.prober.sick.add(NEW)

        run = await engine.run_until(ended)

        assert run.stage is Stage.ROLLED_BACK
        assert await told(engine) == [
            *((f"live:{run.id}", NoticeKind.CONFIRMATION, one) for one in BOTH),
            *((f"back:{run.id}", NoticeKind.ROLLBACK, one) for one in BOTH),
        ]


async def test_a_deploy_that_is_called_off_before_anything_went_live_is_not_told(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.PREFLIGHT))
        await ask_back(engine)

        run = await engine.run_until(ended)

        assert not run.went_live
        assert await told(engine) == []


async def test_what_was_told_before_is_not_told_again_by_a_second_commit(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        run = await engine.run_until(reached(Stage.WATCHING))
        async with engine.database.read() as tx:
            entries = await outbox.notices_of(tx)

        async with engine.database.write("again") as tx:
            new = [await outbox.put(tx, replace(one.notice, due_at=run.since)) for one in entries]

        assert new == [False, False]


async def test_a_rollback_of_its_own_names_the_version_that_release_tracking_has_until_then(tmp_path: Path) -> None:
    plan = make_plan(kind=RunKind.ROLLBACK, version="")
    run = make_run(
        kind=RunKind.ROLLBACK,
        version="",
        stage=Stage.RECHECKING,
        progress=(make_live(BACKEND, back_deploy_id="dep-1"), make_live(FRONTEND, back_deploy_id="dep-2")),
    )
    async with opened(tmp_path) as state:
        async with state.database.write("given") as tx:
            await plans.save_plan(tx, plan, at=NOW, actor="ann")
            stored = await runs.add_run(tx, run)
            for kind in (BACKEND, FRONTEND):
                release = Release(run.slug, kind, SERVICE_IDS[kind], "v1.2.0", "c", f"dep-new-{kind}", NOW)
                await releases.record_release(tx, release)
        view = View(plan, plan.customers[0], stored)

        await Committer(state.database, state.box, "ann").commit(
            view, moved(stored, Stage.ROLLED_BACK, NOW), (), (), NOW
        )

        async with state.database.read() as tx:
            found = await outbox.notices_of(tx)
        assert {(one.notice.version, one.notice.facts.previous_version) for one in found} == {("v1.2.0", "v1.0.0")}
        assert [one.notice.recipient for one in found] == BOTH
