"""Every command that a page or the program itself names is one that the program takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from localrender.cli import main as localrender
from securewatch.cli.app import app
from tests.docs.reading import (
    PROGRAMS,
    PROJECT,
    block_commands,
    commands_of,
    error_of,
    inline_commands,
    pages,
    source_commands,
)
from tools.make_reference import examples_of, walk

SOURCES = sorted((PROJECT / "src" / "securewatch").rglob("*.py"))


def refused(commands: list[list[str]], *, is_whole: bool = True) -> list[str]:
    """The commands of ours that the parser refuses, each with its words."""
    ours = [words for words in commands if words[0] in PROGRAMS]
    return [f"{shlex.join(words)}: {error}" for words in ours if (error := error_of(words, is_whole=is_whole))]


def name_of(path: Path) -> str:
    """A page's path from the project's folder."""
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_command_of_a_page_parses(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert refused(block_commands(text)) == []
    assert refused(inline_commands(text), is_whole=False) == []


def test_every_example_in_the_help_parses() -> None:
    root = typer.main.get_command(app)

    examples = [words for _, command in walk(root, ()) for line in examples_of(command) for words in commands_of(line)]

    assert len(examples) > 20
    assert refused(examples) == []


def test_every_command_that_the_program_advises_parses() -> None:
    advised = [words for source in SOURCES for words in source_commands(source)]

    assert len(advised) > 20
    assert refused(advised, is_whole=False) == []


@pytest.mark.parametrize(
    "line",
    [
        "securewatch deploy-customer --version v1.1.0 --customer acme-corp --dryrun",
        "securewatch deploy-customer --version v1.1.0",
        "securewatch deploy-everything --version v1.1.0",
        "securewatch customer enlist",
        "securewatch check-health --customer acme-corp --samples many",
        "./scripts/render-deploy.sh deploy-customer --tag v1.1.0 --customer acme-corp",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    assert refused(commands_of(line)) != []


def test_commands_are_found_in_loops_behind_pipes_and_before_comments() -> None:
    script = 'for c in a b; do\n  SECUREWATCH_ACTOR=x securewatch why --customer "$c" || echo no # really\ndone\n'

    commands = [words for words in commands_of(script) if words[0] == "securewatch"]

    assert commands == [["securewatch", "why", "--customer", "$c"]]


def test_every_recipe_that_a_page_names_exists() -> None:
    recipes = set(re.findall(r"^([a-z][a-z-]*)[^:=\n]*:(?!=)", (PROJECT / "justfile").read_text(), re.MULTILINE))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())

    named = {words[1] for words in block_commands(text) if words[0] == "./dev" and len(words) > 1}
    named |= set(re.findall(r"`\./dev ([a-z-]+)", text))

    assert named - recipes == set()


def test_every_flag_of_localrender_that_a_page_names_exists(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    with pytest.raises(SystemExit):
        localrender(["up", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))

    commands = [words for words in block_commands(text) if words[0].endswith("localrender")]
    flags = {word.split("=")[0] for words in commands for word in words if word.startswith("--")}

    assert commands != []
    assert [words[1] for words in commands if words[1] != "up"] == []
    assert flags - known == set()
