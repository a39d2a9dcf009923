"""The immutable plan of a release over the whole fleet: pure, from the fleet's files, a tag and what customers run.

It says what comes to whom, in which order and under which rules. Instants are not here: `schedule.py` lays the plan on
the calendar.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from securewatch.config.fleet import PHASE_OF_POLICY, Customer, DayRange, Fleet, Phase
from securewatch.config.quantity import BatchKind
from securewatch.config.templates import is_release_template
from securewatch.deploy.model import GateRules, RunKind, ServiceKind
from securewatch.deploy.plan import deploy_rules, digest, endpoints_of, gate_rules
from securewatch.rollout.model import NOTICE_DAYS, Budget, MemberPlan, PhasePlan, ReleasePlan
from securewatch.rollout.notes import notes_of, notes_on_versions
from securewatch.rollout.phases import calendar_of, exit_rule, follows_policies, size_words
from securewatch.versions.policy import VersionFacts, check_version_rules
from securewatch.versions.version import Version

JOINING = (
    "who joins while the rollout runs gets the version in a last batch of its phase while that phase has not ended, "
    "and with the next release otherwise; who leaves is skipped unless its deploy is under way"
)
MANUAL = "manual_approval_required"
"""The one adoption strategy that promises the notice before anything else (design: behaviour, rollouts)."""
TO_THE_END = 0.0
"""How long an approval holds where no file says it: to the end of its phase."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class ReleaseTarget:
    """What to bring to the fleet; `known_versions` are those of the repository."""

    version: str
    commit: str
    known_versions: tuple[Version, ...] = ()


@dataclass(frozen=True)
class Reason:
    """Why the version does not come to a customer, with the code; empty where it does."""

    left_out: str = ""
    code: str = ""


Finder = Callable[[Customer], Reason]


def plan_release(fleet: Fleet, target: ReleaseTarget, current: Mapping[str, str]) -> ReleasePlan:
    """The plan of a version for every customer; `current` is what each runs, by slug, as far as it is known.

    Same input, same bytes: it reads no clock, and the order of the files' keys does not matter. Raises UsageError
    (SW204) for a text that is no version.
    """
    days = calendar_of(fleet)
    find = _finder(fleet, target, current)
    phases = tuple(
        _plan_phase(fleet, fleet.phases[name], days[name], find)
        for name in PHASE_OF_POLICY.values()
        if name in fleet.phases
    )
    plan = ReleasePlan(
        version=target.version,
        commit=target.commit,
        calendar=str(fleet.extra.release_calendar),
        phases=phases,
        endpoints=endpoints_of(fleet),
        env_keys=_env_keys(fleet),
        joining=JOINING,
        notes=(*notes_of(fleet, phases), *notes_on_versions(target.version, target.known_versions, current, phases)),
    )
    return replace(plan, hash=hash_of_release(plan))


def hash_of_release(plan: ReleasePlan) -> str:
    """SHA-256 over the canonical plan without its hash and notes; it holds no instant."""
    return digest({name: value for name, value in vars(plan).items() if name not in ("hash", "notes")})


# --- phases -----------------------------------------------------------------------------------------------------------


def _plan_phase(fleet: Fleet, phase: Phase, days: DayRange, find: Finder) -> PhasePlan:
    short, size = phase.short_name, phase.batch_size
    rule, budget = exit_rule(fleet, phase), fleet.extra.failure_budget_of(short)
    demands = fleet.rule_of_policy(short)
    return PhasePlan(
        name=short,
        first_day=days.first_day,
        last_day=days.last_day,
        batch_size=size_words(size),
        batch_delay_seconds=phase.batch_delay.total_seconds() if isinstance(phase.batch_delay, timedelta) else 0.0,
        lanes=fleet.extra.lanes_of(short) if size.kind is BatchKind.INDIVIDUAL else 0,
        needs_window=phase.needs_window or demands.needs_window,
        needs_approval=phase.needs_approval or demands.requires_approval,
        budget=Budget(budget.count, budget.share),
        rules=deploy_rules(fleet, phase),
        members=tuple(_members(fleet, short, find)),
        success_rate=rule.success_rate,
        allows_rollbacks=rule.allows_rollbacks,
        requires_backup=demands.requires_backup or phase.rollback_method == "snapshot_restore",
    )


