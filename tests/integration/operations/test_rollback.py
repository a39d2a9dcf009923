"""Where a rollback that a person asks for goes: to the recorded good pair, once; else to what the person names."""

from pathlib import Path
from typing import Any

import pytest

from securewatch.core.errors import NeedsHuman, NotFound
from securewatch.deploy.model import Run, ServiceKind, Stage
from securewatch.deps import Deps
from securewatch.operations.rollback import RollbackRequest, start_rollback
from securewatch.operations.start import start_run
from securewatch.store import inbox
from tests.factories import make_good
from tests.fakes.rig import BACKEND, FRONTEND
from tests.integration.operations.given import Office, move, planned, running_office

ASKED = RollbackRequest("acme-corp", reason="customer-request")


async def deployed(office: Office, stage: Stage = Stage.WATCHING, **changes: Any) -> tuple[Deps, Run]:
    """v1.1.0 went out to acme-corp, and the pair before it was recorded; what is live on Render is v1.1.0's."""
    deps = await office.deps()
    olds = {kind: office.rig.platform.state.services[kind].deploys[0].id for kind in (BACKEND, FRONTEND)}
    for service_id in (BACKEND, FRONTEND):
        await office.rig.deploy(1, service_id)
    for _ in range(8):
        await office.rig.pass_seconds(15)
    run = await start_run(deps, await planned(deps))
    assert run is not None
    good = (make_good(deploy_id=olds[BACKEND]), make_good(ServiceKind.FRONTEND, deploy_id=olds[FRONTEND]))
    return deps, await move(deps, run, **{"stage": stage, "went_live": True, "good": good, **changes})


async def pending(deps: Deps) -> list[inbox.Request]:
    async with (await deps.database()).read() as tx:
        return list(await inbox.pending(tx, "acme-corp"))


async def test_a_watched_version_goes_back_to_the_recorded_good_pair(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await deployed(office)

        found = await start_rollback(deps, ASKED)

        (request,) = await pending(deps)
        assert found.run == run
        assert all(one.deploy_id in found.note for one in run.good)
        assert (request.verb, request.payload) == ("rollback", {"reason": "customer-request", "run_id": run.id})


async def test_a_dry_run_asks_for_nothing(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await deployed(office)

        found = await start_rollback(deps, ASKED, is_dry=True)

        assert found.run is not None
        assert await pending(deps) == []


async def test_asking_twice_asks_once(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await deployed(office)

        await start_rollback(deps, ASKED)
        await start_rollback(deps, ASKED)

        assert len(await pending(deps)) == 1


async def test_a_customer_that_is_back_already_is_told_so(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await deployed(office, Stage.ROLLED_BACK)

        found = await start_rollback(deps, ASKED)

        assert found.run is None
        assert "already" in found.note


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
        deps, run = await deployed(office, Stage.HELD, code=code, detail="the rollback failed")

        with pytest.raises(NeedsHuman) as caught:
            await start_rollback(deps, ASKED)

        assert all(one.deploy_id in caught.value.why for one in run.good)
        assert await pending(deps) == []


async def test_a_try_that_never_went_live_is_passed_over(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, run = await deployed(office, Stage.DONE)
        again = await start_run(deps, await planned(deps, target={"version": "v1.2.0"}))
        assert again is not None
        await move(deps, again, stage=Stage.FAILED)

        found = await start_rollback(deps, ASKED)

        assert found.run is not None
        assert found.run.id == run.id


async def test_a_deploy_that_never_was_live_cannot_be_named(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, _ = await deployed(office)

        with pytest.raises(NotFound) as caught:
            await start_rollback(deps, RollbackRequest("acme-corp", to=("dep-d0000000000000000000",)))

        assert caught.value.code == "SW206"
