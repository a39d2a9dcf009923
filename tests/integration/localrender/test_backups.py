"""Exports, snapshots and recoveries over HTTP, with real dumps of a real database, on a clock that is stepped."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from localrender.database import EmbeddedPostgres, find_package
from localrender.model import Options
from tests.fakes.rig import DATABASE, Rig
from tests.integration.localrender.given_databases import acme_of, ask, cluster, events_of, orders_of, rig_over

EXPORT = f"/postgres/{DATABASE}/export"
RECOVERY = f"/postgres/{DATABASE}/recovery"
SNAPSHOT = f"/postgres/{DATABASE}/snapshot"


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    with cluster() as found:
        yield found


async def recover(rig: Rig, at: datetime, **more: str) -> dict[str, object]:
    answer = await rig.api.post(RECOVERY, json={"restoreTime": at.isoformat(), **more})
    assert answer.status_code == 200, answer.text
    made: dict[str, object] = answer.json()
    return made


async def status_of(rig: Rig, postgres_id: object) -> str:
    return str((await rig.api.get(f"/postgres/{postgres_id}")).json()["status"])


async def url_of(rig: Rig, postgres_id: object) -> str:
    return str((await rig.api.get(f"/postgres/{postgres_id}/connection-info")).json()["externalConnectionString"])


async def test_an_export_is_downloaded_without_a_key_and_restored(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        await ask(acme_of(rig).url, "INSERT INTO orders SELECT generate_series(1, 7)")

        begun = await rig.api.post(EXPORT)
        early = (await rig.api.get(EXPORT)).json()
        await rig.pass_seconds(60)
        ready = (await rig.api.get(EXPORT)).json()
        anonymous = {"Authorization": ""}
        file = await rig.admin.get(ready[0]["url"], headers=anonymous)
        guessed = await rig.admin.get(ready[0]["url"].replace("exports/", "exports/x"), headers=anonymous)

        assert (begun.status_code, begun.content, guessed.status_code) == (202, b"", 404)
        assert [set(one) for one in early + ready] == [{"id", "createdAt"}, {"id", "createdAt", "url"}]
        assert ready[0]["url"].endswith(".dir.tar.gz")
        assert events_of(rig) == ["postgres_backup_started", "postgres_backup_completed"]
        with tarfile.open(fileobj=io.BytesIO(file.content)) as archive:
            archive.extractall(tmp_path / "out", filter="data")
        table_of_contents = next((tmp_path / "out").glob(f"*/{acme_of(rig).database}/toc.dat"))
        copy = await postgres.create_database("copy")
        command = [find_package() / "pginstall/bin/pg_restore", "--no-owner", "--role=copy", "--dbname=copy"]
        subprocess.run([*command, table_of_contents.parent], env=postgres.client_environment(), check=True)
        assert await orders_of(copy) == 7


async def test_exports_are_one_at_a_time_and_kept_seven_days(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        first, second = await rig.api.post(EXPORT), await rig.api.post(EXPORT)
        await rig.pass_seconds(60)
        third = await rig.api.post(EXPORT)
        await rig.pass_seconds(60)
        newest, oldest = (await rig.api.get(EXPORT)).json()
        await rig.pass_seconds(7 * 86_400 + 7_200)

        assert [one.status_code for one in (first, second, third)] == [202, 400, 202]
        assert newest["createdAt"] > oldest["createdAt"]
        assert (await rig.api.get(EXPORT)).json() == []
        assert (await rig.admin.get(newest["url"])).status_code == 404
        assert list((tmp_path / "dumps").glob("*.dir.tar.gz")) == []


async def test_an_export_that_is_to_fail_ends_without_one(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        await rig.admin.post("/faults", json={"kind": "fails", "method": "POST", "path": "/export$"})
        begun = await rig.api.post(EXPORT)
        await rig.pass_seconds(60)

        assert begun.status_code == 202
        assert (await rig.api.get(EXPORT)).json() == []
        assert events_of(rig) == ["postgres_backup_started", "postgres_backup_failed"]
        assert (await rig.api.post(EXPORT)).status_code == 202


async def test_a_recovery_is_a_new_database_as_it_was_and_the_old_one_stays(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        old = acme_of(rig).url
        await ask(old, "INSERT INTO orders SELECT generate_series(1, 5)")
        await rig.admin.post(SNAPSHOT)
        at = rig.clock.now()
        await ask(old, "INSERT INTO orders SELECT generate_series(6, 9)")
        await rig.pass_seconds(900)

        made = await recover(rig, at, restoreName="acme-before")
        new = await url_of(rig, made["id"])
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            await orders_of(new)
        seen = [await status_of(rig, made["id"])]
        for _ in range(2):
            await rig.pass_seconds(130)
            seen.append(await status_of(rig, made["id"]))

        assert seen == ["recovery_in_progress", "creating", "available"]
        assert (made["name"], made["id"] != DATABASE, new != old) == ("acme-before", True, True)
        assert (await orders_of(new), await orders_of(old)) == (5, 9)
        assert (await ask(new, "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'orders'")) == [
            (True,)
        ]
        assert (await rig.api.get(f"/postgres/{DATABASE}")).json()["status"] == "available"
        assert events_of(rig, str(made["id"])) == ["postgres_restore_succeeded"]


async def test_a_recovery_begins_from_the_newest_snapshot_that_is_not_later(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with rig_over(postgres, tmp_path, Options(snapshot_seconds=0)) as rig:
        begun = rig.clock.now()
        for number in range(3):
            await ask(acme_of(rig).url, f"INSERT INTO orders VALUES ({number})")
            await rig.admin.post(SNAPSHOT)
            await rig.pass_seconds(1_000)

        found = []
        for seconds in (999, 1_001):
            made = await recover(rig, begun + timedelta(seconds=seconds))
            await rig.pass_seconds(130)
            await rig.pass_seconds(130)
            found.append(await orders_of(await url_of(rig, made["id"])))

        assert found == [1, 2]


async def test_changed_databases_are_dumped_once_an_hour_and_others_not(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        taken = []
        for hour in range(4):
            if hour == 2:
                await ask(acme_of(rig).url, "INSERT INTO orders VALUES (1)")
            await rig.pass_seconds(3_601)
            taken.append(len(acme_of(rig).snapshots))

        assert taken == [1, 1, 2, 2]


async def test_recovery_says_from_when_on_it_is_possible(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async with rig_over(postgres, tmp_path, Options(recovery_days=3)) as rig:
        said = [(await rig.api.get(RECOVERY)).json()]
        await rig.admin.post(SNAPSHOT)
        first = rig.clock.now()
        for seconds in (1, 900, 5 * 86_400):
            await rig.pass_seconds(seconds)
            said.append((await rig.api.get(RECOVERY)).json())
        await rig.admin.request("PATCH", f"/postgres/{DATABASE}", json={"plan": "free"})
        said.append((await rig.api.get(RECOVERY)).json())

        states = [one["recoveryStatus"] for one in said]
        assert states == ["BACKUP_NOT_READY", "BACKUP_NOT_READY", "AVAILABLE", "AVAILABLE", "NOT_AVAILABLE"]
        assert datetime.fromisoformat(said[2]["startsAt"]) == first
        assert datetime.fromisoformat(said[3]["startsAt"]) == rig.clock.now() - timedelta(days=3)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "restoreTime is required"),
        ({"restoreTime": "yesterday"}, "invalid restoreTime"),
        ({"ago": 60}, "at least 10 minutes ago"),
        ({"ago": 86_400}, "before the earliest"),
        ({"ago": 700, "plan": "basic_256mb"}, "not lower"),
        ({"ago": 700, "restoreName": ""}, "must be strings"),
    ],
)
async def test_a_recovery_that_cannot_be_is_refused(
    postgres: EmbeddedPostgres, tmp_path: Path, body: dict[str, object], message: str
) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        await rig.admin.post(SNAPSHOT)
        await rig.pass_seconds(1_000)
        if "ago" in body:
            body = {**body, "restoreTime": (rig.clock.now() - timedelta(seconds=float(str(body["ago"])))).isoformat()}
            del body["ago"]

        answer = await rig.api.post(RECOVERY, json=body)

        assert answer.status_code == 400
        assert message in answer.json()["message"]
        assert list(rig.platform.state.databases) == [DATABASE]


async def test_a_recovery_that_is_to_fail_never_becomes_available(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        await rig.admin.post(SNAPSHOT)
        at = rig.clock.now()
        await rig.pass_seconds(900)
        await rig.admin.post("/faults", json={"kind": "fails", "method": "POST", "path": "/recovery$"})

        made = await recover(rig, at)
        for _ in range(3):
            await rig.pass_seconds(130)

        assert await status_of(rig, made["id"]) == "recovery_failed"
        assert events_of(rig, str(made["id"])) == ["postgres_restore_failed"]
        assert await status_of(rig, DATABASE) == "available"


async def test_a_recovery_from_a_damaged_dump_fails_and_lets_nobody_in(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        await rig.admin.post(SNAPSHOT)
        at = rig.clock.now()
        await rig.pass_seconds(900)
        dump = acme_of(rig).snapshots[0].file
        dump.write_bytes(dump.read_bytes()[:200])

        made = await recover(rig, at)
        await rig.pass_seconds(130)

        assert await status_of(rig, made["id"]) == "recovery_failed"
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            await orders_of(await url_of(rig, made["id"]))


async def test_a_database_refuses_connections_until_it_is_let_in_again(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        url = acme_of(rig).url
        async with await psycopg.AsyncConnection.connect(url) as open_before:
            await rig.admin.put(f"/postgres/{DATABASE}/refuse")
            with pytest.raises(psycopg.OperationalError):
                await open_before.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            await orders_of(url)
        refused, export = await status_of(rig, DATABASE), await rig.api.post(EXPORT)

        await rig.admin.delete(f"/postgres/{DATABASE}/refuse")

        assert (refused, export.status_code) == ("unavailable", 400)
        assert (await status_of(rig, DATABASE), await orders_of(url)) == ("available", 0)
        assert events_of(rig) == ["postgres_unavailable", "postgres_available"]


async def test_a_reset_empties_databases_and_forgets_recovered_ones_and_dumps(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with rig_over(postgres, tmp_path) as rig:
        await rig.admin.post(SNAPSHOT)
        at = rig.clock.now()
        await rig.pass_seconds(900)
        made = await recover(rig, at)
        await rig.pass_seconds(130)
        await rig.pass_seconds(130)
        recovered = await url_of(rig, made["id"])
        async with await psycopg.AsyncConnection.connect(acme_of(rig).url, autocommit=True) as connection:
            await connection.execute("CREATE DATABASE second")
        second = acme_of(rig).url.rpartition("/")[0] + "/second"
        made_by_itself = await ask(second, "SELECT current_database()")
        await rig.admin.put(f"/postgres/{DATABASE}/refuse")

        await rig.admin.post("/reset")

        assert await ask(acme_of(rig).url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            await orders_of(recovered)
        assert made_by_itself == [("second",)]
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            await ask(second, "SELECT 1")
        assert list(rig.platform.state.databases) == [DATABASE]
        assert list((tmp_path / "dumps").iterdir()) == []
