"""Ways back of many customers at once say what the card of each one says, and are shown with a rollout."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from securewatch.deploy.model import DatabasePlan, GoodDeploy, MigrationPlan, Progress, Run, RunKind, ServiceKind, Stage
from securewatch.deploy.readiness import WayBack
from securewatch.deps import Deps
from securewatch.operations.history import load_runs
from securewatch.operations.release.outlook import load_outlook
from securewatch.operations.start import start_run
from securewatch.operations.way_back import load_way_back, load_ways_back
from securewatch.rollout.model import MemberState
from securewatch.store import backups, rollouts
from securewatch.store.backups import Backup
from tests.fakes.rig import DATABASE
from tests.integration.operations.given import NEW, move, planned, running_office
from tests.integration.operations.test_expected import begin, office_deps

SLUGS = ("acme-corp", "techstart", "medhealth", "nobody")
OLD = "0" * 40
FINAL = DatabasePlan(DATABASE, (MigrationPlan("v1.1.0/002.sql", "c" * 64, irreversible=True),))
BACKED_UP = DatabasePlan(DATABASE, needs_backup=True)


async def live(deps: Deps, slug: str = "acme-corp", database: DatabasePlan | None = None, **changes: Any) -> Run:
    """A verified deploy of v1.1.0 after v1.0.0, which did that to the database."""
    made = await planned(deps, slug)
    part = replace(made.plan.customers[0], database=database)
    plan = replace(made.plan, customers=(part,), hash=f"{slug:0>64}"[-64:] if database else made.plan.hash)
    run = await start_run(deps, replace(made, plan=plan))
    assert run is not None
    now = deps.clock.now()
    moved = {
        "stage": Stage.WATCHING,
        "verified_at": now,
        "progress": tuple(Progress(kind, deploy_id=f"dep-{kind}", live_at=now) for kind in ServiceKind),
        "good": tuple(GoodDeploy(kind, "srv-1", f"dep-old-{kind}", OLD, "v1.0.0") for kind in ServiceKind),
    }
    return await move(deps, run, **{**moved, **changes})


async def backed_up(deps: Deps, slug: str, name: str, *, days: int = 0, **changes: Any) -> None:
    """A verified backup of v1.0.0 that was taken so many days ago."""
    now = deps.clock.now()
    taken_at = now - timedelta(days=days)
    one = Backup(name, slug, "v1.0.0", "", taken_at, "bob", "", "k", "16", 1, 1, 1, "", 1.0, (), verified_at=now)
    async with (await deps.database()).write("backup") as tx:
        await backups.add_backup(tx, replace(one, **changes))


async def by_card(deps: Deps) -> Mapping[str, WayBack]:
    """What the customers' cards say, one by one."""
    cards = {
        slug: await load_way_back(deps, deps.fleet.find_customer(slug), await load_runs(deps, slug))
        for slug in SLUGS
        if slug in deps.fleet.customers
    }
    return {slug: way for slug, way in cards.items() if way is not None}


async def test_many_say_what_each_card_says(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await live(deps)
        await live(deps, "techstart", BACKED_UP)
        await backed_up(deps, "techstart", "techstart/gone", removed_at=deps.clock.now())
        await backed_up(deps, "techstart", "techstart/untried", verified_at=None)
        await backed_up(deps, "techstart", "techstart/old", days=2)
        await backed_up(deps, "techstart", "techstart/new", days=1)
        await live(deps, "medhealth", FINAL)

        found = await load_ways_back(deps, SLUGS, "v1.1.0")

        assert set(found) == {"acme-corp", "techstart", "medhealth"}
        assert found == await by_card(deps)
        assert [found[slug].is_possible for slug in ("acme-corp", "techstart", "medhealth")] == [True, True, False]
        assert await load_ways_back(deps, SLUGS, "v1.2.0") == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": Stage.VERIFYING},
        {"stage": Stage.ROLLED_BACK},
        {"stage": Stage.HELD},
        {"stage": Stage.FAILED},
        {"progress": ()},
        {"kind": RunKind.ROLLBACK},
    ],
)
async def test_what_is_not_at_rest_has_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await live(deps, **changes)

        assert await load_ways_back(deps, SLUGS, "v1.1.0") == await by_card(deps) == {}


async def test_after_a_restore_of_the_database_there_is_none_and_it_says_so(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await live(deps, kind=RunKind.RESTORE)

        found = await load_ways_back(deps, SLUGS, "v1.1.0")

        assert found == await by_card(deps)
        assert [one.is_possible for one in found.values()] == [False]


async def test_who_completed_a_split_has_none_as_its_halves_go_back_to_different_deploys(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        backend, frontend = (GoodDeploy(kind, "srv-1", f"dep-old-{kind}", OLD, "v1.0.0") for kind in ServiceKind)
        await live(deps, good=(replace(backend, commit=NEW, version="v1.1.0"), frontend))

        assert await load_ways_back(deps, SLUGS, "v1.1.0") == {}


async def test_a_deploy_of_another_version_that_waits_has_none(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await live(deps)
        await start_run(deps, await planned(deps, target={"version": "v1.2.0"}))

        assert await load_ways_back(deps, SLUGS, "v1.1.0") == await by_card(deps) == {}


async def test_without_a_state_database_there_are_none(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        assert await load_ways_back(await office.deps(), SLUGS, "v1.1.0") == {}


async def test_a_rollout_shows_those_of_who_has_its_version(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office_deps(office, tmp_path)
        rollout_id = await begin(deps)
        await live(deps)
        run = await live(deps, "techstart")
        async with (await deps.database()).write("member") as tx:
            member = (await rollouts.members_of(tx, rollout_id))["techstart"]
            done = replace(member, state=MemberState.DONE, run_id=run.id)
            await rollouts.update_member(tx, done, expected_epoch=member.epoch)

        outlook = await load_outlook(deps, "v1.1.0")

        assert set(outlook.ways_back) == {"techstart"}
        assert outlook.ways_back["techstart"].to == "v1.0.0"
