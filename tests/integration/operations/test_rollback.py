"""Where a rollback that a person asks for goes: to the recorded good pair, once; else to what the person names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localrender.model import Deploy
from securewatch.core.errors import Conflict, NeedsHuman, NotFound
from securewatch.deploy.model import Run, RunKind, ServiceKind, Stage
from securewatch.deps import Deps
from securewatch.operations.history import load_runs
from securewatch.operations.plan import BOTH
from securewatch.operations.rollback import RollbackRequest, start_rollback
from securewatch.operations.start import start_run
from securewatch.store import inbox, plans, sealed
from tests.factories import BACKEND, FRONTEND, SERVICE_IDS, make_good, make_live
from tests.fakes.hosting import make_commit
from tests.integration.operations.given import Office, move, planned, running_office

Values = Mapping[str, str | None] | None
ASKED = RollbackRequest("acme-corp", reason="customer-request")


def live(office: Office, kind: ServiceKind) -> Deploy:
    """What a service runs."""
    found = office.rig.platform.state.services[SERVICE_IDS[kind]].deploys
    return next(one for one in found if one.status == "live")


async def put(office: Office, number: int, kinds: Sequence[ServiceKind] = BOTH) -> None:
    """Somebody brings v1.<number>.0 to the services, past this tool."""
    for kind in kinds:
        await office.rig.deploy(number, SERVICE_IDS[kind])
    for _ in range(8):
        await office.rig.pass_seconds(15)


async def brought(
    office: Office, number: int = 1, kinds: tuple[ServiceKind, ...] = BOTH, stage: Stage = Stage.WATCHING, **run: Any
) -> tuple[Deps, Run]:
    """v1.<number>.0 went out to services of acme-corp, and what they ran before was recorded."""
    deps = await office.deps()
    target = {"version": f"v1.{number}.0", "commit": make_commit(number).id}
    made = await start_run(deps, await planned(deps, kinds=kinds, target=target))
    assert made is not None
    old = {kind: live(office, kind) for kind in kinds}
    good = tuple(make_good(kind, deploy_id=one.id, commit=one.commit.id) for kind, one in old.items() if one.commit)
    await put(office, number, kinds)
    lives = tuple(make_live(kind, deploy_id=live(office, kind).id) for kind in kinds)
    changes = {"stage": stage, "went_live": True, "good": good, "progress": lives, **run}
    return deps, await move(deps, made, **changes)


async def env_of(deps: Deps, run: Run) -> tuple[list[str], Values, Values]:
    """The keys that a run's plan has for the backend, the values written to them, and those from before."""
    async with (await deps.database()).read() as tx:
        plan = await plans.load_plan(tx, run.plan_hash)
        slot = {"run_id": run.id, "service_id": SERVICE_IDS[BACKEND]}
        wrote = await sealed.open_values(tx, deps.box(), purpose=sealed.WRITE, **slot)
        backup = await sealed.open_values(tx, deps.box(), purpose=sealed.BACKUP, **slot)
    assert plan is not None
    return [one.key for one in plan.customers[0].services[0].env_changes], wrote, backup


async def runs_of(deps: Deps) -> list[Run]:
    """The customer's runs, newest first."""
    return await load_runs(deps, "acme-corp")


async def pending(deps: Deps) -> list[inbox.Request]:
    async with (await deps.database()).read() as tx:
        return list(await inbox.pending(tx, "acme-corp"))


async def test_a_watched_version_goes_back_to_the_recorded_good_pair(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office)

        found = await start_rollback(deps, ASKED)

        (request,) = await pending(deps)
        assert found.run == run
        assert all(one.deploy_id in found.note for one in run.good)
        assert (request.verb, request.payload) == ("rollback", {"reason": "customer-request", "run_id": run.id})


