"""Plan one customer's deploy: every pre-deployment check, and the plan that dry run, approval and execution speak of.

Reads only; nothing is written anywhere (see `start.py` for what is).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from securewatch.config.fleet import Customer, Templates
from securewatch.core.errors import ConfigError, Conflict, NotFound, Refused
from securewatch.deploy.facts import Expected, Finding, ServiceFacts, check_service, hard
from securewatch.deploy.looks import target_of
from securewatch.deploy.model import DatabasePlan, Plan, RunKind, ServiceKind
from securewatch.deploy.plan import (
    EnvPlan,
    Planning,
    Target,
    Terms,
    expected_services,
    plan_deploy,
    plan_env,
    with_fingerprints,
)
from securewatch.deploy.survey import fetch_facts
from securewatch.deps import Deps
from securewatch.operations.checks import Check, check_database
from securewatch.operations.isolation import KEY, PLACEHOLDER, find_shared
from securewatch.operations.migrations import BackupTerms, plan_database
from securewatch.operations.owner import find_owner
from securewatch.render.budget import Priority
from securewatch.rollout.freezes import FreezeCheck, FreezeKind
from securewatch.rollout.gates import freeze_at
from securewatch.rollout.model import Member, MemberPlan, Rollout
from securewatch.store import freezes, meta
from securewatch.versions.policy import PolicyFinding, VersionFacts, check_version_policy
from securewatch.versions.tag import Tag

TESTING, DOWNGRADE = "SW416", "SW406"
CONFIGURED = "the version runs already, and its env vars do not say so: they are written, and nothing is deployed"
BOTH = (ServiceKind.BACKEND, ServiceKind.FRONTEND)


@dataclass(frozen=True)
class DeployRequest:
    """What a person asks for. `timeout_seconds` is product time; None takes the policy's.

    `backs_up` is whether the database is backed up before a deploy: None as the policy says, True always, False not.
    """

    slug: str
    version: str
    kinds: tuple[ServiceKind, ...] = BOTH
    kind: RunKind = RunKind.DEPLOY
    force: bool = False
    reason: str = ""
    timeout_seconds: float | None = None
    redeploy: bool = False
    all_env: bool = False
    backs_up: bool | None = None
    release: "ForRelease | None" = None


@dataclass(frozen=True)
class ForRelease:
    """The rollout for which a deploy is made, and what its plan decided for the customer; `templates` are its own."""

    rollout: Rollout
    member: Member
    part: MemberPlan
    terms: Terms
    templates: Templates = field(repr=False)

    @property
    def commit(self) -> str:
        """The commit that the rollout brings."""
        return self.rollout.commit


@dataclass(frozen=True)
class Planned:
    """A plan with the checks behind it. `values` hold env values by service id: never printed, sealed when kept."""

    request: DeployRequest
    customer: Customer
    plan: Plan
    checks: tuple[Check, ...]
    is_there: bool
    from_version: str
    values: Mapping[str, Mapping[str, str | None]] = field(repr=False)
    database_prints: Mapping[str, str] = field(repr=False)


async def plan_customer(deps: Deps, request: DeployRequest) -> Planned:
    """Check everything and make the plan.

    Raises NotFound for a customer, tag or service that does not exist, SignInNeeded, ConfigError for a held customer,
    Conflict for a moved tag, Refused where a hard check, or a soft one without `force`, says no.
    """
    customer = deps.fleet.find_customer(request.slug)
    refuse_held(deps, customer)
    checks: list[Check] = []
    tag = await deps.repository.resolve(request.version)
    await refuse_moved(deps, tag, planned=request.release.commit if request.release else None)
    checks.append(Check("version tag", f"{tag.name} is {tag.commit[:12]}"))
    owner_id = await find_owner(deps)
    checks.append(Check("Render API key", f"accepted for {owner_id}"))
    expected = expected_services(deps.fleet, customer, request.kinds)
    _refuse_remapped(customer, expected, request)
    facts = await fetch_all(deps, expected)
    checks += check_services(customer, expected, facts, owner_id)
    prints = await _check_isolation(deps, customer, facts, checks)
    from_version = await version_of(deps, facts)
    checks += await _check_policy(deps, customer, request, tag, from_version)
    env = _plan_env(deps, customer, request, facts)
    planning = Planning(
        deps.fleet,
        customer,
        owner_id,
        from_version,
        notes=tuple(_notes(deps, customer, request)),
        terms=request.release.terms if request.release else None,
        database=await _plan_database(deps, customer, request, tag, facts),
    )
    target = Target(
        kind=request.kind,
        version=tag.name,
        commit=tag.commit,
        redeploy=request.redeploy,
        timeout_seconds=request.timeout_seconds,
    )
    plan = plan_deploy(planning, target, facts=facts, env=env)
    is_there = await _is_there(deps, plan, facts)
    if is_there and plan.kind is RunKind.DEPLOY and any(one.env_changes for one in plan.customers[0].services):
        request, is_there = replace(request, kind=RunKind.ENV), False
        plan = plan_deploy(
            replace(planning, notes=(CONFIGURED,)), replace(target, kind=RunKind.ENV), facts=facts, env=env
        )
    checks += [] if is_there else check_database(plan.customers[0].database, is_waived=request.backs_up is False)
    checks += await check_freezes(deps, plan, request)
    return Planned(
        request=request,
        customer=customer,
        plan=plan,
        checks=tuple(checks),
        is_there=is_there,
        from_version=from_version,
        values={one.service_id: env[one.kind].values for one in facts},
        database_prints=prints,
    )


def refuse_held(deps: Deps, customer: Customer) -> None:
    """Raise ConfigError where the files hold the customer: they disagree, or two customers share something."""
    if not customer.held:
        return
    ours = [one for one in deps.fleet.problems if one.slug == customer.slug]
    code = ours[0].code if ours else "SW105"
    raise ConfigError(
        code,
        f"{customer.slug} is held: {customer.held[0].removeprefix(f'{code}: ')}",
        why="the configuration does not say safely which services are this customer's own",
        fix="correct the files; `securewatch config check` shows every problem",
        problems=ours,
    )


async def fetch_all(deps: Deps, expected: Sequence[Expected]) -> tuple[ServiceFacts, ...]:
    """The facts of several services side by side. Raises NotFound (SW305) where Render has no such service."""
    client = await deps.client()
    found = await asyncio.gather(*(fetch_facts(client, one, priority=Priority.CLI) for one in expected))
    missing = [one for one in found if isinstance(one, Finding)]
    if missing:
        raise NotFound(missing[0].code, missing[0].what, why="it was deleted, or the id is wrong", fix=missing[0].fix)
    return tuple(one for one in found if isinstance(one, ServiceFacts))


def refuse(findings: Sequence[Finding], *, forced: bool = False) -> None:
    """Raise Refused for the first finding that stops the deploy, naming all of them."""
    stopping = [one for one in findings if not one.is_warning and not (one.is_soft and forced)]
    if not stopping:
        return
    first = stopping[0]
    others = [f"also: {one.what}" for one in stopping[1:]]
    fix = first.fix or ("add --force with a --reason to go on all the same" if first.is_soft else "")
    raise Refused(
        first.code, first.what, why="; ".join([first.why or "a pre-deployment check says no", *others]), fix=fix
    )


async def _plan_database(
    deps: Deps, customer: Customer, request: DeployRequest, tag: Tag, facts: Sequence[ServiceFacts]
) -> DatabasePlan | None:
    if ServiceKind.BACKEND not in request.kinds or request.kind is not RunKind.DEPLOY:
        return None
    terms = request.release.terms if request.release else None
    is_required = terms.requires_backup if terms else deps.fleet.gates_of(customer).requires_backup
    backup = BackupTerms(is_required, request.backs_up)
    live = next((one.live for one in facts if one.kind is ServiceKind.BACKEND), None)
    commit = (live.commit if live is not None else None) or ""
    return await plan_database(deps, customer, tag, live_commit=commit, backup=backup)


def check_services(
    customer: Customer, expected: Sequence[Expected], facts: Sequence[ServiceFacts], owner_id: str
) -> list[Check]:
    """The hard checks on each service, and what to say of them. Raises Refused for the first that says no."""
    findings = [
        finding
        for one, fact in zip(expected, facts, strict=True)
        for finding in check_service(one, fact, owner_id, customer.slug)
    ]
    refuse(hard(findings))
    names = ", ".join(f"{one.service_id} ({one.name})" for one in facts)
    warnings = [Check("service", one.what, "warning") for one in findings if one.is_warning]
    return [
        Check("services", f"the customer's own: {names}"),
        Check("autodeploy", "off"),
        *warnings,
    ]


async def _check_isolation(
    deps: Deps, customer: Customer, facts: Sequence[ServiceFacts], checks: list[Check]
) -> Mapping[str, str]:
    url = next((one.env[KEY] for one in facts if KEY in one.env), None)
    findings, prints = await find_shared(deps, customer, url)
    refuse(findings)
    checks.append(Check("isolation", "no service, domain or database is shared with another customer"))
    if url is not None and PLACEHOLDER in url:
        checks.append(Check("isolation", f"{KEY} holds an unexpanded placeholder and points nowhere", "warning"))
    return prints


def _refuse_remapped(customer: Customer, expected: Sequence[Expected], request: DeployRequest) -> None:
    """The services must be those that the release's plan names (S6)."""
    if request.release is None:
        return
    planned = dict(request.release.part.services)
    other = next((one for one in expected if planned.get(one.kind) != one.service_id), None)
    if other is not None:
        raise Refused(
            "SW408",
            f"the {other.kind} of {customer.slug} is another service than the release was planned with",
            why=f"planned was {planned.get(other.kind) or 'none'}, the files now say {other.service_id}",
            fix=f"put the files back, or skip it: securewatch rollout skip {customer.slug} --reason ...",
        )


