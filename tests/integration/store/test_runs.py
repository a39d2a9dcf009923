"""Runs: one acts and one waits for a customer, and two movers cannot both win."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from securewatch.core.errors import Conflict, NeedsHuman
from securewatch.deploy.model import Run, RunKind, Stage
from securewatch.store import plans, runs
from tests.integration.store.given import NOW, State, add, later, make_plan, make_run, move, next_run, opened, with_run

ACTING = [
    stage for stage in Stage if not stage.is_terminal and stage not in (Stage.QUEUED, Stage.PREFLIGHT, Stage.WATCHING)
]


async def load(state: State, run_id: str) -> Run | None:
    async with state.database.read() as tx:
        return await runs.load_run(tx, run_id)


async def test_a_run_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        found = await load(state, run.id)

        assert found == run == make_run()
        assert await load(state, "run-2") is None


async def test_a_run_needs_its_plan(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.DONE) as (state, run):
        with pytest.raises(Exception, match="refused a row"):
            await add(state, next_run(run, plan_hash="0" * 64))


async def test_an_update_raises_the_epoch(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        moved = await move(state, run, Stage.PREFLIGHT)

        assert (moved.epoch, moved.stage) == (1, Stage.PREFLIGHT)
        assert await load(state, run.id) == moved


async def test_an_update_from_an_old_epoch_is_a_conflict_and_changes_nothing(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        moved = await move(state, run, Stage.PREFLIGHT)

        with pytest.raises(Conflict) as caught:
            await move(state, run, Stage.BACKING_UP)

        assert caught.value.code == "SW410"
        assert await load(state, run.id) == moved


async def test_of_two_processes_that_move_a_run_at_once_one_wins(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run), opened(tmp_path) as other:
        results = await asyncio.gather(
            *(move(one, run, Stage.PREFLIGHT) for one in (state, other)), return_exceptions=True
        )

        assert sorted(type(one).__name__ for one in results) == ["Conflict", "Run"]


@pytest.mark.parametrize("stage", [stage for stage in Stage if not stage.is_terminal and stage is not Stage.WATCHING])
async def test_a_second_run_is_refused_while_the_first_is_unfinished(tmp_path: Path, stage: Stage) -> None:
    async with with_run(tmp_path, stage=stage) as (state, run):
        with pytest.raises(Conflict) as caught:
            await add(state, next_run(run))

        assert caught.value.code == "SW410"
        assert caught.value.why == f"deploy v1.1.0 is {stage}, requested by ann"


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.is_terminal or stage is Stage.WATCHING])
async def test_a_second_run_is_added_once_the_first_is_finished_or_only_watched(tmp_path: Path, stage: Stage) -> None:
    async with with_run(tmp_path, stage=stage) as (state, run):
        second = await add(state, next_run(run))

        assert await load(state, second.id) == second


async def test_of_two_processes_that_add_a_run_at_once_one_wins(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.DONE) as (state, run), opened(tmp_path) as other:
        wanted = [(state, next_run(run)), (other, next_run(run, id="run-x"))]

        results = await asyncio.gather(*(add(one, new) for one, new in wanted), return_exceptions=True)

        assert sorted(type(one).__name__ for one in results) == ["Conflict", "Run"]


async def test_a_generation_is_given_once(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.DONE) as (state, run):
        with pytest.raises(Conflict):
            await add(state, next_run(run, generation=run.generation))


async def test_a_watch_turns_back_while_another_run_waits(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, watched):
        await add(state, next_run(watched))

        stopping = await move(state, watched, Stage.STOPPING)

        assert stopping.stage is Stage.STOPPING


@pytest.mark.parametrize("stage", ACTING)
async def test_only_one_run_of_a_customer_acts(tmp_path: Path, stage: Stage) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, watched):
        waiting = await add(state, next_run(watched))
        await move(state, watched, stage)

        with pytest.raises(Conflict) as caught:
            await move(state, waiting, Stage.BACKING_UP)

        assert caught.value.code == "SW410"


async def test_a_run_that_begins_to_write_ends_the_watch_of_the_one_before(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, watched):
        second = await add(state, next_run(watched, version="v1.2.0"))
        async with state.database.write("begin") as tx:
            ended = await runs.end_watches(tx, second, at=later(60))
            again = await runs.end_watches(tx, second, at=later(61))

        expected = replace(
            watched,
            stage=Stage.SUPERSEDED,
            since=later(60),
            finished_at=later(60),
            detail="replaced by v1.2.0",
            replaced_by=second.id,
            epoch=watched.epoch + 1,
        )
        assert (ended, again) == ([expected], [])
        assert await load(state, watched.id) == expected


async def test_a_watch_goes_on_when_the_run_that_ended_it_is_undone(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING, verified_at=later(5)) as (state, watched):
        second = await add(state, next_run(watched, version="v1.2.0"))
        async with state.database.write("begin") as tx:
            await runs.end_watches(tx, second, at=later(60))
        async with state.database.write("undone") as tx:
            again = await runs.reopen_watches(tx, second)
            twice = await runs.reopen_watches(tx, second)

        assert (again, twice) == ([replace(watched, since=later(5), detail="", epoch=watched.epoch + 2)], [])


async def test_ending_watches_leaves_newer_runs_and_other_customers_alone(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, run):
        await add(state, next_run(run, slug="globex", id="run-g"))
        async with state.database.write("begin") as tx:
            assert await runs.end_watches(tx, run, at=NOW) == []


async def test_open_runs_are_those_not_finished_by_customer(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.WATCHING) as (state, run):
        await add(state, next_run(run))
        await add(state, make_run(id="b", slug="beta", stage=Stage.DONE))
        await add(state, make_run(id="a", slug="abc", stage=Stage.ROLLING_BACK))
        async with state.database.read() as tx:
            found = await runs.open_runs(tx)

    assert [(one.slug, one.generation) for one in found] == [("abc", 1), ("acme", 1), ("acme", 2)]


async def test_the_newest_runs_are_found_by_customer_and_kind(tmp_path: Path) -> None:
    async with with_run(tmp_path, stage=Stage.DONE) as (state, run):
        second = await add(state, next_run(run, stage=Stage.DONE))
        third = await add(state, next_run(second, kind=RunKind.ENV))
        other = await add(state, make_run(id="b", slug="beta"))
        async with state.database.read() as tx:
            assert await runs.latest_run(tx, "acme") == third
            assert await runs.latest_run(tx, "acme", kinds=(RunKind.DEPLOY,)) == second
            assert await runs.latest_run(tx, "acme", kinds=(RunKind.ROLLBACK,)) is None
            assert await runs.latest_run(tx, "nobody") is None
            assert await runs.runs_of(tx, "acme", 2) == [third, second]
            assert await runs.latest_runs(tx) == {"acme": third, "beta": other}
            assert [await runs.next_generation(tx, slug) for slug in ("acme", "beta", "nobody")] == [4, 2, 1]


async def test_a_state_of_a_later_version_is_told_and_not_guessed(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        with sqlite3.connect(state.database.path) as connection:
            connection.execute("""UPDATE run SET document = replace(document, '"queued"', '"levitating"')""")

        with pytest.raises(NeedsHuman) as caught:
            await load(state, run.id)

    assert caught.value.code == "SW703"


async def test_a_plan_is_kept_whole_and_found_by_the_beginning_of_its_hash(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        plan, other = make_plan(), make_plan(hash="7f3b" + "0" * 60)
        async with state.database.write("w") as tx:
            saved = [await plans.save_plan(tx, one, at=NOW, actor="ann") for one in (plan, other)]
        async with state.database.read() as tx:
            assert saved == [plan, other]
            assert await plans.load_plan(tx, plan.hash) == plan
            assert await plans.load_plan(tx, "7f3a") is None
            assert await plans.find_plan(tx, "7f3") == [plan, other]
            assert await plans.find_plan(tx, "7f3b") == [other]
            assert await plans.find_plan(tx, "8") == []


async def test_a_plan_saved_again_stands_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.write("w") as tx:
        first = await plans.save_plan(tx, make_plan(), at=NOW, actor="ann")
        second = await plans.save_plan(tx, make_plan(notes=("another note",)), at=later(5), actor="bob")

        assert second == first == make_plan()


async def test_a_plan_that_was_rolled_back_is_not_remembered(tmp_path: Path) -> None:
    async def save_load_and_stop(state: State) -> None:
        async with state.database.write("w") as tx:
            await plans.save_plan(tx, make_plan(), at=NOW, actor="ann")
            await plans.load_plan(tx, make_plan().hash)
            raise ValueError("stop")

    async with opened(tmp_path) as state:
        with pytest.raises(ValueError, match="stop"):
            await save_load_and_stop(state)

        async with state.database.read() as tx:
            assert await plans.load_plan(tx, make_plan().hash) is None


async def test_a_plan_of_an_unknown_format_is_told_and_not_guessed(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.write("w") as tx:
        with pytest.raises(NeedsHuman) as caught:
            await plans.save_plan(tx, make_plan(plan_format=99), at=NOW, actor="ann")

        assert caught.value.code == "SW703"
