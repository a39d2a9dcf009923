"""Which migrations a release carries, in which order they come, and which of them bar the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securewatch.core.errors import Refused
from securewatch.migration.files import Migration, missing_below, missing_from, read_migrations
from securewatch.versions.version import Version, parse_version

FILES = {
    "migrations/v1.10.0/001_last.sql": b"SELECT 10;",
    "migrations/v1.2.0/002_second.sql": b"SELECT 2;",
    "migrations/v1.2.0/001_first.sql": b"-- irreversible\nDROP TABLE old;",
    "migrations/v1.2.0/README.md": b"not SQL",
    "migrations/README.md": b"not SQL",
    "docs/migrations/v1.2.0/001.sql": b"not ours",
}


def version(text: str) -> Version:
    return parse_version(text)


def ids(migrations: tuple[Migration, ...]) -> list[str]:
    return [one.id for one in migrations]


def test_they_come_in_the_order_of_versions_and_then_of_names() -> None:
    found = read_migrations(FILES)

    assert ids(found) == ["v1.2.0/001_first.sql", "v1.2.0/002_second.sql", "v1.10.0/001_last.sql"]


def at(*tags: str) -> tuple[Migration, ...]:
    """Those that a commit has which carries the migrations of these versions."""
    return tuple(one for one in read_migrations(FILES) if one.version.tag in tags)


def test_a_deploy_applies_what_its_commit_has_and_the_live_one_has_not() -> None:
    both = at("v1.2.0", "v1.10.0")

    assert ids(missing_from((), both)) == ["v1.2.0/001_first.sql", "v1.2.0/002_second.sql", "v1.10.0/001_last.sql"]
    assert ids(missing_from(at("v1.2.0"), both)) == ["v1.10.0/001_last.sql"]
    assert missing_from(both, at("v1.2.0")) == ()


@pytest.mark.parametrize(
    ("live", "wanted", "to", "expected"),
    [
        (("v1.2.0",), (), "v1.1.0", ["v1.2.0/001_first.sql"]),
        (("v1.2.0",), (), None, ["v1.2.0/001_first.sql"]),
        (("v1.2.0",), (), "v1.2.0-rc.1", ["v1.2.0/001_first.sql"]),
        (("v1.2.0", "v1.10.0"), ("v1.2.0",), "v1.2.0", []),
        (("v1.2.0",), ("v1.10.0",), "v1.10.0", []),
    ],
    ids=["older", "without a version", "its candidate", "nothing irreversible", "newer, tidied away"],
)
def test_what_the_wanted_commit_knows_nothing_of_bars_the_way_down(
    live: tuple[str, ...], wanted: tuple[str, ...], to: str | None, expected: list[str]
) -> None:
    found = missing_below(at(*live), at(*wanted), version(to) if to else None)

    assert ids(found) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-- irreversible\nDROP TABLE a;", True),
        ("\n-- Drops the notes.\n--Irreversible: they are gone\nDROP TABLE a;", True),
        ("DROP TABLE a; -- irreversible", False),
        ("SELECT 1;\n-- irreversible", False),
        ("-- irreversibly", False),
        ("-- this is not irreversible", False),
        ("", False),
    ],
)
def test_only_a_comment_before_all_else_is_the_mark(text: str, expected: bool) -> None:
    assert Migration(version("v1.2.0"), "001.sql", text).is_irreversible is expected


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        ("migrations/next/001.sql", b"SELECT 1;", "no version has that name"),
        ("migrations/v1.2.0/001.sql", b"SELECT '\xff';", "no UTF-8"),
    ],
)
def test_what_cannot_be_a_migration_is_refused(path: str, content: bytes, why: str) -> None:
    with pytest.raises(Refused, match="cannot be a migration") as caught:
        read_migrations({path: content})

    assert caught.value.code == "SW423"
    assert why in caught.value.why


@given(st.permutations(list(FILES)))
def test_the_order_of_the_files_does_not_matter(paths: list[str]) -> None:
    assert ids(read_migrations({path: FILES[path] for path in paths})) == ids(read_migrations(FILES))