async def refuse_moved(deps: Deps, tag: Tag, *, planned: str | None = None) -> None:
    """A tag that was planned with before must still be the same commit (S4); `planned` is that of a release's plan."""
    database = await deps.existing_database()
    if database is None:
        return
    async with database.read() as tx:
        before = planned or await meta.get_meta(tx, f"tag:{tag.name}")
    if before is not None and before != tag.commit:
        raise Conflict(
            "SW412",
            f"tag {tag.name} moved since the first plan with it was made",
            why=f"it was {before[:12]}, the repository now says {tag.commit[:12]}",
            fix="put the tag back, or release the new commit under a new version",
        )


async def version_of(deps: Deps, facts: Sequence[ServiceFacts]) -> str:
    """The tag at the commit that is live now; empty where there is none."""
    live = next((one.live.commit for one in facts if one.live is not None and one.live.commit), None)
    if live is None:
        return ""
    return next((tag.name for tag in await deps.repository.list_tags() if tag.commit == live), "")


async def _check_policy(
    deps: Deps, customer: Customer, request: DeployRequest, tag: Tag, from_version: str
) -> list[Check]:
    """The customer's policy; the testing period is the release's business and only shown, like its calendar."""
    refuse_unexplained(deps, customer, request)
    found = await find_policy(deps, customer, tag.name, from_version)
    why = f"the policy {customer.policy} of {customer.slug}"
    broken = [
        Finding(one.code, f"{customer.slug}: {one.message}", is_soft=one.soft, why=f"{why}, rule: {one.rule}")
        for one in found
        if not one.ok and (request.release is None or one.code == DOWNGRADE)
    ]
    shown = [Check("policy", one.what, "warning") for one in broken if one.code == TESTING]
    broken = [one for one in broken if one.code != TESTING]
    if request.kind is RunKind.DEPLOY:
        refuse(broken, forced=request.force)
    forced = [Check("policy", one.what, "forced") for one in broken]
    return [*shown, *(forced or [Check("policy", f"{customer.policy} allows {tag.name}")])]


