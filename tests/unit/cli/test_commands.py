"""The table of commands says what the commands say of themselves."""

import pytest
import typer

from securewatch.cli.app import app
from securewatch.cli.commands import ALIASES, COMMANDS, Program

WIDE = 1000


def loaded() -> Program:
    """The program as the parser makes it."""
    program = typer.main.get_command(app)
    assert isinstance(program, Program)
    return program


@pytest.mark.parametrize("name", COMMANDS)
def test_the_sentence_of_a_command_is_its_own(name: str) -> None:
    command = loaded().commands[name]

    assert COMMANDS[name][1] == command.get_short_help_str(WIDE)
    assert (command.name, command.hidden) == (name, False)


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_the_same_command_and_hidden(alias: str, name: str) -> None:
    commands = loaded().commands

    assert commands[alias].help == commands[name].help
    assert commands[alias].hidden


def test_a_word_that_is_no_command_is_none() -> None:
    commands = loaded().commands

    assert "deplyo" not in commands
    assert set(commands) == {*COMMANDS, *ALIASES}
    assert len(commands) == len(COMMANDS) + len(ALIASES)
