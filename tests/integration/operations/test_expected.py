"""When a version is expected: by the open rollout's plan and day 0, else by the files as if one began now."""

from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.core.errors import NotFound, UsageError
from securewatch.deps import Deps
from securewatch.operations.expected import Expected, expect
from securewatch.operations.release.change import abort_rollout
from securewatch.operations.release.start import Wish, ask_for
from securewatch.rollout.model import MemberState
from tests.integration.operations.given import Office, running_office
from tests.integration.versions.repository import make_repository

TAGS = ("v1.0.0", "v1.1.0", "v1.2.0")


async def office_deps(office: Office, folder: Path) -> Deps:
    vendor = make_repository(folder / "vendor")
    for tag in TAGS:
        vendor.commit(tag)
        vendor.tag(tag)
    return await office.deps(SECUREWATCH_REPO=str(vendor.path))


async def begin(deps: Deps, version: str = "v1.1.0", *, in_days: int = 5) -> str:
    """An open rollout of the version, whose day 0 is still to come."""
    plan = (await expect(deps, version)).plan
    start_at = deps.clock.now() + timedelta(days=in_days)
    return (await ask_for(deps, Wish(version, start_at=start_at), plan, lambda _: None)).rollout.id


def owners(found: Expected) -> set[str]:
    return {one.rollout_id for one in found.members}


async def test_without_a_rollout_it_is_as_if_one_began_now(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office_deps(office, tmp_path)
        now = deps.clock.now()

        found = await expect(deps, "v1.1.0")

        assert found.slots["demo"] == now
        assert found.slots["techstart"] == now + timedelta(days=1)
        assert owners(found) == {""}
        assert {one.state for one in found.members} == {MemberState.PENDING}
        assert not (tmp_path / ".securewatch").exists()


async def test_an_open_rollout_says_when_and_who(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office_deps(office, tmp_path)
        rollout_id = await begin(deps)

        named, only = await expect(deps, "v1.1.0"), await expect(deps, None)

        assert named.slots["techstart"] == deps.clock.now() + timedelta(days=6)
        assert owners(named) == owners(only) == {rollout_id}


async def test_which_one_must_be_said_where_none_or_several_are_open(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office_deps(office, tmp_path)
        with pytest.raises(UsageError, match="which version"):
            await expect(deps, None)
        await begin(deps)
        await begin(deps, "v1.2.0")

        with pytest.raises(NotFound) as caught:
            await expect(deps, None)

        assert caught.value.code == "SW208"


async def test_a_rollout_that_is_over_counts_no_more(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office_deps(office, tmp_path)
        await begin(deps)
        await abort_rollout(deps, "v1.1.0", reason="a test")

        assert owners(await expect(deps, "v1.1.0")) == {""}
        with pytest.raises(UsageError, match="which version"):
            await expect(deps, None)
