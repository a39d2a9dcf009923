"""A warm process that forks one child per command, so that a killed run costs no start-up. Started by `given.py`.

It reads one JSON command a line from standard input and answers each with one line: how the child ended, and, where
asked, which boundaries it crossed.
"""

import asyncio
import importlib
import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from securewatch.backup import beside
from securewatch.backup import restore as backup_restore
from securewatch.cli.flow import How, run_plan, run_rollback
from securewatch.cli.restore_flow import run_restore
from securewatch.cli.rollout_flow import RolloutHow, run_rollout
from securewatch.cli.session import Session
from securewatch.config.settings import load_settings
from securewatch.core.errors import SecurewatchError
from securewatch.deploy import effects
from securewatch.deploy.outcomes import Outcome, Tools
from securewatch.deploy.ports import Guard
from securewatch.deploy.view import Effect, EffectKind, EffectState
from securewatch.deps import Deps
from securewatch.operations.approve import Answer, answer_request
from securewatch.operations.audits import verify_log
from securewatch.operations.follow import FollowOptions
from securewatch.operations.plan import DeployRequest
from securewatch.operations.release.status import load_release_status
from securewatch.operations.restore import RestoreRequest
from securewatch.operations.rollback import RollbackRequest
from securewatch.store import effects as effect_rows

for _late in ("alembic.command", "securewatch.health.probe", "securewatch.render.client", "securewatch.versions.git"):
    importlib.import_module(_late)  # what a child would import late is imported before the fork
_DEPLOY_ID = re.compile(r"dep-[0-9a-v]{20}")
_ANY_ID = re.compile(r"\b(?:dep|srv|tea|dpg)-[0-9a-z-]+")
THREAD_SECONDS = 10
"""A thread that is at work longer than that after its loop has ended is not on its way out."""


REPEATED = ("GET ", "commit observe", "commit rates", "commit look")
"""Boundaries of reads and of what is noted of them: they come again and again while somebody waits."""


class Boundaries:
    """The io hook of a child: names and counts every boundary, and ends the process at the one it was told.

    The name of one that repeats has the last of the others behind a ` | `, so that it tells at which step it was met.
    """

    def __init__(self, kill_at: tuple[str, int] | None) -> None:
        self.seen: list[str] = []
        self._counts: Counter[str] = Counter()
        self._step = "the start"
        self._kill_at = kill_at

    def __call__(self, line: str) -> None:
        """One boundary is crossed."""
        name = _DEPLOY_ID.sub("dep-*", line)
        if name.startswith(REPEATED):
            name = f"{name} | {self._step}"
        self._counts[name] += 1
        self.seen.append(name)
        if not name.startswith(REPEATED):
            self._step = f"{name} {self._counts[name]}"
        if self._kill_at == (name, self._counts[name]):
            os.kill(os.getpid(), signal.SIGKILL)


class Kinds:
    """The io hook of a rollout's child: ends it at the first boundary of a kind that is not `known`, or at the number
    `kill_after`, having told the kind. Ids are no part of a kind, unless `by_service`.
    """

    def __init__(self, command: dict[str, Any], report: int) -> None:
        self.seen: list[str] = []
        self._known = set(command["known"])
        self._left = command.get("kill_after", -1)
        self._ids = _DEPLOY_ID if command.get("by_service") else _ANY_ID
        self._report = report

    def __call__(self, line: str) -> None:
        """One boundary is crossed."""
        kind = self._ids.sub("*", line)
        self._left -= 1
        if kind not in self._known or self._left == 0:
            os.write(self._report, json.dumps([kind]).encode())
            os.kill(os.getpid(), signal.SIGKILL)


Hook = Boundaries | Kinds


async def _play(command: dict[str, Any], hook: Hook) -> int:
    environ = {**command["environ"], **command.get("more_environ", {})}
    settings = load_settings({}, Path(command["folder"]), environ)
    session = Session(None, None, is_json=True)
    async with Deps(settings, io_hook=hook) as deps:
        if command["what"] in ("rollback", "restore"):
            return await _go_back(deps, session, command)
        if command["what"] == "audit":
            return await _audit(deps)
        if command["what"] == "rollout":
            following = FollowOptions(waits_at_gates=True)
            how = RolloutHow(command["version"], is_detached=command["is_detached"], following=following)
            return int(await run_rollout(deps, session, how))
        if command["what"] == "approve":
            for slug in command["slugs"]:
                await answer_request(deps, Answer(slug, command["version"], granted=True))
            return 0
        if command["what"] == "members":
            status = await load_release_status(deps, command["version"])
            hook.seen += [f"{one.slug} {one.status}" for one in status.members]
            return 0
        return int(await run_plan(deps, session, DeployRequest(command["slug"], command["version"]), How(is_sure=True)))


