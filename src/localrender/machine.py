"""Moves deploys through their states by product time; the work of a stage runs in `jobs.py`. Knows nothing of HTTP.

A stage ends when its time is over and its work is done, whichever is later. Nothing here waits: `advance` does what is
due and `next_due` says when to call it again. Legal moves and overlap policies: reference, sections 3.2 and 3.3.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from localrender.clock import Clock
from localrender.hosting import AppHost, Built, CommitInfo
from localrender.ids import IDMint
from localrender.jobs import JobResult, Jobs
from localrender.journal import EventBook
from localrender.model import RUNNING, WAITING, Deploy, Kind, Options, Policy, Script, Service, State, Status, Trigger


class CannotCancel(Exception):
    """The deploy has ended, or its traffic is being switched."""


class ArtifactGone(Exception):
    """The deploy never succeeded, or what it built is no longer kept."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a new deploy shall run: a commit or an image, the env vars of this moment, and what to reuse."""

    trigger: Trigger
    commit: CommitInfo | None
    env: dict[str, str]
    artifact: Built | None = None
    rebuild: bool = True
    rollback_of: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What the machine works with."""

    clock: Clock
    host: AppHost
    jobs: Jobs
    mint: IDMint
    options: Options


class Machine:
    """The deploys of one state.

    Args:
        state: the services; changed in place.
        tools: clock, host, jobs, ids and options.
    """

    def __init__(self, state: State, tools: Tools) -> None:
        self._state = state
        self._tools = tools
        self.events = EventBook(state, tools.mint)
        self.switched: set[str] = set()
        """The services whose traffic was switched since the state was made."""
        self._active: set[str] = set()

    def create(self, service: Service, order: Order) -> Deploy:
        """Make a deploy under the overlap policy; its status is `queued` where it has to wait."""
        now = self._tools.clock.now()
        mint = self._tools.mint
        deploy = Deploy(mint.mint("dep", now), service.id, order.trigger, order.commit, dict(order.env), now, now)
        deploy.artifact, deploy.needs_build, deploy.image = order.artifact, order.rebuild, order.image
        deploy.rollback_of, deploy.build_id = order.rollback_of, mint.mint("bld", now)
        deploy.script = service.scripts.pop(0) if service.scripts else Script()
        self._make_way(service, deploy, now)
        service.deploys.append(deploy)
        self._active.add(service.id)
        if service.running is None:
            self._start(service, deploy, now)
        elif self._tools.options.policy is Policy.WAIT:
            deploy.status = Status.QUEUED
        return deploy

    def roll_back(self, service: Service, target: Deploy) -> Deploy:
        """Make a deploy of the target's artifact with the target's env vars; the configuration stays (section 3.4).

        Raises:
            ArtifactGone: the target is none of the successful deploys that are kept.
        """
        if target not in self.retained(service):
            raise ArtifactGone(target.id)
        order = Order(
            Trigger.ROLLBACK,
            target.commit,
            target.env,
            artifact=target.artifact,
            rebuild=False,
            rollback_of=target.id,
            image=target.image,
        )
        return self.create(service, order)

    def cancel(self, service: Service, deploy: Deploy) -> None:
        """End a deploy that has not gone live; the waiting one starts at once.

        Raises:
            CannotCancel: it has ended already, or goes live at this moment.
        """
        if deploy.status not in RUNNING | WAITING or deploy.switching:
            raise CannotCancel(deploy.id)
        self._end(service, deploy, Status.CANCELED, self._tools.clock.now())
        self._advance(service)

    def remove(self, service: Service) -> None:
        """Delete a service; what it was doing ends."""
        running = service.running
        if running is not None:
            self._tools.jobs.end(service.id, running.id)
        self._active.discard(service.id)
        del self._state.services[service.id]

    def retained(self, service: Service) -> list[Deploy]:
        """The successful deploys whose artifacts are kept, oldest first."""
        successful = [one for one in service.deploys if one.live_at is not None]
        return successful[-self._tools.options.retention :] if self._tools.options.retention > 0 else []

    def advance(self) -> bool:
        """Do everything that is due; True if anything moved."""
        moved = [self._advance(self._state.services[one]) for one in list(self._active)]
        return any(moved)

    def next_due(self) -> datetime | None:
        """When a stage is over by time; None where nothing runs, or only work is awaited (its end wakes)."""
        deploys = [self._state.services[one].running for one in self._active]
        now = self._tools.clock.now()
        return min(
            (one.due for one in deploys if one is not None and one.due is not None and one.due > now), default=None
        )

    @property
    def busy(self) -> bool:
        """Whether any deploy runs or waits."""
        return bool(self._active)

    def _make_way(self, service: Service, newcomer: Deploy, now: datetime) -> None:
        for waiting in [one for one in service.deploys if one.status in WAITING]:
            self._end(service, waiting, Status.CANCELED, now, newer=newcomer.id)
        running = service.running
        if running is not None and self._tools.options.policy is Policy.OVERRIDE and not running.switching:
            self._end(service, running, Status.CANCELED, now, newer=newcomer.id)

    def _advance(self, service: Service) -> bool:
        moved = False
        while self._step(service):
            moved = True
        if service.running is None and service.waiting is None:
            self._active.discard(service.id)
        return moved

    def _step(self, service: Service) -> bool:
        deploy = service.running
        now = self._tools.clock.now()
        if deploy is None:
            if service.waiting is None:
                return False
            self._start(service, service.waiting, now)
            return True
        result = self._tools.jobs.result(deploy.id)
        if deploy.due is None or deploy.due > now or result is None:
            return False
        self._tools.jobs.forget(deploy.id)
        self._finish_stage(service, deploy, result)
        return True

    def _start(self, service: Service, deploy: Deploy, at: datetime) -> None:
        deploy.started_at = deploy.updated_at = at
        self.events.deploy_started(service, deploy, at)
        if deploy.image is not None or not deploy.needs_build:
            self._update(service, deploy, at)
            return
        deploy.status = Status.BUILD
        self.events.build_started(service, deploy, at)
        options = self._tools.options
        site = service.kind is Kind.FRONTEND
        self._set_due(deploy, at, options.static_seconds if site else options.build_seconds)
        self._tools.jobs.begin(service.id, deploy.id, lambda: self._build(service, deploy))

    def _update(self, service: Service, deploy: Deploy, at: datetime) -> None:
        deploy.status, deploy.updated_at = Status.UPDATE, at
        self._set_due(deploy, at, self._tools.options.update_seconds)
        self._tools.jobs.begin(service.id, deploy.id, lambda: self._boot(service, deploy))

    def _switch(self, service: Service, deploy: Deploy, at: datetime) -> None:
        deploy.switching, deploy.due = True, at
        self._tools.jobs.begin(service.id, deploy.id, lambda: self._reroute(deploy))

    def _finish_stage(self, service: Service, deploy: Deploy, result: JobResult) -> None:
        at = max(result.at, deploy.due or result.at)
        building = deploy.status is Status.BUILD
        failed = Status.BUILD_FAILED if building else Status.UPDATE_FAILED
        if building:
            ok = result.error is None and deploy.script.ends is not Status.BUILD_FAILED
            self.events.build_ended(service, deploy, at, "succeeded" if ok else "failed")
        if result.error is not None:
            self._end(service, deploy, failed, at)
        elif deploy.switching:
            self._go_live(service, deploy, at)
        elif (scripted := _scripted_end(service, deploy)) is not None:
            self._end(service, deploy, scripted, at)
        elif building and service.kind is Kind.BACKEND:
            deploy.artifact = result.built
            self._update(service, deploy, at)
        else:
            deploy.artifact = result.built or deploy.artifact
            self._switch(service, deploy, at)

    def _go_live(self, service: Service, deploy: Deploy, at: datetime) -> None:
        before = service.live
        if before is not None:
            before.status, before.updated_at = Status.DEACTIVATED, at
        deploy.switching = False
        deploy.live_at = at
        self._end(service, deploy, Status.LIVE, at)

    def _end(self, service: Service, deploy: Deploy, status: Status, at: datetime, *, newer: str | None = None) -> None:
        started = deploy.status in RUNNING
        deploy.status, deploy.updated_at, deploy.finished_at, deploy.due = status, at, at, None
        deploy.switching = False
        if started and status is not Status.LIVE:
            self._tools.jobs.end(service.id, deploy.id)
        if started:
            self.events.deploy_ended(service, deploy, at, newer)

    def _set_due(self, deploy: Deploy, at: datetime, seconds: float) -> None:
        seconds = seconds if deploy.script.seconds is None else deploy.script.seconds
        deploy.due = None if deploy.script.hangs else at + timedelta(seconds=seconds)

    async def _build(self, service: Service, deploy: Deploy) -> Built | None:
        if deploy.commit is None:
            return None
        env = run_env(service, deploy)
        built = await self._tools.host.build(service.id, service.kind.value, deploy.commit.id, env)
        if service.kind is Kind.FRONTEND:
            await self._tools.host.start(built, env)
        return built

    async def _boot(self, service: Service, deploy: Deploy) -> Built | None:
        if deploy.artifact is not None:
            await self._tools.host.start(deploy.artifact, run_env(service, deploy))
        return deploy.artifact

    async def _reroute(self, deploy: Deploy) -> Built | None:
        if deploy.artifact is not None:
            self.switched.add(deploy.service_id)
            await self._tools.host.switch(deploy.service_id)
        return deploy.artifact


def _scripted_end(service: Service, deploy: Deploy) -> Status | None:
    ends = deploy.script.ends
    update_follows = deploy.status is Status.BUILD and service.kind is Kind.BACKEND
    return None if ends is Status.UPDATE_FAILED and update_follows else ends


def run_env(service: Service, deploy: Deploy) -> dict[str, str]:
    """The deploy's env vars and those that the platform adds at run time (section 4)."""
    commit = deploy.commit.id if deploy.commit else ""
    added = {
        "RENDER": "true",
        "RENDER_GIT_BRANCH": service.branch,
        "RENDER_GIT_COMMIT": commit,
        "RENDER_SERVICE_ID": service.id,
        "RENDER_SERVICE_NAME": service.name,
        "RENDER_EXTERNAL_URL": service.url,
    }
    return {**added, **deploy.env}
