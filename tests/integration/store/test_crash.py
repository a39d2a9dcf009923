"""Other processes: killed at every commit, killed at any moment, and writing at the same time."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from securewatch.deploy.view import EffectState
from securewatch.store import audit, effects, meta, runs
from securewatch.store.head import Head, read_head
from tests.integration.store.given import State, opened, url_of

ROOT = Path(__file__).parents[3]
STEPS = ("added", "intended", "sent", "confirmed")
STATES = {"intended": EffectState.INTENT, "sent": EffectState.SENT, "confirmed": EffectState.CONFIRMED}


def start_worker(place: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.store.worker", place, *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def ended(worker: subprocess.Popen[str]) -> int:
    worker.communicate(timeout=60)
    return worker.returncode


async def verify(state: State) -> audit.AuditReport:
    async with state.database.read() as tx:
        return await audit.verify(tx, state.box, read_head(state.database.head_path))


def is_sound(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        broken_references = connection.execute("PRAGMA foreign_key_check").fetchall()
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",) and not broken_references


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_a_commit_leaves_exactly_what_was_committed(tmp_path: Path, step: str, moment: str) -> None:
    async with opened(tmp_path):
        pass
    worker = start_worker(url_of(tmp_path), "deploy", f"commit {step} {moment}")

    code = ended(worker)

    done = STEPS[: STEPS.index(step) + (moment == "after")]
    async with opened(tmp_path) as state:
        report = await verify(state)
        async with state.database.read() as tx:
            entries = [one.action for one in await audit.entries(tx)]
            run = await runs.load_run(tx, "run-1")
            effect = (await effects.effects_of(tx, "run-1")).get("deploy:backend")
        head = read_head(state.database.head_path)
    assert code == -signal.SIGKILL
    assert is_sound(state.database.path)
    assert (tuple(entries), report.problems) == (done, ())
    assert (run is not None) == ("added" in done)
    assert (run is not None and run.detail == "intended") == ("intended" in done)
    assert (effect and effect.state) == (STATES[done[-1]] if len(done) > 1 else None)
    assert head is not None
    assert head.count == STEPS.index(step)


@pytest.mark.parametrize("commits_min", [1, 25])
async def test_what_was_said_to_be_committed_survives_a_kill_at_any_moment(tmp_path: Path, commits_min: int) -> None:
    async with opened(tmp_path):
        pass
    worker = start_worker(url_of(tmp_path), "append", "one", "1000000")
    assert worker.stdout is not None

    for _ in range(commits_min):
        said = int(worker.stdout.readline())
    worker.kill()
    ended(worker)

    async with opened(tmp_path) as state:
        report = await verify(state)
        async with state.database.write("next") as tx:
            last = int(await meta.get_meta(tx, "last of one") or "-1")
            await audit.append(tx, state.box, at=(await audit.entries(tx))[-1].at, actor="x", action="next")
        head = read_head(state.database.head_path)
        after = await verify(state)
    assert is_sound(state.database.path)
    assert last >= said
    assert (report.count, report.problems) == (last + 1, ())
    assert after.problems == ()
    assert head == Head(last + 2, after.head_mac)


async def test_two_processes_append_at_once_to_one_chain(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    workers = [start_worker(url_of(tmp_path), "append", name, "60") for name in ("one", "two")]

    codes = [ended(worker) for worker in workers]

    async with opened(tmp_path) as state:
        report = await verify(state)
        async with state.database.read() as tx:
            actors = [one.actor for one in await audit.entries(tx, limit=200)]
        head = read_head(state.database.head_path)
    assert codes == [0, 0]
    assert (report.count, report.problems) == (120, ())
    assert (actors.count("one"), actors.count("two")) == (60, 60)
    assert head == Head(120, report.head_mac)


async def test_two_processes_that_make_the_database_at_once_both_get_it(tmp_path: Path) -> None:
    workers = [start_worker(url_of(tmp_path), "append", name, "3") for name in ("one", "two")]

    codes = [ended(worker) for worker in workers]

    async with opened(tmp_path) as state:
        report = await verify(state)
    assert (codes, report.count, report.problems) == ([0, 0], 6, ())