async def _go_back(deps: Deps, session: Session, command: dict[str, Any]) -> int:
    """By code alone, or with the database."""
    slug, how = command["slug"], How(is_sure=True)
    if command["what"] == "rollback":
        return int(await run_rollback(deps, session, RollbackRequest(slug, reason="customer-request"), how))
    asked = RestoreRequest(slug, command["version"], takes_backup=command["takes_backup"], confirmed=slug)
    return int(await run_restore(deps, session, asked, how))


async def _audit(deps: Deps) -> int:
    """0 where the chain verifies and no effect is left open."""
    await verify_log(deps)
    database = await deps.database()
    async with database.read() as tx:
        return 50 if await effect_rows.open_effects(tx) else 0


async def _send_blindly(effect: Effect, tools: Tools, _sending: effects.Sending) -> Outcome:
    """A deploy without the look before the act: what was sent is sent again."""

    async def unguarded(_before: object) -> Guard:
        return lambda: None

    sending = unguarded if effect.state.was_sent else _sending
    blinded = replace(effect, state=EffectState.INTENT, before={}, args={**effect.args, "live": None})
    return await effects.ensure_deploy(blinded, tools, sending)


def _mark_restores(hook: Boundaries) -> None:
    """Let a child cross boundaries inside a restore too, where it speaks to the database server.

    What is crossed is what the product does between two statements; it offers no hook there itself.
    """
    comment, restore_into, drop, dump = beside._comment, beside.restore_into, beside._drop, backup_restore.restore_dump

    async def commenting(connection: Any, new: str, text: str) -> None:
        kind = "begun" if text.startswith(beside._BEGUN) else "whole"
        hook(f"restore mark {kind} before")  # the first: a database without a mark
        await comment(connection, new, text)
        hook(f"restore mark {kind} after")

    async def restoring(*args: Any, **more: Any) -> Any:
        found = await restore_into(*args, **more)
        hook("restore compared after")
        return found

    async def dropping(*args: Any) -> None:
        hook("restore drop before")
        await drop(*args)
        hook("restore drop after")

    async def feeding(programs: Any, address: Any, pieces: Any, **more: Any) -> None:
        async def passed() -> AsyncIterator[bytes]:
            async for piece in pieces:
                hook("restore piece before")
                yield piece
                hook("restore piece after")

        await dump(programs, address, passed(), **more)
        hook("restore filled after")

    beside._comment, beside.restore_into, beside._drop = commenting, restoring, dropping
    backup_restore.restore_dump = feeding


def _child(command: dict[str, Any], report: int) -> int:
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process
    sys.stderr = open(Path(command["folder"]) / "stderr.txt", "a")  # noqa: SIM115
    if command.get("blind"):
        effects._WORK[EffectKind.DEPLOY] = _send_blindly  # proves that the suite can fail
    kill_at = tuple(command["kill_at"]) if command.get("kill_at") else None
    hook = Kinds(command, report) if "known" in command else Boundaries(kill_at)
    if command["what"] == "restore" and isinstance(hook, Boundaries):
        _mark_restores(hook)
    try:
        code = asyncio.run(_play(command, hook))
    except SecurewatchError as error:
        sys.stderr.write(f"{error.code} {error.what} {error.why}\n")
        code = int(error.exit_code)
    sys.stderr.flush()
    os.write(report, json.dumps(hook.seen if command.get("records") else []).encode())
    return code


def _fork(command: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        code = 70
        try:
            code = _child(command, writing)
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        seen = pipe.read()
    _, status = os.waitpid(pid, 0)
    is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    code = None if is_killed else os.waitstatus_to_exitcode(status)
    return {"is_killed": is_killed, "code": code, "seen": json.loads(seen) if seen else []}


def _practise(command: dict[str, Any]) -> dict[str, Any]:
    """Play a command here, so that what is imported, compiled or built at first use is there in every child."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        code = asyncio.run(_play(command, Boundaries(None)))
    for thread in set(threading.enumerate()) - {threading.main_thread()}:
        thread.join(THREAD_SECONDS)  # a closed connection's thread may still be on its way out
    assert threading.active_count() == 1, "a process with threads must not fork"
    return {"is_killed": False, "code": code, "seen": []}


def main() -> None:
    """Serve commands until standard input ends."""
    for line in sys.stdin:
        command = json.loads(line)
        found = _practise(command) if command.get("practises") else _fork(command)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
