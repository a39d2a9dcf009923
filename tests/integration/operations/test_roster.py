"""The files are edited while a rollout runs: who came joins, who went leaves, and broken files change nothing."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from securewatch.deps import Deps
from securewatch.operations.engine import make_controller
from securewatch.operations.owner import find_owner
from securewatch.operations.release.edits import notes_on_files
from securewatch.operations.release.status import load_release_status
from securewatch.operations.roster import RosterKeeper
from securewatch.rollout.model import Member, MemberState
from securewatch.rollout.roster import LEFT
from securewatch.store import audit, rollouts
from tests.integration.operations.given import Office, running_office
from tests.integration.operations.test_expected import begin, office_deps
from tests.unit.config.given import CUSTOMERS, RENDER, put

NEW_IDS = {"backend": "srv-newco-backend-new123", "frontend": "srv-newco-frontend-new456"}


def edit(folder: Path, file: str, change: Callable[[Any], object]) -> None:
    path = folder / "config" / file
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def add_newco(folder: Path, *, is_half_done: bool = False) -> None:
    """A second startup customer comes into the files, or into the first of them."""

    def enter(data: Any) -> None:
        like = next(one for one in data["customers"] if one["slug"] == "techstart")
        url = {"database_url": "${NEWCO_DATABASE_URL}"}
        data["customers"].append({**like, "slug": "newco", "name": "Newco", "render_services": NEW_IDS, **url})

    def place(data: Any) -> None:
        mapping = data["customer_environment_mapping"]
        mapping["newco"] = {
            **mapping["techstart"],
            **{f"{kind}_service_id": one for kind, one in NEW_IDS.items()},
            "database_id": "dpg-newco000000000000000-a",
            "database_url": "${NEWCO_DATABASE_URL}",
            "custom_domain": "newco.securewatch.app",
        }

    edit(folder, CUSTOMERS, enter)
    if not is_half_done:
        edit(folder, RENDER, place)


def drop_customer(folder: Path, slug: str) -> None:
    def take_out(data: Any) -> None:
        data["customers"] = [one for one in data["customers"] if one["slug"] != slug]

    edit(folder, CUSTOMERS, take_out)
    edit(folder, RENDER, lambda data: data["customer_environment_mapping"].pop(slug))


@asynccontextmanager
async def rolling(folder: Path) -> AsyncIterator[tuple[Office, Deps, RosterKeeper]]:
    """A rollout of v1.1.0 whose day 0 is still to come, and what keeps it in step."""
    async with running_office(folder) as office:
        deps = await office_deps(office, folder)
        await begin(deps)
        yield office, deps, RosterKeeper(deps)


async def row(deps: Deps, slug: str) -> Member | None:
    async with (await deps.database()).read() as tx:
        return await rollouts.load_member(tx, "v1.1.0-r1", slug)


async def notes(office: Office) -> tuple[str, ...]:
    """What a command says that begins now."""
    deps = await office.deps()
    return notes_on_files(deps, await load_release_status(deps, "v1.1.0"))


async def test_a_customer_who_comes_joins_and_is_known_to_this_process(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (office, deps, keeper):
        await keeper.keep(deps.clock.now())
        add_newco(tmp_path)
        before = await notes(office)
        await keeper.keep(deps.clock.now())

        found = await row(deps, "newco")
        status = await load_release_status(deps, "v1.1.0")

        assert before == ("newco: new in the files; joins startup when a controller runs",)
        assert found is not None
        assert (found.phase, found.batch, found.state, found.asked) == ("startup", 2, MemberState.PENDING, True)
        assert [one.waiting_on.what for one in status.members if one.slug == "newco" and one.waiting_on]
        assert deps.fleet.find_customer("newco").backend_service_id == NEW_IDS["backend"]
        assert await notes(office) == ()
        async with (await deps.database()).read() as tx:
            assert [one.slug for one in await audit.entries(tx) if one.action == "member.joined"] == ["newco"]


async def test_a_controller_notices_by_itself(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (_, deps, _):
        controller = await make_controller(deps, await find_owner(deps))
        await controller.tick()
        await controller.drain()
        add_newco(tmp_path)

        await controller.tick()
        await controller.drain()

        found = await row(deps, "newco")
        assert found is not None
        assert found.state is MemberState.PENDING


async def test_a_customer_who_goes_is_skipped_and_waits_again_when_back(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (office, deps, keeper):
        files = {one: (tmp_path / "config" / one).read_text() for one in (CUSTOMERS, RENDER)}
        drop_customer(tmp_path, "techstart")
        before = await notes(office)
        await keeper.keep(deps.clock.now())
        gone = await row(deps, "techstart")
        for name, text in files.items():
            (tmp_path / "config" / name).write_text(text)
        await keeper.keep(deps.clock.now())
        back = await row(deps, "techstart")

        assert before == ("techstart: not in startup by the files any more",)
        assert gone is not None
        assert (gone.state, gone.detail) == (MemberState.SKIPPED, LEFT)
        assert back is not None
        assert (back.state, back.detail) == (MemberState.PENDING, "")


async def test_broken_and_half_written_files_change_nothing_and_are_told(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (office, deps, keeper):
        add_newco(tmp_path, is_half_done=True)
        await keeper.keep(deps.clock.now())
        assert await row(deps, "newco") is None
        half = await notes(office)

        (tmp_path / "config" / CUSTOMERS).write_text('{"customers": [')
        before = await (await deps.database()).changes()
        await keeper.keep(deps.clock.now())

        assert await (await deps.database()).changes() == before
        assert len(half) == 1
        assert half[0].startswith("newco: held: configuration: ")
        (broken,) = await notes(office)
        assert broken.startswith("the files cannot be read (SW103 ")
        assert broken.endswith("; the rollout goes on by its plan")


async def test_a_policy_that_is_edited_changes_no_running_rollout_and_is_told(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (office, deps, keeper):
        edit(tmp_path, CUSTOMERS, put("customers/3/maintenance_window/time", "01:00-05:00"))
        edit(
            tmp_path, RENDER, put("deployment_phases/startup_early_access/batch_configuration/batch_size", "25_percent")
        )
        before = await (await deps.database()).changes()
        await keeper.keep(deps.clock.now())

        said = await notes(office)

        assert await (await deps.database()).changes() == before
        assert said == (
            "the files changed since the plan, which stays as it was: startup batch size, medhealth window",
        )


async def test_files_that_did_not_change_are_not_read_again(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (_, deps, keeper):
        await keeper.keep(deps.clock.now())
        stamp, config = keeper.stamp(), tmp_path / "config"
        async with (await deps.database()).write("lose a row") as tx:
            found = await rollouts.load_member(tx, "v1.1.0-r1", "techstart")
            assert found is not None
            await rollouts.update_member(tx, replace(found, state=MemberState.SKIPPED, detail=LEFT), expected_epoch=1)
        await keeper.keep(deps.clock.now())

        still = await row(deps, "techstart")
        (config / CUSTOMERS).touch()
        await keeper.keep(deps.clock.now())
        now = await row(deps, "techstart")

        assert keeper.stamp() != stamp
        assert still is not None
        assert now is not None
        assert (still.state, now.state) == (MemberState.SKIPPED, MemberState.PENDING)
