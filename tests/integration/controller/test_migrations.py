"""A release's migrations in the real controller: before all else, once, and what comes of a failure."""

from dataclasses import replace
from pathlib import Path

import pytest

from securewatch.core.errors import NeedsHuman, Rejected, Retryable
from securewatch.deploy.model import DatabasePlan, MigrationPlan, Stage
from securewatch.deploy.view import Effect
from securewatch.migration.files import read_migrations
from securewatch.store import effects
from tests.factories import BACKEND
from tests.fakes.rig import DATABASE
from tests.integration.controller.given import NEW, Engine, ask_back, ended, reached, running_engine

FILES = {
    "migrations/v1.1.0/001_orders.sql": b"CREATE TABLE orders (id bigint);",
    "migrations/v1.1.0/002_notes.sql": b"-- irreversible\nDROP TABLE notes;",
}
FIRST, SECOND = (MigrationPlan(one.id, one.checksum, one.is_irreversible) for one in read_migrations(FILES))
HARMLESS = DatabasePlan(DATABASE, (FIRST,))
FINAL = DatabasePlan(DATABASE, (FIRST, SECOND))


def carrying(engine: Engine) -> None:
    engine.repository.files = FILES


async def test_migrations_come_before_env_vars_and_deploys_and_only_those_of_the_plan(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        carrying(engine)
        run = await engine.run_until(reached(Stage.SETTING_ENV))

        assert (run.stage, engine.wire.writes) == (Stage.SETTING_ENV, [])
        assert list(engine.customer_database.applied) == [FIRST.id]
        assert (await engine.run_until(ended)).stage is Stage.DONE
        assert [one for one in await engine.audited() if one == "run.migrating"] == ["run.migrating"]


async def test_they_are_applied_to_the_database_that_the_backend_uses(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        carrying(engine)
        await engine.run_until(reached(Stage.SETTING_ENV))

        assert list(engine.customer_database.applied.values()) == [engine.env()["DATABASE_URL"]]


async def test_where_the_backend_uses_another_database_than_the_files_name_nothing_is_applied(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        carrying(engine)
        service = engine.rig.backend
        service.env["DATABASE_URL"] = replace(service.env["DATABASE_URL"], value="postgresql://a:b@elsewhere/acme")

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.FAILED, "SW408")
        assert (engine.customer_database.applied, engine.wire.writes) == ({}, [])


async def test_one_that_fails_stops_the_customer_before_anything_is_written_at_render(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        carrying(engine)
        engine.customer_database.error = Rejected("SW509", "the migration failed", why="UndefinedTable (42P01)")

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.FAILED, "SW509")
        assert "UndefinedTable (42P01)" in run.detail
        assert engine.wire.writes == []


async def test_a_database_that_is_away_for_a_while_is_tried_again(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        carrying(engine)
        engine.customer_database.error = Retryable("SW509", "the customer's database cannot be reached")
        for _ in range(80):
            await engine.step()
        waiting = await engine.load()
        engine.customer_database.error = None

        run = await engine.run_until(ended)

        assert (waiting.stage, run.stage) == (Stage.MIGRATING, Stage.DONE)
        assert list(engine.customer_database.applied) == [FIRST.id]


class Died(BaseException):
    """The process was killed."""


async def test_what_a_process_left_that_died_in_the_middle_is_carried_on(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        carrying(engine)
        await engine.run_until(reached(Stage.MIGRATING))
        engine.customer_database.error = Died()
        with pytest.raises(Died):
            await engine.work(await sent(engine))
        engine.customer_database.error = None
        engine.restart()

        run = await engine.run_until(ended)

        assert (run.stage, list(engine.customer_database.applied)) == (Stage.DONE, [FIRST.id])


async def sent(engine: Engine) -> Effect:
    """The effect that migrates, when it is there."""
    while True:
        async with engine.database.read() as tx:
            found = (await effects.effects_of(tx, engine.run.id)).get("migrate:backend")
        if found is not None:
            return found
        await engine.controller.tick()


async def test_an_unknown_outcome_holds_the_customer(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        carrying(engine)
        engine.customer_database.error = NeedsHuman("SW509", "the migration ended its own transaction")

        run = await engine.run_until(ended)

        assert (run.stage, run.code, engine.wire.writes) == (Stage.HELD, "SW509", [])


async def test_a_repository_that_has_other_migrations_now_stops_the_customer(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        engine.repository.files = {"migrations/v1.1.0/001_orders.sql": b"DROP TABLE orders;"}

        run = await engine.run_until(ended)

        assert (run.stage, run.code, engine.customer_database.applied) == (Stage.FAILED, "SW423", {})


@pytest.mark.parametrize("how", ["by itself", "by a person"])
async def test_a_version_with_harmless_migrations_goes_back_like_any_other(tmp_path: Path, how: str) -> None:
    async with running_engine(tmp_path, database=HARMLESS) as engine:
        carrying(engine)
        await engine.run_until(reached(Stage.WATCHING))
        if how == "by itself":
            engine.prober.sick.add(NEW)
        else:
            await ask_back(engine)

        run = await engine.run_until(ended)

        assert run.stage is Stage.ROLLED_BACK


async def test_after_an_irreversible_one_a_sick_version_is_held_and_not_taken_back(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=FINAL) as engine:
        carrying(engine)
        await engine.run_until(reached(Stage.WATCHING))
        engine.prober.sick.add(NEW)

        run = await engine.run_until(ended)

        assert (run.stage, run.code) == (Stage.HELD, "SW425")
        assert [one.trigger for one in engine.ours(BACKEND)] == ["api"]


async def test_after_an_irreversible_one_nobody_can_ask_for_the_old_code(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=FINAL) as engine:
        carrying(engine)
        await engine.run_until(reached(Stage.WATCHING))
        await ask_back(engine)

        run = await engine.run_until(ended)

        assert run.stage is Stage.DONE
        assert [one.trigger for one in engine.ours(BACKEND)] == ["api"]
