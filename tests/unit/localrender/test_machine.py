"""Deploys move through their states by product time, under both overlap policies."""

import asyncio

import pytest

from localrender.machine import ArtifactGone, CannotCancel, Order
from localrender.model import Deploy, Options, Policy, Script, Status, Trigger
from tests.fakes.rig import BACKEND, FRONTEND, Rig, running_rig


def order(rig: Rig, number: int) -> Deploy:
    commit = rig.host.tags[f"v1.{number}.0"]
    return rig.platform.machine.create(rig.backend, Order(Trigger.API, commit, rig.backend.values))


def statuses(rig: Rig) -> list[Status]:
    return [one.status for one in rig.backend.deploys]


async def test_a_backend_builds_updates_and_goes_live_and_the_old_one_is_deactivated() -> None:
    async with running_rig() as rig:
        deploy = order(rig, 1)

        seen = [deploy.status]
        for seconds in (39, 1, 14, 1):
            await rig.pass_seconds(seconds)
            seen.append(deploy.status)

        assert seen == [Status.BUILD, Status.BUILD, Status.UPDATE, Status.UPDATE, Status.LIVE]
        assert statuses(rig) == [Status.DEACTIVATED, Status.LIVE]
        assert rig.host.serving[BACKEND][0] == rig.host.tags["v1.1.0"].id


async def test_a_site_goes_live_from_its_build() -> None:
    async with running_rig() as rig:
        site = rig.platform.state.services[FRONTEND]
        deploy = rig.platform.machine.create(site, Order(Trigger.API, rig.host.tags["v1.1.0"], site.values))

        await rig.pass_seconds(24)
        before = deploy.status
        await rig.pass_seconds(1)

        assert (before, deploy.status) == (Status.BUILD, Status.LIVE)


async def test_the_ticker_moves_deploys_without_any_request() -> None:
    async with running_rig() as rig:
        deploy = order(rig, 1)
        for _ in range(4):
            await asyncio.sleep(0)

        rig.platform.poke()
        for _ in range(60):
            await asyncio.sleep(0)
            rig.clock.advance(1)

        assert deploy.status is Status.LIVE


async def test_a_deploy_runs_with_the_env_vars_of_its_creation() -> None:
    async with running_rig() as rig:
        order(rig, 1)
        rig.backend.env["LOG_LEVEL"].value = "changed later"

        await rig.pass_seconds(55)

        assert rig.host.serving[BACKEND][1]["LOG_LEVEL"] != "changed later"
        assert rig.host.serving[BACKEND][1]["RENDER_GIT_COMMIT"] == rig.host.tags["v1.1.0"].id


async def test_a_build_that_takes_longer_than_its_time_holds_the_deploy_in_building() -> None:
    async with running_rig() as rig:
        rig.host.held = asyncio.Event()
        deploy = order(rig, 1)
        rig.clock.advance(100)
        for _ in range(5):
            await asyncio.sleep(0)
        rig.platform.advance()
        before = deploy.status

        rig.host.held.set()
        await rig.pass_seconds(0)

        assert (before, deploy.status) == (Status.BUILD, Status.UPDATE)


async def test_a_failed_build_leaves_the_old_deploy_live() -> None:
    async with running_rig() as rig:
        rig.host.broken_builds.add(rig.host.tags["v1.1.0"].id)
        order(rig, 1)

        await rig.pass_seconds(40)

        assert statuses(rig) == [Status.LIVE, Status.BUILD_FAILED]


async def test_a_failed_health_check_ends_as_update_failed_and_the_old_one_serves() -> None:
    async with running_rig() as rig:
        rig.host.broken_starts.add(rig.host.tags["v1.1.0"].id)
        order(rig, 1)

        await rig.pass_seconds(55)

        assert statuses(rig) == [Status.LIVE, Status.UPDATE_FAILED]
        assert rig.host.serving[BACKEND][0] == rig.host.tags["v1.0.0"].id


@pytest.mark.parametrize("ends", [Status.BUILD_FAILED, Status.PRE_DEPLOY_FAILED, Status.UPDATE_FAILED])
async def test_a_scripted_failure_ends_the_next_deploy_alone(ends: Status) -> None:
    async with running_rig() as rig:
        rig.backend.scripts.append(Script(ends))
        order(rig, 1)
        await rig.pass_seconds(55)

        order(rig, 1)
        await rig.pass_seconds(55)

        assert statuses(rig) == [Status.DEACTIVATED, ends, Status.LIVE]
        assert not rig.host.waiting


