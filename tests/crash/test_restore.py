"""A restore of a customer's database, killed at every boundary and carried on: one database or the other, whole.

The command is `update-customer --rollback v1.1.0 --customer acme-corp --confirm-customer acme-corp` after v1.3.0, whose
migrations are irreversible. Every try begins from one standing state, kept by the platform and copied for the product.
"""

import shutil
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from securewatch.deploy.model import Stage
from tests.crash.databases import FILL, ROWS, SCHEMA, ask, ask_at, be_alone, dump_of, scratch_server, tell, url_of
from tests.crash.given import (
    RELEASE_KEYS,
    SERVICES,
    SLUG,
    Point,
    Stand,
    commit_of,
    points_of,
    problems_of_service,
    standing,
)
from tests.crash.test_crash import MET_MIN, TRIES_MAX

BACKEND = SERVICES[0]
POSTGRES = "dpg-acmecorp000000000000-a"
GOOD, NEW = "v1.1.0", "v1.3.0"
SINCE = 7
"""Rows that were written after the backup, and that the database that is kept must still have."""
MORE = f"INSERT INTO orders (amount, amount_cents) SELECT i, 100 * i FROM generate_series(1, {SINCE}) AS i"
CLOSE = OPEN = f"PATCH /services/{BACKEND} before"
SENT_BEFORE_BUILD = 8
"""The backend's deploy is the eighth that is sent: killed there, it is armed anew beside an older one of its commit."""
SAMPLED = 6
"""Of the boundaries that a deploy has as well (`test_crash.py` kills at all of them) one in so many."""
FAILED = 1
"""The exit code of a restore that could not be done and left everything as it was."""


@dataclass(frozen=True)
class Standing:
    """acme-corp at v1.3.0 with a verified backup of v1.1.0: the platform, the product's folder, the database."""

    stand: Stand
    folder: Path
    services: Mapping[str, Any]
    rows: str

    @property
    def old(self) -> str:
        """The address of the database that serves before the restore."""
        return str(self.services[BACKEND]["env"]["DATABASE_URL"])

    def begin(self, *, fails: bool = False) -> Path:
        """That state again, in a new folder; with `fails` the next build of the backend fails."""
        folder = self.stand.reset()
        shutil.rmtree(folder)
        shutil.copytree(self.folder, folder)
        ask_at(self.old, self.rows)
        if fails:
            tell(self.stand, f"services/{BACKEND}/scripts", {"ends": "build_failed"})
        return folder

    def restore(self, folder: Path, **more: Any) -> dict[str, Any]:
        """The command, without the safety backup, whose boundaries `test_database.py` has."""
        return self.stand.run(folder, "restore", **{"version": GOOD, "takes_backup": False, **more})


def refuse(at: Standing, refused: bool) -> None:
    """Let acme-corp's database end all sessions and take no new ones, or take them again."""
    tell(at.stand, f"postgres/{POSTGRES}/refuse", method="PUT" if refused else "DELETE")


@pytest.fixture(scope="module")
def standing_at_new() -> Iterator[Standing]:
    """A platform whose acme-corp went from v1.1.0 to v1.3.0, and a zygote that has restored before."""
    with (
        scratch_server() as scratch,
        standing(
            be_alone, flags=("--migrations",), more_environ={"SECUREWATCH_SCRATCH_DATABASE_URL": scratch}
        ) as stand,
    ):
        folder = stand.reset()
        ask(stand, SCHEMA)
        assert stand.run(folder, "deploy", version=GOOD)["code"] == 0, stand.words(folder)
        ask(stand, FILL)
        assert stand.run(folder, "deploy", version=NEW, practises=True)["code"] == 0, stand.words(folder)
        ask(stand, MORE)
        tell(stand, "keep")
        found = Standing(stand, folder, stand.services(), dump_of(url_of(stand)))
        practice = found.begin()
        assert found.restore(practice, practises=True)["code"] == 0, stand.words(practice)
        yield found


