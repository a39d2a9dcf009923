"""The customers' databases: really PostgreSQL, closed to each other, and gone with the platform."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from localrender.apps import ProcessHost
from localrender.database import DatabaseFailed, EmbeddedPostgres
from localrender.vendor import create_vendor_repo
from tests.integration.localrender.given_apps import deploy, get
from tests.integration.localrender.test_apps_process import ended

HOLDER = """
import asyncio, sys
from pathlib import Path
from localrender.database import EmbeddedPostgres

async def main():
    postgres = EmbeddedPostgres(Path(sys.argv[1]))
    await postgres.start()
    print(await postgres.create_database("acme"), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary files that every user may enter, as pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@asynccontextmanager
async def running(scratch: Path) -> AsyncIterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(scratch)
    await postgres.start()
    try:
        yield postgres
    finally:
        await postgres.stop()


async def ask_one(url: str) -> object:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute("SELECT current_user || ' in ' || current_database()")).fetchone()


async def test_each_customer_reaches_its_own_database_and_no_other(scratch: Path) -> None:
    async with running(scratch) as postgres:
        acme, other = [await postgres.create_database(name) for name in ("acme-corp", "techstart")]

        assert await ask_one(acme) == ("acme-corp in acme-corp",)
        assert await ask_one(other) == ("techstart in techstart",)
        for database in ("techstart", "postgres", "template1"):
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                await ask_one(f"{acme.rpartition('/')[0]}/{database}")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await ask_one(other.replace("techstart:", "acme-corp:", 1))


async def test_a_name_is_taken_once_and_is_a_plain_word(scratch: Path) -> None:
    async with running(scratch) as postgres:
        await postgres.create_database("acme")

        with pytest.raises(DatabaseFailed, match="DuplicateObject"):
            await postgres.create_database("acme")
        with pytest.raises(ValueError, match="small letters"):
            await postgres.create_database('a"; DROP ROLE postgres; --')


async def test_a_stopped_cluster_is_gone_with_its_folder_and_others_go_on(scratch: Path) -> None:
    first, second = EmbeddedPostgres(scratch), EmbeddedPostgres(scratch)
    await asyncio.gather(first.start(), second.start())
    url, other = await first.create_database("acme"), await second.create_database("acme")

    await first.stop()

    with pytest.raises(psycopg.OperationalError, match="refused"):
        await ask_one(url)
    assert len(list(scratch.glob("localrender-postgres-*"))) == 1
    assert await ask_one(other) == ("acme in acme",)
    await second.stop()
    await second.stop()
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes as Linux does")
async def test_a_platform_that_is_killed_leaves_no_server_and_no_folder_behind(scratch: Path) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(scratch), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert (await holder.stdout.readline()).startswith(b"postgresql://acme:")
    server = int(next(scratch.glob("*/data/postmaster.pid")).read_text().split()[0])
    keeper = int(Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1])

    holder.send_signal(signal.SIGKILL)
    await holder.wait()

    assert ended([server, keeper])
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="another user takes over from root only")
async def test_a_folder_for_temporary_files_that_is_closed_to_others_is_told(scratch: Path) -> None:
    scratch.chmod(0o700)

    with pytest.raises(DatabaseFailed, match="closed to other users"):
        await EmbeddedPostgres(scratch).start()

    assert scratch.stat().st_mode & 0o777 == 0o700
    assert list(scratch.iterdir()) == []


async def test_the_backends_database_check_is_a_real_connection(scratch: Path, tmp_path: Path) -> None:
    host = ProcessHost(create_vendor_repo(tmp_path / "vendor"), tmp_path / "work")
    postgres = EmbeddedPostgres(scratch)
    await postgres.start()
    url = await postgres.create_database("acme")
    await deploy(host, "v1.1.0", {"DATABASE_URL": url})

    up = await get(host, "/api/health/database")
    await postgres.stop()
    down = await get(host, "/api/health/database")
    await host.close()

    assert (up.status, json.loads(up.body)) == (200, {"status": "ok"})
    assert (down.status, json.loads(down.body)["status"]) == (503, "error")
    assert url not in down.body.decode()
