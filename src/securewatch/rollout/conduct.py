"""The decision about one rollout: which phases and batches are open, who starts, what the others wait for. Pure.

What becomes of a customer once its deploy has begun is decided in `deploy/`; what people ask for is in `verbs.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from securewatch.deploy.view import Gate, WaitingOn, waiting_at
from securewatch.rollout.entry import gates_of_member, leaves_at
from securewatch.rollout.freezes import FreezeCheck
from securewatch.rollout.members import after_run, has_failed
from securewatch.rollout.model import HAS_IT, Member, MemberState, PhasePlan, Rollout, RolloutState
from securewatch.rollout.view import PhaseState, PhaseView, RolloutDecision, RolloutView, Start

SIDE_BY_SIDE_MAX = 100
"""Customers of a rollout under way at once: more would only wait for Render's rate limits."""
_SIDE_BY_SIDE = Gate("side by side", False, f"its turn: {SIDE_BY_SIDE_MAX} customers are under way", "SW419")
_FULL = replace(waiting_at((_SIDE_BY_SIDE,)), is_gate=False)
HALTED = "SW508"
OPERATOR = "whoever runs the rollout"
_WELL = (MemberState.VERIFIED, MemberState.DONE)
_MAY_COUNT = (MemberState.RUNNING, *(one for one in MemberState if one.is_failure))


@dataclass
class _Course:
    """One pass over a rollout: what is known, and what comes of it."""

    view: RolloutView
    members: Mapping[str, Member]
    now: datetime
    starts: list[Start] = field(default_factory=list)
    waiting: dict[str, WaitingOn] = field(default_factory=dict)
    instants: list[datetime] = field(default_factory=list)

    def of(self, phase: PhasePlan) -> list[Member]:
        """The members of a phase, in the plan's order, those who joined last."""
        return self.by_phase.get(phase.name, [])

    def __post_init__(self) -> None:
        self.check = FreezeCheck(self.view.freezes, self.now)
        self.running = sum(one.state is MemberState.RUNNING for one in self.members.values())
        members = self.members
        self.by_phase = {
            phase.name: [members[one.slug] for one in phase.members if one.slug in members]
            for phase in self.view.plan.phases
        }
        self._batches: dict[str, Mapping[int, list[Member]]] = {}
        self._exits: dict[str, str] = {}

    def batches(self, phase: PhasePlan) -> Mapping[int, list[Member]]:
        """The members of a phase that were asked for, by batch."""
        if phase.name not in self._batches:
            self._batches[phase.name] = _batches(phase, self.of(phase))
        return self._batches[phase.name]

    def exit_rule(self, phase: PhasePlan) -> str:
        """Why a phase is not well done yet."""
        if phase.name not in self._exits:
            self._exits[phase.name] = exit_rule(phase, self.of(phase))
        return self._exits[phase.name]

    @property
    def under_way(self) -> int:
        """Customers under way, with those whose start is."""
        return self.running + len(self.view.starting) + len(self.starts)


def decide_rollout(view: RolloutView, now: datetime) -> RolloutDecision:
    """What may happen next to a rollout. Never raises for a state that a store can hold."""
    runs, having = view.runs, view.having
    members = {
        slug: _seen(view, one, now) if one.run_id in runs or slug in having else one
        for slug, one in view.members.items()
    }
    course = _Course(view, members, now)
    rollout = _state_of(course, now)
    shut = _rollout_gates(rollout, view.is_paused, now)
    phases: list[PhaseView] = []
    before: list[PhasePlan] = []
    for phase in view.plan.phases:
        if course.of(phase):
            phases.append(_lead_phase(course, rollout, phase, shut=(*shut, *_phase_gates(course, phase, before))))
            before.append(phase)
    if rollout.state.is_over:
        return RolloutDecision(rollout, members, phases=tuple(phases))
    is_stopped = any(gate.person for gate in shut)
    next_at = min((one for one in course.instants if one > now and not is_stopped), default=None)
    return RolloutDecision(rollout, members, tuple(course.starts), course.waiting, tuple(phases), next_at)


def _seen(view: RolloutView, member: Member, now: datetime) -> Member:
    """The member as its run shows it; one that got the version by another command has nothing to wait for."""
    if member.state is MemberState.PENDING and member.slug in view.having and member.slug not in view.starting:
        detail = f"{HAS_IT} {view.rollout.version} already"
        return replace(member, state=MemberState.SKIPPED, since=now, code="", detail=detail)
    return after_run(member, view.runs.get(member.run_id), now)


# --- the rollout as a whole -------------------------------------------------------------------------------------------


