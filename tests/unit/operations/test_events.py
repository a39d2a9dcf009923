"""The catalogue of audit actions names every action that the code writes, and explains each stage and state."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from securewatch.deploy.model import RunKind, Stage
from securewatch.deploy.view import EffectState
from securewatch.operations.events import ACTIONS
from securewatch.rollout.model import MemberState, RolloutState
from securewatch.store.outbox import NoticeState

SOURCE = Path(__file__).resolve().parents[3] / "src" / "securewatch"
WRITERS = {"note", "_append", "_audit", "_note"}
"""The functions that take an action as an argument and write it to the audit log."""


def written_actions(tree: ast.AST) -> Iterator[str]:
    """Every action in one file: `action=...`, `action = ...` and what a writer is called with."""
    for node in ast.walk(tree):
        for value in told_by(node):
            yield from (text for text in texts_of(value) if re.fullmatch(r"[a-zX]+\.[a-z_X]+", text))


def told_by(node: ast.AST) -> list[ast.expr]:
    """The expressions of a node that may be an action."""
    if isinstance(node, ast.keyword):
        return [node.value] if node.arg == "action" else []
    if isinstance(node, ast.Assign):
        return [node.value] if any(isinstance(one, ast.Name) and one.id == "action" for one in node.targets) else []
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in WRITERS:
        return node.args
    return []


def texts_of(value: ast.expr) -> Iterator[str]:
    """The strings of an expression, both branches of a condition too; X where something is filled in."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield "".join(str(one.value) if isinstance(one, ast.Constant) else "X" for one in value.values)
    elif isinstance(value, ast.IfExp):
        yield from (*texts_of(value.body), *texts_of(value.orelse))


def is_known(action: str) -> bool:
    """Whether an action, or one of its form where part of it is filled in, stands in the catalogue."""
    return any(re.fullmatch(re.escape(action).replace("X", "[a-z_]+"), known) for known in ACTIONS)


def test_every_action_that_the_code_writes_is_in_the_catalogue() -> None:
    found = {action for path in SOURCE.rglob("*.py") for action in written_actions(ast.parse(path.read_text("utf-8")))}

    assert {action for action in found if not is_known(action)} == set()
    assert {"pause.all", "resume.all", "force.used", "approval.granted", "effect.sent", "run.X"} <= found


def test_every_action_of_the_catalogue_is_written_somewhere() -> None:
    found = {action for path in SOURCE.rglob("*.py") for action in written_actions(ast.parse(path.read_text("utf-8")))}

    forms = [re.escape(action).replace("X", "[a-z_]+") for action in found]

    assert [known for known in ACTIONS if not any(re.fullmatch(form, known) for form in forms)] == []


def test_every_stage_every_state_and_every_kind_of_run_is_explained() -> None:
    wanted = [f"run.{one}" for one in Stage] + [f"effect.{one}" for one in EffectState]
    wanted += [f"rollout.{one}" for one in RolloutState] + [f"member.{one}" for one in MemberState]
    wanted += [f"{one}.requested" for one in RunKind] + [f"notice.{one}" for one in NoticeState]

    assert [action for action in wanted if not ACTIONS.get(action)] == []


def test_an_action_that_nobody_explained_is_found() -> None:
    tree = ast.parse("audit.append(tx, action='freeze.lifted' if on else f'run.{stage}')")

    assert [action for action in written_actions(tree) if not is_known(action)] == ["freeze.lifted"]