# --- what must be true ------------------------------------------------------------------------------------------------


def problems_of_old(at: Standing) -> list[str]:
    """What is wrong with the database that served before: it is never written to."""
    found = ask_at(at.old, "SELECT count(*), sum(amount_cents) FROM orders")
    cents = 100 * (ROWS * (ROWS + 1) + SINCE * (SINCE + 1)) // 2
    return [] if found == [(ROWS + SINCE, cents)] else [f"the old database is not whole: {found}"]


def problems_of_new(url: str) -> list[str]:
    """What is wrong with the restored database: it has the rows of the backup, and says that it is whole."""
    found = ask_at(url, "SELECT count(*), sum(amount), count(DISTINCT note) FROM orders")
    problems = [] if found == [(ROWS, ROWS * (ROWS + 1) // 2, ROWS)] else [f"the new database has {found}"]
    ((said,),) = ask_at(
        url, "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    )
    return problems if str(said).startswith("securewatch: restored from ") else [*problems, f"it says {said}"]


def problems_while_nobody_carries_on(at: Standing) -> list[str]:
    """What is wrong at the moment of a kill: what serves, and what would serve next, are on one whole database each."""
    problems = problems_of_old(at)
    for part in ("live_env", "env"):
        url = url_of(at.stand, part)
        problems += [f"{part}: {one}" for one in (problems_of_new(url) if url != at.old else [])]
    return problems


def beside(at: Standing) -> list[str]:
    """The databases that restores have made."""
    like = urlsplit(at.old).path.strip("/") + r"\_r%"
    return [name for (name,) in ask_at(at.old, f"SELECT datname FROM pg_database WHERE datname LIKE '{like}'")]


def answers(service: Mapping[str, Any]) -> int:
    """The status with which a customer's site answers."""
    try:
        with urllib.request.urlopen(f"{service['url']}/api/health", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def problems_of_site(at: Standing, now: Mapping[str, Any]) -> list[str]:
    """What is wrong with the customer's site once nothing is under way, and with the product's own state."""
    problems = ["the maintenance page is up"] if now[BACKEND]["maintenance"] else []
    status = answers(now[BACKEND])
    return problems if status == 200 else [*problems, f"the site answers {status}"]


def problems_after(at: Standing, folder: Path, *, is_back: bool) -> list[str]:
    """What is wrong when the command is over: at the site, at the platform, in the databases, in the audit log.

    With `is_back` it could not be done, and everything must be as it was before it; else it must be done.
    """
    now = at.stand.services()
    problems = [*problems_of_site(at, now), *problems_of_old(at)]
    for service_id in SERVICES:
        before, after = at.services[service_id], now[service_id]
        env, count = dict(before["env"]), len(before["deploys"])
        if not is_back:
            env[RELEASE_KEYS[service_id]] = GOOD
        if not is_back and service_id == BACKEND:
            env["DATABASE_URL"] = after["env"]["DATABASE_URL"]
            is_new = urlsplit(env["DATABASE_URL"]).path.strip("/") in beside(at)
            problems += problems_of_new(env["DATABASE_URL"]) if is_new else ["the new database is not in use"]
        shown = {**after, "deploys": after["deploys"][count - 1 :]}
        live = commit_of(at.stand, NEW if is_back else GOOD)
        found = problems_of_service(shown, env, live=live, release=commit_of(at.stand, GOOD))
        problems += [f"{service_id} {one}" for one in found]
    if len(beside(at)) > 1:
        problems.append(f"there are the databases {beside(at)}")
    if at.stand.run(folder, "audit")["code"] != 0:
        problems.append("the audit log does not verify, or an effect is open")
    return problems


# --- the kills --------------------------------------------------------------------------------------------------------


def is_over(folder: Path) -> bool:
    """Whether the newest run has ended: a kill after its last step leaves nothing to carry on. The watch of v1.3.0 goes
    on after a restore that failed, so that not all of them have.
    """
    with closing(sqlite3.connect(folder / "state" / "state.db")) as database:
        ((stage,),) = database.execute("SELECT stage FROM run ORDER BY generation DESC LIMIT 1").fetchall()
    return Stage(stage).is_terminal


@dataclass(frozen=True)
class Case:
    """How a try is led: whether the build `fails`, what is done `meanwhile`, before the same command is given again,
    and whether everything is as it was before in the end (`is_back`).
    """

    fails: bool = False
    is_back: bool = False
    meanwhile: Callable[[Standing, Path], None] = lambda _at, _folder: None


WELL, BUILD_FAILS = Case(), Case(fails=True, is_back=True)


def killed_at(at: Standing, point: Point, case: Case) -> tuple[bool, str]:
    """Kill at the point, look, and give the same command again. Gives whether it was met, and what is wrong then."""
    for _ in range(TRIES_MAX):
        folder = at.begin(fails=case.fails)
        found = at.restore(folder, kill_at=point)
        if is_met := found["is_killed"]:
            break
    problems = problems_while_nobody_carries_on(at) if is_met else []
    if is_met and not is_over(folder):
        case.meanwhile(at, folder)
        found = at.restore(folder)
    problems += problems_after(at, folder, is_back=case.is_back)
    if found["code"] not in (FAILED if case.is_back else 0, None):
        problems.append(f"exit code {found['code']}")
    return is_met, f"{point}: {'; '.join(problems)}\n{at.stand.words(folder)}" if problems else ""


def wrong_at(at: Standing, chosen: Sequence[Point], case: Case) -> list[str]:
    """What is wrong after a kill at each of these points; where too many are not met, those are wrong too."""
    found = [killed_at(at, point, case) for point in chosen]
    missed = [f"{point}: not met" for point, (is_met, _) in zip(chosen, found, strict=True) if not is_met]
    return [*(words for _, words in found if words), *missed[int((1 - MET_MIN) * len(chosen)) :]]


def points(at: Standing, case: Case) -> list[Point]:
    """The boundaries of one whole run, of which everything must be right at the end."""
    folder = at.begin(fails=case.fails)
    found = at.restore(folder, records=True)
    assert found["code"] == (FAILED if case.is_back else 0), (found["code"], at.stand.words(folder))
    assert problems_after(at, folder, is_back=case.is_back) == []
    return points_of(found["seen"])


def lasting(points: Sequence[Point]) -> list[Point]:
    """One boundary for each state that can last: after one exchange nothing changes until the next one is sent.

    Inside a restore both sides are kept: statements of its own lie between two of them.
    """
    return [one for one in points if one[0].endswith(" after") or one[0].startswith("restore ")]


def own(points: Sequence[Point]) -> list[Point]:
    """The same without the effects that write the tags of the version, which every deploy has."""
    effects: list[list[Point]] = [[]]
    for one in points:
        if one[0] == "commit claim before":
            effects.append([])
        effects[-1].append(one)
    return [one for effect in effects if not any("VERSION_TAG after" in name for name, _ in effect) for one in effect]


def of_a_restore(points: Sequence[Point]) -> Sequence[Point]:
    """All of closing, restoring, the switch of the database and opening; a sample of what every deploy has."""
    first, opening = points.index((CLOSE, 1)) - 6, points.index((OPEN, 2)) - 6
    build = points.index((f"POST /services/{BACKEND}/deploys before", 1))
    ours = own([*points[first : build - 6], *points[opening : opening + 14]])
    others = [one for one in lasting(points[first:]) if one not in ours]
    return [*lasting(ours), *others[::SAMPLED], ("commit sent after", SENT_BEFORE_BUILD)]


def of_the_way_back(points: Sequence[Point]) -> Sequence[Point]:
    """All from the failed build on but the tags: stopping, the database as it was, the page down."""
    return lasting(own(points[points.index((f"POST /services/{BACKEND}/deploys after", 1)) :]))


def restart(at: Standing, _folder: Path) -> None:
    """The database ends every session, and takes new ones again."""
    refuse(at, True)
    refuse(at, False)


def lose_archive(_at: Standing, folder: Path) -> None:
    """The archive of the backup is gone."""
    max((folder / "state" / "backups" / SLUG).iterdir()).unlink()


def test_killed_at_every_boundary_of_a_restore_it_is_carried_on_from_a_whole_database(
    standing_at_new: Standing, record_property: Callable[[str, object], None]
) -> None:
    chosen = of_a_restore(points(standing_at_new, WELL))

    wrong = wrong_at(standing_at_new, chosen, WELL)

    record_property("crash points", f"{len(chosen)} points of a restore to {GOOD}")
    assert wrong == []
    assert len(chosen) >= 30


def test_killed_on_the_way_back_of_a_restore_whose_build_fails_the_old_database_serves(
    standing_at_new: Standing, record_property: Callable[[str, object], None]
) -> None:
    chosen = of_the_way_back(points(standing_at_new, BUILD_FAILS))

    wrong = wrong_at(standing_at_new, chosen, BUILD_FAILS)

    record_property("crash points", f"{len(chosen)} points of the way back of a restore")
    assert wrong == []
    assert len(chosen) >= 15


def test_killed_and_the_database_restarted_in_between_it_is_carried_on(standing_at_new: Standing) -> None:
    chosen = [("restore mark begun before", 1), ("restore piece after", 1), ("restore mark whole before", 1)]

    assert wrong_at(standing_at_new, chosen, Case(meanwhile=restart)) == []


@pytest.mark.parametrize("second", ["restore drop before", "restore drop after", "restore mark begun before"])
def test_killed_again_while_it_clears_away_what_the_first_kill_left_it_is_carried_on(
    standing_at_new: Standing, second: str
) -> None:
    def kill_again(at: Standing, folder: Path) -> None:
        assert at.restore(folder, kill_at=(second, 1))["is_killed"], at.stand.words(folder)
        assert problems_while_nobody_carries_on(at) == []

    assert wrong_at(standing_at_new, [("restore filled after", 1)], Case(meanwhile=kill_again)) == []


def test_killed_and_the_database_down_for_good_the_site_is_opened_and_a_later_restore_ends_well(
    standing_at_new: Standing,
) -> None:
    at, folder = standing_at_new, standing_at_new.begin()
    assert at.restore(folder, kill_at=("restore piece after", 1))["is_killed"]
    refuse(at, True)

    found = at.restore(folder)

    refuse(at, False)
    assert found["code"] == FAILED, at.stand.words(folder)
    assert problems_after(at, folder, is_back=True) == []
    assert at.restore(folder)["code"] == 0, at.stand.words(folder)
    assert problems_of_site(at, at.stand.services()) == problems_while_nobody_carries_on(at) == []
    assert url_of(at.stand, "live_env") != at.old


def test_killed_and_the_archive_gone_the_old_database_serves(standing_at_new: Standing) -> None:
    chosen = [("commit sent after", 4), ("restore mark begun before", 1), ("restore piece after", 1)]

    assert wrong_at(standing_at_new, chosen, Case(is_back=True, meanwhile=lose_archive)) == []


def test_killed_when_all_is_restored_the_archive_is_needed_no_more(standing_at_new: Standing) -> None:
    assert wrong_at(standing_at_new, [("restore mark whole after", 1)], Case(meanwhile=lose_archive)) == []


def test_the_same_command_after_all_is_done_does_nothing(standing_at_new: Standing) -> None:
    folder = standing_at_new.begin()
    assert standing_at_new.restore(folder, takes_backup=True)["code"] == 0
    before = standing_at_new.stand.services()

    found = standing_at_new.restore(folder)

    assert found["code"] == 0, standing_at_new.stand.words(folder)
    assert standing_at_new.stand.services() == before
    assert problems_after(standing_at_new, folder, is_back=False) == []
