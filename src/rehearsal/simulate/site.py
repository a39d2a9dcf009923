"""One customer's services at the platform: its own state machine, without HTTP and without applications."""

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from typing import cast

from localrender.clock import Clock as PlatformClock
from localrender.hosting import AppHost, Built, CommitInfo
from localrender.ids import IDMint
from localrender.jobs import JobResult, Jobs, Work
from localrender.machine import CannotCancel, Machine, Order, Tools
from localrender.model import Deploy, Kind, Options, Script, Service, State, Status, Trigger
from rehearsal.simulate.fate import Fate, Trouble
from securewatch.deploy.model import ServiceKind

OWNER = "tea-rehearsal"
UPDATE_SECONDS = 15.0
BEFORE = "0" * 40
"""The commit that everybody runs before the release."""
_OLD = timedelta(days=30)


class CourseClock:
    """Product time of one course: it is where the course put it."""

    def __init__(self, start: datetime) -> None:
        self.instant = start

    def now(self) -> datetime:
        """Product time."""
        return self.instant

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        """Nothing here sleeps."""
        raise AssertionError("a course does not sleep")


class _NoHost:
    """Builds and runs nothing, at once."""

    async def build(self, service_id: str, kind: str, commit: str, env: Mapping[str, str]) -> Built:
        return Built(service_id, commit, None)

    async def start(self, built: Built, env: Mapping[str, str]) -> None:
        return None

    async def switch(self, service_id: str) -> None:
        return None


class _InstantJobs(Jobs):
    """The work of a stage is done when it begins, without an event loop; its time is the state machine's business."""

    def __init__(self, clock: PlatformClock) -> None:
        self._now = clock.now
        self._results: dict[str, JobResult] = {}

    def begin(self, service_id: str, deploy_id: str, work: Work) -> None:
        self._results[deploy_id] = JobResult(self._now(), _finished(work()), None)

    def result(self, deploy_id: str) -> JobResult | None:
        return self._results.get(deploy_id)

    def end(self, service_id: str, deploy_id: str) -> None:
        self._results.pop(deploy_id, None)

    def forget(self, deploy_id: str) -> None:
        self._results.pop(deploy_id, None)


def _finished(work: Coroutine[None, None, Built | None]) -> Built | None:
    try:
        work.send(None)
    except StopIteration as ended:
        return cast("Built | None", ended.value)
    raise AssertionError("the work of a rehearsed stage waits for nothing")


class Site:
    """A customer's services, each with the deploy that was live before; `fate` says what the version does to them."""

    def __init__(
        self, services: tuple[tuple[ServiceKind, str], ...], fate: Fate, clock: CourseClock, mint: IDMint
    ) -> None:
        self._clock, self._mint, self._fate = clock, mint, fate
        self._state = State()
        host = cast("AppHost", _NoHost())
        self._machine = Machine(self._state, Tools(clock, host, _InstantJobs(clock), mint, Options()))
        for kind, service_id in services:
            self._state.services[service_id] = self._make(kind, service_id)

    def _make(self, kind: ServiceKind, service_id: str) -> Service:
        at = self._clock.now() - _OLD
        made = Deploy(self._mint.mint("dep", at), service_id, Trigger.API, _commit(BEFORE, at), {}, at, at)
        made.status, made.live_at, made.finished_at = Status.LIVE, at, at
        service = Service(service_id, service_id, Kind(kind.value), OWNER, at, at, "", "")
        service.deploys.append(made)
        return service

    def live(self, service_id: str) -> Deploy:
        """The deploy that serves."""
        found = self._state.services[service_id].live
        if found is None:
            raise AssertionError(f"{service_id} serves nothing")
        return found

    def deploys(self, service_id: str) -> list[Deploy]:
        """Every deploy of a service, oldest first."""
        return self._state.services[service_id].deploys

    def find(self, service_id: str, deploy_id: str) -> Deploy:
        """One deploy, as it is now."""
        self._machine.advance()
        return next(one for one in reversed(self.deploys(service_id)) if one.id == deploy_id)

    def due(self) -> datetime | None:
        """When a deploy next changes by itself."""
        self._machine.advance()
        return self._machine.next_due()

    def deploy(self, service_id: str, commit: str, *, seconds: float) -> Deploy:
        """Create a deploy of a commit; build and start take that long together."""
        service = self._state.services[service_id]
        trouble = self._fate.trouble if commit != BEFORE and service.kind is Kind.BACKEND else Trouble.NONE
        ends = Status.BUILD_FAILED if trouble is Trouble.BUILD else None
        stages = 2 if service.kind is Kind.BACKEND else 1
        each = seconds * self._fate.pace / stages
        service.scripts = [Script(ends, hangs=trouble is Trouble.HANGS, seconds=each)]
        return self._machine.create(service, Order(Trigger.API, _commit(commit, self._clock.now()), {}))

    def roll_back(self, service_id: str, deploy_id: str) -> Deploy:
        """Go back to a deploy by Render's rollback."""
        service = self._state.services[service_id]
        service.scripts = [Script(seconds=UPDATE_SECONDS)]
        return self._machine.roll_back(service, self.find(service_id, deploy_id))

    def cancel(self, service_id: str, deploy_id: str) -> bool:
        """Cancel a deploy; False where it has ended."""
        try:
            self._machine.cancel(self._state.services[service_id], self.find(service_id, deploy_id))
        except CannotCancel:
            return False
        return True


def _commit(sha: str, at: datetime) -> CommitInfo:
    return CommitInfo(sha, "", at)
