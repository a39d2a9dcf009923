"""A real PostgreSQL with a made customer's database, and a place for its backups."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from localrender.database import EmbeddedPostgres
from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.keeper import SUPERUSER, open_server
from securewatch.backup.model import ArchiveKey
from securewatch.backup.place import Place
from securewatch.backup.storage import Storage
from securewatch.backup.take import Taken, Wanted, take_backup
from securewatch.core.clock import RealClock

CANARY = "canary-of-a-row-5c1f"
KEY = ArchiveKey("key-1", bytes(range(32)))

SCHEMA = f"""
CREATE TABLE people (
    id serial PRIMARY KEY, name text NOT NULL, weight float8, born date, seen timestamptz, extra jsonb);
INSERT INTO people (name, weight, born, seen, extra)
    SELECT 'name ' || n, n / 7.0, '2000-01-01'::date + n, '2026-11-24 12:00+05'::timestamptz, '{{"a": [1, null]}}'
    FROM generate_series(1, 500) n;
INSERT INTO people (name) VALUES ('{CANARY}'), ('Jürgen „quoted" \\ ; -- ''x'''), (E'line\\nbreak\\ttab');
CREATE SCHEMA "Billing now";
CREATE TABLE "Billing now"."In voices" (
    id int PRIMARY KEY, person int REFERENCES people, blob bytea, cost numeric(12, 2));
INSERT INTO "Billing now"."In voices" SELECT n, n, decode(md5(n::text), 'hex'), n * 1.1 FROM generate_series(1, 50) n;
CREATE TABLE visits (at date NOT NULL, n int) PARTITION BY RANGE (at);
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO visits SELECT '2026-01-01'::date + n, n FROM generate_series(0, 99) n;
CREATE TABLE nothing (t int);
CREATE VIEW names AS SELECT name FROM people;
CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM people;
CREATE PUBLICATION told FOR TABLE people;
COMMENT ON TABLE people IS 'who there is';
"""
BULK = """
CREATE TABLE bulk AS SELECT n, string_agg(md5(n::text || m), '') AS text
    FROM generate_series(1, {rows}) n, generate_series(1, 100) m GROUP BY n
"""


class Databases:
    """One server for a module's tests, on a loop of its own in a thread, since each test has another."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._runner, self._postgres = asyncio.Runner(), EmbeddedPostgres()
        self._count, self._own, self._stack = 0, "", AsyncExitStack()
        self._run(self._postgres.start())

    def make(self, *statements: str) -> str:
        """The URL of a new database in which the statements were executed."""
        self._count += 1
        url = str(self._run(self._postgres.create_database(f"customer_{self._count}")))
        execute(url, *statements)
        return url

    def forbid_databases(self, role: str) -> None:
        """Take the right to make databases from a role, as the server's superuser."""
        self._run(self._postgres.execute(sql.SQL("ALTER ROLE {} NOCREATEDB").format(sql.Identifier(role))))

    def own_server(self) -> str:
        """The address of a second server, as its superuser: one of those that backups are verified in."""
        if not self._own:
            folder = self._run(self._stack.enter_async_context(open_server()))
            self._own = f"host={folder} user={SUPERUSER} dbname={SUPERUSER}"
        return self._own

    def stop(self) -> None:
        """End the servers."""
        self._run(self._stack.aclose())
        self._run(self._postgres.stop())
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _run(self, work: Coroutine[object, object, object]) -> object:
        return self._thread.submit(self._runner.run, work).result()


@contextmanager
def running_databases() -> Iterator[Databases]:
    """A server, until the end."""
    databases = Databases()
    try:
        yield databases
    finally:
        databases.stop()


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements, committed one by one; the rows of the last."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = None
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor is not None and cursor.description else []


def end_connections(url: str) -> None:
    """End every other connection to the database, as a server that dies would."""
    execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@dataclass(frozen=True)
class Given:
    """A customer's database and a folder for backups."""

    url: str
    folder: Path
    place: Place

    async def take(self, **options: object) -> Taken:
        """A backup of it."""
        return await take_backup(wanted(self.url), self.place, **options)  # type: ignore[arg-type]

    def file(self, taken: Taken) -> Path:
        """The archive as a file."""
        return self.folder / taken.name


def wanted(url: str) -> Wanted:
    return Wanted("acme-corp", "v1.0.0", DatabaseAddress(url))


def given(url: str, folder: Path, **changes: object) -> Given:
    """The database with its place; `changes` are of the place."""
    parts: dict[str, object] = {"storage": Storage(folder), "key": KEY, "clock": RealClock(), **changes}
    return Given(url, folder, Place(**parts))  # type: ignore[arg-type]
