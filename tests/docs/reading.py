"""Finds the command lines in pages and sources, and parses them with the program's own parser. Runs none of them."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import typer
from typer.core import TyperGroup

from securewatch.cli.app import app
from securewatch.cli.argv import hoist

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = {f"./scripts/{path.name}" for path in (PROJECT / "scripts").glob("*.sh")}
PROGRAMS = SCRIPTS | {word.removeprefix("./") for word in SCRIPTS} | {"securewatch", ".venv/bin/securewatch"}
UPDATE = "update-customer.sh"
"""The script that is one command; the others are the whole program."""
GENERATED = PROJECT / "docs" / "reference"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_ACTING = {"--install-completion", "--show-completion"}
_ENDS = {";", "&", "&&", "|", "||", "do", "done", ">", ">>", "(", ")", "{", "}"}


def pages() -> list[Path]:
    """Every page of the project, the generated ones too."""
    tops = [path for path in PROJECT.glob("*.md") if path.is_file()]
    return sorted([*tops, *(PROJECT / "docs").rglob("*.md")])


def commands_of(script: str) -> list[list[str]]:
    """The simple commands of some shell text: comments, assignments, pipes and redirections are left out."""
    found: list[list[str]] = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        lexer.commenters, lexer.whitespace_split = "#", True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _ENDS:
                words.append(word)
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                found.append(words)
            words = []
    return found


def block_commands(page: str) -> list[list[str]]:
    """The commands in a page's shell blocks, whatever program they call."""
    return [words for block in _BLOCK.findall(page) for words in commands_of(block)]


def inline_commands(page: str) -> list[list[str]]:
    """The commands of ours that stand inside a page's sentences, with or without the program's name in front."""
    names = {name for name, command in _group().commands.items() if not isinstance(command, TyperGroup)}
    found = []
    for text in _INLINE.findall(_FENCE.sub("", page)):
        for words in commands_of(text) if _is_balanced(text) else []:
            if words[0] in PROGRAMS:
                found.append(words)
            elif words[0] in names and len(words) > 1:
                found.append(["securewatch", *words])
    return found


def source_commands(source: Path) -> list[list[str]]:
    """The commands that the program tells people to use: its strings that begin with its name, or quote it."""
    found = []
    for text in _texts(ast.parse(source.read_text(encoding="utf-8"))):
        hints = re.findall(r"`(securewatch [^`\n]*)`", text)
        hints += re.split(r" {3,}|, or ", text)[:1] if re.match(r"securewatch [a-z]", text) else []
        found += [words for hint in hints if _is_balanced(hint) for words in commands_of(hint)]
    return found


def error_of(words: list[str], *, is_whole: bool = True) -> str:
    """What the parser of the program says against a command line; nothing where it takes it.

    `is_whole` says that required options must be there too: a sentence may leave them out.
    """
    # The parser itself acts on these: it would change the shell's start-up files.
    words = [word for word in words if word not in _ACTING]
    named = [Path(words[0]).stem] if Path(words[0]).name == UPDATE else []
    command, path, rest = _group(), "securewatch", hoist([*named, *words[1:]])
    context = None
    try:
        while True:
            context = command.make_context(path, list(rest), parent=context, resilient_parsing=False)
            rest = [*context._protected_args, *context.args]
            if not isinstance(command, TyperGroup) or not rest:
                return ""
            if rest[0] not in command.commands:
                return f"there is no command {rest[0]!r}"
            path, command, rest = rest[0], command.commands[rest[0]], rest[1:]  # type: ignore[assignment]
    except typer.Exit:
        return ""
    except Exception as error:  # noqa: BLE001 - every kind of refusal is what is asked for here
        if not is_whole and type(error).__name__ == "MissingParameter":
            return ""
        return f"{type(error).__name__}: {getattr(error, 'message', error)}"


@cache
def _group() -> TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def _texts(node: ast.AST) -> Iterator[str]:
    """Every string below a node; what an f-string fills in is written as 1."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(one.value) if isinstance(one, ast.Constant) else "1" for one in node.values)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for below in ast.iter_child_nodes(node):
        yield from _texts(below)


def _is_balanced(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True