def _state_of(course: _Course, now: datetime) -> Rollout:
    rollout = course.view.rollout
    if rollout.state is RolloutState.PLANNED and now >= rollout.day_zero:
        rollout = replace(rollout, state=RolloutState.RUNNING, since=now)
    if rollout.state is RolloutState.RUNNING:
        reasons = (_over_budget(course, phase) for phase in course.view.plan.phases)
        reason = next((one for one in reasons if one), "")
        if reason:
            return replace(rollout, state=RolloutState.HALTED, since=now, code=HALTED, detail=reason)
        open_states = (MemberState.PENDING, MemberState.RUNNING, MemberState.VERIFIED)
        if not any(one.state in open_states for one in course.members.values()):
            return replace(rollout, state=RolloutState.DONE, since=now, finished_at=now)
    return rollout


def _over_budget(course: _Course, phase: PhasePlan) -> str:
    """Why the failures of a batch (of an individual phase: of all of it) halt the rollout; empty while they do not."""
    for number, members in course.batches(phase).items():
        failed = [
            one for one in members if one.state in _MAY_COUNT and has_failed(one, course.view.runs.get(one.run_id))
        ]
        allowed = phase.budget.allowed(len(members))
        if len(failed) > allowed:
            who = ", ".join(f"{one.slug} {_why(course, one)}" for one in failed[:3])
            more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
            where = phase.name if phase.lanes else f"{phase.name}, batch {number}"
            return f"{where}: {len(failed)} of {len(members)} failed, {allowed} may ({who}{more})"
    return ""


def _why(course: _Course, member: Member) -> str:
    run = course.view.runs.get(member.run_id)
    code = member.code or (run.code if run is not None else "")
    word = "is being taken back" if member.state is MemberState.RUNNING else member.state.replace("_", " ")
    return f"{word} {code}".strip()


def _rollout_gates(rollout: Rollout, is_paused: bool, now: datetime) -> tuple[Gate, ...]:
    if is_paused:
        return (Gate("pause", False, "`resume --all`", "SW403", person=OPERATOR),)
    if rollout.state is RolloutState.PAUSED:
        return (Gate("rollout", False, f"`rollout resume`: {rollout.detail or 'paused'}", "SW403", person=OPERATOR),)
    if rollout.state is RolloutState.HALTED:
        return (Gate("rollout", False, f"the rollout is halted: {rollout.detail}", HALTED, person=OPERATOR),)
    if now < rollout.day_zero:
        return (Gate("start", False, "the start of the rollout", "SW419", until=rollout.day_zero),)
    return ()


# --- phases -----------------------------------------------------------------------------------------------------------


def exit_rule(phase: PhasePlan, members: Iterable[Member]) -> str:
    """Why a phase does not count as well done; empty where it does. Skipped customers do not count."""
    tried = [one for one in members if one.state is not MemberState.SKIPPED]
    missing = [one for one in tried if not one.state.is_over]
    if missing:
        asked = sum(one.asked for one in missing)
        hint = "" if asked else f"; nobody asked for {'it' if len(missing) == 1 else 'them'} yet"
        return f"{phase.name}: {len(missing)} of {len(tried)} customers are not done{hint}"
    incident = next((one for one in tried if one.state is MemberState.HELD and not one.accepted), None)
    if incident is not None:
        return f"{phase.name}: {incident.slug} is held, an open incident"
    back = next((one for one in tried if one.state is MemberState.ROLLED_BACK), None)
    if back is not None and not phase.allows_rollbacks:
        return f"{phase.name}: {back.slug} was rolled back, and the phase allows no rollbacks"
    well = sum(one.state in _WELL for one in tried)
    if tried and well < phase.success_rate * len(tried) - 1e-9:
        return f"{phase.name}: {well} of {len(tried)} customers are verified, {phase.success_rate:.0%} are needed"
    return ""


def _phase_gates(course: _Course, phase: PhasePlan, before: Sequence[PhasePlan]) -> tuple[Gate, ...]:
    """Shut before the phase's day, and while a phase before it is not well done. Who is forced passes both."""
    rollout = course.view.rollout
    gates = []
    begins = phase.begins(rollout.day_zero)
    if course.now < begins and course.view.plan.calendar == "phases":
        gates.append(Gate("calendar", False, f"day {phase.first_day} of the release calendar", "SW419", until=begins))
    reasons = (course.exit_rule(one) for one in before)
    reason = next((one for one in reasons if one), "")
    if reason:
        gates.append(Gate("phase before", False, f"the phase before ({reason})", "SW419"))
    return tuple(gates)


