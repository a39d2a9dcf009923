"""The demo as a program: what it tells in its four acts, and that it leaves nothing behind, however it ends."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.given import PROJECT, RUN_SECONDS, clean_environment, end

DEMO = (sys.executable, "-m", "rehearsal.demo")
DEMO_SECONDS = 300.0


@contextlib.contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder for temporary files, to see what is left in it."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@contextlib.contextmanager
def playing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo as a process in a session of its own, ended whatever happens."""
    env = clean_environment() | {"TMPDIR": str(folder)}
    process = subprocess.Popen(
        DEMO, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        end(process)


@pytest.mark.parametrize(("words", "code"), [(("--help",), 0), (("faster",), 2)])
def test_help_and_unknown_words_play_nothing(words: tuple[str, ...], code: int) -> None:
    ran = subprocess.run([*DEMO, *words], cwd=PROJECT, capture_output=True, text=True, timeout=RUN_SECONDS)

    assert (ran.returncode, "securewatch plan-release" in ran.stdout) == (code, False)
    assert "usage: ./dev demo [-h] [--full]" in ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def told() -> Iterator[str]:
    """What a whole demo prints, off a terminal; it exits 0 and leaves no file behind."""
    with empty_folder() as folder, playing(folder) as process:
        out, err = process.communicate(timeout=DEMO_SECONDS)
        assert (process.returncode, err) == (0, ""), out[-2000:] + err
        assert list(folder.iterdir()) == []
        yield out


def test_the_demo_shows_its_four_acts_and_ends_by_itself(told: str) -> None:
    acts = [line for line in told.splitlines() if line.startswith("===")]

    assert [line.split()[1] for line in acts] == ["1", "2", "3", "4"]
    assert "every process is ended, every file removed" in told
    assert "Traceback" not in told


def test_the_demo_shows_days_batches_windows_and_approvals(told: str) -> None:
    second = told.split("=== 2")[1].split("=== 3")[0]
    days = [int(found) for found in re.findall(r"^day (\d+) ", second, re.MULTILINE)]

    assert days == sorted(days)
    assert (days[0], {1, 8} <= set(days), 44 <= days[-1] <= 51) == (0, True, True)
    assert "phase startup  running, batch 2 of 2" in second
    assert second.count("SECUREWATCH_ACTOR=dana securewatch approve --version v1.1.0") == 2
    assert len(re.findall(r"^\S+ +(?:demo|startup|standard|enterprise) +✔ live +v1\.1\.0 ", second, re.MULTILINE)) == 8


def test_the_demo_shows_how_the_bad_version_halts_and_goes_back(told: str) -> None:
    third = told.split("=== 3")[1].split("=== 4")[0]

    assert "halted startup, batch 1:" in third
    assert re.search(r"brightlabs +startup +↩ rolled back", third)
    assert re.search(r"techstart +startup +⏸ waiting", third)
    assert "1 of 1 customers of demo are back from v1.2.0" in third
    assert "Subject: SecureWatch v1.2.0 was taken back for Brightlabs" in third


def test_the_demo_says_what_was_proven(told: str) -> None:
    proven = told.split("=== 4")[1]

    assert "✔ 8 of 8 customers run v1.1.0; nobody was deployed twice" in proven
    assert "16 starts, 0 outside the days of their phase" in proven
    assert "4 starts of enterprise customers, 0 outside their maintenance windows" in proven
    assert "4 standard and enterprise customers never had it" in proven
    assert "the audit log verifies: " in proven


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_ended_removes_its_files_and_processes(number: int) -> None:
    with empty_folder() as folder, playing(folder) as process:
        assert process.stdout is not None
        for line in iter(process.stdout.readline, ""):
            if "pre-deployment checks" in line or "building" in line:
                break
        process.send_signal(number)
        _, err = process.communicate(timeout=RUN_SECONDS)

        assert process.returncode == 130, err
        assert err.splitlines()[-1] == "interrupted: every process is ended, every file removed"
        assert list(folder.iterdir()) == []
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)  # it led a session of its own, and nobody is left in it
