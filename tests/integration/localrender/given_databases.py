"""What the tests of databases begin with: one real cluster for a module, a platform over it, and a way to ask it."""

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from localrender.database import EmbeddedPostgres
from localrender.model import Options, Postgres
from localrender.seed import SEED_CUSTOMERS, World
from localrender.storage import Storage
from tests.fakes.rig import DATABASE, KEY, Rig, running_rig

_numbers = count(1)


@contextmanager
def cluster() -> Iterator[EmbeddedPostgres]:
    """A cluster for many tests, each on a loop of its own; its keeper lives on a loop beside them."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result()

    try:
        with tempfile.TemporaryDirectory() as scratch:
            Path(scratch).chmod(0o711)
            postgres = EmbeddedPostgres(Path(scratch))
            run(postgres.start())
            try:
                yield postgres
            finally:
                run(postgres.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def rig_over(postgres: EmbeddedPostgres, folder: Path, options: Options | None = None) -> AsyncIterator[Rig]:
    """A platform on a stepped clock whose only customer, acme-corp, has a real database with a table `orders`."""
    url = await postgres.create_database(f"acme_{next(_numbers)}")
    world = World(
        tuple(one for one in SEED_CUSTOMERS if one.slug == "acme-corp"), KEY, database_urls={"acme-corp": url}
    )
    storage = Storage(postgres, folder / "dumps")
    async with running_rig(options, storage=storage, world=world) as rig:
        await ask(url, "CREATE TABLE orders (id int PRIMARY KEY)")
        yield rig


def acme_of(rig: Rig) -> Postgres:
    """acme-corp's database."""
    return rig.platform.state.databases[DATABASE]


async def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement over a connection of its own; gives its rows."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(statement)  # type: ignore[call-overload]
        return await cursor.fetchall() if cursor.description else []


async def orders_of(url: str) -> int:
    """How many orders there are."""
    return int((await ask(url, "SELECT count(*) FROM orders"))[0][0])


def events_of(rig: Rig, postgres_id: str = DATABASE) -> list[str]:
    """The types of a database's events, oldest first."""
    return [one.type for one in rig.platform.state.events if one.service_id == postgres_id]


async def until(true: Callable[[], Coroutine[Any, Any, bool]], seconds: float = 20.0) -> None:
    """Wait in real time until it is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.02)
