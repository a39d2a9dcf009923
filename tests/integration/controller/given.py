"""The real controller, ledger, store and client over the local platform in-process, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx2

from localrender.app import create_app
from localrender.faults import ConnectionDropped
from localrender.model import Deploy
from securewatch.backup.model import Header, TableDifference, TableFacts, Trailer
from securewatch.backup.restore import Restored
from securewatch.backup.take import Taken
from securewatch.backup.work import Backups
from securewatch.controller.backups import BackupKeeper
from securewatch.controller.controller import EVERYTHING, Controller, Parts, Scope
from securewatch.controller.databases import CustomerDatabases
from securewatch.controller.ledger import Ledger, LedgerParts, Patience
from securewatch.controller.load import ROLLBACK
from securewatch.controller.observer import Observer
from securewatch.controller.vault import StoredVault
from securewatch.core.errors import NeedsHuman, Rejected
from securewatch.deploy.looks import Sight
from securewatch.deploy.model import DatabasePlan, DeployRules, EnvChange, GateRules, Plan, Run, ServiceKind, Stage
from securewatch.deploy.outcomes import Tools
from securewatch.deploy.plan import hash_of
from securewatch.deploy.ports import Migrated
from securewatch.deploy.view import Effect, NewEffect
from securewatch.health.probe import DatabaseAnswer, DatabaseState, Prober, ProbeTarget, VersionAnswer, VersionState
from securewatch.health.verdict import Sample
from securewatch.migration.files import Migration
from securewatch.render.budget import RateBudget
from securewatch.render.client import ClientOptions, RenderClient
from securewatch.rollout.view import RolloutView, Start
from securewatch.store import audit, effects, inbox, meta, plans, runs, sealed
from securewatch.store.box import SecretBox
from securewatch.store.database import Database
from securewatch.versions.git import VendorRepository
from securewatch.versions.tag import Tag
from tests.factories import BACKEND, FRONTEND, NOW, SERVICE_IDS, make_customer_plan, make_plan, make_run, make_service
from tests.fakes.hosting import FakeHost, make_commit
from tests.fakes.rig import KEY, Rig, running_rig

GRACE_SECONDS, HTTP_TIMEOUT_SECONDS = 300.0, 10.0
OLD, NEW = make_commit(0).id, make_commit(1).id
WRITES = {BACKEND: {"VERSION_TAG": "v1.1.0"}, FRONTEND: {"VITE_VERSION_TAG": "v1.1.0"}}
NO_GATES = GateRules()
RULES = DeployRules(
    settle_seconds=60.0, monitoring_seconds=1800.0, dense_duration_seconds=600.0, sparse_interval_seconds=120.0
)


class RigClock:
    """The product's clock on the platform's stepped one; real seconds can be held still or let run on their own."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.monotonic_seconds = 1000.0
        self.on_reading: Callable[[], None] = lambda: None
        self.skips_idle = False
        self.skipped_at: list[datetime] = []

    def now(self) -> datetime:
        return self._rig.clock.now()

    def monotonic(self) -> float:
        self.on_reading()
        return self.monotonic_seconds

    def skip_to(self, instant: datetime) -> None:
        self.skipped_at.append(self.now())
        self._rig.clock.advance(max((instant - self.now()).total_seconds(), 0.0))

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        """Time goes on only where nothing under way wakes the sleeper first."""
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), 0.05)
        if not wake.is_set() and instant > self.now():
            await self._rig.pass_seconds((instant - self.now()).total_seconds())


class NoStarter:
    """There are no rollouts here."""

    async def begin(self, view: RolloutView, start: Start) -> datetime | None:
        raise AssertionError(f"{start} of {view.rollout.id} was to be begun")


class Wire(httpx2.AsyncBaseTransport):
    """The way to the platform in-process; a dropped connection looks as it does on a socket."""

    def __init__(self, rig: Rig) -> None:
        self._app = httpx2.ASGITransport(create_app(rig.platform))
        self.writes: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.url.path.removeprefix('/v1')}")
        try:
            return await self._app.handle_async_request(request)
        except ConnectionDropped as error:
            raise httpx2.ReadError("the connection was closed") from error


class FakeProber:
    """Asks the fake host what a service runs; `sick` commits fail their health requests."""

    def __init__(self, rig: Rig) -> None:
        self._host: FakeHost = rig.host
        self._clock = rig.clock
        self.sick: set[str] = set()

    async def sample(self, target: ProbeTarget) -> Sample:
        is_ok = self._commit(target) not in self.sick
        return Sample(self._clock.now(), is_ok, 20.0, "" if is_ok else "HTTP 500")

    async def version(
        self, target: ProbeTarget, *, expected_version: str, expected_commit: str | None = None
    ) -> VersionAnswer:
        found = next(name for name, one in self._host.tags.items() if one.id == self._commit(target))
        is_match = found == expected_version or not expected_version
        return VersionAnswer(VersionState.MATCH if is_match else VersionState.MISMATCH, found)

    async def database(self, target: ProbeTarget) -> DatabaseAnswer:
        return DatabaseAnswer(DatabaseState.OK)

    def _commit(self, target: ProbeTarget) -> str:
        return self._host.serving[target.url.rsplit("/", 1)[1]][0]


