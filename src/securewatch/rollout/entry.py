"""The gates that a member of a rollout must find open before its deploy begins. Pure; not for phases and batches."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from securewatch.deploy.model import Run, RunKind, Stage, WindowSpec
from securewatch.deploy.view import Gate
from securewatch.rollout.freezes import FreezeCheck
from securewatch.rollout.gates import gates_of, window_of
from securewatch.rollout.model import Member, MemberPlan, PhasePlan, Rollout
from securewatch.rollout.usual import usual_duration
from securewatch.rollout.view import RolloutView
from securewatch.rollout.windows import closes_at, is_open, occurrences, usable_for

_NEVER = datetime.max.replace(tzinfo=UTC)
_LOOK_AHEAD = timedelta(days=35)
_OCCURRENCES_MAX = 10


def gates_of_member(view: RolloutView, member: Member, check: FreezeCheck, now: datetime) -> tuple[Gate, ...]:
    """The shut ones among the gates of a member that waits. `--force` opens all but a hold and another run."""
    phase, plan = view.plans[member.slug]
    run = waiting_run(view.rollout, member)
    gates = [*gates_of(plan.gates, run, view.grants_of(member.slug), now)]
    if not member.forced:
        gates += [_policy_delay(view.rollout, plan, now), _testing(view, plan, now)]
        if plan.gates.window is not None:
            gates.append(_room(plan.gates.window, phase, now))
    gates += check.gates_of(member.slug, plan.policy, forced=member.forced)
    if member.slug in view.busy:
        gates.append(Gate("predecessor", False, f"another run of it: {view.busy[member.slug]}", "SW410"))
    return tuple(gate for gate in gates if not gate.is_open)


def waiting_run(rollout: Rollout, member: Member) -> Run:
    """The run that would be begun, for the gates to be asked about."""
    return Run(
        id=f"{rollout.id}/{member.slug}/{member.attempt + 1}",
        plan_hash="",
        release_hash=rollout.plan_hash,
        rollout_id=rollout.id,
        slug=member.slug,
        kind=RunKind.DEPLOY,
        generation=0,
        attempt=member.attempt + 1,
        version=rollout.version,
        commit=rollout.commit,
        stage=Stage.QUEUED,
        since=member.since,
        requested_by=rollout.requested_by,
        requested_at=rollout.requested_at,
        force=member.forced,
    )


def leaves_at(view: RolloutView, member: Member, now: datetime) -> datetime:
    """When the member's window shuts: of those who could go, the one with the least time left goes first."""
    spec = view.plans[member.slug][1].gates.window
    window = window_of(spec) if spec is not None else None
    if window is None or not is_open(window, now):
        return _NEVER
    return closes_at(window, now) or _NEVER


def _policy_delay(rollout: Rollout, plan: MemberPlan, now: datetime) -> Gate:
    if not plan.earliest_seconds:
        return Gate("policy delay", is_open=True)
    opens = rollout.day_zero + timedelta(seconds=plan.earliest_seconds)
    reason = f"the policy's delay of {plan.earliest_seconds / 86400:g} days"
    return Gate("policy delay", now >= opens, reason, "SW419", until=opens)


def _testing(view: RolloutView, plan: MemberPlan, now: datetime) -> Gate:
    """`minimum_testing_period` counts from the version's first verified demo deploy (design: behaviour, rollouts)."""
    if not plan.testing_seconds:
        return Gate("testing period", is_open=True)
    if view.demo_verified_at is None:
        return Gate("testing period", False, "the first verified deploy to a demo customer", "SW416")
    until = view.demo_verified_at + timedelta(seconds=plan.testing_seconds)
    return Gate("testing period", now >= until, "the end of the testing period", "SW416", until=until)


def _room(spec: WindowSpec, phase: PhasePlan, now: datetime) -> Gate:
    """A window that shuts before a deploy usually ends is not entered."""
    try:
        window = window_of(spec)
    except ValueError:
        return Gate("room", is_open=True)
    usual = timedelta(seconds=usual_duration(phase.rules))
    if not is_open(window, now) or usable_for(window, now, usual):
        return Gate("room", is_open=True)
    ahead: Sequence[tuple[datetime, datetime]] = list(
        islice(occurrences(window, now, now + _LOOK_AHEAD), _OCCURRENCES_MAX)
    )
    opens = next((opens for opens, closes in ahead if closes - opens >= usual), None)
    reason = f"a window with the {usual.total_seconds() / 60:.0f} minutes that a deploy usually takes"
    if opens is None:
        return Gate("room", False, reason, "SW401", person="whoever keeps the configuration")
    return Gate("room", False, reason, "SW401", until=opens)
