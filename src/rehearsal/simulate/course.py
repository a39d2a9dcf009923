"""One course of a release: members start, deploy and are watched, on a clock that jumps from one event to the next."""

import heapq
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from localrender.ids import IDMint
from rehearsal.simulate.checks import Checks
from rehearsal.simulate.fate import Fate, draw
from rehearsal.simulate.journal import Journal
from rehearsal.simulate.site import BEFORE, OWNER, CourseClock, Site
from rehearsal.simulate.turn import Turn
from securewatch.controller.commit import difference
from securewatch.deploy.model import CustomerPlan, EnvChange, Plan, Run, RunKind, ServicePlan, Stage
from securewatch.deploy.plan import Target, plan_of
from securewatch.operations.release.simulate import CourseOutcome, PhaseOutcome, Setting
from securewatch.rollout.conduct import decide_rollout
from securewatch.rollout.entry import waiting_run
from securewatch.rollout.gates import Grant, valid_grants
from securewatch.rollout.model import Member, MemberPlan, MemberState, PhasePlan, Rollout, RolloutState, new_members
from securewatch.rollout.view import RolloutDecision, RolloutView, Start

REQUESTER = "the release engineer"
APPROVER = "approver"
LARGE = 300
"""Customers from which on the rollout as a whole is decided once a minute, and else once a second."""
_AFTER = timedelta(days=30)
_ROLLOUT = ""
_MATTERS = frozenset({Stage.WATCHING, Stage.STOPPING, Stage.UNWINDING})


