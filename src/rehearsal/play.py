"""Plays a whole release of a made-up fleet on the stage: `play(Course(...)) -> Outcome`. Judges nothing itself.

The loop steps virtual time to the next instant at which the controller, a person or a trouble has something to do, lets
everything finish that can, and shows the witness what was committed.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from localrender.sample.app.release import Release
from rehearsal.agenda import Agenda
from rehearsal.fleet import make_up
from rehearsal.people import People
from rehearsal.rows import Rows
from rehearsal.stage import NEW, OLD, Hooks, Stage, StagedDeps, set_stage
from rehearsal.trouble.base import Scene, Trouble
from rehearsal.virtual_time import VirtualLoop, run_virtually
from rehearsal.wires import Ask, Killed, Life
from rehearsal.witness import Foreign, Witness
from securewatch.controller.controller import Controller
from securewatch.core.errors import SecurewatchError
from securewatch.operations.engine import make_controller
from securewatch.operations.owner import find_owner

TICKS_MAX = 600
"""Decisions a customer, on the average of a play, beyond which the controller goes round in circles."""
DAYS_MAX = 80
"""Product days after which a play is stopped, and what is still open counts as forgotten."""
_TRY_AGAIN = timedelta(minutes=10)

MakeController = Callable[[StagedDeps, str], Awaitable[Controller]]
"""How a process gets its controller; a seeded bug puts a broken one in."""


@dataclass(frozen=True)
class Course:
    """What is played: a seed, how many customers, and what goes wrong."""

    seed: int
    customers: int = 20
    troubles: tuple[Trouble, ...] = ()
    releases: Mapping[str, Release] | None = None
    controller: MakeController = make_controller


@dataclass(frozen=True)
class Outcome:
    """How it ended: what the witness says, which troubles never came, and some numbers."""

    violations: Sequence[str]
    never_fired: Sequence[str]
    days: float
    state: str
    members: Mapping[str, int]
    ticks: int
    requests: int
    restarts: int
    refusals: Mapping[str, int]
    log: Sequence[tuple[datetime, str]]

    @property
    def is_well(self) -> bool:
        """Whether nothing happened that must not, and everything that should go wrong did."""
        return not self.violations and not self.never_fired


def play(course: Course) -> Outcome:
    """Play a course from the first command to the end of the last watch."""
    return run_virtually(lambda loop: _play(course, loop))


async def _play(course: Course, loop: VirtualLoop) -> Outcome:
    made = make_up(course.seed, course.customers)
    foreign = Foreign()
    witness = Witness(made, foreign)
    releases = dict(course.releases or {OLD: Release("1.0.0"), NEW: Release("1.1.0")})
    for trouble in course.troubles:
        releases |= trouble.releases

    def after(ask: Ask) -> None:
        witness.after(ask)
        for listener in stages[0].listeners:
            listener(ask)

    stages: list[Stage] = []
    async with set_stage(made, loop, Hooks(witness.before, after), releases) as stage:
        stages.append(stage)
        director = _Director(course, stage, witness, foreign)
        try:
            return await director.run()
        finally:
            witness.close()


class _Director:
    """One play under way."""

    def __init__(self, course: Course, stage: Stage, witness: Witness, foreign: Foreign) -> None:
        self._course = course
        self._stage = stage
        self._witness = witness
        self._foreign = foreign
        self._agenda = Agenda()
        self._chance = random.Random(f"play:{course.seed}")  # noqa: S311 - the same seed gives the same play
        self._until = stage.made.start + timedelta(days=DAYS_MAX)
        self._ticks = self._restarts = 0
        self._controller: Controller | None = None
        self._life = Life()
        self._broken: list[str] = []

    async def run(self) -> Outcome:
        """From the first command to the end."""
        stage = self._stage
        stage.loop.set_exception_handler(self._note_broken)
        await (await stage.deps("setup")).database()
        rows = Rows(stage.state_path)
        self._witness.attend(stage, rows)
        people = People(stage, rows, self._agenda, self._chance)
        await people.begin()
        scene = Scene(stage, self._agenda, people, rows, self._foreign, self._chance)
        for trouble in self._course.troubles:
            trouble.prepare(scene)
        while stage.clock.now() < self._until and not self._is_over(rows):
            await self._live(scene, rows)
        self._witness.finish()
        if self._ticks > TICKS_MAX * len(stage.made.customers):
            self._broken.append(f"the controller decided {self._ticks} times")
        return self._outcome(rows, people)

    def _note_broken(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A task ended with an error that nobody took: of a process that was killed it is nobody's business."""
        error = context.get("exception")
        if not isinstance(error, Killed):
            self._broken.append(f"a task broke: {error or context['message']}")

    async def _live(self, scene: Scene, rows: Rows) -> None:
        """The life of one process that is the controller."""
        self._life = scene.life = self._stage.new_life()
        for born in scene.on_birth:
            born(self._life)
        deps = StagedDeps(self._stage, "serve", self._life)
        try:
            controller = await self._course.controller(deps, await find_owner(deps))
            self._controller = controller
            self._stage.wake = controller._wake.set
            await self._tick_on(controller, rows)
        except (SecurewatchError, Killed) as error:
            self._stage.note(f"the controller ended: {error}")
            await self._pass(_TRY_AGAIN)
        finally:
            self._stage.wake = lambda: None
            await self._bury(deps)

    async def _tick_on(self, controller: Controller, rows: Rows) -> None:
        stage, is_over = self._stage, False
        while stage.clock.now() < self._until and not is_over:
            self._ticks += 1
            is_changed = await controller.tick()
            self._witness.look()
            if is_changed:
                continue
            await stage.loop.idle()
            if not self._life.is_alive:
                raise Killed(self._life.died_at)
            if await self._agenda.do_due(stage.clock.now()) or controller._wake.is_set():
                continue
            nexts = [controller._next_at(), self._agenda.next_at, self._until]
            await stage.clock.sleep_until(min(one for one in nexts if one is not None), wake=controller._wake)
            is_over = self._is_over(rows)

    def _is_over(self, rows: Rows) -> bool:
        """Whether nothing more comes of the release."""
        if rows.all("SELECT 1 FROM rollout WHERE state NOT IN ('done', 'aborted') LIMIT 1"):
            return False
        ended = "('done', 'failed', 'rolled_back', 'held', 'refused', 'superseded')"
        return not rows.all(f"SELECT 1 FROM run WHERE stage NOT IN {ended} LIMIT 1")  # noqa: S608 - our own words

    async def _pass(self, span: timedelta) -> None:
        stage = self._stage
        await stage.clock.sleep_until(stage.clock.now() + span, wake=asyncio.Event())
        await self._agenda.do_due(stage.clock.now())
        self._witness.look()

    async def _bury(self, deps: StagedDeps) -> None:
        """The memory of a process is gone: its tasks, its connections, what it knew."""
        self._life.is_alive = False
        self._restarts += 1
        tasks = list(self._controller._tasks.values()) if self._controller else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._controller = None
        with suppress(SecurewatchError, Killed):
            await deps.close()

    def _outcome(self, rows: Rows, people: People) -> Outcome:
        rollout = rows.all("SELECT state FROM rollout ORDER BY rowid DESC LIMIT 1")
        members = {row["state"]: row["n"] for row in rows.all("SELECT state, count(*) AS n FROM member GROUP BY state")}
        return Outcome(
            violations=(*self._witness.violations, *dict.fromkeys(self._broken)),
            never_fired=tuple(one.name for one in self._course.troubles if not one.has_fired),
            days=(self._stage.clock.now() - self._stage.made.start) / timedelta(days=1),
            state=rollout[0]["state"] if rollout else "",
            members=members,
            ticks=self._ticks,
            requests=self._stage.platform.journal.count,
            restarts=self._restarts - 1,
            refusals=people.refusals,
            log=tuple(self._stage.log),
        )
