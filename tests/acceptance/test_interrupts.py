"""Ctrl-C and SIGTERM at a question and while following; output that cannot be written; a clock that goes away."""

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.given import BIN, RUN_SECONDS, Place, clean_environment, wait_until
from tests.acceptance.given import platform as started

BACKEND = "srv-acme-backend-abc123"
DEPLOY = ("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp")


class Terminal:
    """A program at a terminal of its own; it is ended whatever happens."""

    def __init__(self, place: Place, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            [str(BIN / "securewatch"), *words],
            cwd=place.folder,
            env=clean_environment() | {"TERM": "xterm", "COLUMNS": "80"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def read_until(self, text: str) -> None:
        """Read until the text is there, or the program has ended."""
        while text not in self.shown:
            try:
                found = os.read(self._ours, 4096)
            except OSError:
                return
            self.shown += found.decode(errors="replace")

    def ends(self) -> tuple[int, str]:
        """The exit code and everything that was shown."""
        try:
            self.read_until("\0")
            return self.process.wait(timeout=RUN_SECONDS), self.shown
        finally:
            self.process.kill()
            os.close(self._ours)

    def type(self, text: str) -> None:
        """Type at the terminal."""
        os.write(self._ours, text.encode())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_at_the_question_ends_at_once_and_nothing_was_done(place: Place, number: int) -> None:
    before = place.traces()
    terminal = Terminal(place, *DEPLOY)
    terminal.read_until("[y/N]")

    terminal.process.send_signal(number)
    code, shown = terminal.ends()

    assert code == 130, shown
    assert "nothing was done" in shown
    assert "goes on" not in shown.split("[y/N]")[1]
    assert place.traces() == before


def test_a_no_leaves_nothing_behind_not_even_an_encryption_key(place: Place) -> None:
    before = place.traces()
    terminal = Terminal(place, *DEPLOY)
    terminal.read_until("[y/N]")

    terminal.type("n\n")
    code, shown = terminal.ends()

    assert (code, "nothing was done" in shown) == (0, True), shown
    assert place.traces() == before


def test_sigterm_stops_the_following_as_ctrl_c_does(place: Place) -> None:
    with place.running(*DEPLOY) as process:
        wait_until(lambda: len(place.platform.service(BACKEND)["deploys"]) > 1)
        process.terminate()
        _, err = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("stopped following; the work goes on")


def test_a_serve_that_only_waited_for_the_lock_does_not_say_that_the_controller_ended(place: Place) -> None:
    with place.running("serve") as first:
        wait_until(lambda: (place.state / "controller.lock").exists())
        wait_until(lambda: "holds the lock" in place.run("doctor").out)
        with place.running("serve") as second:
            assert second.stderr is not None
            assert "waiting for the controller lock" in second.stderr.readline()
            second.terminate()
            _, err = second.communicate(timeout=RUN_SECONDS)
        first.terminate()
        _, of_first = first.communicate(timeout=RUN_SECONDS)

    assert (second.returncode, err) == (0, "")
    assert (first.returncode, "the controller ended" in of_first) == (0, True)


def test_output_that_cannot_be_written_ends_with_one_line(place: Place) -> None:
    for words in (("config", "show"), ("doctor", "-o", "json"), (*DEPLOY, "--dry-run")):
        with Path("/dev/full").open("w") as full:
            ran = subprocess.run(
                [BIN / "securewatch", *words], cwd=place.folder, env=clean_environment(), stdout=full, stderr=-1
            )
        lines = ran.stderr.decode().splitlines()
        assert (ran.returncode, lines) == (1, ["the output cannot be written: No space left on device"]), words


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_is_not_utf_8_gets_question_marks_and_no_error(place: Place, encoding: str) -> None:
    ran = place.run(*DEPLOY, "--dry-run", PYTHONIOENCODING=encoding).ended(0)

    assert "? version tag" in ran.out
    assert ran.err == ""


def test_a_clock_file_that_goes_away_ends_a_deploy_with_one_error(tmp_path: Path) -> None:
    with started(tmp_path / "platform") as render:
        place = Place.make(tmp_path / "project", render)
        render.admin("POST", f"/services/{BACKEND}/scripts", {"hangs": True})
        with place.running(*DEPLOY, "--timeout", "1d") as process:
            wait_until(lambda: bool(render.service(BACKEND)["running_deploy"]))
            Path(render.env["SECUREWATCH_CLOCK_FILE"]).unlink()
            _, err = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode == 2
    assert [line[:12] for line in err.splitlines() if "SW" in line] == ["error[SW108]"], err
    assert "Traceback" not in err
    assert "a stale .env may set it" in err