class FakeRepository:
    """The vendor's tags, as the fake host has them; `tags` may be moved."""

    def __init__(self, host: FakeHost) -> None:
        self.tags = {name: one.id for name, one in host.tags.items()}
        self.files: Mapping[str, bytes] = {}

    async def resolve(self, name: str) -> Tag:
        return Tag(name, self.tags[name], annotated=True, version=None)

    async def list_tags(self) -> list[Tag]:
        return [await self.resolve(name) for name in self.tags]

    async def read_files(self, _commit: str, _folder: str) -> Mapping[str, bytes]:
        return self.files


class FakeDatabase:
    """The customer's database behind the real way to it: what was applied to it, at which URL, and what it raises.

    It gives backups too, as `Backups` does; `differences` are what a try of one finds.
    """

    shown_place = "/backups"

    def __init__(self) -> None:
        self.applied: dict[str, str] = {}
        self.error: BaseException | None = None
        self.taken: list[str] = []
        self.tried: list[str] = []
        self.differences: tuple[TableDifference, ...] = ()

    async def take(self, customer: str, *, version: str, url: str, progress: object) -> Taken:
        if self.error is not None:
            raise self.error
        self.taken.append(f"{customer}/{len(self.taken)}.swbackup")
        header = Header(SecretBox(bytes(range(32))).key_id, customer, version, NOW, NOW, "16.4", 16, "UTF8")
        trailer = Trailer(100, "a" * 64, 8000, (TableFacts("public.orders", 3, "c0"),))
        return Taken(self.taken[-1], header, trailer, 120, 2.0)

    async def verify(self, name: str, *, customer: str, key: tuple[str, bytes], customers: Collection[str]) -> Restored:
        self.tried.append(name)
        header = Header(key[0], customer, "v1.0.0", NOW, NOW, "16.4", 16, "UTF8")
        return Restored(header, Trailer(100, "a" * 64, 8000, ()), 3.0, self.differences)

    async def apply(self, url: str, migrations: Sequence[Migration]) -> Migrated:
        if isinstance(self.error, Rejected | NeedsHuman):
            return Migrated(tuple(self.applied), self.error)
        if self.error is not None:
            raise self.error
        new = [one.id for one in migrations if one.id not in self.applied]
        self.applied.update(dict.fromkeys(new, url))
        return Migrated(tuple(one.id for one in migrations))


@dataclass
class Engine:
    """Everything that a test of the controller drives; `restart` is what a new process would have."""

    rig: Rig
    clock: RigClock
    wire: Wire
    client: RenderClient
    database: Database
    box: SecretBox
    prober: FakeProber
    repository: FakeRepository
    plan: Plan
    run: Run
    customer_database: FakeDatabase = field(default_factory=FakeDatabase)
    ledger: Ledger = field(init=False)
    controller: Controller = field(init=False)

    def restart(self, *, scope: Scope = EVERYTHING) -> None:
        vault = StoredVault(self.database, self.box, clock=self.clock)
        owner_id = self.rig.backend.owner_id
        patience = Patience(GRACE_SECONDS, HTTP_TIMEOUT_SECONDS, self.clock.monotonic(), self.clock.now())
        repository, customer = cast("VendorRepository", self.repository), self.customer_database
        keeper = BackupKeeper(self.database, self.box, cast("Backups", customer), self.clock, "ann")
        databases = CustomerDatabases(
            client=self.client,
            repository=repository,
            apply=customer.apply,
            secret_of=lambda _slug, _key: None,
            keeper=lambda: keeper,
            store=self.database,
            clock=self.clock,
            owner_id=owner_id,
        )
        tools = Tools(self.client, vault, databases, owner_id)
        self.ledger = Ledger(LedgerParts(self.database, self.box, tools, "ann"), clock=self.clock, patience=patience)
        sight = Sight(self.client, cast("Prober", self.prober), repository)
        observer = Observer(self.database, self.box, sight, clock=self.clock)
        parts = Parts(self.database, self.box, self.clock, self.ledger, observer, "ann", NoStarter())
        self.controller = Controller(parts, scope=scope)

    # --- one effect ---------------------------------------------------------------------------------------------------

    async def intend(self, new: NewEffect) -> Effect:
        """Write an intent down, as a decision does."""
        async with self.database.write("intend") as tx:
            (made,) = await effects.add_effects(tx, self.run, [new], at=self.clock.now())
        return made

    async def effect(self, made: Effect) -> Effect:
        """The row as it is now."""
        async with self.database.read() as tx:
            found = await effects.load_effect(tx, made.id)
        assert found is not None
        return found

    async def work(self, made: Effect) -> Effect:
        """Let the ledger take one step with the effect; gives the row after it."""
        await self.ledger.work(made.id)
        return await self.effect(made)

    async def pass_seconds(self, seconds: float, *, real: float | None = None) -> None:
        """Let product time go by, and as many real seconds unless told otherwise."""
        await self.rig.pass_seconds(seconds)
        self.clock.monotonic_seconds += seconds if real is None else real

    async def arm(self, kind: str, **fault: Any) -> None:
        """Arm a fault of the platform for the next matching request."""
        answer = await self.rig.admin.post("/faults", json={"kind": kind, **fault})
        assert answer.status_code < 300, answer.text

    async def pause(self, paused: bool = True) -> None:
        """Turn the kill switch."""
        async with self.database.write("pause") as tx:
            await meta.set_paused(tx, paused, actor="ann", at=self.clock.now())

    def ours(self, kind: ServiceKind = BACKEND) -> list[Deploy]:
        """The deploys of a service that this tool made, by build or rollback."""
        return [
            one for one in self.rig.platform.state.services[SERVICE_IDS[kind]].deploys if one.trigger != "new_commit"
        ]

    def env(self, kind: ServiceKind = BACKEND) -> Mapping[str, str]:
        """A service's env vars on the platform."""
        found = self.rig.platform.state.services[SERVICE_IDS[kind]].env
        return {key: one.value for key, one in found.items()}

    # --- the whole run ------------------------------------------------------------------------------------------------

    async def load(self, run_id: str | None = None) -> Run:
        """The run as it is stored."""
        async with self.database.read() as tx:
            found = await runs.load_run(tx, run_id or self.run.id)
        assert found is not None
        return found

    async def step(self) -> None:
        """One tick and the work that it begins; then time goes on to the next instant at which anything is due."""
        if await self.controller.tick():
            return
        await self.controller.drain()
        now = self.clock.now()
        unfinished = [one for one in self.controller.decisions.values() if not one.run.stage.is_terminal]
        instants = [one.next_at or now + timedelta(seconds=5) for one in unfinished]
        await self.pass_seconds(min([(one - now).total_seconds() for one in instants if one > now], default=5.0))

    async def run_until(self, is_done: Callable[[Run], bool], *, steps_max: int = 1500) -> Run:
        """Step until the run is where the test wants it."""
        for _ in range(steps_max):
            await self.step()
            run = await self.load()
            if is_done(run):
                return run
        raise AssertionError(f"still {run.stage} after {steps_max} steps: {run}")

    async def audited(self) -> list[str]:
        """The actions in the audit log, in order."""
        async with self.database.read() as tx:
            return [one.action for one in await audit.entries(tx)]


