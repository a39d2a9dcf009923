"""Planning a release: from git, the files and what is on record; refused where it cannot work; kept as a file."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.core.errors import Conflict, NotFound, Refused, UsageError
from securewatch.deploy.model import ServiceKind
from securewatch.deps import Deps
from securewatch.operations.release_plan import (
    compare_plans,
    find_plan,
    load_plan_file,
    make_release_plan,
    save_plan_file,
)
from securewatch.store import meta, release_plans, releases
from securewatch.store.releases import Release
from tests.integration.operations.given import Office, running_office
from tests.integration.versions.repository import Repository, make_repository
from tests.unit.config.given import CUSTOMERS, Change, put

TOO_SHORT = {CUSTOMERS: put("customers/3/maintenance_window/time", "02:00-02:20")}


@pytest.fixture
def vendor(tmp_path: Path) -> Repository:
    """A repository with three versions."""
    made = make_repository(tmp_path / "vendor")
    for tag in ("v1.0.0", "v1.1.0", "v1.1.1"):
        made.commit(tag)
        made.tag(tag)
    return made


async def parts(office: Office, vendor: Repository) -> Deps:
    """The parts of bob's process."""
    return await office.deps(SECUREWATCH_REPO=str(vendor.path))


async def record(deps: Deps, slug: str, *, is_verified: bool = False, **versions: str) -> None:
    """What the customer's services run, by kind."""
    now = deps.clock.now()
    async with (await deps.database()).write("record") as tx:
        for kind, version in versions.items():
            made = Release(slug, ServiceKind(kind), f"srv-{kind}", version, "9c1e2ab", f"dep-{version}", now)
            await releases.record_release(tx, made)
            if is_verified:
                await releases.record_release(tx, Release(**{**vars(made), "verified_at": now}))


async def refusal(folder: Path, vendor: Repository, version: str, changes: Mapping[str, Change] | None = None) -> str:
    """What is said where the plan is refused, and the code."""
    async with running_office(folder, changes) as office:
        with pytest.raises((UsageError, NotFound, Refused)) as caught:
            await make_release_plan(await parts(office, vendor), version)
    return f"{caught.value.code}: {caught.value.what}: {caught.value.why}"