def _members(fleet: Fleet, policy: str, find: Finder) -> Iterator[MemberPlan]:
    """The customers of a policy by slug; batches are counted over those to whom the version comes."""
    found = [(one, find(one)) for one in fleet.customers_of(policy)]
    phase, alike = fleet.phases[PHASE_OF_POLICY[policy]], _member_of(fleet, policy)
    count = phase.batch_size.count_of(sum(not reason.left_out for _, reason in found))
    place = 0
    for customer, reason in found:
        yield replace(
            alike,
            slug=customer.slug,
            name=customer.name,
            batch=0 if reason.left_out else place // count + 1,
            services=_services(customer),
            gates=gate_rules(fleet, customer, RunKind.DEPLOY, approval_seconds=TO_THE_END),
            left_out=reason.left_out,
            code=reason.code,
        )
        place += not reason.left_out


# --- customers --------------------------------------------------------------------------------------------------------


def _member_of(fleet: Fleet, name: str) -> MemberPlan:
    """What all customers of a policy have alike. No testing period binds demo customers: they are what tests."""
    policy, nothing = fleet.policies[name], timedelta(0)
    testing = nothing if name == "demo" else policy.minimum_testing_period or nothing
    delay = policy.rollout_delay or nothing if follows_policies(fleet) else nothing
    return MemberPlan(
        slug="",
        name="",
        policy=name,
        batch=0,
        services=(),
        gates=GateRules(),
        testing_seconds=testing.total_seconds(),
        earliest_seconds=delay.total_seconds(),
        notice_days=notice_days(policy.notification_advance),
        needs_notice=policy.adoption_strategy == MANUAL,
    )


def _services(customer: Customer) -> tuple[tuple[ServiceKind, str], ...]:
    """The customer's services in the order in which they are deployed."""
    ids = (ServiceKind.BACKEND, customer.backend_service_id), (ServiceKind.FRONTEND, customer.frontend_service_id)
    return tuple(one for one in ids if one[1])


def notice_days(advance: timedelta | None) -> tuple[int, ...]:
    """The days ahead at which a customer is told, longest first: the policy's advance, then the reminders."""
    if advance is None:
        return ()
    first = math.ceil(advance / _DAY)
    return (first, *(one for one in NOTICE_DAYS if one < first))


def _finder(fleet: Fleet, target: ReleaseTarget, current: Mapping[str, str]) -> Finder:
    """Asks each case of the policies once."""
    known: dict[tuple[str, str, str], Reason] = {}
    codes = {one.slug: one.code for one in reversed(fleet.problems)}

    def find(customer: Customer) -> Reason:
        if customer.held:
            code = codes.get(customer.slug, "SW105")
            return Reason(f"held: configuration: {customer.held[0].removeprefix(f'{code}: ')}", code)
        runs = current.get(customer.slug, "")
        case = (customer.policy, str(customer.deployment_source), runs)
        if case not in known:
            facts = VersionFacts(runs or None, target.known_versions)
            findings = check_version_rules(fleet, customer, target.version, facts=facts)
            broken = [one for one in findings if not one.ok]
            known[case] = Reason("; ".join(one.message for one in broken), broken[0].code) if broken else Reason()
        return known[case]

    return find


def _env_keys(fleet: Fleet) -> tuple[tuple[ServiceKind, tuple[str, ...]], ...]:
    templates = {ServiceKind.BACKEND: fleet.templates.backend, ServiceKind.FRONTEND: fleet.templates.frontend}
    return tuple(
        (kind, tuple(sorted(key for key, text in found.items() if is_release_template(text))))
        for kind, found in templates.items()
    )
