"""The reference names everything that the code names, and notices when it is stale."""

import re
from pathlib import Path

import typer

from securewatch.cli.app import app
from securewatch.config.schema import FILE_MODELS
from securewatch.config.variables import VARIABLES
from securewatch.core.codes import ERROR_CODES
from securewatch.core.errors import ExitCode
from securewatch.operations.events import ACTIONS
from tools.make_reference import NOTE, PAGES, find_stale, make_cli, make_error_codes, make_events, make_exit_codes, walk

SENTENCE_MAX = 55
"""Longer first sentences are cut off in the list of commands, where a terminal has 80 columns."""
COMMANDS = [(path, command) for path, command in walk(typer.main.get_command(app), ()) if path]


def test_every_error_code_has_a_line_and_a_link_to_its_runbook() -> None:
    page = make_error_codes()

    missing = [code for code in ERROR_CODES if f"[{code}](../runbooks/{code}.md)" not in page]

    assert missing == []


def test_every_exit_code_has_a_line() -> None:
    page = make_exit_codes()

    missing = [code for code in ExitCode if f"| {code.value} |" not in page]

    assert missing == []


def test_every_audit_action_has_a_line() -> None:
    page = make_events()

    missing = [action for action in ACTIONS if f"| `{action}` | " not in page]

    assert missing == []


def test_every_command_has_a_section_with_all_its_options_and_an_example() -> None:
    sections = re.findall(r"^## securewatch ([^\n]+)\n(.*?)(?=^## |\Z)", make_cli(), re.MULTILINE | re.DOTALL)

    for path, command in COMMANDS:
        title = re.compile(re.escape(" ".join(path)) + r"( \[?[a-z]+\]?)*")
        text = next(text for found, text in sections if title.fullmatch(found))
        missing = [name for option in command.params for name in option.opts if f"`{name}`" not in text]

        assert missing == [], path
        assert hasattr(command, "commands") or re.search(r"```sh\n(SECUREWATCH_ACTOR=\w+ )?securewatch ", text), path


def test_every_variable_and_every_file_of_the_configuration_is_explained() -> None:
    page = PAGES["configuration.md"]()

    assert [name for name in VARIABLES.values() if f"| `{name}` | " not in page] == []
    assert [name for name in FILE_MODELS if f"## config/{name} " not in page] == []


def test_the_first_sentence_of_every_command_fits_into_the_list_of_commands() -> None:
    shown = {path: command.get_short_help_str(SENTENCE_MAX) for path, command in COMMANDS}

    assert {path: text for path, text in shown.items() if not text or text.endswith("...")} == {}


def test_a_page_that_is_old_missing_or_without_a_source_is_stale(tmp_path: Path) -> None:
    for name, make in PAGES.items():
        (tmp_path / name).write_text(NOTE + make(), encoding="utf-8")
    assert find_stale(tmp_path) == []

    (tmp_path / "cli.md").write_text("old", encoding="utf-8")
    (tmp_path / "events.md").unlink()
    (tmp_path / "extra.md").write_text("words", encoding="utf-8")

    assert find_stale(tmp_path) == ["cli.md", "events.md", "extra.md"]
