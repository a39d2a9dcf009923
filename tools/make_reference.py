"""Writes docs/reference from the code, or says with --check whether it is stale. Not the place for words of its own.

Each page is one function that returns the text; a page without a source in the code does not belong here.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from securewatch.cli.app import app
from securewatch.config.reference import configuration_reference
from securewatch.core.codes import ERROR_CODES
from securewatch.core.errors import EXIT_CODE_MEANINGS
from securewatch.operations.events import ACTIONS

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
PROGRAM = "securewatch"
NOTE = "<!-- Written by `./dev docs` from the code; do not edit. -->\n\n"


def make_error_codes() -> str:
    """The catalogue of error codes, each with a link to its runbook."""
    rows = [f"| [{code}](../runbooks/{code}.md) | {meaning} |" for code, meaning in ERROR_CODES.items()]
    return "\n".join(["# Error codes", "", "| code | means |", "|---|---|", *rows, ""])


def make_exit_codes() -> str:
    """What a process of the tool returns."""
    rows = [f"| {code.value} | {meaning} |" for code, meaning in EXIT_CODE_MEANINGS.items()]
    return "\n".join(["# Exit codes", "", "| code | means |", "|---|---|", *rows, ""])


def make_events() -> str:
    """The actions of the audit log."""
    rows = [f"| `{action}` | {meaning} |" for action, meaning in ACTIONS.items()]
    head = [
        "# Events",
        "",
        "What the audit log may hold. `securewatch audit list` shows the newest; with `-o json` each entry has `seq`,",
        "`at`, `actor`, `action`, `slug`, `run_id`, `plan_hash`, `detail`, `request_id`, `prev` and `mac`.",
        "",
    ]
    return "\n".join([*head, "| action | tells |", "|---|---|", *rows, ""])


def make_cli() -> str:
    """Every command with its sentence, its examples and its options, as Markdown."""
    root = typer.main.get_command(app)
    lines = ["# Command line", ""]
    for path, command in walk(root, ()):
        lines += _section(path, command)
    return "\n".join(lines).rstrip() + "\n"


def walk(command: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    """A command and all below it, each with its words; hidden aliases are left out."""
    assert isinstance(command, TyperCommand | TyperGroup)
    yield path, command
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            if not below.hidden:
                yield from walk(below, (*path, name))


def examples_of(command: TyperCommand | TyperGroup) -> list[str]:
    """The example command lines in a command's help, as they are written there."""
    parts = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    return [part for part in parts if f"{PROGRAM} " in part and _is_command(part)]


def _is_command(text: str) -> bool:
    words = [word for word in text.split() if not word.split("=")[0].isupper()]
    return words[0] == PROGRAM


def _section(path: tuple[str, ...], command: TyperCommand | TyperGroup) -> list[str]:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption) and not one.hidden]
    title = " ".join((PROGRAM, *path, *(f"[{one.name}]" if not one.required else str(one.name) for one in arguments)))
    examples = examples_of(command)
    said = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    lines = [f"## {title}", ""]
    for part in said:
        if part not in examples:
            lines += [part, ""]
    if examples:
        lines += ["```sh", *examples, "```", ""]
    rows = [f"| `{one.name}` | {_cell(one.help)} |" for one in arguments]
    rows += [f"| {', '.join(f'`{name}`' for name in one.opts)} | {_cell(one.help)}{_note(one)} |" for one in options]
    return [*lines, "| option | means |", "|---|---|", *rows, ""] if rows else lines


def _note(option: TyperOption) -> str:
    if option.required:
        return " **Required.**"
    if option.is_flag or option.default in (None, ""):
        return ""
    return f" Default: {option.default}."


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": make_cli,
    "configuration.md": configuration_reference,
    "error-codes.md": make_error_codes,
    "events.md": make_events,
    "exit-codes.md": make_exit_codes,
}


def find_stale(folder: Path) -> list[str]:
    """The names of the pages that differ from what the code says, missing ones too, and those without a source."""
    stale = []
    for name, make in PAGES.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != NOTE + make():
            stale.append(name)
    return stale + sorted(path.name for path in folder.glob("*.md") if path.name not in PAGES)


def main(arguments: list[str]) -> int:
    """Writes the pages; with `--check` writes nothing and returns 1 where one is stale."""
    if arguments == ["--check"]:
        stale = find_stale(FOLDER)
        for name in stale:
            print(f"docs/reference/{name} is stale; ./dev docs writes it anew")
        return 1 if stale else 0
    if arguments:
        print("usage: make_reference.py [--check]", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(NOTE + make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
