"""Why customers of a rollout wait, and when it is expected to end; freezes in the state count for plans too."""

from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.core.errors import NotFound, Refused
from securewatch.operations.freeze import FreezeRequest, add_freeze, hold, pin
from securewatch.operations.release.change import abort_rollout
from securewatch.operations.release.outlook import find_rows, load_outlook, shut_gates
from securewatch.operations.release_plan import make_release_plan
from tests.integration.operations.given import running_office
from tests.integration.operations.test_expected import begin, office_deps


async def test_every_customer_has_a_reason_and_a_range(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office_deps(office, tmp_path)
        await begin(deps)

        outlook = await load_outlook(deps, None)

        (row,) = find_rows(deps, outlook, "MedHealth Systems")
        assert row.waiting_on is not None
        assert "the start of the rollout" in row.waiting_on.what
        gates = shut_gates(outlook, row, deps.clock.now())
        assert [(one.name, one.person) for one in gates] == [("window", ""), ("approval", "anyone but bob")]
        assert [one.slug for one in find_rows(deps, outlook, None)] == [one.slug for one in outlook.status.members]
        found = outlook.eta_of("medhealth")
        assert found is not None
        assert found.starts is not None
        assert found.earliest is not None
        assert found.latest is not None
        assert deps.clock.now() + timedelta(days=5 + 22) < found.starts < found.earliest < found.latest
        with pytest.raises(NotFound) as caught:
            find_rows(deps, outlook, "nobody")
        assert caught.value.code == "SW202"


async def test_who_is_held_has_no_expected_end_and_a_rollout_that_is_over_has_none(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office_deps(office, tmp_path)
        await begin(deps)
        await hold(deps, "techstart", reason="an incident")

        held = await load_outlook(deps, "v1.1.0")
        await abort_rollout(deps, "v1.1.0", reason="a test")
        over = await load_outlook(deps, "v1.1.0")

        techstart = held.eta_of("techstart")
        assert techstart is not None
        assert (techstart.earliest, held.eta.earliest) == (None, None)
        assert over.eta.customers == over.notes == ()


async def test_a_plan_reckons_with_freezes_and_pins_that_people_set(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office_deps(office, tmp_path)
        now = deps.clock.now()
        await add_freeze(deps, FreezeRequest("audit", now + timedelta(days=1), now + timedelta(days=2)))
        await hold(deps, "demo")

        planned = await make_release_plan(deps, "v1.1.0")
        await pin(deps, "techstart", until=now + timedelta(days=30))
        with pytest.raises(Refused) as caught:
            await make_release_plan(deps, "v1.1.0")

        starts = {one.slug: one.start for one in planned.schedule.slots}
        assert (starts["demo"], starts["techstart"]) == (now, now.replace(microsecond=0) + timedelta(days=2))
        assert caught.value.code == "SW418"
        assert 'techstart: the freeze "pin of techstart"' in caught.value.why
