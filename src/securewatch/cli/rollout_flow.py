"""The course of a command that brings a version to many customers: plan, show, ask, commit, follow, sum up."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from rich.live import Live

from securewatch.cli.data import print_json
from securewatch.cli.live import HEARTBEAT_SECONDS, Silent
from securewatch.cli.release_show import release_plan_data, show_release_plan
from securewatch.cli.rollout_show import (
    begun_members,
    headline,
    member_words,
    phase_lines,
    release_data,
    release_tree,
    summary,
)
from securewatch.cli.session import Session, ask, say, tell_of_key
from securewatch.cli.tables import make_console
from securewatch.cli.words import show_status
from securewatch.core.clock import Clock
from securewatch.core.errors import ExitCode, SecurewatchError
from securewatch.deps import Deps
from securewatch.operations.follow import FollowOptions, pause_real_seconds
from securewatch.operations.release.edits import notes_on_files
from securewatch.operations.release.follow import FollowedRelease, exit_code_of_release, follow_release
from securewatch.operations.release.start import Asked, Wish, ask_for, find_open, refuse_unreasoned
from securewatch.operations.release.status import ReleaseStatus, load_release_status
from securewatch.operations.release_plan import PlannedRelease, make_release_plan
from securewatch.rollout.model import ReleasePlan
from securewatch.rollout.view import day_of

WATCH_SECONDS = 0.5
"""Real seconds between two looks at the state."""
Pick = Callable[[Deps, ReleasePlan], Collection[str]]


@dataclass(frozen=True)
class RolloutHow:
    """What is asked for and how it is to be carried out; without `pick` it is for every customer."""

    version: str
    pick: Pick | None = None
    start_at: datetime | None = None
    force: bool = False
    reason: str = ""
    is_dry: bool = False
    is_detached: bool = False
    following: FollowOptions = field(default_factory=FollowOptions)


async def run_rollout(deps: Deps, session: Session, how: RolloutHow) -> ExitCode:
    """Plan, show, ask, commit the wish, and follow it."""
    pick = how.pick
    wish = Wish(
        how.version, (lambda one: pick(deps, one)) if pick else None, how.start_at, force=how.force, reason=how.reason
    )
    refuse_unreasoned(wish)
    found = await find_open(deps, how.version)
    planned = await make_release_plan(deps, how.version, day_zero=how.start_at, force=how.force or found is not None)
    plan = found[1] if found is not None else planned.plan
    slugs = tuple(how.pick(deps, plan)) if how.pick else None
    if how.is_dry:
        return _dry(session, planned, found[0].id if found else "", slugs)
    if found is None:
        _show_plan(session, planned)
    count = len(slugs) if slugs is not None else sum(len(one.members) for one in plan.phases)
    if session.is_live and not session.is_sure and not ask(f"Bring {how.version} to {count} customers?"):
        say("nothing was done")
        return ExitCode.DONE
    deps.box(create=True)
    tell_of_key(deps)
    asked = await ask_for(deps, wish, plan, say)
    if found is not None:
        for note in notes_on_files(deps, await load_release_status(deps, None, rollout_id=found[0].id)):
            say(note)
    return await _follow(deps, session, asked, how)


async def _follow(deps: Deps, session: Session, asked: Asked, how: RolloutHow) -> ExitCode:
    if how.is_detached:
        return await _detach(deps, session, asked)
    try:
        with _screen(deps.clock, session) as screen:
            followed = await follow_release(deps, asked.rollout, asked.slugs, how.following, screen)
    except asyncio.CancelledError:
        say("stopped following; the work goes on when a controller runs (`securewatch serve`, or the same command)")
        return ExitCode.INTERRUPTED
    _sum_up(deps, session, followed)
    return followed.exit_code


async def _detach(deps: Deps, session: Session, asked: Asked) -> ExitCode:
    status = await load_release_status(deps, None, rollout_id=asked.rollout.id)
    waits = exit_code_of_release(status, asked.slugs, FollowOptions()) is ExitCode.WAITING
    code = ExitCode.WAITING if waits else ExitCode.DONE
    if session.is_json:
        print_json(release_data(status, code))
    else:
        print("\n".join(headline(status, deps.clock.now())), flush=True)
    if deps.lock.holder() is None:
        say("no controller runs: start `securewatch serve`, or give the same command without --detach")
    return code


async def watch_release(deps: Deps, session: Session, version: str | None) -> None:
    """Redraw a rollout until Ctrl-C or its end; off a terminal one line a change."""
    rollout = (await load_release_status(deps, version)).rollout
    with _screen(deps.clock, session) as screen:
        while True:
            status = await load_release_status(deps, None, rollout_id=rollout.id)
            screen(status, None)
            if status.rollout.state.is_over:
                return
            await pause_real_seconds(WATCH_SECONDS)


def _dry(session: Session, planned: PlannedRelease, open_id: str, slugs: tuple[str, ...] | None) -> ExitCode:
    if session.is_json:
        print_json(release_plan_data(planned) | {"open_rollout": open_id or None, "asked": slugs})
        return ExitCode.DONE
    show_release_plan(planned)
    if open_id:
        print(f"{open_id} is open already and keeps its own plan")
    if slugs is not None:
        print(f"asked for: {', '.join(slugs)}")
    print("dry run: nothing was written anywhere", flush=True)
    return ExitCode.DONE


def _show_plan(session: Session, planned: PlannedRelease) -> None:
    if not session.is_json:
        show_release_plan(planned)


def _sum_up(deps: Deps, session: Session, followed: FollowedRelease) -> None:
    if session.is_json:
        print_json(release_data(followed.status, followed.exit_code) | {"watch_stops": followed.watch_stops})
    else:
        lines = summary(followed.status, followed.members, deps.clock.now(), followed.exit_code)
        print("\n".join(["", *lines]), flush=True)
    if followed.trouble is not None and followed.exit_code is not ExitCode.DONE:
        say(f"trouble: {followed.trouble.code} {followed.trouble.what}")
    is_over = followed.exit_code is not ExitCode.WAITING
    if followed.watch_stops and is_over:
        say("the watches stop here: `securewatch serve` or `--until watched`")
    if not is_over and deps.lock.holder() is None:
        say("no controller runs now: `securewatch serve` carries it on, or the same command with --wait")


# --- screens ----------------------------------------------------------------------------------------------------------


def _screen(clock: Clock, session: Session) -> "RolloutLines | RolloutRegion | Silent":
    if session.is_json:
        return Silent()
    return RolloutRegion(clock) if session.is_live else RolloutLines(clock)


class RolloutLines(AbstractContextManager["RolloutLines"]):
    """One line a change, to standard output, with the release's day, the product's time and the customer in front.

    A phase that has not begun is one line, not one for each of its customers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._said_at = clock.monotonic()
        self._day = 0

    def __exit__(self, *_exc: object) -> None:
        return None

    def __call__(self, status: ReleaseStatus, trouble: SecurewatchError | None) -> None:
        """Print what changed since the last time."""
        now = self._clock.now()
        self._day = day_of(status.rollout.day_zero, now)
        self._say("", f"{status.rollout.state} {status.rollout.detail}".strip(), now)
        for name, key, text in phase_lines(status, now):
            self._say(f"phase {name}", text, now, key)
        for one in begun_members(status):
            words = one.detail if one.waiting_on is None else member_words(status, one, now)
            key = f"{one.status}{one.detail if one.waiting_on is None else one.waiting_on.what}"
            if one.member.asked or one.member.state.is_failure:
                self._say(one.slug, f"{show_status(one.status):<14} {words}", now, key)
        if trouble is not None:
            self._say("trouble", f"{trouble.code} {trouble.what}; tried again", now)
        if self._clock.monotonic() - self._said_at > HEARTBEAT_SECONDS:
            self._print(f"still {status.rollout.state}", now)

    def _say(self, topic: str, text: str, now: datetime, key: str = "") -> None:
        if self._seen.get(topic) != (key or text):
            self._seen[topic] = key or text
            self._print(f"{topic + '  ' if topic else ''}{text}".rstrip(), now)

    def _print(self, text: str, now: datetime) -> None:
        self._said_at = self._clock.monotonic()
        print(f"day {self._day:<3} {now:%m-%d %H:%M:%S}  {text}", flush=True)


class RolloutRegion:
    """The rollout as a tree, redrawn in place."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._live = Live(console=make_console(), refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()

    def __call__(self, status: ReleaseStatus, trouble: SecurewatchError | None) -> None:
        """Draw the state."""
        tree = release_tree(status, self._clock.now())
        if trouble is not None:
            tree.add(f"trouble: {trouble.code} {trouble.what}; tried again")
        self._live.update(tree)
