"""The course of a command that changes a customer: plan, show, ask, begin, follow, sum up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from securewatch.cli.data import plan_data, print_json, status_data
from securewatch.cli.live import LiveRegion, PlainLines, Silent
from securewatch.cli.session import Session, ask, say, tell_of_key
from securewatch.cli.show import plan_lines, summary_lines, waiting_line
from securewatch.core.clock import Clock
from securewatch.core.errors import ExitCode, UsageError
from securewatch.deploy.model import Run, ServiceKind
from securewatch.deps import Deps
from securewatch.operations.explain import load_status
from securewatch.operations.follow import Followed, FollowOptions, exit_code_of, follow
from securewatch.operations.plan import DeployRequest, Planned, plan_customer
from securewatch.operations.rollback import RollbackRequest, start_rollback
from securewatch.operations.start import find_under_way, start_run
from securewatch.operations.usual import usual_seconds

Planner = Callable[[Deps, DeployRequest], Awaitable[Planned]]


@dataclass(frozen=True)
class How:
    """How a command is to be carried out. `must_be_sure`: off a terminal it is refused without --yes."""

    is_dry: bool = False
    is_sure: bool = False
    is_detached: bool = False
    is_detailed: bool = False
    following: FollowOptions = field(default_factory=FollowOptions)
    must_be_sure: bool = False


async def run_plan(
    deps: Deps, session: Session, request: DeployRequest, how: How, plan: Planner = plan_customer
) -> ExitCode:
    """Plan a deploy or a change of env vars, and carry it out."""
    under_way = None if how.is_dry else await find_under_way(deps, request, say)
    if under_way is not None:
        return await follow_run(deps, session, under_way, how)
    planned = await plan(deps, request)
    _show_plan(deps, session, planned, how)
    if how.is_dry:
        return ExitCode.CHANGES if how.is_detailed and not planned.is_there else ExitCode.DONE
    if not planned.is_there and not _is_agreed(session, how, f"Go ahead with {request.slug}?"):
        say("nothing was done")
        return ExitCode.DONE
    if deps.box().is_ephemeral:
        # The fingerprints in a plan (not its hash) hang on the key, which is made only for what was agreed to.
        deps.box(create=True)
        tell_of_key(deps)
        planned = await plan(deps, request)
    run = await start_run(deps, planned, say)
    if run is None:
        return _nothing_to_do(session, planned)
    return await follow_run(deps, session, run, how)


async def run_rollback(deps: Deps, session: Session, request: RollbackRequest, how: How) -> ExitCode:
    """Take a customer back to its recorded good pair."""
    found = await start_rollback(deps, request, is_dry=True)
    if found.is_there:
        return _said(session, request.slug, found.note)
    _tell(session, [f"{request.slug} goes back: {found.note}"])
    if how.is_dry:
        return _said(session, request.slug, found.note if session.is_json else "dry run: nothing was written anywhere")
    if not _is_agreed(session, how, f"Take {request.slug} back?"):
        say("nothing was done")
        return ExitCode.DONE
    back = replace(how, following=replace(how.following, goes_back=True))
    while True:
        started = await start_rollback(deps, request)
        if started.run is None:
            return _said(session, request.slug, started.note)
        code = await follow_run(deps, session, started.run, back, rest=started.rest)
        if not started.rest or code is not ExitCode.DONE:
            return code


async def follow_run(deps: Deps, session: Session, run: Run, how: How, *, rest: str = "") -> ExitCode:
    """Follow a run and sum it up. `rest` is what the command goes on with after it: one JSON document is printed."""
    if how.is_detached:
        return await _detach(deps, session, run, rest=rest)
    try:
        with await _screen(deps, session) as screen:
            followed = await follow(deps, run, how.following, screen)
    except asyncio.CancelledError:
        say("stopped following; the work goes on when a controller runs (`securewatch serve`, or the same command)")
        return ExitCode.INTERRUPTED
    is_over = not rest or followed.exit_code is not ExitCode.DONE
    if is_over or not session.is_json:
        _sum_up(deps, session, followed)
    if rest and is_over:
        _say_rest(rest)
    return followed.exit_code


async def _detach(deps: Deps, session: Session, run: Run, *, rest: str) -> ExitCode:
    status = await load_status(deps, run.id)
    waits = rest or exit_code_of(status, FollowOptions()) is ExitCode.WAITING
    code = ExitCode.WAITING if waits else ExitCode.DONE
    if session.is_json:
        print_json(status_data(status, code))
    else:
        print(f"run {run.id} is planned; a controller carries it out", flush=True)
        _tell(session, [line for line in [waiting_line(status, deps.clock.now())] if line])
    if rest:
        _say_rest(rest)
    if deps.lock.holder() is None:
        say("no controller runs: start `securewatch serve`, or give the same command without --detach")
    return code


def _say_rest(rest: str) -> None:
    say(f"not asked for yet: {rest}; give the same command again when this run has ended")


async def _screen(deps: Deps, session: Session) -> LiveRegion | PlainLines | Silent:
    clock: Clock = deps.clock
    if session.is_json:
        return Silent()
    if session.is_live:
        usual: dict[ServiceKind, float] = dict(await usual_seconds(deps))
        return LiveRegion(clock, usual)
    return PlainLines(clock)


def _sum_up(deps: Deps, session: Session, followed: Followed) -> None:
    status, code = followed.status, followed.exit_code
    if session.is_json:
        print_json(status_data(status, code) | {"watch_stops": followed.watch_stops, "audit": followed.head})
    else:
        audit = f"  audit log {followed.head.count}:{followed.head.mac}" if followed.head else ""
        waiting = waiting_line(status, deps.clock.now())
        _tell(session, ["", *summary_lines(status, code), audit, *([f"  {waiting}"] if waiting else [])])
    if followed.trouble is not None and code is not ExitCode.DONE:
        say(f"trouble: {followed.trouble.code} {followed.trouble.what}")
    if followed.watch_stops:
        say("the watch stops here: `securewatch serve` or `--until watched`")


def _show_plan(deps: Deps, session: Session, planned: Planned, how: How) -> None:
    if session.is_json:
        if how.is_dry:
            print_json(plan_data(planned))
        return
    _tell(session, [*plan_lines(planned), ""])
    if how.is_dry:
        print("dry run: nothing was written anywhere", flush=True)


def _nothing_to_do(session: Session, planned: Planned) -> ExitCode:
    customer, plan = planned.customer.slug, planned.plan
    text = f"{customer}: {plan.version} is there already and answers for itself (--redeploy builds it again)"
    if plan.kind.value == "env":
        stays = any(one.drift for one in plan.customers[0].services)
        text = f"{customer}: every env var of {plan.version} is there; nothing to write"
        text += ", and what drifted stays (--all writes it)" if stays else ""
    return _said(session, customer, text, version=plan.version)


def _said(session: Session, slug: str, text: str, *, version: str = "") -> ExitCode:
    if session.is_json:
        print_json({"slug": slug, "status": "live", "version": version or None, "detail": text, "exit_code": 0})
    else:
        print(text, flush=True)
    return ExitCode.DONE


def _is_agreed(session: Session, how: How, question: str) -> bool:
    if how.must_be_sure and not how.is_sure and not session.is_live:
        raise UsageError("SW207", "this needs a confirmation", why="nobody can be asked here", fix="add --yes")
    return how.is_sure or not session.is_live or ask(question)


def _tell(session: Session, lines: Sequence[str]) -> None:
    if lines and not session.is_json:
        print("\n".join(lines), flush=True)
