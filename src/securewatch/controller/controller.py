"""The controller tick: load, decide, commit, dispatch; and the loop that waits for the next instant that matters."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from securewatch.controller.ledger import Ledger
from securewatch.controller.load import load_fleet_view, load_requests, load_runs
from securewatch.controller.observer import Observer
from securewatch.core.clock import Clock
from securewatch.core.errors import Conflict, GatewayError, SecurewatchError
from securewatch.deploy.model import Decision, EffectState, Run, RunKind, Stage, View
from securewatch.rollout.decide import FleetDecision, FleetView, decide
from securewatch.rollout.gates import Grant, valid_grants
from securewatch.store import approvals, audit, effects, inbox, observations, releases, runs
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, Tx

log = logging.getLogger(__name__)

LOOK_FOR_CHANGES_SECONDS = 0.5
"""Real seconds between two looks at what other processes wrote."""
TROUBLE_SECONDS_MAX = 60.0
_WAY_BACK = frozenset({Stage.STOPPING, Stage.ROLLING_BACK, Stage.RECHECKING, Stage.UNWINDING})
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
    """Moves runs. At most one lives at a time (the controller lock); with `only_run` it moves that run and rollbacks."""

    def __init__(self, parts: Parts, *, only_run: str | None = None) -> None:
        self._parts = parts
        self._only_run = only_run
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._seen_changes = -1
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
        now = self._parts.clock.now()
        async with self._parts.database.read() as tx:
            fleet, requests = await self._load(tx)
        decision = decide(fleet, now)
        self.decisions = dict(decision.decisions)
        try:
            changed = await self._commit(fleet, decision, requests, now)
        except Conflict:
            return True
        self._dispatch(fleet.views, decision, now)
        return changed

    # --- load ---------------------------------------------------------------------------------------------------------

    async def _load(self, tx: Tx) -> tuple[FleetView, Sequence[inbox.Request]]:
        requests = await load_requests(tx)
        asked = {str(one.payload["run_id"]) for one in requests}
        found = [run for run in await load_runs(tx, requests) if self._is_mine(run, asked)]
        return await load_fleet_view(tx, found, requests), requests

    def _is_mine(self, run: Run, asked: Collection[str]) -> bool:
        return self._only_run in (None, run.id) or run.stage in _WAY_BACK or run.id in asked

    # --- commit -------------------------------------------------------------------------------------------------------

    async def _commit(
        self, fleet: FleetView, decision: FleetDecision, requests: Sequence[inbox.Request], now: datetime
    ) -> bool:
        changed = [view for view in fleet.views if _changes(view, decision.decisions[view.run.id])]
        begun = {view.run.id for view in changed if view.rollback_reason is not None}
        handled = [one for one in requests if one.payload["run_id"] in begun]
        if not changed:
            return False
        async with self._parts.database.write("decide") as tx:
            added = 0
            for view in changed:
                added += await self._commit_one(tx, view, decision.decisions[view.run.id], now, fleet.grants)
            for request in handled:
                await inbox.mark_handled(tx, request.id, at=now)
        return added > 0

    async def _commit_one(self, tx: Tx, view: View, decision: Decision, now: datetime, grants: Sequence[Grant]) -> int:
        run = decision.run
        if run != view.run:
            run = await self._use_approval(tx, view, run, grants, now)
            run = await runs.update_run(tx, run, expected_epoch=view.run.epoch)
            await self._journal(tx, view.run, run, now)
        moved = run.stage is not view.run.stage
        if moved:
            await observations.clear_observations(tx, run.id)
            await self._drop_intents(tx, run, now)
            await _track(tx, view, run, now)
        new = await effects.add_effects(tx, run, decision.effects, at=now) if decision.effects else []
        for effect in new:
            detail = {"key": effect.key, "seq": effect.seq, "service_id": effect.service_id}
            await self._append(tx, run, "effect.intent", detail, now)
        return len(new) + (run.epoch != view.run.epoch)

    async def _use_approval(self, tx: Tx, view: View, run: Run, grants: Sequence[Grant], now: datetime) -> Run:
        """The first step past the gates uses the approvals up: they open one run once (I9)."""
        is_first = view.run.stage is Stage.QUEUED and run.stage is Stage.PREFLIGHT
        if not is_first or not view.customer.gates.needs_approval:
            return run
        found = valid_grants(view.customer, view.run, grants, now)
        for grant in found:
            await approvals.mark_used(tx, grant.plan_hash, grant.slug, grant.actor, run_id=run.id)
        return replace(run, approved_by=tuple(grant.actor for grant in found))

    async def _drop_intents(self, tx: Tx, run: Run, now: datetime) -> None:
        if run.stage in _WAY_BACK or run.stage.is_terminal:
            await effects.drop_intents(tx, run.id, at=now, reason=f"the run is {run.stage}")

    async def _journal(self, tx: Tx, before: Run, after: Run, now: datetime) -> None:
        old, new = asdict(before), asdict(after)
        changes = {key: value for key, value in new.items() if value != old[key]}
        await self._append(tx, after, f"run.{after.stage}", {"changes": changes}, now)

    async def _append(self, tx: Tx, run: Run, action: str, detail: dict[str, Any], now: datetime) -> None:
        await audit.append(
            tx,
            self._parts.box,
            at=now,
            actor=self._parts.actor,
            action=action,
            slug=run.slug,
            run_id=run.id,
            plan_hash=run.plan_hash,
            detail=detail,
        )

    # --- dispatch -----------------------------------------------------------------------------------------------------

    def _dispatch(self, views: Sequence[View], decision: FleetDecision, now: datetime) -> None:
        for view in views:
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
            self.troubles[run.id] = error
            self._failures[name] = self._failures.get(name, 0) + 1
            seconds = min(5.0 * 2 ** (self._failures[name] - 1), TROUBLE_SECONDS_MAX)
            again = self._parts.clock.now() + timedelta(seconds=seconds)
        finally:
            self._tasks.pop(name, None)
            self._wake.set()
        if again is None:
            self._not_before.pop(name, None)
        else:
            self._not_before[name] = again

    # --- wait ---------------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Wait for a finished task, the next instant, or what another process wrote."""
        next_at = self._next_at()
        self._skip_idle(next_at)
        now = self._parts.clock.now()
        until = min(next_at or now + timedelta(hours=1), now + timedelta(hours=1))
        waiter = asyncio.create_task(self._parts.clock.sleep_until(until, wake=self._wake))
        try:
            while not waiter.done():
                await asyncio.wait({waiter}, timeout=LOOK_FOR_CHANGES_SECONDS)
                if await self._parts.database.changes() != self._seen_changes and not self._tasks:
                    return
        finally:
            waiter.cancel()

    def _next_at(self) -> datetime | None:
        instants = [found.next_at for found in self.decisions.values() if found.next_at is not None]
        instants += [at for name, at in self._not_before.items() if name not in self._tasks and self._is_wanted(name)]
        return min(instants) if instants else None

    def _is_wanted(self, name: str) -> bool:
        return name.split("/", 1)[0] in self.decisions

    def _skip_idle(self, next_at: datetime | None) -> None:
        """Jump over idle time: nothing under way here or at Render, nothing in doubt, nobody asked for a decision."""
        clock: Any = self._parts.clock
        if next_at is None or self._tasks or not getattr(clock, "skips_idle", False):
            return
        for found in self.decisions.values():
            if found.run.stage in _MAY_BE_IN_FLIGHT or (found.waiting_on is not None and found.waiting_on.person):
                return
        clock.skip_to(next_at)


