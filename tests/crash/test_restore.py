"""A restore of a customer's database, killed at every boundary and carried on: one database or the other, whole.

The command is `update-customer --rollback v1.1.0 --customer acme-corp --confirm-customer acme-corp` after v1.3.0, whose
migrations are irreversible. Every try begins from one standing state, kept by the platform and copied for the product.
"""

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.crash.databases import FILL, ROWS, SCHEMA, ask, ask_at, dump_of, keep, need_a_backup, scratch_server, url_of
from tests.crash.given import (
    RELEASE_KEYS,
    SERVICES,
    Point,
    Stand,
    commit_of,
    points_of,
    problems_of_service,
    standing,
)
from tests.crash.test_crash import is_over

BACKEND = SERVICES[0]
GOOD, NEW = "v1.1.0", "v1.3.0"
SINCE = 7
"""Rows that were written after the backup, and that the database that is kept must still have."""
MORE = f"INSERT INTO orders (amount, amount_cents) SELECT i, 100 * i FROM generate_series(1, {SINCE}) AS i"  # noqa: S608
CLOSE = OPEN = f"PATCH /services/{BACKEND} before"
TRIES_MAX = 3
SAMPLED = 6
"""Of the boundaries that a deploy has as well (`test_crash.py` kills at all of them) one in so many."""
DEPLOY_FAILED = 6
Choose = Callable[[Sequence[Point]], Sequence[Point]]


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
            tell(self.stand, f"services/{BACKEND}/scripts", '{"ends": "build_failed"}')
        return folder

    def restore(self, folder: Path, **more: Any) -> dict[str, Any]:
        """The command, without the safety backup, whose boundaries `test_database.py` has."""
        return self.stand.run(folder, "restore", **{"version": GOOD, "takes_backup": False, **more})


def tell(stand: Stand, path: str, body: str) -> None:
    """Tell the platform something outside Render's API."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{stand.admin}/{path}", body.encode(), headers, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="module")
def standing_at_new() -> Iterator[Standing]:
    """A platform whose acme-corp went from v1.1.0 to v1.3.0, and a zygote that has restored before."""
    with (
        scratch_server() as scratch,
        standing(
            need_a_backup, flags=("--migrations",), more_environ={"SECUREWATCH_SCRATCH_DATABASE_URL": scratch}
        ) as stand,
    ):
        folder = stand.reset()
        ask(stand, SCHEMA)
        assert stand.run(folder, "deploy", version=GOOD)["code"] == 0, stand.words(folder)
        ask(stand, FILL)
        assert stand.run(folder, "deploy", version=NEW, practises=True)["code"] == 0, stand.words(folder)
        ask(stand, MORE)
        keep(stand)
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
    return [name for (name,) in ask_at(at.old, f"SELECT datname FROM pg_database WHERE datname LIKE '{like}'")]  # noqa: S608


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


def problems_after(at: Standing, folder: Path, *, fails: bool) -> list[str]:
    """What is wrong when the command is over: at the site, at the platform, in the databases, in the audit log."""
    now = at.stand.services()
    problems = [*problems_of_site(at, now), *problems_of_old(at)]
    for service_id in SERVICES:
        before, after = at.services[service_id], now[service_id]
        env, count = dict(before["env"]), len(before["deploys"])
        if not fails:
            env[RELEASE_KEYS[service_id]] = GOOD
        if not fails and service_id == BACKEND:
            env["DATABASE_URL"] = after["env"]["DATABASE_URL"]
            is_new = urlsplit(env["DATABASE_URL"]).path.strip("/") in beside(at)
            problems += problems_of_new(env["DATABASE_URL"]) if is_new else ["the new database is not in use"]
        shown = {**after, "deploys": after["deploys"][count - 1 :]}
        live = commit_of(at.stand, NEW if fails else GOOD)
        found = problems_of_service(shown, env, live=live, release=commit_of(at.stand, GOOD))
        problems += [f"{service_id} {one}" for one in found]
    if len(beside(at)) != 1:
        problems.append(f"there are the databases {beside(at)}")
    if at.stand.run(folder, "audit")["code"] != 0:
        problems.append("the audit log does not verify, or an effect is open")
    return problems


# --- the kills --------------------------------------------------------------------------------------------------------


def killed_at(at: Standing, point: Point, *, fails: bool, meanwhile: Callable[[Path], None]) -> tuple[bool, str]:
    """Kill at the point, look, and give the same command again. Gives whether it was met, and what is wrong then."""
    for _ in range(TRIES_MAX):
        folder = at.begin(fails=fails)
        found = at.restore(folder, kill_at=point)
        if found["is_killed"]:
            break
    problems = problems_while_nobody_carries_on(at) if found["is_killed"] else []
    if found["is_killed"] and not is_over(folder):
        meanwhile(folder)
        found = at.restore(folder)
    problems += problems_after(at, folder, fails=fails)
    if found["code"] not in (DEPLOY_FAILED if fails else 0, None):
        problems.append(f"exit code {found['code']}")
    return found["is_killed"], f"{point}: {'; '.join(problems)}\n{at.stand.words(folder)}" if problems else ""


def points(at: Standing, *, fails: bool) -> list[Point]:
    """The boundaries of one whole run, of which everything must be right at the end."""
    folder = at.begin(fails=fails)
    found = at.restore(folder, records=True)
    assert found["code"] == (DEPLOY_FAILED if fails else 0), (found["code"], at.stand.words(folder))
    assert problems_after(at, folder, fails=fails) == []
    return points_of(found["seen"])


def of_a_restore(points: Sequence[Point]) -> Sequence[Point]:
    """All boundaries of closing, restoring, writing env vars and opening; of the deploys and checks a sample."""
    closing, opening = points.index((CLOSE, 1)) - 4, points.index((OPEN, 2)) - 8
    build = points.index((f"POST /services/{BACKEND}/deploys before", 1))
    opened = opening + 20
    own = [*points[closing:build], *points[opening:opened]]
    others = [one for one in points[build:] if one not in own]
    return [*points[closing - 2 * SAMPLED : closing : SAMPLED], *own, *others[::SAMPLED]]


def of_the_way_back(points: Sequence[Point]) -> Sequence[Point]:
    """All boundaries from the failed build's answer on: stopping, the env vars as they were, the page down."""
    return points[points.index((f"POST /services/{BACKEND}/deploys after", 1)) :]


def wrong_at(
    at: Standing, chosen: Sequence[Point], *, fails: bool = False, meanwhile: Callable[[Path], None] = lambda _: None
) -> list[str]:
    """What is wrong after a kill at each of these points; one that is not met is wrong too."""
    found = [killed_at(at, point, fails=fails, meanwhile=meanwhile) for point in chosen]
    return [words for _, words in found if words]


def test_killed_at_every_boundary_of_a_restore_it_is_carried_on_from_a_whole_database(
    standing_at_new: Standing, record_property: Callable[[str, object], None]
) -> None:
    chosen = of_a_restore(points(standing_at_new, fails=False))

    wrong = wrong_at(standing_at_new, chosen)

    record_property("crash points", f"{len(chosen)} points of a restore to {GOOD}")
    assert wrong == []
    assert len(chosen) >= 40


def test_killed_on_the_way_back_of_a_restore_whose_build_fails_the_old_database_serves(
    standing_at_new: Standing, record_property: Callable[[str, object], None]
) -> None:
    chosen = of_the_way_back(points(standing_at_new, fails=True))

    wrong = wrong_at(standing_at_new, chosen, fails=True)

    record_property("crash points", f"{len(chosen)} points of the way back of a restore")
    assert wrong == []
    assert len(chosen) >= 20
