"""Migrations before the linter: what takes away must say so, and what no transaction can hold is refused."""

import pytest

from securewatch.core.errors import Refused
from securewatch.migration.files import Migration
from securewatch.migration.lint import check_migrations
from securewatch.versions.version import parse_version

CONTRACTS = {
    "ALTER TABLE orders DROP COLUMN note;": "ban-drop-column",
    "DROP TABLE orders;": "ban-drop-table",
    "ALTER TABLE orders RENAME note TO remark;": "renaming-column",
    "ALTER TABLE orders ADD COLUMN paid boolean NOT NULL;": "adding-required-field",
    "ALTER TABLE orders ALTER COLUMN id TYPE text;": "changing-column-type",
}
IMPOSSIBLE = {
    "BEGIN; SELECT 1; COMMIT;": "transaction-nesting",
    "CREATE INDEX CONCURRENTLY quick ON orders (id);": "ban-concurrent-index-creation-in-transaction",
    "SELEC 1;": "syntax-error",
}


def migration(text: str) -> Migration:
    return Migration(parse_version("v1.2.0"), "001.sql", text)


async def refused(text: str) -> str:
    with pytest.raises(Refused) as caught:
        await check_migrations([migration(text)], server_major=16)
    assert caught.value.code == "SW424"
    return caught.value.why


async def test_what_only_adds_passes() -> None:
    text = "CREATE TABLE notes (id bigint PRIMARY KEY);\nALTER TABLE orders ADD COLUMN note text;"

    await check_migrations([migration(text)], server_major=16)


@pytest.mark.parametrize(("text", "rule"), CONTRACTS.items())
async def test_what_an_older_version_cannot_bear_needs_the_mark(text: str, rule: str) -> None:
    assert rule in await refused(text)

    await check_migrations([migration(f"-- irreversible\n{text}")], server_major=16)


@pytest.mark.parametrize(("text", "rule"), IMPOSSIBLE.items())
async def test_what_no_transaction_can_hold_is_refused_with_the_mark_too(text: str, rule: str) -> None:
    assert rule in await refused(f"-- irreversible\n{text}")


async def test_all_that_is_wrong_is_told_at_once_with_file_and_line() -> None:
    why = await refused("SELECT 1;\nDROP TABLE orders;\nDROP TABLE notes;")

    assert "v1.2.0/001.sql:2 " in why
    assert "v1.2.0/001.sql:3 " in why
