"""The shared clock file: written for fast time, followed, and skipped forward by others."""

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from localrender.clock import REREAD_SECONDS, ClockFileUnreadable, FileClock, write_clock_file


def write(path: Path, **changes: float) -> None:
    path.write_text(json.dumps({"origin": time.time(), "rate": 60, "skipped": 0, "skip_idle": True, **changes}))


def test_time_runs_as_fast_as_the_file_says(tmp_path: Path) -> None:
    origin = time.time() - 10
    write(tmp_path / "clock", origin=origin, rate=60, skipped=1_000)

    now = FileClock(tmp_path / "clock").now().timestamp()

    assert now == pytest.approx(origin + 10 * 60 + 1_000, abs=30)


def test_a_written_file_starts_now(tmp_path: Path) -> None:
    write_clock_file(tmp_path / "clock", 60)

    assert FileClock(tmp_path / "clock").now().timestamp() == pytest.approx(time.time(), abs=30)


async def test_a_skip_by_somebody_else_ends_a_wait(tmp_path: Path) -> None:
    write(tmp_path / "clock", rate=1)
    clock = FileClock(tmp_path / "clock")
    waiting = asyncio.ensure_future(clock.sleep_until(clock.now() + timedelta(days=1), wake=asyncio.Event()))
    await asyncio.sleep(0)

    write(tmp_path / "clock", rate=1, skipped=90_000)

    await asyncio.wait_for(waiting, 10 * REREAD_SECONDS)


async def test_a_wake_ends_a_wait(tmp_path: Path) -> None:
    write(tmp_path / "clock", rate=1)
    clock, wake = FileClock(tmp_path / "clock"), asyncio.Event()
    waiting = asyncio.ensure_future(clock.sleep_until(clock.now() + timedelta(days=1), wake=wake))
    await asyncio.sleep(0)

    wake.set()

    await asyncio.wait_for(waiting, 1)


def test_time_never_goes_back(tmp_path: Path) -> None:
    write(tmp_path / "clock", skipped=10_000)
    clock = FileClock(tmp_path / "clock")
    before = clock.now()
    write(tmp_path / "clock", skipped=0)
    clock._read_at -= 1

    assert clock.now() >= before


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"origin": 1, "rate": 0, "skipped": 0}', '{"origin": "x"}'])
def test_an_unreadable_file_is_refused_at_the_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "clock").write_text(content)

    with pytest.raises(ClockFileUnreadable, match="clock"):
        FileClock(tmp_path / "clock")