def _lead_phase(course: _Course, rollout: Rollout, phase: PhasePlan, *, shut: tuple[Gate, ...]) -> PhaseView:
    members = course.of(phase)
    course.instants += [gate.until for gate in shut if gate.until is not None]
    batches = course.batches(phase)
    current = next((number for number, ones in batches.items() if not _is_over(ones)), max(batches, default=0))
    for number, ones in batches.items():
        pacing = _batch_gates(course, phase, batches, number=number, current=current)
        _enter(course, phase, ones, shut=shut, pacing=pacing)
    state = PhaseState.WAITING if shut else PhaseState.RUNNING
    if any(one.started_at for one in members):
        state = PhaseState.RUNNING
    if not course.exit_rule(phase):
        state = PhaseState.DONE
    waiting = waiting_at(shut) if shut and state is not PhaseState.DONE else None
    begins, ends = phase.begins(rollout.day_zero), phase.ends(rollout.day_zero)
    return PhaseView(phase.name, state, begins, ends, current, phase.batch_count, waiting)


# --- batches ----------------------------------------------------------------------------------------------------------


def _batches(phase: PhasePlan, members: Iterable[Member]) -> dict[int, list[Member]]:
    """The members that were asked for, by batch; all of an individual phase count as one."""
    found: dict[int, list[Member]] = {}
    for one in members:
        if one.asked:
            found.setdefault(1 if phase.lanes else one.batch, []).append(one)
    return dict(sorted(found.items()))


def _is_over(members: Iterable[Member]) -> bool:
    return all(one.state.is_over for one in members)


def _batch_gates(
    course: _Course, phase: PhasePlan, batches: Mapping[int, Sequence[Member]], *, number: int, current: int
) -> tuple[Gate, ...]:
    """A batch opens when the one before is verified and its delay has passed."""
    if number > current:
        return (Gate("batch", False, f"batch {current} of {phase.name}, which is not verified yet", "SW419"),)
    before = [one for earlier, ones in batches.items() if earlier < number for one in ones if one.started_at]
    ended = max((one.verified_at or one.since for one in before), default=None)
    if ended is None:
        return ()
    opens = ended + timedelta(seconds=phase.batch_delay_seconds)
    if course.now >= opens:
        return ()
    course.instants.append(opens)
    return (Gate("batch", False, f"the delay after batch {number - 1} of {phase.name}", "SW419", until=opens),)


def _enter(
    course: _Course, phase: PhasePlan, members: Sequence[Member], *, shut: tuple[Gate, ...], pacing: tuple[Gate, ...]
) -> None:
    """Start those of a batch whose gates are open, as many as may go side by side; the others wait.

    Who is forced passes the calendar and the delay, but not the batch before that is under way (I5), nor a halt.
    """
    ready: list[Member] = []
    room = SIDE_BY_SIDE_MAX - course.under_way
    common = replace(waiting_at((*shut, *pacing)), is_gate=bool(shut)) if shut or pacing else None
    binding = tuple(gate for gate in shut if gate.name in ("pause", "rollout", "start"))
    binding += tuple(gate for gate in pacing if gate.until is None)
    for one in members:
        if one.state is not MemberState.PENDING or one.slug in course.view.starting:
            continue
        if common is not None and not one.forced:
            course.waiting[one.slug] = common
            continue
        if len(ready) >= room and not phase.lanes:
            course.waiting[one.slug] = _FULL
            continue
        closed = (*binding, *gates_of_member(course.view, one, course.check, course.now))
        if closed:
            course.waiting[one.slug] = waiting_at(closed)
            course.instants += [gate.until for gate in closed if gate.until is not None]
        else:
            ready.append(one)
    if phase.lanes:
        ready.sort(key=lambda one: leaves_at(course.view, one, course.now))
    for one in ready:
        turn = _turn(course, phase)
        if turn is None:
            course.starts.append(Start(one.rollout_id, one.slug, one.epoch))
        else:
            course.waiting[one.slug] = replace(waiting_at((turn,)), is_gate=False)


def _turn(course: _Course, phase: PhasePlan) -> Gate | None:
    """Shut while as many are under way as may be."""
    if phase.lanes:
        ours = course.of(phase)
        running = [one.slug for one in ours if one.state is MemberState.RUNNING or one.slug in course.view.starting]
        running += [one.slug for one in course.starts if course.members[one.slug].phase == phase.name]
        if len(running) >= phase.lanes:
            return Gate("lane", False, f"its turn: {running[0]} is under way", "SW419")
    return _SIDE_BY_SIDE if course.under_way >= SIDE_BY_SIDE_MAX else None