def refuse_unexplained(deps: Deps, customer: Customer, request: DeployRequest) -> None:
    """Raise Refused (SW417) where the customer's policy asks for a reason and nobody gave one."""
    if deps.fleet.needs_reason(customer) and not request.reason and request.release is None:
        raise Refused(
            "SW417",
            f"{customer.slug}'s policy asks for a reason",
            why=f"policy {customer.policy} has require_reason",
            fix='add --reason "..."',
        )


async def check_freezes(deps: Deps, plan: Plan, request: DeployRequest) -> list[Check]:
    """A freeze is a gate and stops no plan; it is shown. `--force` opens all but a hold."""
    customer, now, state = plan.customers[0], deps.clock.now(), "forced" if request.force else "warning"
    checks = []
    freeze = freeze_at(customer.gates.freezes, now)
    if freeze is not None:
        checks.append(Check("freeze", f"{freeze.name!r} holds until {freeze.end:%Y-%m-%d %H:%M} UTC", state))
    database = await deps.existing_database()
    if database is None:
        return checks
    async with database.read() as tx:
        standing = FreezeCheck(await freezes.open_freezes(tx), now)
    for gate in standing.gates_of(customer.slug, customer.policy):
        until = f", {gate.until:%Y-%m-%d %H:%M} UTC" if gate.until is not None else ""
        is_held = gate.name == FreezeKind.HOLD
        checks.append(Check(gate.name, f"waits for {gate.reason}{until}", "warning" if is_held else state))
    return checks


