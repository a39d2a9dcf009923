"""The immutable plan of one customer's deploy: pure, from the fleet's files, a tag and what Render shows."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from datetime import UTC
from typing import Any

from securewatch.config.fleet import Customer, Fleet, Phase
from securewatch.config.templates import expand, is_release_template, placeholders, secret_variable
from securewatch.deploy.facts import Expected, Finding, ServiceFacts
from securewatch.deploy.model import (
    Criteria,
    CustomerPlan,
    DatabasePlan,
    DeployRules,
    Drift,
    Endpoints,
    EnvChange,
    FreezeSpec,
    GateRules,
    Plan,
    RunKind,
    ServiceKind,
    ServicePlan,
    WindowSpec,
)
from securewatch.health.verdict import Thresholds

PLAN_FORMAT = 1
DATABASE_URL = "DATABASE_URL"
"""The one key that no deploy writes, whatever its template says (S2)."""
APPROVAL_EXPIRES_SECONDS = 30 * 86400.0
"""How long an approval of a direct deploy holds where the files say nothing; it has no phase that could end."""


@dataclass(frozen=True)
class Target:
    """What to bring, and how long each deploy may take."""

    kind: RunKind
    version: str
    commit: str
    redeploy: bool = False
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Terms:
    """What a release decided beforehand, in the place of what the files say now."""

    gates: GateRules
    rules: DeployRules
    endpoints: Endpoints
    requires_backup: bool = False


@dataclass(frozen=True)
class Planning:
    """For whom the plan is made, and what is known of the customer; `from_version` is empty where nobody knows it."""

    fleet: Fleet
    customer: Customer
    owner_id: str
    from_version: str = ""
    notes: tuple[str, ...] = ()
    terms: Terms | None = None
    database: DatabasePlan | None = None


@dataclass(frozen=True)
class EnvPlan:
    """The env vars of one service: what to write (values in memory only), what differs, what cannot be known."""

    changes: tuple[EnvChange, ...]
    drift: tuple[Drift, ...]
    values: Mapping[str, str | None] = field(repr=False)
    findings: tuple[Finding, ...] = ()


Fingerprint = Callable[[str], str]
SecretOf = Callable[[str], str | None]


def expected_services(fleet: Fleet, customer: Customer, kinds: Sequence[ServiceKind]) -> tuple[Expected, ...]:
    """Who the customer's services must be, backend before frontend."""
    ids = {ServiceKind.BACKEND: customer.backend_service_id, ServiceKind.FRONTEND: customer.frontend_service_id}
    return tuple(
        Expected(kind, str(ids[kind]), fleet.service_name(customer, str(kind)))
        for kind in (ServiceKind.BACKEND, ServiceKind.FRONTEND)
        if kind in kinds and ids[kind]
    )


def plan_env(
    templates: Mapping[str, str], facts: ServiceFacts, known: Mapping[str, str], secret: SecretOf, *, write_all: bool
) -> EnvPlan:
    """Which keys a deploy writes: release keys that differ, and declared ones that are missing (behaviour, env vars).

    Raises nothing; a missing key whose secret nobody has becomes a finding (SW106).
    """
    changes: dict[str, str | None] = {}
    drift: list[Drift] = []
    findings: list[Finding] = []
    for key, template in templates.items():
        current = facts.env.get(key)
        wanted = _wanted(template, known, secret(key)) if key != DATABASE_URL else current
        if wanted is None:
            if current is None:
                findings.append(_missing_secret(key, template, known["CUSTOMER_SLUG"]))
            continue
        if wanted == current:
            continue
        if current is None or is_release_template(template) or write_all:
            changes[key] = wanted
        else:
            drift.append(Drift(key))
    return EnvPlan(tuple(EnvChange(key, None, "") for key in changes), tuple(drift), changes, tuple(findings))


def _wanted(template: str, known: Mapping[str, str], secret: str | None) -> str | None:
    """The value a template stands for; None where only Render knows it, so that Render's value stays."""
    expanded = expand(template, known)
    if not expanded.unknown:
        return expanded.text
    return secret


def _missing_secret(key: str, template: str, slug: str) -> Finding:
    names = ", ".join(f"${{{name}}}" for name in placeholders(template))
    needs = f"its template needs {names}, which this tool does not have" if names else "this tool never writes it"
    other = "" if key == DATABASE_URL else f", or give {secret_variable(slug, key)}"
    return Finding("SW106", f"{key} is missing on Render, and {needs}", f"set it in Render's dashboard{other}")


def with_fingerprints(env: EnvPlan, facts: ServiceFacts, fingerprint: Fingerprint) -> EnvPlan:
    """The same env plan with the fingerprints of the values before and after."""
    changes = tuple(
        EnvChange(
            change.key,
            fingerprint(facts.env[change.key]) if change.key in facts.env else None,
            fingerprint(env.values[change.key] or ""),
        )
        for change in env.changes
    )
    return replace(env, changes=changes)


