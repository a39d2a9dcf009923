"""The controller tick: load, decide, commit, dispatch; and the loop that waits for the next instant that matters."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from securewatch.controller.commit import WAY_BACK, Committer
from securewatch.controller.commit_rollout import RolloutCommitter
from securewatch.controller.ledger import Ledger
from securewatch.controller.load import Memory, load_fleet
from securewatch.controller.observer import Observer
from securewatch.core.clock import Clock
from securewatch.core.errors import Conflict, GatewayError, InternalError, NeedsHuman, SecurewatchError
from securewatch.deploy.model import Run, Stage
from securewatch.deploy.view import Decision, View
from securewatch.rollout.decide import FleetDecision, FleetView, decide
from securewatch.rollout.view import RolloutDecision, RolloutView, Start
from securewatch.store import inbox
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, changes_seen
from securewatch.store.news import FLEET, OUTBOX

log = logging.getLogger(__name__)

LOOK_FOR_CHANGES_SECONDS = 0.5
"""Real seconds between two looks at what other processes wrote."""
TROUBLE_SECONDS_MAX = 60.0
CHORE = "chore"
START = "start"
"""What the name of a task says that begins the deploy of a rollout's member."""
CONFLICT_SECONDS = 1.0
"""Product seconds before a decision that met a conflict is made again."""
_MAY_BE_IN_FLIGHT = frozenset({Stage.DEPLOYING, Stage.STOPPING, Stage.ROLLING_BACK})


class SkippingClock(Protocol):
    """A clock that may jump over idle time."""

    @property
    def skips_idle(self) -> bool:
        """Whether it does."""

    def skip_to(self, instant: datetime) -> None:
        """Jump forward to `instant`."""


Chore = Callable[[datetime], Awaitable[datetime | None]]
"""Work beside the customers', such as telling people; gives when it is due again. It never holds a deploy."""


class Starter(Protocol):
    """Begins the deploy of a rollout's member: plans it and commits its run."""

    async def begin(self, view: RolloutView, start: Start) -> datetime | None:
        """Begin it, or record why it cannot be; gives when to try again, None where that is not needed."""


