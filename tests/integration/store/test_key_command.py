"""The command that prints the encryption key: run without a shell, for a limited time, and never shown."""

import os
import sys
from pathlib import Path

import pytest

from securewatch.core.errors import ConfigError
from securewatch.store.key_command import output_of

SECRET = "canary-of-a-command"
PYTHON = sys.executable


def run(command: str, *, seconds: float = 20.0, **environ: str) -> str:
    return output_of(command, source="THE_SOURCE", environ=environ, timeout_seconds=seconds)


def refused(command: str, *, seconds: float = 20.0) -> str:
    with pytest.raises(ConfigError) as caught:
        run(command, seconds=seconds)
    error = caught.value
    said = f"{error} {error.why} {error.fix} {error.__cause__}"
    assert error.code == "SW107"
    assert "THE_SOURCE" in error.what
    assert SECRET not in said
    return error.why


def test_what_it_prints_is_the_answer() -> None:
    assert run(f"{PYTHON} -c 'print(\"one two\")'") == "one two\n"


def test_no_shell_reads_it(tmp_path: Path) -> None:
    assert run(f"/bin/echo $HOME; touch {tmp_path}/made") == f"$HOME; touch {tmp_path}/made\n"
    assert list(tmp_path.iterdir()) == []


def test_it_sees_the_environment_that_it_is_given_and_no_input() -> None:
    words = "import os, sys; print(os.environ.get('TOKEN'), os.environ.get('HOME'), repr(sys.stdin.read()))"

    assert run(f'{PYTHON} -c "{words}"', TOKEN="t") == "t None ''\n"


def test_one_that_fails_is_an_error_with_its_exit_code_and_nothing_of_its_output() -> None:
    words = f"import sys; print('{SECRET}'); print('{SECRET}', file=sys.stderr); sys.exit(3)"

    assert "exit code 3" in refused(f'{PYTHON} -c "{words}"')


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    words = (
        "import os, pathlib, subprocess; "
        f"child = subprocess.Popen(['sleep', '60']); pathlib.Path('{tmp_path}/pid').write_text(str(child.pid)); "
        "child.wait()"
    )

    assert "not done after 1 s" in refused(f'{PYTHON} -c "{words}"', seconds=1.0)
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_one_that_closes_its_output_and_stays_is_ended_too() -> None:
    assert "not done" in refused(
        f"{PYTHON} -c \"import os; os.close(1); os.execvp('sleep', ['sleep', '60'])\"", seconds=1.0
    )


def test_one_that_prints_without_end_is_ended() -> None:
    assert "printed far too much" in refused("yes")


@pytest.mark.parametrize("command", [f"/nowhere/{SECRET}", f"echo '{SECRET}", "  ", f"echo \x00{SECRET}"])
def test_one_that_cannot_be_started_is_an_error_that_does_not_show_it(command: str) -> None:
    refused(command)


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that waits to be reaped by its new parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
