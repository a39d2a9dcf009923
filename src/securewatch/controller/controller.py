"""The controller tick: load, decide, commit, dispatch; and the loop that waits for the next instant that matters."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from securewatch.controller.commit import WAY_BACK, Committer
from securewatch.controller.ledger import Ledger
from securewatch.controller.load import SampleCache, load_fleet
from securewatch.controller.observer import Observer
from securewatch.core.clock import Clock
from securewatch.core.errors import Conflict, GatewayError, InternalError, NeedsHuman, SecurewatchError
from securewatch.deploy.model import Run, Stage
from securewatch.deploy.view import Decision, EffectState, View
from securewatch.rollout.decide import FleetDecision, FleetView, decide
from securewatch.store import inbox
from securewatch.store.box import SecretBox
from securewatch.store.database import Database

log = logging.getLogger(__name__)

LOOK_FOR_CHANGES_SECONDS = 0.5
"""Real seconds between two looks at what other processes wrote."""
TROUBLE_SECONDS_MAX = 60.0
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


@dataclass(frozen=True)
class Parts:
    """What a controller is made of."""

    database: Database
    box: SecretBox
    clock: Clock
    ledger: Ledger
    observer: Observer
    actor: str
    drain_seconds: float = 20.0


class Controller:
    """Moves runs. At most one lives at a time (controller lock); with `only_run` it acts for that one and rollbacks."""

    def __init__(self, parts: Parts, *, only_run: str | None = None) -> None:
        self._parts = parts
        self._only_run = only_run
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._seen_changes = -1
        self._samples = SampleCache()
        self._asked: frozenset[str] = frozenset()
        self._ticked_at = parts.clock.now()
        self._is_in_doubt = False
        self.decisions: dict[str, Decision] = {}
        self.troubles: dict[str, SecurewatchError] = {}

    async def run(self, is_done: Callable[[], Awaitable[bool]]) -> None:
        """Tick until `is_done`; then let sent requests finish."""
        try:
            while not await is_done():
                if not await self.tick():
                    await self._wait()
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
        self._seen_changes = await self._parts.database.changes()
        self._ticked_at = now = self._parts.clock.now()
        async with self._parts.database.read() as tx:
            fleet, requests, unreadable = await load_fleet(tx, self._samples)
        self.troubles.update(unreadable)
        self._asked = frozenset(str(one.payload["run_id"]) for one in requests)
        self._is_in_doubt = any(one.state.was_sent for view in fleet.views for one in view.effects.values())
        decision = decide(fleet, now)
        self.decisions = dict(decision.decisions)
        changed = await self._commit(fleet, decision, requests, now)
        self._dispatch(fleet.views, decision, now)
        return changed

    def _is_mine(self, run: Run) -> bool:
        """Whether this controller acts for the run; it decides about all (design: behaviour, commands)."""
        return self._only_run in (None, run.id) or run.stage in WAY_BACK or run.id in self._asked

    # --- commit -------------------------------------------------------------------------------------------------------

    async def _commit(
        self, fleet: FleetView, decision: FleetDecision, requests: Sequence[inbox.Request], now: datetime
    ) -> bool:
        """Each run in a transaction of its own, so that one which moved on meanwhile does not hold the others."""
        committer = Committer(self._parts.database, self._parts.box, self._parts.actor)
        is_new = False
        for view in fleet.views:
            name = f"{view.run.id}/decide"
            if self._not_before.get(name, now) > now:
                continue
            asked = [one for one in requests if one.payload["run_id"] == view.run.id]
            try:
                found = decision.decisions[view.run.id]
                is_new = await committer.commit(view, found, fleet.grants, asked, now) or is_new
                self._not_before.pop(name, None)
            except (Conflict, NeedsHuman) as error:
                log.info("a run moved on meanwhile", extra={"action": "decide_conflict", "run": view.run.id})
                self.troubles[view.run.id] = error
                self._not_before[name] = now + timedelta(seconds=CONFLICT_SECONDS)
        return is_new

    # --- dispatch -----------------------------------------------------------------------------------------------------

    def _dispatch(self, views: Sequence[View], decision: FleetDecision, now: datetime) -> None:
        for view in views:
            if not self._is_mine(decision.decisions[view.run.id].run):
                continue
            for effect in view.effects.values():
                if effect.state.is_open and effect.state is not EffectState.NEEDS_HUMAN:
                    name = f"{view.run.id}/{effect.key}"
                    self._start(name, view.run, now, partial(self._parts.ledger.work, effect.id))
            for look in decision.decisions[view.run.id].looks:
                name = f"{view.run.id}/look/{look.key}"
                self._start(name, view.run, now, partial(self._parts.observer.look, view, look))

    def _start(self, name: str, run: Run, now: datetime, work: Callable[[], Awaitable[datetime | None]]) -> None:
        if name in self._tasks or self._not_before.get(name, now) > now:
            return
        self._tasks[name] = asyncio.create_task(self._run_task(name, run, work))

    async def _run_task(self, name: str, run: Run, work: Callable[[], Awaitable[datetime | None]]) -> None:
        """Run one effect or look; a neighbour that fails is asked again later, less and less often."""
        try:
            again = await work()
            self._failures.pop(name, None)
            self.troubles.pop(run.id, None)
        except SecurewatchError as error:
            if isinstance(error, GatewayError):
                log.warning("a neighbour failed", extra={"action": "gateway_failed", "code": error.code})
            again = self._try_later(name, run, error)
        except Exception as error:  # noqa: BLE001 - the top of the runner: one broken step must not end the others
            log.warning("a step broke", extra={"action": "step_broke", "error": type(error).__name__, "run": run.id})
            broken = InternalError("SW901", f"a step of {run.id} broke: {type(error).__name__}", why=name)
            again = self._try_later(name, run, broken)
        finally:
            self._tasks.pop(name, None)
            self._wake.set()
        if again is None:
            self._not_before.pop(name, None)
        else:
            self._not_before[name] = again

    def _try_later(self, name: str, run: Run, error: SecurewatchError) -> datetime:
        self.troubles[run.id] = error
        self._failures[name] = self._failures.get(name, 0) + 1
        seconds = min(5.0 * 2 ** (self._failures[name] - 1), TROUBLE_SECONDS_MAX)
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
                is_news = await self._parts.database.changes() != self._seen_changes and not self._tasks
                if is_news or self._only_run is not None:
                    return
        finally:
            waiter.cancel()

    def _next_at(self) -> datetime | None:
        """The next instant that matters to what this controller acts for; a past one that began nothing is obsolete."""
        mine = {run_id: found for run_id, found in self.decisions.items() if self._is_mine(found.run)}
        instants = [found.next_at for found in mine.values() if found.next_at is not None]
        self._not_before = {
            name: at for name, at in self._not_before.items() if at > self._ticked_at or name in self._tasks
        }
        waiting = (name for name in self._not_before if name not in self._tasks and name.split("/", 1)[0] in mine)
        return min([*instants, *(self._not_before[name] for name in waiting)], default=None)

    def _skip_idle(self, next_at: datetime | None) -> None:
        """Jump over idle time: nothing under way here or at Render, nothing in doubt, nobody asked for a decision."""
        clock: Any = self._parts.clock
        if next_at is None or self._tasks or self._is_in_doubt or not getattr(clock, "skips_idle", False):
            return
        for found in self.decisions.values():
            if found.run.stage in _MAY_BE_IN_FLIGHT or (found.waiting_on is not None and found.waiting_on.person):
                return
        clock.skip_to(next_at)
