"""Migrations against a real PostgreSQL: each wholly or not at all, once, whoever else is at it or dies meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count

import psycopg
import pytest

from localrender.database import EmbeddedPostgres
from securewatch.core.errors import NeedsHuman, Refused, Rejected, Retryable
from securewatch.migration.apply import Applied, apply_migrations
from securewatch.migration.files import Migration
from securewatch.versions.version import parse_version
from tests.integration.localrender.given_databases import cluster

_numbers = count(1)
TABLE = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);"

SLEEPING = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'securewatch' AND wait_event = 'PgSleep'"


def migration(name: str, text: str) -> Migration:
    return Migration(parse_version("v1.2.0"), name, text)


FIRST = migration("001_orders.sql", TABLE + "INSERT INTO orders VALUES (1, 'secret word');")
SECOND = migration("002_paid.sql", "ALTER TABLE orders ADD COLUMN paid boolean;")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """One server for all tests."""
    with cluster() as found:
        yield found


@asynccontextmanager
async def database(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """The URL of an empty database with a role of its own."""
    yield await server.create_database(f"acme_{next(_numbers)}")


async def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        answer = await connection.execute(statement.encode())
        return await answer.fetchall() if answer.description else []


async def test_each_is_applied_once_and_stands_in_the_ledger(server: EmbeddedPostgres) -> None:
    async with database(server) as url:
        assert await apply_migrations(url, [FIRST]) == Applied((FIRST.id,))
        assert await apply_migrations(url, [FIRST, SECOND]) == Applied((FIRST.id, SECOND.id))
        assert await apply_migrations(url, [FIRST, SECOND]) == Applied((FIRST.id, SECOND.id))

        assert await ask(url, "SELECT version, checksum FROM schema_migrations ORDER BY version") == [
            (FIRST.id, FIRST.checksum),
            (SECOND.id, SECOND.checksum),
        ]
        assert await ask(url, "SELECT id, note, paid FROM orders") == [(1, "secret word", None)]


async def test_two_at_once_apply_each_once(server: EmbeddedPostgres) -> None:
    async with database(server) as url:
        done = await asyncio.gather(*(apply_migrations(url, [FIRST, SECOND]) for _ in range(4)))

        assert set(done) == {Applied((FIRST.id, SECOND.id))}
        assert await ask(url, "SELECT count(*) FROM orders") == [(1,)]


async def test_one_that_fails_leaves_the_database_as_it_was_and_tells_no_data(server: EmbeddedPostgres) -> None:
    broken = migration("002_broken.sql", "ALTER TABLE orders ADD COLUMN a int;\nSELECT note::int FROM orders;")
    async with database(server) as url:
        done = await apply_migrations(url, [FIRST, broken, SECOND])

        error = done.error
        assert isinstance(error, Rejected)
        assert done.ids == (FIRST.id,)
        assert (error.code, error.what) == ("SW509", "the migration v1.2.0/002_broken.sql failed")
        assert "InvalidTextRepresentation (22P02)" in error.why
        assert "secret word" not in f"{error} {error.why} {error.__cause__} {error.__suppress_context__}"
        assert await ask(url, "SELECT version FROM schema_migrations") == [(FIRST.id,)]
        assert await ask(url, "SELECT * FROM orders") == [(1, "secret word")]


async def test_the_line_of_a_statement_that_cannot_be_is_told(server: EmbeddedPostgres) -> None:
    async with database(server) as url:
        done = await apply_migrations(url, [migration("002.sql", "SELECT 1;\n\nSELECT nothing;")])

        assert done.error is not None
        assert "UndefinedColumn (42703), line 3" in done.error.why
        assert await ask(url, "SELECT to_regclass('schema_migrations')") == [(None,)]


async def test_one_that_dies_in_the_middle_leaves_nothing_and_is_done_when_asked_again(
    server: EmbeddedPostgres,
) -> None:
    slow = migration("001_slow.sql", TABLE + "SELECT pg_sleep(60);")
    quick = migration("001_slow.sql", TABLE)
    async with database(server) as url:
        dying = asyncio.create_task(apply_migrations(url, [slow]))
        while not await ask(url, SLEEPING):
            await asyncio.sleep(0)
        await ask(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'securewatch'")

        with pytest.raises(Retryable, match="cannot be reached"):
            await dying
        assert await ask(url, "SELECT to_regclass('orders')") == [(None,)]
        assert await apply_migrations(url, [quick]) == Applied((quick.id,))


async def test_an_applied_file_that_is_another_one_now_is_refused(server: EmbeddedPostgres) -> None:
    changed = migration("001_orders.sql", "SELECT 1;")
    async with database(server) as url:
        await apply_migrations(url, [FIRST])

        with pytest.raises(Refused) as caught:
            await apply_migrations(url, [changed])
        assert caught.value.code == "SW423"


async def test_a_ledger_of_the_customers_own_is_used_as_it_is(server: EmbeddedPostgres) -> None:
    async with database(server) as url:
        await ask(url, "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
        await ask(url, f"INSERT INTO schema_migrations VALUES ('20240101'), ('{FIRST.id}')")

        assert await apply_migrations(url, [FIRST, migration("002.sql", TABLE)]) == Applied(
            (FIRST.id, "v1.2.0/002.sql")
        )
        assert await ask(url, "SELECT count(*) FROM orders") == [(0,)]
        assert len(await ask(url, "SELECT version FROM schema_migrations")) == 3


async def test_a_ledger_that_we_could_not_write_is_refused_before_anything_runs(server: EmbeddedPostgres) -> None:
    async with database(server) as url:
        await ask(url, "CREATE TABLE schema_migrations (version text, dirty boolean NOT NULL)")

        with pytest.raises(Refused, match="schema_migrations") as caught:
            await apply_migrations(url, [FIRST])
        assert (caught.value.code, "dirty" in caught.value.why) == ("SW423", True)
        assert await ask(url, "SELECT to_regclass('orders')") == [(None,)]


async def test_a_file_that_ends_its_own_transaction_calls_a_person(server: EmbeddedPostgres) -> None:
    async with database(server) as url:
        done = await apply_migrations(url, [migration("001.sql", TABLE + "COMMIT;")])

        assert isinstance(done.error, NeedsHuman)
        assert "ended its own transaction" in done.error.what


async def test_a_database_that_does_not_answer_may_be_tried_again() -> None:
    with pytest.raises(Retryable) as caught:
        await apply_migrations("postgresql://acme:hunter2@127.0.0.1:1/acme", [FIRST])

    assert caught.value.code == "SW509"
    assert "hunter2" not in f"{caught.value} {caught.value.why}"


async def test_a_ledger_that_we_may_not_read_is_refused(server: EmbeddedPostgres) -> None:
    async with database(server) as url:
        await ask(
            url, "CREATE TABLE schema_migrations (version text); REVOKE ALL ON schema_migrations FROM CURRENT_USER"
        )

        with pytest.raises(Refused) as caught:
            await apply_migrations(url, [FIRST])
        assert (caught.value.code, "InsufficientPrivilege" in caught.value.why) == ("SW423", True)


async def test_what_a_migration_sets_for_its_session_is_not_so_for_the_next(server: EmbeddedPostgres) -> None:
    strange = migration("001_strange.sql", "CREATE SCHEMA other; SET search_path = other;")
    async with database(server) as url:
        await apply_migrations(url, [strange, FIRST])

        assert await ask(url, "SELECT count(*) FROM public.schema_migrations") == [(2,)]
        assert await ask(url, "SELECT to_regclass('public.orders') IS NOT NULL") == [(True,)]
