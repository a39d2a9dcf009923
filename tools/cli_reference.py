"""The reference page of the command line, made from the typer app. Holds no words of its own but the headings."""

from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from securewatch.cli.app import app

PROGRAM = "securewatch"


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