@dataclass(frozen=True)
class Scope:
    """What a controller acts for: all, one run or one rollout; rollbacks it always acts for."""

    run_id: str | None = None
    rollout_id: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left to another controller."""
        return self.run_id is None and self.rollout_id is None

    def covers(self, run: Run) -> bool:
        """Whether the run is meant."""
        return (
            self.is_everything or run.id == self.run_id or (bool(run.rollout_id) and run.rollout_id == self.rollout_id)
        )


EVERYTHING = Scope()


@dataclass(frozen=True)
class Parts:
    """What a controller is made of. `stamp` changes when the files do: that is news for the chores."""

    database: Database
    box: SecretBox
    clock: Clock
    ledger: Ledger
    observer: Observer
    actor: str
    starter: Starter
    drain_seconds: float = 20.0
    chores: Sequence[Chore] = ()
    stamp: Callable[[], object] = lambda: None


class Controller:
    """Moves runs and rollouts. At most one lives at a time (controller lock)."""

    def __init__(self, parts: Parts, *, scope: Scope = EVERYTHING) -> None:
        self._parts = parts
        self._scope = scope
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._seen_changes = -1
        self._news_for: set[str] = set()
        self._stamp: object = None
        self._memory = Memory()
        self._decision: FleetDecision | None = None
        self._written: dict[str, Decision | RolloutDecision] = {}
        self._asked: frozenset[str] = frozenset()
        self._ticked_at = parts.clock.now()
        self._is_in_doubt = False
        self.decisions: dict[str, Decision] = {}
        self.rollouts: dict[str, RolloutDecision] = {}
        self.troubles: dict[str, SecurewatchError] = {}

    async def run(self, is_done: Callable[[], Awaitable[bool]]) -> None:
        """Tick until `is_done`; then do the chores once more, for the last change, and let sent requests finish."""
        try:
            while not await is_done():
                if not await self.tick():
                    await self._wait()
            self._dispatch_chores(self._parts.clock.now(), is_news=True)
        finally:
            await self.drain()

    async def drain(self) -> None:
        """Wait for what is under way, so that a request that was sent is recorded."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self._parts.drain_seconds)
        for task in self._tasks.values():
            task.cancel()

    async def tick(self) -> bool:
        """Load, decide, commit, dispatch. Returns whether anything changed, so that another tick is due at once."""
        self._wake.clear()
        stamp = self._parts.stamp()
        self._ticked_at = now = self._parts.clock.now()
        self._memory.starting = self._starting()
        async with self._parts.database.read() as tx:
            changes = await changes_seen(tx)
            news = self._parts.database.news.since(self._seen_changes, changes)
            fleet, requests, unreadable = await load_fleet(tx, self._memory, news)
        self._seen_changes = changes
        self.troubles.update(unreadable)
        self._asked = frozenset(str(one.payload["run_id"]) for one in requests)
        self._is_in_doubt = any(one.state.was_sent for view in fleet.views for one in view.open_effects)
        self._decision = decision = decide(fleet, now, self._decision)
        self.decisions, self.rollouts = dict(decision.decisions), dict(decision.rollouts)
        self._written = {
            one: found for one, found in self._written.items() if one in self.decisions or one in self.rollouts
        }
        changed = await self._commit(fleet, decision, requests, now)
        changed = await self._commit_rollouts(fleet, decision, now) or changed
        self._dispatch(fleet.views, decision, now)
        self._dispatch_starts(fleet.rollouts, decision, now)
        is_news = news is None or not news.isdisjoint((FLEET, OUTBOX)) or stamp != self._stamp
        self._stamp = stamp
        self._dispatch_chores(now, is_news=is_news)
        return changed

    def _is_mine(self, run: Run) -> bool:
        """Whether this controller acts for the run; it decides about all (design: behaviour, commands)."""
        return self._scope.covers(run) or run.stage in WAY_BACK or run.id in self._asked

    def _leads(self, rollout_id: str) -> bool:
        return self._scope.is_everything or rollout_id == self._scope.rollout_id

    def _starting(self) -> dict[str, set[str]]:
        """The members whose start is under way, by rollout."""
        found: dict[str, set[str]] = {}
        for name in self._tasks:
            owner, what, *rest = name.split("/")
            if what == START:
                found.setdefault(owner, set()).update(rest)
        return found

    # --- commit -------------------------------------------------------------------------------------------------------

    async def _commit(
        self, fleet: FleetView, decision: FleetDecision, requests: Sequence[inbox.Request], now: datetime
    ) -> bool:
        """Each run in a transaction of its own, so that one which moved on meanwhile does not hold the others."""
        committer = Committer(self._parts.database, self._parts.box, self._parts.actor)
        is_new = False
        for view in fleet.views:
            found, name = decision.decisions[view.run.id], f"{view.run.id}/decide"
            if self._written.get(view.run.id) is found or self._not_before.get(name, now) > now:
                continue
            asked = [one for one in requests if one.payload["run_id"] == view.run.id]
            try:
                is_new = await committer.commit(view, found, fleet.grants, asked, now) or is_new
                self._not_before.pop(name, None)
                self._written[view.run.id] = found
            except (Conflict, NeedsHuman) as error:
                log.info("a run moved on meanwhile", extra={"action": "decide_conflict", "run": view.run.id})
                self._memory.forget()
                self.troubles[view.run.id] = error
                self._not_before[name] = now + timedelta(seconds=CONFLICT_SECONDS)
        return is_new

    async def _commit_rollouts(self, fleet: FleetView, decision: FleetDecision, now: datetime) -> bool:
        committer = RolloutCommitter(self._parts.database, self._parts.box, self._parts.actor)
        is_new = False
        for view in fleet.rollouts:
            found = decision.rollouts[view.rollout.id]
            if self._written.get(view.rollout.id) is found:
                continue
            try:
                is_new = await committer.commit(view, found, now) or is_new
                self._written[view.rollout.id] = found
            except Conflict:
                log.info(
                    "a rollout moved on meanwhile", extra={"action": "decide_conflict", "rollout": view.rollout.id}
                )
                self._memory.forget()
                is_new = True
        return is_new

    # --- dispatch -----------------------------------------------------------------------------------------------------

    def _dispatch(self, views: Sequence[View], decision: FleetDecision, now: datetime) -> None:
        for view in views:
            if not self._is_mine(decision.decisions[view.run.id].run):
                continue
            for effect in view.open_effects:
                name = f"{view.run.id}/{effect.key}"
                self._start(name, now, partial(self._parts.ledger.work, effect.id))
            for look in decision.decisions[view.run.id].looks:
                name = f"{view.run.id}/look/{look.key}"
                self._start(name, now, partial(self._parts.observer.look, view, look))

    def _dispatch_starts(self, views: Sequence[RolloutView], decision: FleetDecision, now: datetime) -> None:
        for view in views:
            if not self._leads(view.rollout.id):
                continue
            for start in decision.rollouts[view.rollout.id].starts:
                name = f"{view.rollout.id}/{START}/{start.slug}"
                self._start(name, now, partial(self._parts.starter.begin, view, start))

    def _dispatch_chores(self, now: datetime, *, is_news: bool) -> None:
        """Each when it is due, and after every change that may be what it is about; one under way comes again then."""
        names = {f"{CHORE}/{number}": chore for number, chore in enumerate(self._parts.chores)}
        self._news_for.update(names if is_news else ())
        for name, chore in names.items():
            due_at = self._not_before.get(name)
            if name not in self._tasks and (name in self._news_for or (due_at is not None and due_at <= now)):
                self._news_for.discard(name)
                self._not_before.pop(name, None)
                self._start(name, now, partial(chore, now))

    def _start(self, name: str, now: datetime, work: Callable[[], Awaitable[datetime | None]]) -> None:
        """Begin a task, once at a time and not too early. Its name begins with the id of the run or rollout."""
        if name in self._tasks or self._not_before.get(name, now) > now:
            return
        self._tasks[name] = asyncio.create_task(self._run_task(name, work))

    async def _run_task(self, name: str, work: Callable[[], Awaitable[datetime | None]]) -> None:
        """Run one effect, look or start; a neighbour that fails is asked again later, less and less often."""
        owner = name.split("/", 1)[0]
        try:
            again = await work()
            self._failures.pop(name, None)
            self.troubles.pop(owner, None)
        except SecurewatchError as error:
            if isinstance(error, GatewayError):
                log.warning("a neighbour failed", extra={"action": "gateway_failed", "code": error.code})
            again = self._try_later(name, owner, error)
        except Exception as error:  # noqa: BLE001 - the top of the runner: one broken step must not end the others
            log.warning("a step broke", extra={"action": "step_broke", "error": type(error).__name__, "step": name})
            broken = InternalError("SW901", f"a step of {owner} broke: {type(error).__name__}", why=name)
            again = self._try_later(name, owner, broken)
        finally:
            self._tasks.pop(name, None)
            self._wake.set()
        if again is None:
            self._not_before.pop(name, None)
        else:
            self._not_before[name] = again

    def _try_later(self, name: str, owner: str, error: SecurewatchError) -> datetime:
        self.troubles[owner] = error
        self._failures[name] = self._failures.get(name, 0) + 1
        doublings = min(self._failures[name] - 1, 10)  # after a thousand the number is too large to be one
        seconds = min(5.0 * 2**doublings, TROUBLE_SECONDS_MAX)
        return self._parts.clock.now() + timedelta(seconds=seconds)

    # --- wait ---------------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Wait for a finished task, the next instant, or another process's news; a follower looks up at intervals."""
        next_at = self._next_at()
        self._skip_idle(next_at)
        now = self._parts.clock.now()
        until = min(next_at or now + timedelta(hours=1), now + timedelta(hours=1))
        waiter = asyncio.create_task(self._parts.clock.sleep_until(until, wake=self._wake))
        try:
            while not waiter.done():
                await asyncio.wait({waiter}, timeout=LOOK_FOR_CHANGES_SECONDS)
                is_news = await self._is_news() and not self._tasks
                if is_news or not self._scope.is_everything:
                    return
        finally:
            waiter.cancel()

    async def _is_news(self) -> bool:
        """Whether others changed the database, or the files."""
        return self._parts.stamp() != self._stamp or await self._parts.database.changes() != self._seen_changes

    def _next_at(self) -> datetime | None:
        """The next instant that matters to what this controller acts for; a past one that began nothing is obsolete."""
        mine = {run_id: found for run_id, found in self.decisions.items() if self._is_mine(found.run)}
        led = {rollout_id: found for rollout_id, found in self.rollouts.items() if self._leads(rollout_id)}
        nexts = [found.next_at for found in mine.values()] + [found.next_at for found in led.values()]
        instants = [one for one in nexts if one is not None]
        self._not_before = {
            name: at for name, at in self._not_before.items() if at > self._ticked_at or name in self._tasks
        }
        owners = mine.keys() | led.keys() | {CHORE}
        waiting = (name for name in self._not_before if name not in self._tasks and name.split("/", 1)[0] in owners)
        return min([*instants, *(self._not_before[name] for name in waiting)], default=None)

    def _skip_idle(self, next_at: datetime | None) -> None:
        """Jump over idle time: nothing under way here or at Render, nothing in doubt, nobody asked for a decision."""
        clock: Any = self._parts.clock
        if next_at is None or self._tasks or self._is_in_doubt or not getattr(clock, "skips_idle", False):
            return
        for found in self.decisions.values():
            if found.run.stage in _MAY_BE_IN_FLIGHT or (found.waiting_on is not None and found.waiting_on.person):
                return
        if not any(one.person for led in self.rollouts.values() for one in led.waiting.values()):
            clock.skip_to(next_at)
