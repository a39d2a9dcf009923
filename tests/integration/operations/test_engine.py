"""The rate windows are shared: one-shot commands and the controller know what the others spent."""

from pathlib import Path

from securewatch.deps import Deps
from securewatch.operations.engine import SHARE_SECONDS, sharing_rates
from securewatch.operations.owner import find_owner
from securewatch.operations.start import start_run
from securewatch.store import rates
from tests.integration.controller.given import RigClock
from tests.integration.operations.given import Office, planned, running_office


async def begin(office: Office) -> None:
    """There is a state database."""
    deps = await office.deps()
    await start_run(deps, await planned(deps))
    await deps.close()


async def kept(office: Office) -> int:
    """How many reads the state database knows of in this window."""
    deps = await office.deps()
    async with (await deps.database()).read() as tx:
        return int((await rates.load_spent(tx))["read"]["spent"])


def spent(deps: Deps) -> int:
    return int(deps.budget.snapshot()["read"]["spent"])


async def not_yet() -> bool:
    return False


async def test_a_one_shot_command_begins_with_what_others_spent_and_leaves_what_it_spent(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begin(office)
        before = await kept(office)
        deps = await office.deps()

        await find_owner(deps)
        in_process = spent(deps)
        await deps.close()

        assert in_process == before + 1
        assert await kept(office) == before + 1


async def test_a_look_makes_no_state_database(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()

        await find_owner(deps)
        await deps.close()

        assert not deps.settings.state_dir.exists()


async def test_a_controller_shares_every_few_real_seconds_and_not_more_often(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begin(office)
        controller, beside = await office.deps(), await office.deps()
        is_done = sharing_rates(controller, not_yet)
        await find_owner(controller)
        for _ in range(5):
            await find_owner(beside)
        await beside.close()
        by_others = await kept(office)

        early = await is_done(), spent(controller)
        assert isinstance(controller.clock, RigClock)
        controller.clock.monotonic_seconds += SHARE_SECONDS
        late = await is_done(), spent(controller)

        assert early == (False, by_others - 5)
        assert late == (False, by_others)


async def test_what_a_controller_spent_is_known_while_it_runs(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begin(office)
        controller = await office.deps()
        is_done = sharing_rates(controller, not_yet)
        for _ in range(3):
            await find_owner(controller)
        assert isinstance(controller.clock, RigClock)
        controller.clock.monotonic_seconds += SHARE_SECONDS

        await is_done()

        assert await kept(office) == spent(controller)
