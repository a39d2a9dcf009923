"""Troubles at home: the process, its clock, its state, its files, and the people who use it."""

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rehearsal.calendar import in_window
from rehearsal.fleet import APPROVERS, REQUESTER, Customer
from rehearsal.people import OPERATOR
from rehearsal.stage import NEW
from rehearsal.trouble.base import Scene, Trouble
from rehearsal.wires import Ask, Life
from securewatch.core.errors import Refused
from securewatch.operations.freeze import hold, release
from securewatch.operations.pause import set_pause
from securewatch.operations.release.change import pause_rollout, resume_rollout
from securewatch.operations.release.start import Wish, ask_for
from securewatch.operations.release_plan import make_release_plan
from securewatch.operations.rollback import RollbackRequest, start_rollback
from securewatch.rollout.freezes import FreezeKind


class Restarts(Trouble):
    """The controller is killed at some of its boundaries: before and after requests and commits."""

    kills = 4

    def prepare(self, scene: Scene) -> None:
        """Each process dies after a random number of boundaries, the first ones."""
        self._left = self.kills

        def born(life: Life) -> None:
            if self._left > 0:
                self._left -= 1
                life.dies_at = scene.chance.randrange(1, 400)
            else:
                self.has_fired = True

        scene.on_birth.append(born)


class ClockForward(Trouble):
    """The machine's clock is put forward by some hours."""

    def prepare(self, scene: Scene) -> None:
        """In the first days."""
        scene.later(scene.chance.uniform(0.001, 9), lambda: self._step(scene))

    def _step(self, scene: Scene) -> None:
        self.has_fired = scene.is_open()
        scene.stage.clock.step(scene.chance.uniform(600, 30_000))


class ClockBack(ClockForward):
    """The machine's clock is put back by some minutes."""

    def _step(self, scene: Scene) -> None:
        self.has_fired = scene.is_open()
        scene.stage.clock.step(-scene.chance.uniform(1, 600))


class CommitFails(Trouble):
    """The disk is full for some commits."""

    def prepare(self, scene: Scene) -> None:
        """From a random commit on."""
        self._left = scene.chance.randrange(100, 800)

        def hinder(name: str) -> None:
            if name.startswith("commit") and name.endswith("before"):
                self._left -= 1
                if -20 < self._left < 0:
                    self.has_fired = True
                    raise Refused("SW702", "the state database cannot be used", why="the disk is full")

        scene.on_birth.append(lambda life: setattr(life, "hinder", hinder))