class Course:
    """Plays one course; `play` once."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self._setting, self._plan, self._seed = setting, setting.plan, seed
        self._clock = CourseClock(setting.day_zero)
        self._mint = IDMint(f"rehearsal {seed}")
        self._parts = {one.slug: (phase, one) for phase in self._plan.phases for one in phase.members}
        self._pace = 60 if len(self._parts) >= LARGE else 1
        self._rollout = self._begin()
        self._members = {one.slug: replace(one, asked=True) for one in new_members(self._rollout, self._plan, self.now)}
        self._turns: dict[str, Turn] = {}
        self._open: set[str] = set()
        self._runs: dict[str, Run] = {}
        self._grants: dict[str, list[Grant]] = {}
        self._demo_verified_at: datetime | None = None
        self._events: list[tuple[datetime, int, str, Grant | None]] = []
        self._order = 0
        self._rollout_at: datetime | None = None
        self._exposed = 0
        self._journal = Journal()
        self._checks = Checks(self._plan, setting.day_zero)

    @property
    def now(self) -> datetime:
        """Where the course is."""
        return self._clock.instant

    def _begin(self) -> Rollout:
        plan = self._plan
        return Rollout(
            id=f"{plan.version}-r1",
            plan_hash=plan.hash,
            version=plan.version,
            commit=plan.commit,
            generation=1,
            state=RolloutState.RUNNING,
            since=self.now,
            day_zero=self._setting.day_zero,
            requested_by=REQUESTER,
            requested_at=self.now,
        )

    # --- the loop -----------------------------------------------------------------------------------------------------

    def play(self) -> CourseOutcome:
        """From day 0 until nothing more happens by itself. Nobody resumes a rollout that halts."""
        self._ask_approvers()
        self._wake_rollout(self.now)
        end = max(phase.ends(self._setting.day_zero) for phase in self._plan.phases) + _AFTER
        while self._events and self._events[0][0] <= end:
            at, _, slug, grant = heapq.heappop(self._events)
            self._clock.instant = max(self.now, at)
            if grant is not None:
                self._grants.setdefault(grant.slug, []).append(grant)
                self._wake_rollout(self.now)
            elif slug != _ROLLOUT:
                self._step(slug)
            elif at == self._rollout_at:
                self._rollout_at = None
                self._lead()
        is_done = self._rollout.state is RolloutState.DONE
        self._checks.over(self._members, is_done=is_done)
        return self._outcome()

    def _push(self, at: datetime, slug: str, grant: Grant | None = None) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, slug, grant))

    def _wake_rollout(self, at: datetime) -> None:
        """Decide about the rollout at the next whole second or minute, once."""
        if self._rollout_at is None or at < self._rollout_at:
            self._rollout_at = at
            self._push(at, _ROLLOUT)

    def _soon(self) -> datetime:
        seconds = (self.now - self._setting.day_zero).total_seconds()
        return self._setting.day_zero + timedelta(seconds=self._pace * (seconds // self._pace + 1))

    def _ask_approvers(self) -> None:
        """Each approval is given some hours after the customer's phase began, by those who may give it."""
        for slug, (phase, part) in self._parts.items():
            if not part.gates.needs_approval or part.left_out:
                continue
            begins = phase.begins(self._setting.day_zero)
            at = begins + timedelta(hours=self._fate(slug).answers_after_hours)
            seconds = part.gates.approval_expires_seconds
            expires = at + timedelta(seconds=seconds) if seconds else phase.ends(self._setting.day_zero)
            for actor in self._approvers(part):
                self._push(at, slug, Grant(self._plan.hash, slug, actor, at, expires, granted=True))

    def _approvers(self, part: MemberPlan) -> list[str]:
        may = part.gates.approvers or tuple(f"{APPROVER} {one + 1}" for one in range(part.gates.approvals_needed))
        return list(may[: part.gates.approvals_needed])

    def _fate(self, slug: str) -> Fate:
        return draw(self._seed, slug, self._setting.wish.failure_rate)

    # --- the rollout --------------------------------------------------------------------------------------------------

    def _lead(self) -> None:
        view = self._view()
        found = decide_rollout(view, self.now)
        self._commit(found)
        for start in found.starts:
            self._start(start)
        if found.next_at is not None:
            self._wake_rollout(found.next_at)

    def _view(self) -> RolloutView:
        return RolloutView(
            self._rollout,
            self._plan,
            self._members,
            runs=self._runs,
            grants=[one for given in self._grants.values() for one in given],
            demo_verified_at=self._demo_verified_at,
        )

    def _commit(self, found: RolloutDecision) -> None:
        before = self._rollout
        if found.rollout is not before:
            self._rollout = replace(found.rollout, epoch=before.epoch + 1)
            self._journal.add(
                self.now,
                f"rollout.{self._rollout.state}",
                before.id,
                epoch=self._rollout.epoch,
                changes={"state": self._rollout.state, "detail": self._rollout.detail},
            )
            if self._rollout.state is RolloutState.HALTED:
                self._exposed = sum(self._turns[slug].is_exposed for slug in self._turns)
        for slug, member in found.members.items():
            if member is not self._members[slug]:
                self._save(member)

    def _save(self, member: Member) -> None:
        before = self._members[member.slug]
        after = self._members[member.slug] = replace(member, epoch=before.epoch + 1)
        changes = {"state": after.state, "detail": after.detail}
        self._journal.add(self.now, f"member.{after.state}", f"member {after.slug}", epoch=after.epoch, changes=changes)
        if before.state is MemberState.RUNNING and after.state is not MemberState.RUNNING:
            self._checks.ended(after.slug)

    # --- one customer -------------------------------------------------------------------------------------------------

    def _start(self, start: Start) -> None:
        phase, part = self._parts[start.slug]
        member = self._members[start.slug]
        given = self._grants.get(start.slug, [])
        self._checks.started(phase, part, self.now, self._members, given)
        fate = self._fate(start.slug)
        site = Site(part.services, fate, self._clock, self._mint)
        plan = self._plan_of(phase, part, site)
        run = replace(waiting_run(self._rollout, member), plan_hash=plan.hash, generation=1, attempt=1)
        full = self._setting.wish.probes == "full"
        turn = Turn(plan, plan.customers[0], run, site, fate, self._setting.build_seconds, full)
        self._turns[start.slug] = turn
        self._runs[run.id] = run
        self._open.add(start.slug)
        self._save(replace(member, state=MemberState.RUNNING, since=self.now, run_id=run.id, started_at=self.now))
        self._step(start.slug)

    def _plan_of(self, phase: PhasePlan, part: MemberPlan, site: Site) -> Plan:
        """The customer's own plan, made as for a deploy, with what its services show."""
        keys = dict(self._plan.env_keys)
        services = tuple(
            ServicePlan(
                kind=kind,
                service_id=service_id,
                name=service_id,
                url="",
                env_changes=tuple(EnvChange(key, "before", "after") for key in keys.get(kind, ())),
                live_deploy_id=site.live(service_id).id,
                live_commit=BEFORE,
            )
            for kind, service_id in part.services
        )
        customer = CustomerPlan(
            slug=part.slug,
            name=part.name,
            policy=part.policy,
            phase=phase.name,
            owner_id=OWNER,
            services=services,
            gates=part.gates,
            rules=phase.rules,
            endpoints=self._plan.endpoints,
        )
        return plan_of(customer, Target(RunKind.DEPLOY, self._plan.version, self._plan.commit))

    def _step(self, slug: str) -> None:
        turn = self._turns[slug]
        given = self._grants.get(slug, [])
        next_at = turn.step(self.now, given)
        self._note_moves(turn)
        if next_at is not None:
            self._push(max(next_at, self.now + timedelta(milliseconds=1)), slug)
            return
        self._open.discard(slug)
        self._checks.followed(turn, self._plan.commit)

    def _note_moves(self, turn: Turn) -> None:
        for before, after in turn.moves:
            changes = difference(before, after)
            self._journal.add(self.now, f"run.{after.stage}", after.id, epoch=after.epoch, changes=changes)
            if before.stage is Stage.QUEUED and after.stage is Stage.PREFLIGHT:
                self._use_approvals(turn)
            if after.stage is Stage.WATCHING and before.stage is not Stage.WATCHING:
                self._verified(turn)
            if after.stage is not before.stage and (after.stage in _MATTERS or after.stage.is_terminal):
                self._wake_rollout(self._soon())
        turn.moves.clear()
        self._runs[turn.run.id] = turn.run

    def _use_approvals(self, turn: Turn) -> None:
        """The first step past the gates uses the approvals up (I9)."""
        gates, given = turn.customer.gates, self._grants.get(turn.run.slug, [])
        if not gates.needs_approval:
            return
        used = valid_grants(gates, turn.run, given, self.now)
        turn.run = replace(turn.run, approved_by=tuple(one.actor for one in used))
        self._grants[turn.run.slug] = [replace(one, used_by=turn.run.id) if one in used else one for one in given]

    def _verified(self, turn: Turn) -> None:
        self._checks.followed(turn, self._plan.commit)
        if turn.customer.policy == "demo" and self._demo_verified_at is None:
            self._demo_verified_at = self.now

    # --- the outcome --------------------------------------------------------------------------------------------------

    def _outcome(self) -> CourseOutcome:
        state = self._rollout.state
        detail = self._rollout.detail if state is RolloutState.HALTED else self._stuck()
        return CourseOutcome(
            seed=self._seed,
            state=str(state),
            detail=detail,
            ended_at=self.now,
            phases=tuple(self._phase_outcome(phase) for phase in self._plan.phases),
            approvals=sum(one.used_by is not None for given in self._grants.values() for one in given),
            exposed=self._exposed,
            held=tuple(slug for slug, one in self._members.items() if one.state is MemberState.HELD),
            changes=self._journal.count,
            journal=self._journal.digest,
            violations=(*self._checks.broken, *self._journal.gaps),
        )

    def _stuck(self) -> str:
        """What a rollout that is not done still waits for."""
        if self._rollout.state.is_over:
            return ""
        waiting = decide_rollout(self._view(), self.now).waiting
        first = next(iter(waiting.items()), None)
        return f"{len(waiting)} wait; {first[0]}: {first[1].what}" if first is not None else ""

    def _phase_outcome(self, phase: PhasePlan) -> PhaseOutcome:
        members = [self._members[one.slug] for one in phase.due]
        ends = [one.verified_at or one.since for one in members if one.state.is_over]
        turns = [self._turns[one.slug] for one in members if one.slug in self._turns]
        return PhaseOutcome(
            name=phase.name,
            customers=len(members),
            ended_at=max(ends, default=None) if len(ends) == len(members) else None,
            deploys=sum(_sent(turn) for turn in turns),
            rollbacks=sum(one.state is MemberState.ROLLED_BACK for one in members),
            failed=sum(one.state.is_failure for one in members),
        )


def _sent(turn: Turn) -> int:
    """The deploys of the version that the platform was asked for."""
    return sum(1 for one in _made(turn) if one != BEFORE)


def _made(turn: Turn) -> Iterator[str]:
    for service in turn.customer.services:
        for deploy in turn.site.deploys(service.service_id):
            if deploy.commit is not None:
                yield deploy.commit.id