async def find_policy(deps: Deps, customer: Customer, tag: str, from_version: str) -> tuple[PolicyFinding, ...]:
    """Every rule of the customer's policy for the version. Raises UsageError (SW204) for a malformed one."""
    known = tuple(one.version for one in await deps.repository.list_tags() if one.version is not None)
    facts = VersionFacts(from_version or None, known)
    return check_version_policy(deps.fleet, customer, tag, now=deps.clock.now(), facts=facts)


def _plan_env(
    deps: Deps, customer: Customer, request: DeployRequest, facts: Sequence[ServiceFacts]
) -> dict[ServiceKind, EnvPlan]:
    box, planned = deps.box(), {}
    templates = request.release.templates if request.release else deps.fleet.templates
    phase = deps.fleet.phase_of(customer)
    for one in facts:
        known = {
            "DEPLOYMENT_VERSION": request.version,
            "DEPLOYMENT_PHASE": phase.name,
            "CUSTOMER_SLUG": customer.slug,
            "RENDER_SERVICE_ID": one.service_id,
        }
        ours = templates.backend if one.kind is ServiceKind.BACKEND else templates.frontend
        env = plan_env(
            ours,
            one,
            known,
            lambda key: deps.settings.customer_secret(customer.slug, key),
            write_all=request.all_env,
        )
        refuse(env.findings)
        planned[one.kind] = with_fingerprints(env, one, box.fingerprint)
    return planned


def _notes(deps: Deps, customer: Customer, request: DeployRequest) -> list[str]:
    phase = deps.fleet.phase_of(customer)
    days = deps.fleet.calendar.get(phase.name)
    if request.release is not None:
        return [f"in the rollout {request.release.rollout.id}, by its plan {request.release.rollout.plan_hash[:8]}"]
    if request.kind is not RunKind.DEPLOY or days is None or days.last_day == 0:
        return []
    return [f"ahead of the release calendar: {phase.short_name} is due on days {days.first_day} to {days.last_day}"]


async def _is_there(deps: Deps, plan: Plan, facts: Sequence[ServiceFacts]) -> bool:
    """Whether there is nothing to do: every service asked for runs the version, by Render and by its own word."""
    if plan.kind is RunKind.ENV:
        return not any(one.env_changes for one in plan.customers[0].services)
    if plan.redeploy:
        return False
    if any(one.live is None or one.live.commit != plan.commit for one in facts):
        return False
    prober, customer = await deps.prober(), plan.customers[0]
    for service in customer.services:
        answer = await prober.version(
            target_of(customer, service), expected_version=plan.version, expected_commit=plan.commit
        )
        if answer.state not in ("match", "not_reported"):
            return False
    return True
