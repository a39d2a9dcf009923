"""Follow one run until it is verified, ends, or waits for something; carry it on where no other controller lives."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from securewatch.controller.controller import Controller, Scope
from securewatch.core.errors import ExitCode, SecurewatchError, SignInNeeded
from securewatch.deploy.back import BARRED
from securewatch.deploy.model import Run, Stage
from securewatch.deps import Deps
from securewatch.operations.engine import make_controller, sharing_rates
from securewatch.operations.explain import load_status
from securewatch.operations.status import CustomerStatus
from securewatch.store.head import Head, read_head

PAUSED = "SW403"
RETRY_LOCK_SECONDS = 1.0
"""Real seconds between two tries of a follower to take the controller lock over."""


@dataclass(frozen=True)
class FollowOptions:
    """How long to follow: to verified or to the end of the watch; and whether gates are waited at.

    `goes_back` says that the command asked for the way back, so that to be back is what it wanted.
    """

    until_watched: bool = False
    waits_at_gates: bool = False
    goes_back: bool = False


@dataclass(frozen=True)
class Followed:
    """Where following ended. `watch_stops` says that the watch goes on only when some controller runs.

    `head` is the audit log's, to be kept elsewhere: a log that is cut later can be held against it.
    """

    status: CustomerStatus
    exit_code: ExitCode
    watch_stops: bool
    head: Head | None = None
    trouble: SecurewatchError | None = None


Watcher = Callable[[CustomerStatus, SecurewatchError | None], None]
"""Told of the state, and of a neighbour that makes trouble, about twice a second."""


async def follow(deps: Deps, run: Run, options: FollowOptions, watcher: Watcher) -> Followed:
    """Follow a run to where the options say. Cancelling it stops the following, not the work."""
    lock = deps.lock
    try:
        while True:
            status = await load_status(deps, run.id)
            watcher(status, None)
            if (code := exit_code_of(status, options)) is not None:
                stops = status.run.stage is Stage.WATCHING and lock.holder() is None
                return Followed(status, code, watch_stops=stops, head=_head(deps))
            if lock.try_acquire(f"securewatch {run.kind} of {run.slug}", since=deps.clock.now()):
                return await _carry_on(deps, run, options, watcher)
            await pause_real_seconds(RETRY_LOCK_SECONDS)
    finally:
        lock.release()


async def _carry_on(deps: Deps, run: Run, options: FollowOptions, watcher: Watcher) -> Followed:
    """Be the controller until the run is where the options say."""
    plan_owner = (await load_status(deps, run.id)).owner_id
    controller = await make_controller(deps, plan_owner, scope=Scope(run_id=run.id))
    seen: list[CustomerStatus] = []

    async def is_done() -> bool:
        status = await load_status(deps, run.id, decisions=controller.decisions)
        seen[:] = [status]
        watcher(status, controller.troubles.get(run.id))
        return _code(controller, status, options) is not None

    await controller.run(sharing_rates(deps, is_done))
    status = seen[0]
    code = _code(controller, status, options)
    stops = status.run.stage is Stage.WATCHING
    trouble = controller.troubles.get(run.id)
    return Followed(status, code or ExitCode.DONE, watch_stops=stops, head=_head(deps), trouble=trouble)


def _head(deps: Deps) -> Head | None:
    return read_head(deps.settings.state_dir / "audit.head")


def _code(controller: Controller, status: CustomerStatus, options: FollowOptions) -> ExitCode | None:
    """Without a key that Render accepts this process gets no further."""
    is_locked_out = isinstance(controller.troubles.get(status.run.id), SignInNeeded)
    return ExitCode.SIGN_IN if is_locked_out else exit_code_of(status, options)


def exit_code_of(status: CustomerStatus, options: FollowOptions) -> ExitCode | None:
    """The exit code where following ends here; None where it goes on (design: interface, exit codes; behaviour)."""
    run, waiting = status.run, status.waiting_on
    if status.turns_back:
        return None
    if run.stage.is_terminal or (options.goes_back and run.code == BARRED):
        return _of_terminal(run, goes_back=options.goes_back)
    if run.stage is Stage.WATCHING:
        return None if options.until_watched else ExitCode.DONE
    if waiting is None or options.waits_at_gates:
        return None
    if waiting.is_gate or waiting.code == PAUSED:
        return ExitCode.WAITING
    is_stuck_in_queue = waiting.code == "SW502" and waiting.person
    return ExitCode.NEEDS_HUMAN if is_stuck_in_queue else None


def _of_terminal(run: Run, *, goes_back: bool) -> ExitCode:
    """To be back at the old version is what a rollback asks for; a deploy lost what went live, or never got there."""
    if goes_back and run.stage in (Stage.ROLLED_BACK, Stage.FAILED, Stage.REFUSED):
        return ExitCode.DONE
    codes = {
        Stage.DONE: ExitCode.DONE,
        Stage.ROLLED_BACK: ExitCode.ROLLED_BACK if run.went_live else ExitCode.FAILED,
        Stage.FAILED: ExitCode.FAILED,
        Stage.HELD: ExitCode.NEEDS_HUMAN,
        Stage.SUPERSEDED: ExitCode.CONFLICT,
        Stage.REFUSED: ExitCode.CONFLICT if run.code == "SW412" else ExitCode.FAILED,
    }
    return codes.get(run.stage, ExitCode.FAILED)


async def pause_real_seconds(seconds: float) -> None:
    """Wait real seconds: for another process, not for product time."""
    never = asyncio.Event()
    try:
        await asyncio.wait_for(never.wait(), seconds)
    except TimeoutError:
        return
