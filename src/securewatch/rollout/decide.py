"""The decision over all open runs at once: gates from above, then each customer's own decision. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

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


@dataclass(frozen=True)
class FleetDecision:
    """A decision for each run and rollout, by id, and the next instant at which any of them could change."""

    decisions: Mapping[str, Decision]
    next_at: datetime | None
    rollouts: Mapping[str, RolloutDecision] = field(default_factory=dict)


def decide(fleet: FleetView, now: datetime) -> FleetDecision:
    """What may happen next to every run and rollout."""
    decisions = {}
    check = FreezeCheck(fleet.freezes, now)
    for view in fleet.views:
        own = gates_of(view.customer.gates, view.run, fleet.grants, now)
        gates = (*_predecessors(fleet, view), *_freezes(check, view), *own)
        bound = replace(view, gates=gates, is_paused=fleet.is_paused)
        decisions[view.run.id] = one.decide(bound, now)
    rollouts = {view.rollout.id: decide_rollout(view, now) for view in fleet.rollouts}
    nexts = [found.next_at for found in decisions.values()] + [found.next_at for found in rollouts.values()]
    return FleetDecision(decisions, min((one for one in nexts if one is not None), default=None), rollouts)


def _predecessors(fleet: FleetView, view: View) -> tuple[Gate, ...]:
    """Shut while an older run of the same customer is doing something; watching alone does not count."""
    for other in fleet.views:
        is_older = other.run.slug == view.run.slug and other.run.generation < view.run.generation
        if is_older and not other.run.stage.is_terminal and other.run.stage is not Stage.WATCHING:
            return (
                Gate("predecessor", False, f"{other.run.id} is {other.run.stage.value.replace('_', ' ')}", "SW410"),
            )
    return ()


def _freezes(check: FreezeCheck, view: View) -> tuple[Gate, ...]:
    """Those that people set; a rollback passes them (S10)."""
    if view.run.kind is RunKind.ROLLBACK:
        return ()
    return check.gates_of(view.run.slug, view.customer.policy, forced=view.run.force)
