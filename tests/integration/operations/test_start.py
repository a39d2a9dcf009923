"""Beginning a run: what is committed, what is followed instead, what is refused. Nothing reaches Render."""

from dataclasses import replace
from pathlib import Path

import pytest

from securewatch.core.errors import Conflict, ShutGate
from securewatch.deploy.model import DatabasePlan, Run, RunKind, ServiceKind, Stage
from securewatch.deps import Deps
from securewatch.operations.plan import DeployRequest, Planned
from securewatch.operations.start import find_under_way, start_run
from securewatch.store import audit, meta, plans, sealed
from tests.fakes.rig import BACKEND, DATABASE
from tests.integration.operations.given import NEW, move, planned, running_office


async def started(deps: Deps, slug: str = "acme-corp") -> Run:
    run = await start_run(deps, await planned(deps, slug))
    assert run is not None
    return run


async def test_a_run_begins_in_the_queue_with_its_plan_and_sealed_values(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps("bob")

        run = await started(deps)

        async with (await deps.database()).read() as tx:
            plan = await plans.load_plan(tx, run.plan_hash)
            values = await sealed.open_values(tx, deps.box(), purpose="write", run_id=run.id, service_id=BACKEND)
            entries = await audit.entries(tx)
            tag = await meta.get_meta(tx, "tag:v1.1.0")
        assert (run.stage, run.generation, run.requested_by) == (Stage.QUEUED, 1, "bob")
        assert plan is not None
        assert values is not None
        assert values["VERSION_TAG"] == "v1.1.0"
        assert [(one.action, one.actor) for one in entries] == [("deploy.requested", "bob")]
        assert tag == NEW
        assert office.rig.backend.env["VERSION_TAG"].value == "v1.0.0"


async def test_running_the_same_command_again_follows_the_unfinished_run(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        first = await started(await office.deps())
        moved = await move(await office.deps(), first, stage=Stage.DEPLOYING)

        again = await started(await office.deps("ann"))

        assert again == moved


async def test_another_version_while_one_is_unfinished_is_a_conflict(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await started(deps)

        with pytest.raises(Conflict) as caught:
            await start_run(deps, await planned(deps, target={"version": "v1.2.0"}))

        assert caught.value.code == "SW410"


async def test_another_customer_is_no_hindrance(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await started(deps)

        assert (await started(deps, "medhealth")).slug == "medhealth"


async def test_after_a_failed_try_the_next_one_is_a_new_generation(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        first = await started(deps)
        await move(deps, first, stage=Stage.FAILED)

        second = await started(deps)

        assert (second.id, second.generation) == ("acme-corp-2", 2)


async def test_beside_a_run_that_is_only_watched_another_version_may_begin(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await move(deps, await started(deps), stage=Stage.WATCHING)

        second = await start_run(deps, await planned(deps, target={"version": "v1.2.0"}))

        assert second is not None
        assert second.generation == 2


async def test_redeploying_a_watched_version_is_a_new_run(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        first = await move(deps, await started(deps), stage=Stage.WATCHING)

        same = await started(deps)
        again = await start_run(deps, await planned(deps, target={"redeploy": True}))

        assert same == first
        assert again is not None
        assert again.generation == 2


async def test_a_version_that_is_there_already_begins_nothing(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()

        assert await start_run(deps, await planned(deps, is_there=True)) is None


async def test_nothing_begins_while_everything_is_paused(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        async with (await deps.database()).write("pause") as tx:
            await meta.set_paused(tx, True, actor="ann", at=deps.clock.now(), reason="incident 7")

        with pytest.raises(ShutGate) as caught:
            await start_run(deps, await planned(deps))

        assert caught.value.code == "SW403"
        assert "incident 7" in caught.value.why


async def test_force_is_journalled_as_an_entry_of_its_own_with_its_reason(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        made = await planned(deps)
        forced = replace(made, request=replace(made.request, force=True, reason="hotfix"))

        run = await start_run(deps, forced)

        async with (await deps.database()).read() as tx:
            entries = await audit.entries(tx)
        assert run is not None
        assert run.force
        assert [one.action for one in entries] == ["deploy.requested", "force.used"]
        assert entries[1].detail == {"reason": "hotfix"}


@pytest.mark.parametrize("stage", [Stage.QUEUED, Stage.PREFLIGHT])
async def test_force_opens_the_gates_of_a_run_that_waits_and_is_journalled(tmp_path: Path, stage: Stage) -> None:
    async with running_office(tmp_path) as office:
        first = await move(await office.deps("bob"), await started(await office.deps("bob")), stage=stage)
        deps = await office.deps("ann")

        run = await start_run(deps, await forced(deps, reason="outage 12"))

        async with (await deps.database()).read() as tx:
            newest = (await audit.entries(tx))[-1]
        assert run is not None
        assert (run.id, run.force, run.reason, run.epoch) == (first.id, True, "outage 12", first.epoch + 1)
        assert (newest.action, newest.actor, newest.run_id) == ("force.used", "ann", first.id)
        assert newest.detail == {"reason": "outage 12"}


async def test_force_on_a_run_that_has_begun_to_write_changes_nothing_and_is_said(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        moved = await move(deps, await started(deps), stage=Stage.DEPLOYING)
        said: list[str] = []

        run = await start_run(deps, await forced(deps), said.append)

        assert run == moved
        assert [one for one in said if "--force" in one]


async def test_a_time_out_that_an_unfinished_run_does_not_take_up_is_said(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await started(deps)
        made = await planned(deps)
        said: list[str] = []

        await start_run(deps, replace(made, request=replace(made.request, timeout_seconds=600.0)), said.append)
        await start_run(deps, replace(made, request=replace(made.request, timeout_seconds=900.0)), said.append)

        assert len(said) == 1
        assert "--timeout" in said[0]
        assert "600 s" in said[0]


@pytest.mark.parametrize("stage", [Stage.PREFLIGHT, Stage.DEPLOYING, Stage.ROLLING_BACK])
async def test_a_deploy_under_way_is_followed_without_a_new_plan(tmp_path: Path, stage: Stage) -> None:
    async with running_office(tmp_path) as office:
        moved = await move(await office.deps(), await started(await office.deps()), stage=stage)
        office.rig.backend.auto_deploy = True
        said: list[str] = []

        found = await find_under_way(await office.deps("ann"), DeployRequest("acme-corp", "v1.1.0"), said.append)

        assert found == moved
        assert moved.id in said[0]


@pytest.mark.parametrize(
    ("stage", "request_"),
    [
        (Stage.QUEUED, DeployRequest("acme-corp", "v1.1.0")),
        (Stage.WATCHING, DeployRequest("acme-corp", "v1.1.0")),
        (Stage.FAILED, DeployRequest("acme-corp", "v1.1.0")),
        (Stage.DEPLOYING, DeployRequest("acme-corp", "v1.2.0")),
        (Stage.DEPLOYING, DeployRequest("acme-corp", "v1.1.0", kinds=(ServiceKind.BACKEND,))),
        (Stage.DEPLOYING, DeployRequest("acme-corp", "v1.1.0", kind=RunKind.ENV)),
        (Stage.DEPLOYING, DeployRequest("techstart", "v1.1.0")),
    ],
    ids=["queued", "watched", "over", "version", "services", "kind", "customer"],
)
async def test_everything_else_is_planned_anew(tmp_path: Path, stage: Stage, request_: DeployRequest) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await move(deps, await started(deps), stage=stage)

        assert await find_under_way(deps, request_) is None


async def forced(deps: Deps, reason: str = "") -> Planned:
    made = await planned(deps)
    return replace(made, request=replace(made.request, force=True, reason=reason))


async def test_a_state_that_belongs_to_another_render_is_refused(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await started(await office.deps())
        deps = await office.deps()
        made = await planned(deps)
        elsewhere = await office.deps(RENDER_HOST="http://127.0.0.1:9/v1")

        with pytest.raises(Conflict) as caught:
            await start_run(elsewhere, made)

        assert caught.value.code == "SW414"


async def wished(deps: Deps, *, has_backup: bool, backs_up: bool | None) -> Planned:
    """A plan with or without a backup of the database, and what its request says of one."""
    made = await planned(deps)
    database = DatabasePlan(DATABASE, needs_backup=True) if has_backup else None
    part = replace(made.plan.customers[0], database=database)
    plan = replace(made.plan, customers=(part,), hash="1" * 64 if has_backup else "2" * 64)
    return replace(made, plan=plan, request=replace(made.request, backs_up=backs_up))


async def test_a_run_without_a_backup_is_not_followed_by_who_asks_for_one(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        run = await start_run(deps, await wished(deps, has_backup=False, backs_up=None))
        assert run is not None

        with pytest.raises(Conflict) as waiting:
            await start_run(deps, await wished(deps, has_backup=True, backs_up=True))
        await move(deps, run, stage=Stage.DEPLOYING)
        with pytest.raises(Conflict) as under_way:
            await find_under_way(deps, DeployRequest("acme-corp", "v1.1.0", backs_up=True))
        await move(deps, run, stage=Stage.WATCHING)
        watched = await start_run(deps, await wished(deps, has_backup=True, backs_up=True))

        assert (waiting.value.code, under_way.value.code) == ("SW410", "SW410")
        assert "securewatch deploy-customer --version v1.1.0 --customer acme-corp" in waiting.value.fix
        assert watched is not None
        assert watched.id == run.id


async def test_a_run_with_a_backup_keeps_it_whoever_follows(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        first = await start_run(deps, await wished(deps, has_backup=True, backs_up=True))
        said: list[str] = []

        same = await start_run(deps, await wished(deps, has_backup=True, backs_up=True), said.append)
        plain = await start_run(deps, await wished(deps, has_backup=False, backs_up=None), said.append)
        before = list(said)
        waived = await start_run(deps, await wished(deps, has_backup=False, backs_up=False), said.append)

        assert first == same == plain == waived
        assert before == []
        assert said == ["--no-backup is ignored: acme-corp-1 goes on with the backup of its plan"]


async def test_a_deploy_that_leaves_the_backup_out_is_journalled_as_such(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()

        await start_run(deps, await wished(deps, has_backup=False, backs_up=False))

        async with (await deps.database()).read() as tx:
            (entry,) = await audit.entries(tx)
        assert entry.detail["no_backup"] is True
