"""The invariants of a rollout, checked from outside: by what happened, not by what was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rehearsal.calendar import wall_is_in
from rehearsal.simulate.site import BEFORE
from rehearsal.simulate.turn import Turn
from securewatch.deploy.model import Stage, WindowSpec
from securewatch.rollout.gates import Grant
from securewatch.rollout.model import Member, MemberPlan, MemberState, PhasePlan, ReleasePlan


@dataclass
class Checks:
    """Watches one course of a plan; `broken` says what was wrong."""

    plan: ReleasePlan
    day_zero: datetime
    broken: list[str] = field(default_factory=list)
    _runs: dict[str, str] = field(default_factory=dict)
    _open: set[tuple[str, int]] = field(default_factory=set)
    _under_way: dict[str, int] = field(default_factory=dict)

    def started(
        self, phase: PhasePlan, part: MemberPlan, now: datetime, members: Mapping[str, Member], grants: Sequence[Grant]
    ) -> None:
        """A member was begun: not before its day, in its window, approved, after the batch before (I4, I5, I9)."""
        slug = part.slug
        if slug in self._runs:
            self._say(now, f"I1: {slug} was begun twice")
        self._runs[slug] = phase.name
        if self.plan.calendar == "phases" and now < phase.begins(self.day_zero):
            self._say(now, f"I4: {slug} began before day {phase.first_day}")
        if part.gates.window is not None and not in_window(part.gates.window, now):
            self._say(now, f"I4: {slug} began outside its window")
        if any(one.start <= now < one.end for one in part.gates.freezes):
            self._say(now, f"I4: {slug} began during a freeze")
        self._check_approvals(part, now, grants)
        if not phase.lanes and (phase.name, part.batch) not in self._open:
            self._check_batches(phase, part, now, members)
        count = self._under_way[phase.name] = self._under_way.get(phase.name, 0) + 1
        if phase.lanes and count > phase.lanes:
            self._say(now, f"I5: {count} customers of {phase.name} at once")

    def ended(self, slug: str) -> None:
        """A member is under way no more."""
        self._under_way[self._runs[slug]] -= 1

    def followed(self, turn: Turn, commit: str) -> None:
        """A run is over, or watched: what the platform has of it (I1, I3, I8)."""
        for service in turn.customer.services:
            made = turn.site.deploys(service.service_id)
            ours = [one for one in made if one.commit is not None and one.commit.id != BEFORE]
            if len(ours) > 1:
                self.broken.append(f"I1: {service.service_id} has {len(ours)} deploys of the version")
            if any(one.commit is not None and one.commit.id != commit for one in ours):
                self.broken.append(f"I3: {service.service_id} got another commit")
            back = [one for one in made if one.rollback_of is not None]
            if any(one.rollback_of != made[0].id for one in back):
                self.broken.append(f"I8: {service.service_id} went back to what was not recorded")
        if turn.run.stage is Stage.ROLLED_BACK and turn.is_exposed:
            self.broken.append(f"I13: {turn.run.slug} was rolled back and still has the version")

    def over(self, members: Mapping[str, Member], *, is_done: bool) -> None:
        """The course is over: everybody in scope has an end with a reason (I13)."""
        for one in members.values():
            if is_done and not one.state.is_over:
                self.broken.append(f"I13: {one.slug} is {one.state}, and the rollout is done")
            if one.state.is_failure and not (one.detail or one.code):
                self.broken.append(f"I13: {one.slug} is {one.state} without a reason")
            if one.state is MemberState.RUNNING:
                self.broken.append(f"I13: {one.slug} is still under way")

    def _check_batches(self, phase: PhasePlan, part: MemberPlan, now: datetime, members: Mapping[str, Member]) -> None:
        """Those of the batches before are done; then the batch is open for all in it, since nobody retries here."""
        self._open.add((phase.name, part.batch))
        for earlier in phase.due:
            if earlier.batch < part.batch and not members[earlier.slug].state.is_over:
                self._say(now, f"I4: {part.slug} began before {earlier.slug} of the batch before was done")

    def _check_approvals(self, part: MemberPlan, now: datetime, grants: Sequence[Grant]) -> None:
        if not part.gates.needs_approval:
            return
        ours = {one.actor for one in grants if one.slug == part.slug and one.granted and one.at <= now < one.expires_at}
        if len(ours) < part.gates.approvals_needed:
            self._say(now, f"I9: {part.slug} began with {len(ours)} approvals")

    def _say(self, now: datetime, text: str) -> None:
        self.broken.append(f"{text} ({now:%Y-%m-%d %H:%M} UTC)")


def in_window(spec: WindowSpec, now: datetime) -> bool:
    """Whether a window is open, by the clock on the customer's wall."""
    hours = (spec.start, spec.end) if spec.start is not None and spec.end is not None else None
    return wall_is_in(spec.day, hours, spec.timezone, now)