async def test_a_dry_run_asks_for_nothing(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await brought(office)

        found = await start_rollback(deps, ASKED, is_dry=True)

        assert found.run is not None
        assert await pending(deps) == []


async def test_asking_twice_asks_once(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await brought(office)

        await start_rollback(deps, ASKED)
        await start_rollback(deps, ASKED)

        assert len(await pending(deps)) == 1


async def test_a_customer_that_is_back_already_is_told_so(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office, stage=Stage.ROLLED_BACK)
        for one in run.good:
            await office.rig.api.post(f"/services/{one.service_id}/rollback", json={"deployId": one.deploy_id})
        for _ in range(8):
            await office.rig.pass_seconds(15)

        found = await start_rollback(deps, ASKED)

        assert (found.run, found.is_there) == (None, True)
        assert "at its last good deploy already: v1.0.0" in found.note


async def test_a_bad_version_that_somebody_deploys_again_after_the_rollback_is_taken_back_again(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office, stage=Stage.ROLLED_BACK)

        found = await start_rollback(deps, ASKED)

        assert found.run is not None
        assert (found.run.kind, found.run.generation, found.run.good) == (RunKind.ROLLBACK, 2, run.good)


async def test_what_our_way_back_made_counts_as_back_though_render_names_no_commit(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office)
        made = tuple(make_live(kind, back_deploy_id=live(office, kind).id) for kind in BOTH)
        good = tuple(replace(one, commit=None) for one in run.good)
        await move(deps, run, stage=Stage.ROLLED_BACK, good=good, progress=made)

        found = await start_rollback(deps, ASKED)

        assert found.is_there


async def test_a_rollback_that_is_held_leaves_the_choice_to_a_person(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office, stage=Stage.ROLLED_BACK)
        again = (await start_rollback(deps, ASKED)).run
        assert again is not None
        await move(deps, again, stage=Stage.HELD, code="SW601", detail="backend: the rollback failed")

        with pytest.raises(NeedsHuman) as caught:
            await start_rollback(deps, ASKED)

        assert caught.value.code == "SW602"
        assert "backend: the rollback failed" in caught.value.why
        assert all(one.deploy_id in caught.value.why for one in run.good)


async def test_a_rollback_under_way_is_followed(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await brought(office, stage=Stage.ROLLED_BACK)
        first = await start_rollback(deps, ASKED)

        second = await start_rollback(deps, ASKED)

        assert second.run is not None
        assert first.run is not None
        assert (second.run.id, second.is_there) == (first.run.id, False)
        assert len(await runs_of(deps)) == 2


async def test_a_way_back_that_a_trigger_began_is_followed_and_not_asked_for_again(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office, stage=Stage.ROLLING_BACK)

        found = await start_rollback(deps, ASKED)

        assert found.run is not None
        assert found.run.id == run.id
        assert await pending(deps) == []


# --- several runs, and one half ---------------------------------------------------------------------------------------


async def test_a_pair_that_went_out_in_two_runs_goes_back_as_a_pair(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        _, backend = await brought(office, 1, (BACKEND,), Stage.DONE)
        deps, frontend = await brought(office, 1, (FRONTEND,))

        found = await start_rollback(deps, ASKED)

        assert found.run is not None
        assert found.run.kind is RunKind.ROLLBACK
        assert found.run.good == (*backend.good, *frontend.good)


async def test_the_other_half_stays_where_it_has_an_older_version(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await brought(office, 1, stage=Stage.DONE)
        deps, fix = await brought(office, 2, (BACKEND,))

        found = await start_rollback(deps, ASKED)

        assert found.run is not None
        assert (found.run.id, found.run.good) == (fix.id, fix.good)
        assert "frontend stays" in found.note


async def test_one_half_of_a_pair_goes_back_alone_and_is_recorded_as_a_split(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office)

        found = await start_rollback(deps, replace(ASKED, kinds=(BACKEND,)))
        rest = await start_rollback(deps, replace(ASKED, kinds=(BACKEND,)))

        assert found.run is not None
        assert rest.run is not None
        assert (found.run.kind, found.run.good) == (RunKind.ROLLBACK, (run.good_of(BACKEND),))
        assert found.run.detail == "split: only the backend was asked for"
        assert rest.run.id == found.run.id


async def test_the_half_that_was_left_goes_back_when_both_are_asked_for(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office)
        half = (await start_rollback(deps, replace(ASKED, kinds=(FRONTEND,)))).run
        assert half is not None
        await put(office, 0, (FRONTEND,))
        done = (make_live(FRONTEND, deploy_id=None, live_at=None, back_deploy_id=live(office, FRONTEND).id),)
        await move(deps, half, stage=Stage.ROLLED_BACK, progress=done)

        found = await start_rollback(deps, ASKED)

        assert found.run is not None
        assert (found.run.good, found.run.detail) == ((run.good_of(BACKEND),), "")


async def test_one_half_of_what_is_under_way_is_refused(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await brought(office, stage=Stage.VERIFYING)

        with pytest.raises(Conflict) as caught:
            await start_rollback(deps, replace(ASKED, kinds=(BACKEND,)))

        assert caught.value.code == "SW410"
        assert await pending(deps) == []


async def test_a_rollback_of_its_own_restores_what_the_run_before_it_wrote(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office)
        slot = sealed.Slot(purpose=sealed.BACKUP, run_id=run.id, service_id=SERVICE_IDS[BACKEND])
        async with (await deps.database()).write("back up") as tx:
            await sealed.seal_values(tx, deps.box(), values={"VERSION_TAG": "v1.0.0"}, at=deps.clock.now(), **slot)

        found = (await start_rollback(deps, replace(ASKED, kinds=(BACKEND,)))).run

        assert found is not None
        old, new = await env_of(deps, run), await env_of(deps, found)
        assert new == old
        assert "VERSION_TAG" in new[0]
        assert new[2] == {"VERSION_TAG": "v1.0.0"}


# --- what has not begun -----------------------------------------------------------------------------------------------


async def test_what_waits_is_called_off_and_the_watched_version_is_the_rest(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, watched = await brought(office)
        target = {"version": "v1.2.0", "commit": make_commit(2).id}
        queued = await start_run(deps, await planned(deps, target=target))
        assert queued is not None

        first = await start_rollback(deps, ASKED)
        await move(deps, queued, stage=Stage.ROLLED_BACK, trigger="customer request")
        second = await start_rollback(deps, ASKED)

        assert first.run is not None
        assert second.run is not None
        assert (first.run.id, [one.payload["run_id"] for one in await pending(deps)]) == (queued.id, [queued.id])
        assert "v1.2.0 is called off; then backend to" in first.note
        assert (second.run.kind, second.run.good, second.rest) == (RunKind.ROLLBACK, watched.good, "")


async def test_a_first_deploy_that_waits_is_called_off_and_that_is_all(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        queued = await start_run(deps, await planned(deps))

        found = await start_rollback(deps, ASKED)

        assert (found.run, found.note, found.rest) == (queued, "v1.1.0 is called off", "")


async def test_the_half_that_is_under_way_goes_back_first_and_the_other_half_is_the_rest(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        _, backend = await brought(office, 1, (BACKEND,))
        deps, frontend = await brought(office, 1, (FRONTEND,), Stage.VERIFYING)

        found = await start_rollback(deps, ASKED)

        assert found.run is not None
        assert found.run.id == frontend.id
        assert backend.good[0].deploy_id in found.rest


# --- what is not recorded ---------------------------------------------------------------------------------------------


async def test_with_nothing_recorded_a_person_chooses_among_the_candidates(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()

        with pytest.raises(NeedsHuman) as caught:
            await start_rollback(deps, ASKED)

        assert caught.value.code == "SW602"
        assert "--to DEPLOY" in caught.value.fix


@pytest.mark.parametrize("code", ["SW601", "SW604", "SW602"])
async def test_after_a_failed_rollback_a_person_chooses_and_the_candidates_are_listed(
    tmp_path: Path, code: str
) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office, stage=Stage.HELD, code=code, detail="the rollback failed")

        with pytest.raises(NeedsHuman) as caught:
            await start_rollback(deps, ASKED)

        assert all(one.deploy_id in caught.value.why for one in run.good)
        assert await pending(deps) == []


async def test_a_try_that_never_went_live_is_passed_over(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await brought(office, stage=Stage.DONE)
        again = await start_run(deps, await planned(deps, target={"version": "v1.2.0"}))
        assert again is not None
        await move(deps, again, stage=Stage.FAILED)

        found = await start_rollback(deps, ASKED)

        assert found.run is not None
        assert (found.run.kind, found.run.generation, found.run.good) == (RunKind.ROLLBACK, 3, run.good)


async def test_a_deploy_that_never_was_live_cannot_be_named(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await brought(office)

        with pytest.raises(NotFound) as caught:
            await start_rollback(deps, RollbackRequest("acme-corp", to=("dep-d0000000000000000000",)))

        assert caught.value.code == "SW206"
