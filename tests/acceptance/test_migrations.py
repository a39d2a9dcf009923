"""Releases with migrations, by the real program: customers' real databases, real applications, a real repository."""

from collections.abc import Iterator

import psycopg
import pytest

from localrender.sample.app.release import Release
from localrender.vendor import SampleTag, add_release
from tests.acceptance.given import Place, Platform, platform

BACKEND = "srv-demo-backend-mno345"
CREATES = """
CREATE TABLE notes (id bigint PRIMARY KEY, remark text);
INSERT INTO notes VALUES (1, 'a'), (2, 'b');
"""
RELEASES = {
    "v1.1.1": {
        "001_notes.sql": CREATES,
        "002_author.sql": "ALTER TABLE notes ADD COLUMN author text;\n",
    },
    "v1.1.2": {"001_remark.sql": "-- irreversible\nALTER TABLE notes DROP COLUMN remark;\n"},
    "v1.1.3": {"001_unmarked.sql": "ALTER TABLE notes DROP COLUMN author;\n"},
    "v1.1.4": {"001_broken.sql": "CREATE TABLE half (id bigint);\nINSERT INTO nowhere VALUES (1);\n"},
}
LAST_GOOD = "v1.1.2"


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose customers have databases, and the vendor's repository with releases that change them."""
    with platform(tmp_path_factory.mktemp("platform"), "--apps", "process") as found:
        for tag, files in RELEASES.items():
            folder = found.repo / "migrations" / tag
            folder.mkdir(parents=True)
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
            add_release(found.repo, SampleTag(tag, tag, "2026-05-20T09:00:00+00:00", Release(tag[1:])))
            if tag > LAST_GOOD:
                for name in files:
                    (folder / name).unlink()
        yield found


def ask(place: Place, statement: str) -> list[tuple[object, ...]]:
    """What demo's database answers."""
    with psycopg.connect(place.platform.service(BACKEND)["env"]["DATABASE_URL"], autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_a_release_changes_the_database_and_the_way_back_ends_where_that_is_irreversible(place: Place) -> None:
    dry = place.run("deploy-customer", "--version", "v1.1.1", "--customer", "demo", "--dry-run").ended(0)
    assert ask(place, "SELECT to_regclass('notes')") == [(None,)]
    live = place.deploy("demo", "v1.1.1").ended(0)

    assert "2 migrations of dpg-demo0000000000000000-a; older versions can live with them" in dry.out
    assert live.data["status"] == "live"
    assert ask(place, "SELECT id, remark, author FROM notes ORDER BY id") == [(1, "a", None), (2, "b", None)]
    assert ask(place, "SELECT version FROM schema_migrations ORDER BY version") == [
        ("v1.1.1/001_notes.sql",),
        ("v1.1.1/002_author.sql",),
    ]

    back = place.run("rollback-customer", "--customer", "demo", "-o", "json").ended(0)
    again = place.deploy("demo", "v1.1.2").ended(0)

    assert (back.data["status"], again.data["status"]) == ("rolled_back", "live")
    assert ask(place, "SELECT * FROM notes ORDER BY id") == [(1, None), (2, None)]

    card = place.run("customer", "show", "demo").ended(0)
    refused = place.refuses(1, "SW425", "rollback-customer", "--customer", "demo")
    older = ("deploy-customer", "--version", "v1.1.1", "--customer", "demo", "--force", "--reason", "outage")
    place.refuses(1, "SW425", *older)
    assert "irreversible since: v1.1.2/001_remark.sql" in refused.err
    assert "after v1.1.2/001_remark.sql only a restore of the database leads back" in card.out

    before = place.platform.writes()
    unmarked = place.refuses(1, "SW424", "deploy-customer", "--version", "v1.1.3", "--customer", "demo")
    broken = place.deploy("demo", "v1.1.4")

    assert "v1.1.3/001_unmarked.sql:1" in unmarked.err
    assert "ban-drop-column" in unmarked.err
    assert broken.code == 1
    assert "SW509" in broken.out + broken.err
    assert "UndefinedTable (42P01), line 2" in broken.out + broken.err
    assert place.platform.writes() == before
    assert ask(place, "SELECT to_regclass('half')") == [(None,)]
    place.run("check-health", "--customer", "demo").ended(0)