async def test_a_hanging_deploy_runs_until_it_is_canceled() -> None:
    async with running_rig() as rig:
        rig.backend.scripts.append(Script(hangs=True))
        deploy = order(rig, 1)
        await rig.pass_seconds(10_000)
        before = deploy.status

        rig.platform.machine.cancel(rig.backend, deploy)

        assert (before, deploy.status) == (Status.BUILD, Status.CANCELED)


async def test_under_wait_only_the_newest_waits_and_starts_when_the_running_one_ends() -> None:
    async with running_rig() as rig:
        for number in (1, 2, 1):
            order(rig, number)
        before = statuses(rig)

        await rig.pass_seconds(55)

        assert before == [Status.LIVE, Status.BUILD, Status.CANCELED, Status.QUEUED]
        assert statuses(rig) == [Status.DEACTIVATED, Status.LIVE, Status.CANCELED, Status.BUILD]


async def test_canceling_the_running_deploy_starts_the_waiting_one_at_once() -> None:
    async with running_rig() as rig:
        running, waiting = order(rig, 1), order(rig, 2)

        rig.platform.machine.cancel(rig.backend, running)

        assert (running.status, waiting.status) == (Status.CANCELED, Status.BUILD)


async def test_under_override_a_newcomer_cancels_the_running_one() -> None:
    async with running_rig(Options(policy=Policy.OVERRIDE)) as rig:
        old, new = order(rig, 1), order(rig, 2)

        await rig.pass_seconds(55)

        assert (old.status, new.status) == (Status.CANCELED, Status.LIVE)
        assert rig.host.serving[BACKEND][0] == rig.host.tags["v1.2.0"].id


async def test_under_override_a_newcomer_waits_for_a_switch_that_has_begun() -> None:
    async with running_rig(Options(policy=Policy.OVERRIDE)) as rig:
        old = order(rig, 1)
        await rig.pass_seconds(54)
        rig.clock.advance(1)
        rig.platform.advance()
        switching = old.switching

        new = order(rig, 2)
        before = new.status
        await rig.platform.settle()

        assert (switching, before) == (True, Status.CREATED)
        assert (old.status, new.status) == (Status.LIVE, Status.BUILD)


async def test_a_deploy_that_has_ended_cannot_be_canceled() -> None:
    async with running_rig() as rig:
        with pytest.raises(CannotCancel):
            rig.platform.machine.cancel(rig.backend, rig.backend.deploys[0])


async def test_a_rollback_brings_commit_and_env_back_without_a_build_and_leaves_the_configuration() -> None:
    async with running_rig() as rig:
        first = rig.backend.deploys[0]
        rig.backend.env["LOG_LEVEL"].value = "debug"
        order(rig, 1)
        await rig.pass_seconds(55)
        rig.host.calls.clear()

        rollback = rig.platform.machine.roll_back(rig.backend, first)
        await rig.pass_seconds(15)

        assert (rollback.status, rollback.trigger, rollback.rollback_of) == (Status.LIVE, Trigger.ROLLBACK, first.id)
        assert ("build", BACKEND) not in rig.host.calls
        assert rig.host.serving[BACKEND][0] == rig.host.tags["v1.0.0"].id
        assert rig.host.serving[BACKEND][1]["LOG_LEVEL"] == first.env["LOG_LEVEL"]
        assert rig.backend.env["LOG_LEVEL"].value == "debug"


async def test_an_expired_or_failed_artifact_cannot_be_rolled_back_to() -> None:
    async with running_rig(Options(retention=1)) as rig:
        order(rig, 1)
        await rig.pass_seconds(55)

        with pytest.raises(ArtifactGone):
            rig.platform.machine.roll_back(rig.backend, rig.backend.deploys[0])


async def test_what_a_canceled_deploy_had_started_is_discarded() -> None:
    async with running_rig() as rig:
        deploy = order(rig, 1)
        await rig.pass_seconds(40)
        started = BACKEND in rig.host.waiting

        rig.platform.machine.cancel(rig.backend, deploy)
        await rig.platform.settle()

        assert started
        assert BACKEND not in rig.host.waiting


async def test_events_tell_of_builds_and_deploys_in_order() -> None:
    async with running_rig() as rig:
        order(rig, 1)
        await rig.pass_seconds(55)

        kinds = [one.type for one in rig.platform.state.events]

        assert kinds == ["deploy_started", "build_started", "build_ended", "deploy_ended"]
