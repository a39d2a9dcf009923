"""Why a customer stands where it stands: decided over all of its unfinished runs, as the controller does."""

from dataclasses import replace
from pathlib import Path

from securewatch.deploy.model import Stage
from securewatch.operations.explain import explain, load_status
from securewatch.operations.start import start_run
from tests.integration.operations.given import move, planned, running_office


async def test_a_run_that_waits_for_the_way_back_of_an_older_one_says_so(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        older = await start_run(deps, await planned(deps))
        assert older is not None
        await move(deps, older, stage=Stage.WATCHING)
        newer = await start_run(deps, await planned(deps, target={"version": "v1.2.0"}))
        assert newer is not None
        await move(deps, older, stage=Stage.ROLLING_BACK)

        for status in (await explain(deps, "acme-corp"), await load_status(deps, newer.id)):
            assert status.run.id == newer.id
            assert status.waiting_on is not None
            assert (status.waiting_on.code, status.waiting_on.is_gate) == ("SW410", True)
            assert f"{older.id} is rolling back" in status.waiting_on.what


async def test_a_run_beside_one_that_is_only_watched_waits_for_nothing(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        older = await start_run(deps, await planned(deps))
        assert older is not None
        await move(deps, older, stage=Stage.WATCHING)
        made = await planned(deps, target={"version": "v1.2.0"})

        newer = await start_run(deps, replace(made, request=replace(made.request, force=True)))

        assert newer is not None
        assert (await load_status(deps, newer.id)).waiting_on is None
