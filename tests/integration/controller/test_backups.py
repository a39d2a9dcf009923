"""A database backup before a deploy, in the real controller: first of all, tried, once, and in the way if it fails."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.backup.model import TableDifference
from securewatch.core.errors import ConfigError, Rejected, Retryable, SecurewatchError
from securewatch.deploy.model import DatabasePlan, Stage
from securewatch.store import backups
from securewatch.store.backups import Backup
from tests.factories import NOW
from tests.fakes.rig import DATABASE
from tests.integration.controller.given import Engine, ended, reached, running_engine

BACKED_UP = DatabasePlan(DATABASE, needs_backup=True)


async def kept(engine: Engine) -> list[Backup]:
    async with engine.database.read() as tx:
        return list(await backups.backups_of(tx, "acme-corp"))


async def test_a_backup_is_taken_and_tried_before_anything_is_written(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=BACKED_UP) as engine:
        run = await engine.run_until(reached(Stage.SETTING_ENV))

        (backup,) = await kept(engine)
        assert (run.stage, engine.wire.writes) == (Stage.SETTING_ENV, [])
        assert engine.customer_database.taken == engine.customer_database.tried == [backup.name]
        assert (backup.run_id, backup.rows, backup.restore_seconds) == (run.id, 3, 3.0)
        assert backup.verified_at is not None
        assert (await engine.run_until(ended)).stage is Stage.DONE
        said = await engine.audited()
        assert said.index("backup.taken") < said.index("backup.verified") < said.index("run.setting_env")


async def test_a_backup_that_does_not_give_the_same_refuses_the_deploy(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=BACKED_UP) as engine:
        engine.customer_database.differences = (TableDifference("public.orders", 3, 2),)

        run = await engine.run_until(ended)

        (backup,) = await kept(engine)
        assert (run.stage, run.code, engine.wire.writes) == (Stage.REFUSED, "SW606", [])
        assert backup.verified_at is None
        assert "public.orders: 2 rows, but 3 rows expected" in backup.problem
        assert backup.problem in run.detail


@pytest.mark.parametrize(
    "error",
    [
        Rejected("SW609", "the dump holds nothing of the database"),
        ConfigError("SW110", "there is no usable pg_dump"),
    ],
)
async def test_where_none_can_be_taken_the_deploy_is_refused(tmp_path: Path, error: SecurewatchError) -> None:
    async with running_engine(tmp_path, database=BACKED_UP) as engine:
        engine.customer_database.error = error

        run = await engine.run_until(ended)

        assert (run.stage, run.code, engine.wire.writes) == (Stage.REFUSED, error.code, [])


async def test_a_database_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=BACKED_UP) as engine:
        engine.customer_database.error = Retryable("SW609", "the database did not do its part")
        for _ in range(80):
            await engine.step()
        waiting = await engine.load()
        engine.customer_database.error = None

        run = await engine.run_until(ended)

        assert (waiting.stage, run.stage) == (Stage.BACKING_UP, Stage.DONE)
        assert len(engine.customer_database.taken) == 1


async def test_a_backup_that_was_taken_before_the_process_died_is_tried_and_not_taken_again(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=BACKED_UP) as engine:
        engine.customer_database.differences = (TableDifference("public.orders", 3, 2),)
        await engine.run_until(ended)
        (backup,) = await kept(engine)
    async with running_engine(tmp_path / "again", database=BACKED_UP) as engine:
        async with engine.database.write("as before the death") as tx:
            taken_at = engine.clock.now() + timedelta(hours=1)
            await backups.add_backup(tx, replace(backup, problem="", taken_at=taken_at))

        run = await engine.run_until(reached(Stage.SETTING_ENV))

        assert run.stage is Stage.SETTING_ENV
        assert (engine.customer_database.taken, engine.customer_database.tried) == ([], [backup.name])


async def test_a_backup_of_an_earlier_attempt_is_too_old(tmp_path: Path) -> None:
    async with running_engine(tmp_path, database=BACKED_UP) as engine:
        await engine.run_until(reached(Stage.SETTING_ENV))
        (backup,) = await kept(engine)
    async with running_engine(tmp_path / "again", database=BACKED_UP) as engine:
        async with engine.database.write("as of the week before") as tx:
            week = timedelta(days=7)
            await backups.add_backup(tx, replace(backup, name="acme-corp/old.swbackup", taken_at=NOW - week))

        await engine.run_until(reached(Stage.SETTING_ENV))

        assert len(engine.customer_database.taken) == 1
