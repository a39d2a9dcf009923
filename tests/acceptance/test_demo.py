"""The demo as a program: it says what it is, takes no unknown word, and leaves nothing behind when it is ended."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.acceptance.given import PROJECT, RUN_SECONDS, clean_environment, end

pytestmark = pytest.mark.xdist_group("acceptance_demo")
DEMO = (sys.executable, "-m", "rehearsal.demo")


@pytest.mark.parametrize(("words", "code"), [(("--help",), 0), (("faster",), 2)])
def test_help_and_unknown_words_play_nothing(words: tuple[str, ...], code: int) -> None:
    ran = subprocess.run([*DEMO, *words], cwd=PROJECT, capture_output=True, text=True, timeout=RUN_SECONDS)

    assert (ran.returncode, "securewatch deploy-customer" in ran.stdout) == (code, False)
    assert "usage: ./dev demo" in ran.stdout + ran.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_ended_removes_its_files_and_processes(number: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="demo-"))
    folder.chmod(0o755)  # a database server that is not started by root must get through
    env = clean_environment() | {"TMPDIR": str(folder)}
    process = subprocess.Popen(
        DEMO, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        for line in iter(process.stdout.readline, ""):
            if "backing up" in line:
                break
        process.send_signal(number)
        _, err = process.communicate(timeout=RUN_SECONDS)
    finally:
        end(process)

    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "interrupted: every process is ended, every file removed"
    assert list(folder.iterdir()) == []
    folder.rmdir()