def ended(run: Run) -> bool:
    return run.stage.is_terminal


def reached(stage: Stage) -> Any:
    return lambda run: run.stage is stage or run.stage.is_terminal


async def ask_back(engine: Engine, run_id: str = "acme-corp-1") -> None:
    async with engine.database.write("ask") as tx:
        payload = {"reason": "customer-request", "run_id": run_id}
        await inbox.put(tx, inbox.Request(engine.clock.now(), "ann", ROLLBACK, "acme-corp", payload))


@asynccontextmanager
async def running_engine(
    folder: Path, *, gates: GateRules = NO_GATES, database: DatabasePlan | None = None, **run: Any
) -> AsyncIterator[Engine]:
    """An engine with one run of v1.1.0 for acme-corp in the queue; `run` changes it, `database` is part of its plan."""
    async with running_rig() as rig:
        clock = RigClock(rig)
        wire = Wire(rig)
        options = ClientOptions(timeout_seconds=HTTP_TIMEOUT_SECONDS, read_retries=0)
        client = RenderClient(
            "http://127.0.0.1:1/v1", KEY, clock=clock, budget=RateBudget(clock), options=options, transport=wire
        )
        state = await Database.open(f"sqlite+aiosqlite:///{folder / 'state.db'}", now=clock.now())
        box = SecretBox(bytes(range(32)))
        plan = _plan(rig, gates, database)
        made = make_run(
            plan_hash=plan.hash, commit=NEW, since=clock.now(), requested_at=clock.now(), good=(), baseline=(), **run
        )
        async with client:
            try:
                async with state.write("given") as tx:
                    await plans.save_plan(tx, plan, at=clock.now(), actor="bob")
                    await runs.add_run(tx, made)
                    for kind, values in WRITES.items():
                        slot = sealed.Slot(purpose=sealed.WRITE, run_id=made.id, service_id=SERVICE_IDS[kind])
                        await sealed.seal_values(tx, box, values=dict(values), at=clock.now(), **slot)
                engine = Engine(
                    rig, clock, wire, client, state, box, FakeProber(rig), FakeRepository(rig.host), plan, made
                )
                engine.restart()
                yield engine
            finally:
                await state.close()


def _plan(rig: Rig, gates: GateRules, database: DatabasePlan | None) -> Plan:
    state = rig.platform.state.services
    services = tuple(
        make_service(
            kind,
            name=state[SERVICE_IDS[kind]].name,
            url=rig.host.url(SERVICE_IDS[kind]),
            env_changes=tuple(EnvChange(key, "f0", "f1") for key in WRITES[kind]),
        )
        for kind in (BACKEND, FRONTEND)
    )
    customer = make_customer_plan(services=services, gates=gates, rules=RULES, owner_id=rig.backend.owner_id)
    plan = make_plan(replace(customer, database=database), commit=NEW)
    return replace(plan, hash=hash_of(plan))