def plan_deploy(
    planning: Planning, target: Target, *, facts: Sequence[ServiceFacts], env: Mapping[ServiceKind, EnvPlan]
) -> Plan:
    """The plan for one customer. Same input, same bytes: it reads no clock and asks nobody."""
    fleet, customer = planning.fleet, planning.customer
    phase = fleet.phase_of(customer)
    terms = planning.terms or Terms(
        gate_rules(fleet, customer, target.kind),
        deploy_rules(fleet, phase, target.timeout_seconds),
        endpoints_of(fleet),
    )
    part = CustomerPlan(
        slug=customer.slug,
        name=customer.name,
        policy=customer.policy,
        phase=phase.short_name,
        owner_id=planning.owner_id,
        services=tuple(_plan_service(one, env[one.kind]) for one in facts),
        gates=terms.gates,
        rules=terms.rules,
        endpoints=terms.endpoints,
        from_version=planning.from_version or None,
        database=planning.database if target.kind in (RunKind.DEPLOY, RunKind.RESTORE) else None,
    )
    return plan_of(part, target, notes=planning.notes)


def plan_of(part: CustomerPlan, target: Target, *, notes: tuple[str, ...] = ()) -> Plan:
    """The document around what is decided for one customer, with its hash."""
    plan = Plan(
        plan_format=PLAN_FORMAT,
        kind=target.kind,
        version=target.version,
        commit=target.commit,
        customers=(part,),
        hash="",
        notes=notes,
        redeploy=target.redeploy,
    )
    return replace(plan, hash=hash_of(plan))


def endpoints_of(fleet: Fleet) -> Endpoints:
    """The paths that every backend answers."""
    return Endpoints(fleet.endpoints.health, fleet.endpoints.version, fleet.endpoints.database)


def _plan_service(facts: ServiceFacts, env: EnvPlan) -> ServicePlan:
    live = facts.live
    return ServicePlan(
        kind=facts.kind,
        service_id=facts.service_id,
        name=facts.name,
        url=facts.url,
        env_changes=env.changes,
        drift=env.drift,
        live_deploy_id=live.id if live else None,
        live_commit=live.commit if live else None,
    )


def gate_rules(
    fleet: Fleet, customer: Customer, kind: RunKind, *, approval_seconds: float = APPROVAL_EXPIRES_SECONDS
) -> GateRules:
    """The gates of the customer's own policy; the calendar of a release binds rollouts, not a direct command.

    A rollback waits for nothing, and a restore of a database for people alone.
    `approval_seconds` is how long an approval holds where the files say nothing.
    """
    if kind is RunKind.ROLLBACK:
        return GateRules()
    freezes = tuple(
        FreezeSpec(one.name, one.start.astimezone(UTC), one.end.astimezone(UTC))
        for one in fleet.extra.freezes
        if one.concerns(customer.slug, customer.policy)
    )
    if kind is RunKind.ENV:
        return GateRules(freezes=freezes)
    rules = fleet.gates_of(customer)
    window = customer.window
    spec = WindowSpec(window.day, window.start_text, window.end_text, window.timezone) if rules.needs_window else None
    approval = fleet.extra.approval_of(fleet.phase_of(customer).short_name)
    expires = approval.expires_after.total_seconds() if approval.expires_after else approval_seconds
    found = GateRules(
        window=spec,
        needs_approval=rules.needs_approval,
        approvers=tuple(fleet.approvers_of(customer)),
        approvals_needed=approval.count,
        approval_expires_seconds=expires,
        freezes=freezes,
    )
    return replace(found, window=None, freezes=()) if kind is RunKind.RESTORE else found


def deploy_rules(fleet: Fleet, phase: Phase, timeout_seconds: float | None = None) -> DeployRules:
    """The durations and thresholds of a deploy in the phase; `timeout_seconds` takes the place of the policy's."""
    probe, triggers, bar = fleet.extra.probe, fleet.triggers, fleet.bar
    return DeployRules(
        deploy_timeout_seconds=timeout_seconds or fleet.extra.deploy_timeout.total_seconds(),
        settle_seconds=phase.health_check_delay.total_seconds(),
        monitoring_seconds=phase.monitoring_duration.total_seconds(),
        baseline_samples=probe.baseline_samples,
        verification_samples=probe.verification_samples,
        verification_interval_seconds=probe.verification_interval.total_seconds(),
        dense_interval_seconds=probe.dense_interval.total_seconds(),
        dense_duration_seconds=probe.dense_duration.total_seconds(),
        sparse_interval_seconds=probe.sparse_interval.total_seconds(),
        thresholds=Thresholds(
            consecutive_failures=triggers.consecutive_failures,
            error_rate=triggers.error_rate,
            response_ms=triggers.response_ms,
        ),
        criteria=Criteria(bar.response_ms_max, bar.error_rate_max, bar.availability_min),
        p95_may_fail=fleet.extra.p95_may_fail,
    )


def hash_of(plan: Plan) -> str:
    """SHA-256 over the canonical plan, with what it replaces, but without times, notes, fingerprints and drift."""
    document = asdict(plan)
    for key in ("hash", "notes"):
        document.pop(key)
    for customer in document["customers"]:
        if customer["database"] is None:
            customer.pop("database")  # as plans were written before they could say anything of one
        elif customer["database"]["restore"] is None:
            customer["database"].pop("restore")
        for service in customer["services"]:
            service.pop("drift")
            service["env_changes"] = [change["key"] for change in service["env_changes"]]
    return digest(document)


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 over the one way in which a plan is written: sorted keys, no blanks; dataclasses as their fields."""
    return hashlib.sha256(
        json.dumps(document, sort_keys=True, separators=(",", ":"), default=_plain).encode()
    ).hexdigest()


def _plain(value: object) -> object:
    return vars(value) if is_dataclass(value) else str(value)
