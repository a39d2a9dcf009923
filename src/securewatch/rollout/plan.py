"""The immutable plan of a release over the whole fleet: pure, from the fleet's files, a tag and what customers run.

It says what comes to whom, in which order and under which rules. Instants are not here: `schedule.py` lays the plan on
the calendar.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from securewatch.config.fleet import PHASE_OF_POLICY, Customer, DayRange, Fleet, Phase
from securewatch.config.quantity import BatchKind, BatchSize
from securewatch.config.templates import is_release_template
from securewatch.deploy.model import GateRules, RunKind, ServiceKind
from securewatch.deploy.plan import deploy_rules, digest, endpoints_of, expected_services, gate_rules
from securewatch.rollout.model import NOTICE_DAYS, Budget, MemberPlan, PhasePlan, ReleasePlan
from securewatch.rollout.notes import notes_of, notes_on_versions
from securewatch.rollout.phases import calendar_of, exit_rule, follows_policies, size_words
from securewatch.versions.policy import PolicyFinding, VersionFacts, check_version_rules
from securewatch.versions.version import Version

JOINING = (
    "who joins while the rollout runs gets the version in a last batch of its phase while that phase has not ended, "
    "and with the next release otherwise; who leaves is skipped unless its deploy is under way"
)
MANUAL = "manual_approval_required"
"""The one adoption strategy that promises the notice before anything else (design: behaviour, rollouts)."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class ReleaseTarget:
    """What to bring to the fleet; `known_versions` are those of the repository."""

    version: str
    commit: str
    known_versions: tuple[Version, ...] = ()


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


def _plan_phase(fleet: Fleet, phase: Phase, days: DayRange, find: Callable[[Customer], tuple[str, str]]) -> PhasePlan:
    short, size = phase.short_name, phase.batch_size
    rule, budget = exit_rule(fleet, phase), fleet.extra.failure_budget_of(short)
    members = tuple(_plan_member(fleet, one, days, find(one)) for one in fleet.customers_of(short))
    needs_backup, demands = phase.rollback_method == "snapshot_restore", fleet.rule_of_policy(short)
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
        members=_in_batches(members, size),
        success_rate=rule.success_rate,
        allows_rollbacks=rule.allows_rollbacks,
        requires_backup=needs_backup or demands.requires_backup,
    )


def _in_batches(members: Sequence[MemberPlan], size: BatchSize) -> tuple[MemberPlan, ...]:
    """The members with their batches, counted over those to whom the version comes."""
    count = size.count_of(sum(not one.left_out for one in members))
    numbered, place = [], 0
    for one in members:
        numbered.append(one if one.left_out else replace(one, batch=place // count + 1))
        place += not one.left_out
    return tuple(numbered)


# --- customers --------------------------------------------------------------------------------------------------------


def _plan_member(fleet: Fleet, customer: Customer, days: DayRange, left_out: tuple[str, str]) -> MemberPlan:
    policy = fleet.policy_of(customer)
    services = expected_services(fleet, customer, tuple(ServiceKind))
    delay = policy.rollout_delay if follows_policies(fleet) and policy.rollout_delay else timedelta(0)
    return MemberPlan(
        slug=customer.slug,
        name=customer.name,
        policy=customer.policy,
        batch=0,
        services=tuple((one.kind, one.service_id) for one in services),
        gates=_gates(fleet, customer, days),
        testing_seconds=_testing_seconds(fleet, customer),
        earliest_seconds=delay.total_seconds(),
        notice_days=notice_days(policy.notification_advance),
        needs_notice=policy.adoption_strategy == MANUAL,
        left_out=left_out[0],
        code=left_out[1],
    )


def _gates(fleet: Fleet, customer: Customer, days: DayRange) -> GateRules:
    """The customer's gates; where no file says how long an approval holds, it does to the end of the phase."""
    gates = gate_rules(fleet, customer, RunKind.DEPLOY)
    if fleet.extra.approval_of(fleet.phase_of(customer).short_name).expires_after is not None:
        return gates
    return replace(gates, approval_expires_seconds=(days.last_day + 1) * _DAY.total_seconds())


def _testing_seconds(fleet: Fleet, customer: Customer) -> float:
    """Demo customers are where a version is tested: no period binds them."""
    period = fleet.gates_of(customer).minimum_testing_period
    return 0.0 if customer.policy == "demo" else period.total_seconds()


def notice_days(advance: timedelta | None) -> tuple[int, ...]:
    """The days ahead at which a customer is told, longest first: the policy's advance, then the reminders."""
    if advance is None:
        return ()
    first = math.ceil(advance / _DAY)
    return (first, *(one for one in NOTICE_DAYS if one < first))


def _finder(fleet: Fleet, target: ReleaseTarget, current: Mapping[str, str]) -> Callable[[Customer], tuple[str, str]]:
    """Says why the version does not come to a customer, with the code; each case of the policies is asked once."""
    known: dict[tuple[str, str, str], tuple[PolicyFinding, ...]] = {}
    held = {one.slug: one.code for one in reversed(fleet.problems)}

    def find(customer: Customer) -> tuple[str, str]:
        if customer.held:
            code = held.get(customer.slug, "SW105")
            return f"held: configuration: {customer.held[0].removeprefix(f'{code}: ')}", code
        runs = current.get(customer.slug, "")
        case = (customer.policy, str(customer.deployment_source), runs)
        if case not in known:
            facts = VersionFacts(runs or None, target.known_versions)
            known[case] = check_version_rules(fleet, customer, target.version, facts=facts)
        broken = [one for one in known[case] if not one.ok]
        return ("; ".join(one.message for one in broken), broken[0].code) if broken else ("", "")

    return find


def _env_keys(fleet: Fleet) -> tuple[tuple[ServiceKind, tuple[str, ...]], ...]:
    templates = {ServiceKind.BACKEND: fleet.templates.backend, ServiceKind.FRONTEND: fleet.templates.frontend}
    return tuple(
        (kind, tuple(sorted(key for key, text in found.items() if is_release_template(text))))
        for kind, found in templates.items()
    )