def _changes(view: View, decision: Decision) -> bool:
    return decision.run != view.run or any(
        one.key not in view.effects or not _is_settled(view.effects[one.key].state) for one in decision.effects
    )


def _is_settled(state: EffectState) -> bool:
    return state.is_open or state is EffectState.CONFIRMED


async def _track(tx: Tx, view: View, run: Run, now: datetime) -> None:
    """Release tracking: which customer has which version since when, written with the transition itself."""
    if run.stage is Stage.WATCHING and run.kind is RunKind.DEPLOY:
        for service in view.customer.services:
            progress = run.of(service.kind)
            await releases.record_release(
                tx,
                releases.Release(
                    slug=run.slug,
                    service_kind=service.kind,
                    service_id=service.service_id,
                    version=run.version,
                    commit=run.commit,
                    deploy_id=str(progress.deploy_id),
                    since=progress.live_at or now,
                    verified_at=now,
                    run_id=run.id,
                ),
            )
    if run.stage is Stage.ROLLED_BACK:
        for good in run.good:
            progress = run.of(good.kind)
            if progress.back_deploy_id is None:
                continue
            await releases.record_release(
                tx,
                releases.Release(
                    slug=run.slug,
                    service_kind=good.kind,
                    service_id=good.service_id,
                    version=good.version or "",
                    commit=good.commit or "",
                    deploy_id=progress.back_deploy_id,
                    since=progress.back_live_at or now,
                    verified_at=now,
                    run_id=run.id,
                ),
            )
