"""The decision over all open runs at once: gates from above, then each customer's own decision. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from securewatch.deploy import decide as one
from securewatch.deploy.model import RunKind, Stage
from securewatch.deploy.view import Decision, Gate, View
from securewatch.rollout.conduct import decide_rollout
from securewatch.rollout.freezes import FreezeCheck, StandingFreeze
from securewatch.rollout.gates import Grant, gates_of
from securewatch.rollout.view import RolloutDecision, RolloutView


@dataclass(frozen=True)
class FleetView:
    """All open runs and rollouts, the approvals given, the kill switch, and the freezes, pins and holds in force."""

    views: tuple[View, ...]
    grants: Sequence[Grant] = ()
    is_paused: bool = False
    rollouts: tuple[RolloutView, ...] = ()
    freezes: Sequence[StandingFreeze] = ()

    @cached_property
    def by_slug(self) -> Mapping[str, Sequence[View]]:
        """The views of each customer."""
        found: dict[str, list[View]] = {}
        for view in self.views:
            found.setdefault(view.run.slug, []).append(view)
        return found


@dataclass(frozen=True)
class FleetDecision:
    """A decision for each run and rollout, by id, and the next instant at which any of them could change.

    `about` is what was looked at.
    """

    decisions: Mapping[str, Decision]
    next_at: datetime | None
    rollouts: Mapping[str, RolloutDecision] = field(default_factory=dict)
    about: FleetView = field(default_factory=lambda: FleetView(()))


def decide(fleet: FleetView, now: datetime, before: FleetDecision | None = None) -> FleetDecision:
    """What may happen next to every run and rollout.

    From the decision `before`, what is still so is taken over: where all that it looked at are the very same values and
    no instant has come at which it could change.
    """
    earlier = _Earlier.of(before, fleet)
    decisions = {}
    check = FreezeCheck(fleet.freezes, now)
    for view in fleet.views:
        decisions[view.run.id] = earlier.run(fleet, view, now) or _decide_run(fleet, view, check, now)
    rollouts = {view.rollout.id: earlier.rollout(view, now) or decide_rollout(view, now) for view in fleet.rollouts}
    nexts = [found.next_at for found in decisions.values()] + [found.next_at for found in rollouts.values()]
    return FleetDecision(decisions, min((one for one in nexts if one is not None), default=None), rollouts, fleet)


@dataclass(frozen=True)
class _Earlier:
    """What was decided before, as far as what binds all of them is as it was."""

    decision: FleetDecision
    rollouts: Mapping[str, RolloutView]
    binds_all: bool

    @staticmethod
    def of(before: FleetDecision | None, fleet: FleetView) -> "_Earlier":
        if before is None:
            return _Earlier(FleetDecision({}, None), {}, binds_all=False)
        about = before.about
        same = about.is_paused == fleet.is_paused and about.grants is fleet.grants and about.freezes is fleet.freezes
        return _Earlier(before, {view.rollout.id: view for view in about.rollouts}, binds_all=same)

    def run(self, fleet: FleetView, view: View, now: datetime) -> Decision | None:
        """The decision about a run, where neither it nor another run of the customer has changed."""
        found = self.decision.decisions.get(view.run.id)
        if found is None or not self.binds_all or found.run is not view.run or found.effects:
            return None
        theirs, ours = self.decision.about.by_slug[view.run.slug], fleet.by_slug[view.run.slug]
        is_same = len(theirs) == len(ours) and all(one is other for one, other in zip(theirs, ours, strict=True))
        return found if is_same and not _is_due(found.next_at, now) else None

    def rollout(self, view: RolloutView, now: datetime) -> RolloutDecision | None:
        """The decision about a rollout that has not changed."""
        found = self.decision.rollouts.get(view.rollout.id)
        is_same = found is not None and self.rollouts[view.rollout.id] is view and found.rollout is view.rollout
        return found if is_same and found is not None and not _is_due(found.next_at, now) else None


def _is_due(instant: datetime | None, now: datetime) -> bool:
    return instant is not None and instant <= now


def _decide_run(fleet: FleetView, view: View, check: FreezeCheck, now: datetime) -> Decision:
    own = gates_of(view.customer.gates, view.run, fleet.grants, now)
    gates = (*_predecessors(fleet, view), *_freezes(check, view), *own)
    return one.decide(replace(view, gates=gates, is_paused=fleet.is_paused), now)


def _predecessors(fleet: FleetView, view: View) -> tuple[Gate, ...]:
    """Shut while an older run of the same customer is doing something; watching alone does not count."""
    for other in fleet.by_slug[view.run.slug]:
        is_older = other.run.generation < view.run.generation
        if is_older and not other.run.stage.is_terminal and other.run.stage is not Stage.WATCHING:
            return (
                Gate("predecessor", False, f"{other.run.id} is {other.run.stage.value.replace('_', ' ')}", "SW410"),
            )
    return ()


def _freezes(check: FreezeCheck, view: View) -> tuple[Gate, ...]:
    """Those that people set; the ways back pass them (S10)."""
    if view.run.kind in (RunKind.ROLLBACK, RunKind.RESTORE):
        return ()
    return check.gates_of(view.run.slug, view.customer.policy, forced=view.run.force)
