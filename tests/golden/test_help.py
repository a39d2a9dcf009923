"""The help of every command, and the exit codes."""

import subprocess
import sys

import pytest
import typer

from securewatch.cli.app import app, main
from tests.golden.conftest import TEXTS, Golden
from tools.make_reference import walk

PATHS = [path for path, _ in walk(typer.main.get_command(app), ())]


@pytest.mark.parametrize("path", PATHS, ids=["-".join(path) or "program" for path in PATHS])
def test_the_help_of_a_command(path: tuple[str, ...], golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([*path, "--help"])

    assert code == 0
    golden("-".join(("help", *path)), capsys.readouterr().out)


def test_no_help_is_kept_of_a_command_that_is_gone() -> None:
    kept = {path.stem for path in TEXTS.glob("help*.txt")} - {"help-topic-exit-codes"}

    assert kept == {"-".join(("help", *path)) for path in PATHS}


def test_the_exit_codes(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    main(["help", "exit-codes"])

    golden("help-topic-exit-codes", capsys.readouterr().out)


def test_help_loads_no_command_and_no_heavy_library() -> None:
    heavy = ["pydantic", "sqlalchemy", "rich", "httpx2", "asyncio", "securewatch.cli.deploys", "securewatch.config"]
    script = (
        "import sys; from securewatch.cli.app import main; main(['--help']); "
        f"print('loaded:', [name for name in {heavy!r} if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert said.splitlines()[-1] == "loaded: []"
