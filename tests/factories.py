"""Values with sensible defaults for tests: a plan of acme-corp's two services, a run of it, a decision's view."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
)
from securewatch.deploy.view import Effect, EffectKind, EffectState, Gate, Observation, View
from securewatch.health.verdict import Baseline, Sample

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
HASH = "7f3a" + "0" * 60
COMMIT, OLD_COMMIT = "b" * 40, "a" * 40
VERSION, OLD_VERSION = "v1.1.0", "v1.0.0"
BACKEND, FRONTEND = ServiceKind.BACKEND, ServiceKind.FRONTEND
SERVICE_IDS = {BACKEND: "srv-acme-backend-abc123", FRONTEND: "srv-acme-frontend-def456"}
BASELINE = Baseline(median_ms=20.0, p95_ms=30.0, samples=20, failures=0)
SHUT = Gate("window", False, "the maintenance window", "SW401", until=NOW + timedelta(hours=6))
OPEN = Gate("window", True)


def at(seconds: float) -> datetime:
    """The instant so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def make_service(kind: ServiceKind = BACKEND, **changes: Any) -> ServicePlan:
    """One service of the plan: its VERSION_TAG changes."""
    service = ServicePlan(
        kind=kind,
        service_id=SERVICE_IDS[kind],
        name=f"acme-corp-{kind}",
        url=f"http://{kind}.test",
        env_changes=(EnvChange("VERSION_TAG", "f0", "f1"),),
        live_deploy_id=f"dep-old-{kind}",
        live_commit=OLD_COMMIT,
    )
    return replace(service, **changes)


def make_customer_plan(**changes: Any) -> CustomerPlan:
    """acme-corp's part of a plan: both services, no gates, short settling so that instants are easy to name."""
    customer = CustomerPlan(
        slug="acme-corp",
        name="Acme Corp",
        policy="enterprise",
        phase="enterprise",
        owner_id="tea-1",
        services=(make_service(BACKEND), make_service(FRONTEND)),
        gates=GateRules(),
        rules=DeployRules(settle_seconds=60.0),
        endpoints=Endpoints(),
    )
    return replace(customer, **changes)


def make_plan(customer: CustomerPlan | None = None, **changes: Any) -> Plan:
    """A plan of v1.1.0 for that customer."""
    plan = Plan(1, RunKind.DEPLOY, VERSION, COMMIT, (customer or make_customer_plan(),), HASH)
    return replace(plan, **changes)


def make_good(kind: ServiceKind = BACKEND, **changes: Any) -> GoodDeploy:
    """The recorded good deploy of one service."""
    return replace(GoodDeploy(kind, SERVICE_IDS[kind], f"dep-old-{kind}", OLD_COMMIT, OLD_VERSION), **changes)


def make_run(**changes: Any) -> Run:
    """A run of that plan that bob asked for; it waits in the queue and knows its good pair."""
    run = Run(
        id="acme-corp-1",
        plan_hash=HASH,
        slug="acme-corp",
        kind=RunKind.DEPLOY,
        generation=1,
        attempt=1,
        version=VERSION,
        commit=COMMIT,
        stage=Stage.QUEUED,
        since=NOW,
        requested_by="bob",
        requested_at=NOW,
        good=(make_good(BACKEND), make_good(FRONTEND)),
        baseline=((BACKEND, BASELINE), (FRONTEND, BASELINE)),
    )
    return replace(run, **changes)


def make_progress(kind: ServiceKind = BACKEND, **changes: Any) -> Progress:
    """One service whose deploy was sent and built a minute before NOW; the keywords say how far it is."""
    progress = Progress(kind, f"dep-new-{kind}", "build_in_progress", sent_at=at(-60), left_queue_at=at(-60))
    return replace(progress, **changes)


def make_live(kind: ServiceKind = BACKEND, **changes: Any) -> Progress:
    """One service whose deploy is live and verified."""
    progress = make_progress(kind, status="live", sent_at=at(-230), live_at=at(-200), verified_at=at(-10))
    return replace(progress, **changes)


def make_effect(key: str, kind: EffectKind, **changes: Any) -> Effect:
    """A confirmed effect of the run; the service is the one that the key names (`deploy:backend`)."""
    service_kind = ServiceKind(key.split("#")[0].split(":")[1])
    effect = Effect(
        id=1,
        run_id="acme-corp-1",
        slug="acme-corp",
        generation=1,
        key=key,
        seq=1,
        kind=kind,
        service_kind=service_kind,
        service_id=SERVICE_IDS[service_kind],
        args={},
        state=EffectState.CONFIRMED,
        epoch=1,
        intent_at=at(-61),
        sent_at=at(-60),
    )
    return replace(effect, **changes)


def make_deploy(kind: ServiceKind = BACKEND, **changes: Any) -> Effect:
    """The confirmed effect that made a service's new deploy."""
    made = make_effect(f"deploy:{kind}", EffectKind.DEPLOY, result={"deploy_id": f"dep-new-{kind}"})
    return replace(made, **changes)


def make_env_effect(word: str, kind: ServiceKind = BACKEND, key: str = "VERSION_TAG", **changes: Any) -> Effect:
    """The confirmed effect that wrote (`env`) or restored (`restore`) one env var."""
    effect_kind = EffectKind.SET_ENV if word == "env" else EffectKind.RESTORE_ENV
    return make_effect(f"{word}:{kind}:{key}", effect_kind, **{"args": {"env_key": key}, **changes})


def make_poll(kind: ServiceKind = BACKEND, status: str = "live", *, seconds: float = 0.0, **data: Any) -> Observation:
    """What a look at a service's deploys saw so many seconds after NOW."""
    seen = {"deploy_id": f"dep-new-{kind}", "status": status, "newer": None, "doubles": [], **data}
    return Observation(f"poll:{kind}", at(seconds), seen)


def make_seen(key: str, *, seconds: float = 0.0, count: int = 1, **data: Any) -> Observation:
    """What any other look saw."""
    return Observation(key, at(seconds), data, count)


def make_samples(
    count: int,
    *,
    start: float = 0.0,
    every: float = 5.0,
    bad: Iterable[int] = (),
    response_ms: float = 20.0,
) -> tuple[Sample, ...]:
    """`count` samples, the first `start` seconds after NOW; those at the places `bad` failed."""
    failed = {place % count for place in bad} if count else set()
    return tuple(
        Sample(at(start + place * every), place not in failed, response_ms, "HTTP 500" if place in failed else "")
        for place in range(count)
    )


def make_view(
    stage: Stage = Stage.QUEUED,
    *,
    run: Mapping[str, Any] | None = None,
    customer: CustomerPlan | None = None,
    effects: Iterable[Effect] = (),
    seen: Iterable[Observation] = (),
    **changes: Any,
) -> View:
    """What a decision about a run in that stage may look at; `run` are changes to the run, the keywords to the view."""
    part = customer or make_customer_plan()
    view = View(
        plan=make_plan(part),
        customer=part,
        run=make_run(stage=stage, **(run or {})),
        effects={one.key: one for one in effects},
        observations={one.key: one for one in seen},
    )
    return replace(view, **changes)
