"""What the tests of the store begin with: an open database, a plan, a run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securewatch.deploy.model import (
    CustomerPlan,
    DeployRules,
    Endpoints,
    EnvChange,
    GateRules,
    GoodDeploy,
    Plan,
    Progress,
    Run,
    RunKind,
    ServiceKind,
    ServicePlan,
    Stage,
    WindowSpec,
)
from securewatch.deploy.view import EffectKind, NewEffect
from securewatch.health.verdict import Baseline, Comparison
from securewatch.store import plans, runs
from securewatch.store.box import SecretBox
from securewatch.store.database import Database

NOW = datetime(2026, 11, 22, 8, 0, 0, 123, tzinfo=UTC)
KEY = bytes(range(32))
BASELINE = Baseline(median_ms=12.0, p95_ms=30.5, samples=20, failures=0)


@dataclass(frozen=True)
class State:
    """An open database and the box that belongs to it."""

    database: Database
    box: SecretBox
    url: str


def url_of(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'state' / 'state.db'}"


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[State]:
    url = url_of(folder)
    database = await Database.open(url, now=NOW, **options)
    try:
        yield State(database, SecretBox(KEY), url)
    finally:
        await database.close()


@asynccontextmanager
async def with_run(folder: Path, **changes: Any) -> AsyncIterator[tuple[State, Run]]:
    async with opened(folder) as state:
        async with state.database.write("given") as tx:
            await plans.save_plan(tx, make_plan(), at=NOW, actor="ann")
            run = await runs.add_run(tx, make_run(**changes))
        yield state, run


def make_plan(**changes: Any) -> Plan:
    service = ServicePlan(
        ServiceKind.BACKEND, "srv-acme", "acme-backend", "http://acme.test", (EnvChange("VERSION_TAG", None, "f1"),)
    )
    gates = GateRules(window=WindowSpec("sunday", "02:00", None, "Europe/Berlin"), approvers=("bob",))
    customer = CustomerPlan("acme", "Acme", "auto", "demo", "tea-1", (service,), gates, DeployRules(), Endpoints())
    plan = Plan(1, RunKind.DEPLOY, "v1.1.0", "9c1e2ab", (customer,), "7f3a" + "0" * 60, notes=("a note",))
    return replace(plan, **changes)


def make_run(**changes: Any) -> Run:
    run = Run(
        id="run-1",
        plan_hash=make_plan().hash,
        slug="acme",
        kind=RunKind.DEPLOY,
        generation=1,
        attempt=1,
        version="v1.1.0",
        commit="9c1e2ab",
        stage=Stage.QUEUED,
        since=NOW,
        requested_by="ann",
        requested_at=NOW,
        progress=(Progress(ServiceKind.BACKEND, "dep-1", "live", sent_at=NOW, comparison=make_comparison()),),
        good=(GoodDeploy(ServiceKind.BACKEND, "srv-acme", "dep-0", "51d00fe", "v1.0.0"),),
        baseline=((ServiceKind.BACKEND, BASELINE),),
    )
    return replace(run, **changes)


def make_comparison() -> Comparison:
    return Comparison(before=BASELINE, after=BASELINE, p95_ratio=1.0, is_regression=False)


def new_effect(key: str = "deploy:backend", service_id: str = "srv-acme") -> NewEffect:
    return NewEffect(key, EffectKind.DEPLOY, ServiceKind.BACKEND, service_id, {"commit": "9c1e2ab", "tries": [1, 2]})


def next_run(run: Run, **changes: Any) -> Run:
    """Another run of the same customer, one generation on."""
    fields: dict[str, Any] = {"id": f"run-{run.generation + 1}", "generation": run.generation + 1, "epoch": 0}
    return replace(run, **(fields | changes))


async def move(state: State, run: Run, stage: Stage) -> Run:
    async with state.database.write("move") as tx:
        return await runs.update_run(tx, replace(run, stage=stage), expected_epoch=run.epoch)


async def add(state: State, run: Run) -> Run:
    async with state.database.write("add") as tx:
        return await runs.add_run(tx, run)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
