"""Render's own exports of customers' real databases, by the real program: listed, asked for, followed, downloaded."""

import json
import stat
import tarfile
from collections.abc import Iterator

import psycopg
import pytest

from tests.acceptance.given import Place, Platform, platform

pytestmark = pytest.mark.xdist_group("acceptance_exports")

BACKEND = "srv-demo-backend-mno345"
DATABASE = "dpg-demo0000000000000000-a"
SLOW = {"export_seconds": 36_000}
ROWS = "CREATE TABLE notes (id bigint); INSERT INTO notes SELECT generate_series(1, 300)"


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose customers have databases."""
    with platform(tmp_path_factory.mktemp("platform"), "--apps", "inprocess") as found:
        yield found


def with_rows(place: Place) -> None:
    url = str(place.platform.service(BACKEND)["env"]["DATABASE_URL"])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS notes")
        connection.execute(ROWS.encode())


def test_an_export_is_asked_for_followed_listed_and_downloaded(place: Place) -> None:
    with_rows(place)
    file = place.folder / "demo.dir.tar.gz"
    nothing = place.run("backup", "exports", "--customer", "demo").ended(0)

    made = place.run("backup", "export", "--customer", "demo").ended(0)
    listed = place.run("backup", "exports", "--customer", "demo", "-o", "json").ended(0)
    got = place.run("backup", "exports", "--customer", "demo", "--download", str(file)).ended(0)

    (export,) = listed.data["exports"]
    assert "Render keeps no export" in nothing.out
    assert [line.split("  ")[1] for line in made.out.splitlines()[:-1]] == [
        "asked Render for an export",
        f"{export['id']} is under way",
        f"{export['id']} is ready",
    ]
    assert made.out.splitlines()[-1].startswith(f"{export['id']}: Render keeps it until ")
    assert (export["is_ready"], set(export)) == (True, {"id", "created_at", "is_ready", "lapses_at"})
    assert "for you alone to read" in got.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with tarfile.open(file) as archive:
        assert any(one.endswith("toc.dat") for one in archive.getnames())
    assert not [one for one in (made, listed, got) if "exports/" in one.out + one.err]


def test_what_was_asked_for_and_downloaded_stands_in_the_audit_log(place: Place) -> None:
    with_rows(place)
    file = place.folder / "demo.dir.tar.gz"

    made = place.run("backup", "export", "--customer", "demo", "--download", str(file), "-o", "json").ended(0).data

    lines = json.loads(place.run("audit", "list", "-o", "json").ended(0).out)
    entries = {one["action"]: one["detail"] for one in lines if one["action"].startswith("export.")}
    assert entries == {
        "export.requested": {"postgres_id": DATABASE},
        "export.downloaded": {
            "postgres_id": DATABASE,
            "export": made["id"],
            "bytes": file.stat().st_size,
        },
    }
    assert made["download"]["bytes"] == file.stat().st_size
    place.run("audit", "verify").ended(0)


def test_a_second_export_is_refused_while_one_is_under_way(place: Place) -> None:
    place.platform.admin("PATCH", "/options", SLOW)
    with place.running("backup", "export", "--customer", "demo") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        place.refuses(7, "SW615", "backup", "export", "--customer", "demo")
        ended = place.interrupt(process)
    listed = place.run("backup", "exports", "--customer", "demo").ended(0)

    assert lines[1].rstrip().endswith("is under way")
    assert ended.code == 130
    assert "not ready" in listed.out
    place.refuses(2, "SW206", "backup", "exports", "--customer", "demo", "--download", str(place.folder / "x"))


def test_a_free_plan_has_no_exports_and_no_recovery(place: Place) -> None:
    place.platform.admin("PATCH", f"/postgres/{DATABASE}", {"plan": "free"})

    place.refuses(1, "SW615", "backup", "export", "--customer", "demo")

    listed = place.run("backup", "exports", "--customer", "demo").ended(0)
    assert "recovery by Render   none: Render offers none" in listed.out


def test_an_export_that_fails_at_render_is_said_to_have_failed(place: Place) -> None:
    place.platform.admin("PATCH", "/options", {"export_seconds": 1200})
    place.platform.admin("POST", "/faults", {"kind": "fails", "method": "POST", "path": "/export$"})

    ran = place.run("backup", "export", "--customer", "demo").ended(1)

    assert "error[SW615]: Render's export of demo's database failed" in ran.err


def test_nothing_is_asked_of_render_while_everything_is_paused_or_the_file_cannot_be(place: Place) -> None:
    file = place.folder / "there"
    file.write_text("mine", encoding="utf-8")
    place.refuses(2, "SW201", "backup", "export", "--customer", "demo", "--download", str(file))
    nowhere = str(place.folder / "none" / "x")
    place.refuses(2, "SW201", "backup", "export", "--customer", "demo", "--download", nowhere)
    place.run("pause", "--all").ended(0)

    place.refuses(5, "SW403", "backup", "export", "--customer", "demo")

    assert file.read_text(encoding="utf-8") == "mine"
    assert not [one for one in place.platform.writes() if one.endswith("/export")]


def test_an_answer_that_was_lost_is_looked_up_and_the_request_not_sent_again(place: Place) -> None:
    place.platform.admin("POST", "/faults", {"kind": "drop_after", "method": "POST", "path": "/export$"})

    ran = place.run("backup", "export", "--customer", "demo").ended(0)

    assert "its answer was lost, so looking" in ran.out
    assert len([one for one in place.platform.writes() if one.endswith("/export")]) == 1


def test_a_request_that_render_never_shows_is_unknown_and_not_sent_again(place: Place) -> None:
    place.platform.admin("POST", "/faults", {"kind": "drop_before", "method": "POST", "path": "/export$"})

    ran = place.run("backup", "export", "--customer", "demo").ended(9)

    assert "error[SW504]" in ran.err
    assert len([one for one in place.platform.writes() if one.endswith("/export")]) == 1


def test_a_render_that_fails_for_a_while_does_not_end_the_following(place: Place) -> None:
    place.platform.admin("PATCH", "/options", {"export_seconds": 600})
    fault = {"kind": "status", "method": "GET", "path": "/export$", "after": 2, "count": 4, "status": 503}
    place.platform.admin("POST", "/faults", fault)

    ran = place.run("backup", "export", "--customer", "demo").ended(0)

    assert "trouble: SW308" in ran.out
    assert "still under way" in ran.out
    assert ran.out.count("is under way") == 1
