"""The platform: state, clock, host, machine, limits, faults and journal, held together. Knows nothing of HTTP."""

import asyncio
import contextlib
from copy import deepcopy
from datetime import datetime

from localrender.backups import Backups, Shelf
from localrender.clock import Clock
from localrender.errands import Errands
from localrender.faults import Faults
from localrender.hosting import AppHost, Built
from localrender.ids import IDMint
from localrender.jobs import Jobs
from localrender.journal import Journal
from localrender.machine import Machine, Tools, run_env
from localrender.model import Kind, Options, Service, State
from localrender.rates import RateLimits
from localrender.seed import World, seed_state
from localrender.storage import Storage

SEEDS_AT_ONCE = 4


class Platform:
    """A Render-compatible platform; `app.create_app` serves it.

    Args:
        host: builds and serves the customers' applications; closed with the platform.
        clock: product time.
        world: what the state is seeded from, at the start and at every reset.
        options: how it behaves; a reset puts them back.
        storage: the customers' databases, where they are real; its dumps are removed with the platform.

    `start` comes before anything else and `close` at the end; in between a ticker moves deploys on.
    """

    def __init__(
        self,
        host: AppHost,
        clock: Clock,
        world: World,
        options: Options | None = None,
        *,
        storage: Storage | None = None,
    ) -> None:
        self.host = host
        self.clock = clock
        self.world = world
        self.options = options or Options()
        self.faults = Faults()
        self.journal = Journal()
        self.rates = RateLimits(self.options)
        self.state: State
        self.machine: Machine
        self.backups: Backups
        self.mint: IDMint
        self.touched: set[str] = set()
        self._first_options = _copy(self.options)
        self._kept: State | None = None
        self._artifacts: dict[str, Built] = {}
        self._wake = asyncio.Event()
        self._jobs = Jobs(host, clock, self._wake)
        self._storage = storage
        self._errands = Errands(self._wake)
        self._ticker: asyncio.Task[None] | None = None
        self._requests = IDMint(f"{world.seed}:requests")

    async def start(self) -> None:
        """Seed the state, bring every service up at `v1.0.0` and start the ticker.

        Raises:
            SeedUnreadable: the vendor's repository has no `v1.0.0`.
            BuildFailed, StartFailed: that version does not come up.
        """
        self._seed()
        gate = asyncio.Semaphore(SEEDS_AT_ONCE)
        await asyncio.gather(*(self._bring_up(service, gate) for service in self.state.services.values()))
        self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def close(self) -> None:
        """Stop the ticker and all work, and end every application."""
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        await self._jobs.stop()
        await self._errands.stop()
        if self._storage is not None:
            self._storage.clear()
        await self.host.close()

    async def reset(self) -> None:
        """Go back to the seeded or kept state: services, env vars, keys, faults, limits, journal and applications.

        Only services that something was done to are restarted, so this takes milliseconds in-process. Real databases
        are empty afterwards, and every backend is restarted to make its tables.
        """
        await self._jobs.stop()
        await self.backups.clear()
        touched, self.touched = self.touched | self.machine.switched, set()
        if self._storage is not None:
            touched |= {one.id for one in self.state.services.values() if one.kind is Kind.BACKEND}
        _restore(self.options, self._first_options)
        self.faults.clear()
        self.rates.clear()
        self.journal.clear()
        self._seed()
        gate = asyncio.Semaphore(SEEDS_AT_ONCE)
        await asyncio.gather(*(self._put_back(service, gate) for service in self._among(touched)))

    def keep(self) -> None:
        """Let a reset go back to the services and keys of now, not to the seeded ones. Databases stay out of it."""
        self._kept = deepcopy(self.state)

    def forget(self) -> None:
        """Let a reset go back to the seeded state again."""
        self._kept = None

    def advance(self) -> bool:
        """Move every deploy and every backup that is due; True if any moved."""
        return any([self.machine.advance(), self.backups.advance()])

    def poke(self) -> None:
        """Let the ticker look again, since something may be due earlier now."""
        self._wake.set()

    async def settle(self) -> None:
        """Finish whatever is due at this moment of product time: work and moves, until nothing moves any more."""
        moved = True
        while moved:
            moved = self.advance()
            await self._jobs.idle()
            await self._errands.idle()
            moved = self.advance() or moved

    def now(self) -> datetime:
        """Product time."""
        return self.clock.now()

    def mint_request_id(self) -> str:
        """A new `Render-Request-Id`."""
        return self._requests.mint("req", self.clock.now()).removeprefix("req-")

    def _seed(self) -> None:
        if self._kept is not None:
            self.state = deepcopy(self._kept)
        else:
            self.state, self.mint = seed_state(self.world, self.host, self.clock.now())
            for service_id, artifact in self._artifacts.items():
                self.state.services[service_id].deploys[0].artifact = artifact
        self.machine = Machine(self.state, Tools(self.clock, self.host, self._jobs, self.mint, self.options))
        shelf = Shelf(self.clock, self.mint, self.options, self._errands, self._storage)
        self.backups = Backups(self.state, shelf, self.machine.events)

    def _among(self, touched: set[str]) -> list[Service]:
        return [service for service in self.state.services.values() if service.id in touched]

    async def _bring_up(self, service: Service, gate: asyncio.Semaphore) -> None:
        deploy = service.deploys[0]
        if deploy.commit is None:
            return
        async with gate:
            env = run_env(service, deploy)
            built = await self.host.build(service.id, service.kind.value, deploy.commit.id, env)
            deploy.artifact = self._artifacts[service.id] = built
            await self.host.start(built, env)
            await self.host.switch(service.id)

    async def _put_back(self, service: Service, gate: asyncio.Semaphore) -> None:
        deploy = service.live
        if deploy is None or deploy.artifact is None:
            return
        async with gate:
            await self.host.suspend(service.id, service.suspended)
            await self.host.maintain(service.id, service.maintenance)
            await self.host.misbehave(service.id, None)
            await self.host.start(deploy.artifact, run_env(service, deploy))
            await self.host.switch(service.id)

    async def _tick(self) -> None:
        while True:
            self._wake.clear()
            self.advance()
            due = min((one for one in (self.machine.next_due(), self.backups.next_due()) if one), default=None)
            if due is None:
                await self._wake.wait()
            else:
                await self.clock.sleep_until(due, wake=self._wake)


def _copy(options: Options) -> Options:
    copied = Options()
    _restore(copied, options)
    return copied


def _restore(options: Options, wanted: Options) -> None:
    for name in Options.__dataclass_fields__:
        value = getattr(wanted, name)
        setattr(options, name, dict(value) if isinstance(value, dict) else value)