async def test_a_plan_writes_nothing(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await parts(office, vendor)

        planned = await make_release_plan(deps, "v1.1.0")

        assert await deps.existing_database() is None
    assert planned.plan.commit == vendor.git("rev-parse", "v1.1.0")
    assert [one.name for one in planned.plan.phases] == ["demo", "startup", "standard", "enterprise"]
    assert (planned.is_feasible, planned.there) == (True, ())
    assert planned.schedule.day_zero == planned.made_at


async def test_the_start_can_be_set(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await parts(office, vendor)
        later = deps.clock.now() + timedelta(days=3)

        planned = await make_release_plan(deps, "v1.1.0", day_zero=later)
        now = await make_release_plan(deps, "v1.1.0")

    assert planned.schedule.slots[0].start == later
    assert planned.plan == now.plan


async def test_what_is_on_record_decides_who_is_left_out_and_who_has_it(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await parts(office, vendor)
        await record(deps, "acme-corp", backend="v1.1.0", frontend="v1.1.0")
        await record(deps, "techstart", backend="v1.1.1", frontend="v1.1.1")
        await record(deps, "medhealth", backend="v1.1.0", frontend="v1.0.0")
        await record(deps, "financefirst", backend="v1.1.1")

        planned = await make_release_plan(deps, "v1.1.0")

    left_out = {one.slug: one.code for phase in planned.plan.phases for one in phase.members if one.left_out}
    assert left_out == {"techstart": "SW406"}
    assert planned.there == ("acme-corp",)
    assert {one.slug for one in planned.schedule.slots} == {"demo", "medhealth", "financefirst"}


async def test_the_testing_period_runs_since_the_demo_deploy_on_record(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        policies = {"deployment_policies": {"startup": {"minimum_testing_period": "3_days"}}}
        (tmp_path / "config" / "deployment-policies.json").write_text(json.dumps(policies))
        deps = await parts(office, vendor)
        await record(deps, "demo", is_verified=True, backend="v1.1.0", frontend="v1.1.0")
        tested_at = deps.clock.now()

        planned = await make_release_plan(deps, "v1.1.0")

    starts = {one.slug: one.start for one in planned.schedule.slots}
    assert starts["techstart"] == tested_at + timedelta(days=3)


async def test_a_patch_is_no_release(vendor: Repository, tmp_path: Path) -> None:
    said = await refusal(tmp_path, vendor, "v1.1.1")

    assert said.startswith("SW214: v1.1.1 is no minor release: ")


async def test_a_patch_can_be_planned_where_it_is_asked_for(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        planned = await make_release_plan(await parts(office, vendor), "v1.1.1", only_minor=False)

    assert planned.plan.version == "v1.1.1"


async def test_an_unknown_version_is_refused(vendor: Repository, tmp_path: Path) -> None:
    assert (await refusal(tmp_path, vendor, "v1.7.0")).startswith("SW203: ")


async def test_a_moved_tag_is_refused(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await parts(office, vendor)
        async with (await deps.database()).write("tag") as tx:
            await meta.set_meta(tx, "tag:v1.1.0", "d" * 40)

        with pytest.raises(Conflict) as caught:
            await make_release_plan(deps, "v1.1.0")

    assert caught.value.code == "SW412"


async def test_a_plan_that_is_not_feasible_is_refused_with_the_facts(vendor: Repository, tmp_path: Path) -> None:
    said = await refusal(tmp_path, vendor, "v1.1.0", TOO_SHORT)

    assert said == (
        "SW418: the plan of v1.1.0 is not feasible: medhealth: Sunday 02:00-02:20 America/New_York is never open for "
        "as long as a deploy usually takes (30 min)"
    )


async def test_force_makes_the_plan_all_the_same(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path, TOO_SHORT) as office:
        planned = await make_release_plan(await parts(office, vendor), "v1.1.0", force=True)

    assert not planned.is_feasible
    assert [one.slugs for one in planned.schedule.conflicts] == [("medhealth",)]


# --- files ------------------------------------------------------------------------------------------------------------


async def test_a_plan_comes_back_from_its_file_as_it_was(vendor: Repository, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    async with running_office(tmp_path) as office:
        plan = (await make_release_plan(await parts(office, vendor), "v1.1.0")).plan

    save_plan_file(plan, path)
    first = path.read_bytes()
    save_plan_file(plan, path)

    assert load_plan_file(path) == plan
    assert path.read_bytes() == first


async def test_a_file_that_was_changed_is_no_plan(vendor: Repository, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    async with running_office(tmp_path) as office:
        save_plan_file((await make_release_plan(await parts(office, vendor), "v1.1.0")).plan, path)

    for text in (path.read_text().replace('"lanes": 1', '"lanes": 2'), "{}", "nothing", '{"version": 1}'):
        path.write_text(text)
        with pytest.raises(UsageError) as caught:
            load_plan_file(path)
        assert caught.value.code == "SW206"


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_plan_file(tmp_path / "nowhere.json")

    assert (caught.value.code, caught.value.why) == ("SW206", "No such file or directory")


async def test_plans_on_record_are_found_by_the_beginning_of_their_hash(vendor: Repository, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    async with running_office(tmp_path) as office:
        deps = await parts(office, vendor)
        plan = (await make_release_plan(deps, "v1.1.0")).plan
        other = (await make_release_plan(deps, "v1.0.0")).plan
        save_plan_file(other, path)
        async with (await deps.database()).write("plan") as tx:
            await release_plans.save_release_plan(tx, plan, at=deps.clock.now(), actor="bob")

        assert await find_plan(deps, plan.hash[:8]) == plan
        found = await compare_plans(deps, plan.hash[:8], str(path))
        with pytest.raises(NotFound) as caught:
            await find_plan(deps, "ffffffff0")

    assert {one.name for one in found} == {"version", "commit"}
    assert caught.value.code == "SW206"