class HalfWrittenConfig(Trouble):
    """A configuration file is cut off in the middle for some hours, and the controller starts anew meanwhile."""

    def prepare(self, scene: Scene) -> None:
        """In the first days."""
        scene.later(scene.chance.uniform(0.01, 5), lambda: self._cut(scene))

    def _cut(self, scene: Scene) -> None:
        path = scene.stage.folder / "config" / "customers.json"
        whole = path.read_text(encoding="utf-8")
        path.write_text(whole[: len(whole) // 2], encoding="utf-8")
        self.has_fired = scene.is_open()

        def mend() -> None:
            path.write_text(whole, encoding="utf-8")

        scene.life.dies_at = 0
        scene.stage.fleet = None
        scene.later(scene.chance.uniform(0.05, 0.3), mend)


class WindowCloses(Trouble):
    """An enterprise customer's window ends just after its env vars were written, before any deploy: time jumps."""

    def prepare(self, scene: Scene) -> None:
        """At the first of them."""

        def listen(ask: Ask) -> None:
            customer = scene.stage.made.by_service().get(ask.path.split("/")[2])
            if self.has_fired or customer is None or customer.policy != "enterprise" or ask.method != "PUT":
                return
            self.has_fired = True
            now = at = scene.now
            while in_window(customer.window, at):
                at += timedelta(minutes=5)
            scene.stage.clock.step((at - now).total_seconds())

        scene.stage.listeners.append(listen)


class PauseAll(Trouble):
    """Somebody turns the kill switch for some hours while customers are under way."""

    def prepare(self, scene: Scene) -> None:
        """Just after one of our writes."""
        scene.nth(
            "/env-vars/",
            scene.chance.randrange(1, 10),
            lambda *_: scene.later(1e-4, lambda: self._pause(scene)),
            method="PUT",
        )

    async def _pause(self, scene: Scene) -> None:
        code = await scene.people.try_it(OPERATOR, lambda deps: set_pause(deps, paused=True, reason="stop"))
        self.has_fired = not code
        scene.later(scene.chance.uniform(0.05, 1.5), lambda: self._resume(scene))

    async def _resume(self, scene: Scene) -> None:
        await scene.people.try_it(OPERATOR, lambda deps: set_pause(deps, paused=False))


class RolloutPaused(Trouble):
    """The rollout is paused for some days."""

    def prepare(self, scene: Scene) -> None:
        """In the first days."""
        scene.later(scene.chance.uniform(0.01, 8), lambda: self._pause(scene))

    async def _pause(self, scene: Scene) -> None:
        self.has_fired = scene.is_open()
        await scene.people.try_it(OPERATOR, lambda deps: pause_rollout(deps, NEW, reason="lunch"))
        scene.later(scene.chance.uniform(0.1, 3), lambda: self._resume(scene))

    async def _resume(self, scene: Scene) -> None:
        await scene.people.try_it(OPERATOR, lambda deps: resume_rollout(deps, NEW))


class CustomerHeld(Trouble):
    """A customer is held for some days."""

    def prepare(self, scene: Scene) -> None:
        """From the start on."""
        scene.later(0.01, lambda: self._hold(scene))

    async def _hold(self, scene: Scene) -> None:
        waiting = scene.waiting()
        if waiting:
            self._slug = scene.chance.choice(waiting).slug
            self.has_fired = not await scene.people.try_it(OPERATOR, lambda deps: hold(deps, self._slug, reason="ask"))
            scene.later(scene.chance.uniform(1, 20), lambda: self._release(scene))

    async def _release(self, scene: Scene) -> None:
        await scene.people.try_it(OPERATOR, lambda deps: release(deps, FreezeKind.HOLD, self._slug))


class TwoOperators(Trouble):
    """Two people start the same release at once, and go on at once when it is paused."""

    def prepare(self, scene: Scene) -> None:
        """A minute after the start."""
        scene.later(0.001, lambda: self._both(scene))

    async def _both(self, scene: Scene) -> None:
        async def start(deps: object) -> None:
            planned = await make_release_plan(deps, NEW, force=True)  # type: ignore[arg-type]
            await ask_for(deps, Wish(NEW), planned.plan, lambda _: None)  # type: ignore[arg-type]

        people = scene.people
        await asyncio.gather(*(people.try_it(actor, start) for actor in (OPERATOR, REQUESTER)))
        await people.try_it(OPERATOR, lambda deps: pause_rollout(deps, NEW, reason="a look"))
        await asyncio.gather(
            *(people.try_it(actor, lambda deps: resume_rollout(deps, NEW)) for actor in (OPERATOR, REQUESTER))
        )
        self.has_fired = len(scene.rows.all("SELECT 1 FROM rollout")) == 1


class ApprovalReplayed(Trouble):
    """The same approval is given again and again, before and after it was used, and by who asked for the release."""

    def prepare(self, scene: Scene) -> None:
        """At the start, and each time an enterprise customer begins."""
        slug = next(one.slug for one in scene.stage.made.customers.values() if one.policy == "enterprise")
        scene.later(0.01, lambda: self._replay(scene, slug))
        owners = scene.stage.made.by_service()

        def listen(ask: Ask) -> None:
            if ask.method == "PUT" and owners[ask.path.split("/")[2]].policy == "enterprise":
                scene.later(0.001, lambda: self._replay(scene, slug))

        scene.stage.listeners.append(listen)

    async def _replay(self, scene: Scene, slug: str) -> None:
        for actor in (APPROVERS[0], APPROVERS[0], APPROVERS[0], REQUESTER, "mallory"):
            await scene.people.approve(actor, slug)
        self.has_fired = scene.people.refusals.get("SW413", 0) > 1


class CustomerAsksBack(Trouble):
    """A customer who has the version wants the old one back while it is watched."""

    def prepare(self, scene: Scene) -> None:
        """Some time after its frontend's deploy."""
        scene.nth(
            "-front/deploys",
            scene.chance.randrange(1, 6),
            lambda _, one: scene.later(0.015, lambda: self._ask(scene, one)),
        )

    async def _ask(self, scene: Scene, customer: Customer) -> None:
        request = RollbackRequest(customer.slug, reason="they ask for it")
        self.has_fired = not await scene.people.try_it(OPERATOR, lambda deps: start_rollback(deps, request))


class ClocksChange(Trouble):
    """The release goes over a night in which some customers' clocks change."""

    def prepare(self, scene: Scene) -> None:
        """Looks whether any customer's zone has another offset at the end."""
        zones = {one.window.zone for one in scene.stage.made.customers.values()}
        start = scene.stage.made.start
        self.has_fired = any(_offset(zone, start) != _offset(zone, start + timedelta(days=40)) for zone in zones)


def _offset(zone: str, at: datetime) -> timedelta | None:
    return at.astimezone(ZoneInfo(zone)).utcoffset()
