"""A restore that fails, at each of its steps, by the real program: the database of before serves, and no page is up."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from localrender.database import find_package
from tests.acceptance.given import Place, Platform, Ran, wait_until
from tests.acceptance.given_restore import (
    AGREED,
    BACK,
    BACKEND,
    DATABASE,
    ask,
    at_the_release_that_no_code_leads_back_from,
    call,
    is_open,
    name_of,
    order,
    orders_in,
    platform_with_databases,
    url_of,
)

pytestmark = pytest.mark.xdist_group("acceptance_restore_failures")

AT_ONCE = (*BACK, *AGREED, "--no-backup", "-o", "json")
FULL = 'cat >/dev/null; echo "could not extend file: No space left on device" >&2; exit 1'


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform_with_databases(tmp_path_factory.mktemp("platform")) as found:
        yield found


def programs(folder: Path, restore_script: str) -> dict[str, str]:
    """The variable for PostgreSQL's programs, of which pg_restore does what the script says before it begins."""
    real = find_package() / "pginstall" / "bin"
    folder.mkdir()
    (folder / "pg_dump").symlink_to(real / "pg_dump")
    text = f'#!/bin/sh\n[ "$1" = --version ] && exec {real}/pg_restore --version\n{restore_script}\n'
    (folder / "pg_restore").write_text(f'{text}exec {real}/pg_restore "$@"\n')
    (folder / "pg_restore").chmod(0o755)
    return {"SECUREWATCH_PG_BIN": str(folder)}


def still_serves(place: Place, old: str, orders: int) -> None:
    """The site is open at v1.3.0, with the database of before and every row of it."""
    service = place.platform.service(BACKEND)
    assert is_open(place)
    assert (service["env"]["DATABASE_URL"], service["env"]["VERSION_TAG"]) == (old, "v1.3.0")
    assert service["live_env"]["DATABASE_URL"] == old
    assert call(place, "GET", "/api/version")[1]["version"] == "1.3.0"
    assert call(place, "GET", "/api/health/database")[0] == 200
    assert call(place, "GET", "/api/orders/count")[1] == {"count": orders}
    assert orders_in(old) == orders


def ended(ran: Ran, code: str, exit_code: int = 1) -> None:
    """It failed for that reason, which a person is told."""
    assert (ran.code, ran.data["code"]) == (exit_code, code), ran.out + ran.err


def test_whatever_fails_the_database_of_before_serves_and_the_next_try_can_succeed(
    place: Place, tmp_path: Path
) -> None:
    at_the_release_that_no_code_leads_back_from(place, orders=3)
    order(place, 2)
    old = url_of(place)
    (archive,) = place.state.rglob("*.swbackup")
    whole = archive.read_bytes()

    full = place.run(*AT_ONCE, **programs(tmp_path / "full", FULL))
    ended(full, "SW609")
    assert "No space left on device" in full.data["detail"]
    still_serves(place, old, 5)

    damaged = bytearray(whole)
    damaged[-20] ^= 1
    archive.write_bytes(damaged)
    place.refuses(1, "SW606", *AT_ONCE)
    archive.write_bytes(whole)
    still_serves(place, old, 5)

    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"ends": "build_failed"})
    unbuilt = place.run(*AT_ONCE)
    assert unbuilt.code == 1
    assert f"is kept and served nobody: {name_of(old)}_r3 on {DATABASE}" in unbuilt.data["detail"]
    still_serves(place, old, 5)

    done = place.run(*AT_ONCE).ended(0)
    assert done.data["status"] == "live"
    assert orders_in(url_of(place)) == 3


def test_a_site_that_is_sick_with_the_restored_database_goes_back_to_the_one_of_before(place: Place) -> None:
    at_the_release_that_no_code_leads_back_from(place, orders=3)
    order(place, 1)
    old = url_of(place)

    with place.running(*AT_ONCE) as process:
        wait_until(lambda: url_of(place) != old, seconds=60)
        ask(url_of(place), "ALTER TABLE orders DROP COLUMN amount")
        out, err = process.communicate(timeout=60)

    assert process.returncode == 6, out + err
    assert f"while it served is in it alone: {name_of(old)}_r2 on {DATABASE}" in json.loads(out)["detail"]
    still_serves(place, old, 4)


def slow_programs(folder: Path) -> tuple[Path, Path, dict[str, str]]:
    """Programs whose pg_restore makes the first file once it runs, and begins when there is the second."""
    begun, go_on = folder / "begun", folder / "go_on"
    return begun, go_on, programs(folder / "bin", f"touch {begun}; while [ ! -e {go_on} ]; do sleep 0.05; done")


def test_a_server_that_is_away_for_a_moment_gets_the_whole_restore_once_it_is_back(
    place: Place, tmp_path: Path
) -> None:
    at_the_release_that_no_code_leads_back_from(place, orders=3)
    old = url_of(place)
    begun, go_on, slow = slow_programs(tmp_path)

    with place.running(*AT_ONCE, **slow) as process:
        wait_until(begun.exists, seconds=60)
        place.platform.admin("PUT", f"/postgres/{DATABASE}/refuse")
        place.platform.admin("DELETE", f"/postgres/{DATABASE}/refuse")
        go_on.touch()
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, out + err
    assert (orders_in(old), orders_in(url_of(place)), name_of(url_of(place))) == (3, 3, f"{name_of(old)}_r2")
    assert is_open(place)


def test_a_server_that_stays_away_is_given_up_with_the_page_down_and_its_database_as_it_was(
    place: Place, tmp_path: Path
) -> None:
    at_the_release_that_no_code_leads_back_from(place, orders=3)
    old = url_of(place)
    begun, go_on, slow = slow_programs(tmp_path)

    with place.running(*AT_ONCE, **slow) as process:
        wait_until(begun.exists, seconds=60)
        place.platform.admin("PUT", f"/postgres/{DATABASE}/refuse")
        go_on.touch()
        out, err = process.communicate(timeout=60)
    is_closed = place.platform.service(BACKEND)["maintenance"]
    place.platform.admin("DELETE", f"/postgres/{DATABASE}/refuse")

    assert process.returncode == 1, out + err
    assert not is_closed
    assert json.loads(out)["code"] == "SW613"
    assert "a database _r2 may be left there" in json.loads(out)["detail"]
    still_serves(place, old, 3)
    place.run("audit", "verify").ended(0)


def test_a_restore_whose_process_was_killed_is_carried_on_by_the_same_command(place: Place, tmp_path: Path) -> None:
    at_the_release_that_no_code_leads_back_from(place, orders=3)
    old = url_of(place)
    begun, go_on, slow = slow_programs(tmp_path)

    with place.running(*AT_ONCE, **slow) as process:
        wait_until(begun.exists, seconds=60)
        process.kill()
        process.wait()
    is_closed, is_whole = place.platform.service(BACKEND)["maintenance"], orders_in(old) == 3
    go_on.touch()
    done = place.run(*BACK, "-o", "json").ended(0)

    assert (is_closed, is_whole) == (True, True)
    assert "acme-corp-2 is under way: it is carried on" in done.err
    assert (done.data["run"], done.data["status"]) == ("acme-corp-2", "live")
    assert (orders_in(old), orders_in(url_of(place)), name_of(url_of(place))) == (3, 3, f"{name_of(old)}_r2")
    assert is_open(place)
