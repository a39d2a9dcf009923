"""Whose services these are: the workspace named, else the one recorded, else the one that the key reaches."""

from pathlib import Path

import pytest

from localrender.model import Owner
from securewatch.core.errors import Conflict, Refused, SignInNeeded, UsageError
from securewatch.operations.health import check_health
from securewatch.operations.history import list_deployments
from securewatch.operations.owner import find_owner
from securewatch.operations.start import start_run
from tests.integration.operations.given import Office, planned, running_office

OTHER = "tea-c0000000000000000000"


async def recorded(office: Office) -> None:
    """A first plan recorded the owner."""
    deps = await office.deps()
    await start_run(deps, await planned(deps))


def reach_another(office: Office) -> None:
    office.rig.platform.state.owners[OTHER] = Owner(OTHER, "Other", "other@securewatch.example")


async def test_the_only_workspace_that_the_key_reaches_is_the_owner(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        assert await find_owner(await office.deps()) == office.rig.backend.owner_id


async def test_a_named_workspace_wins(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        reach_another(office)

        assert await find_owner(await office.deps(RENDER_WORKSPACE=OTHER)) == OTHER


async def test_a_workspace_that_the_key_does_not_reach_is_refused(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        with pytest.raises(UsageError) as caught:
            await find_owner(await office.deps(RENDER_WORKSPACE=OTHER))

        assert caught.value.code == "SW109"


async def test_the_recorded_owner_is_kept_when_the_key_reaches_more(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await recorded(office)
        reach_another(office)

        assert await find_owner(await office.deps()) == office.rig.backend.owner_id


async def test_a_key_that_does_not_reach_the_recorded_owner_is_a_conflict(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await recorded(office)
        office.rig.platform.state.owners.clear()
        reach_another(office)

        with pytest.raises(Conflict) as caught:
            await find_owner(await office.deps())

        assert caught.value.code == "SW414"
        assert office.rig.backend.owner_id in caught.value.why
        assert OTHER in caught.value.why


async def test_a_named_workspace_other_than_the_recorded_one_is_a_conflict(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await recorded(office)
        reach_another(office)

        with pytest.raises(Conflict) as caught:
            await find_owner(await office.deps(RENDER_WORKSPACE=OTHER))

        assert caught.value.code == "SW414"


async def test_looks_at_another_render_or_workspace_than_the_recorded_one_are_a_conflict(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await recorded(office)
        reach_another(office)

        for environ in ({"RENDER_WORKSPACE": OTHER}, {"RENDER_HOST": "http://127.0.0.1:9/v1"}):
            deps = await office.deps(**environ)
            for look in (check_health, list_deployments):
                with pytest.raises(Conflict) as caught:
                    await look(deps, "acme-corp")  # type: ignore[operator]
                assert caught.value.code == "SW414"


async def test_where_the_key_reaches_several_the_fleets_first_service_tells(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        reach_another(office)

        assert await find_owner(await office.deps()) == office.rig.backend.owner_id


async def test_where_nothing_tells_the_owner_it_is_refused(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        reach_another(office)
        office.rig.platform.state.services.clear()

        with pytest.raises(Refused) as caught:
            await find_owner(await office.deps())

        assert caught.value.code == "SW408"
        assert "RENDER_WORKSPACE" in caught.value.fix


async def test_a_key_that_render_refuses_is_told_apart(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        with pytest.raises(SignInNeeded) as caught:
            await find_owner(await office.deps(RENDER_API_KEY="rnd_wrong"))

        assert caught.value.code == "SW302"
        assert "rnd_wrong" not in str(caught.value)
