"""What a decision about a rollout looks at and gives back. Frozen values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from securewatch.deploy.model import Run
from securewatch.deploy.view import WaitingOn
from securewatch.rollout.freezes import StandingFreeze
from securewatch.rollout.gates import Grant
from securewatch.rollout.model import Member, MemberPlan, PhasePlan, ReleasePlan, Rollout


class PhaseState(StrEnum):
    """Where a phase of a rollout is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True)
class RolloutView:
    """Everything that a decision about one rollout may look at.

    `plan` has those who joined in their phases. `runs` are the latest runs of its members by id, as far as something
    may still come of them; `grants` the answers given to its plan; `busy` the other unfinished run of a customer by
    slug; `freezes` those that people set; `having` the customers with the version on every service, by whatever
    command; `starting` the members whose start is under way in this process. `demo_verified_at` is the version's first
    verified deploy to a demo customer.
    """

    rollout: Rollout
    plan: ReleasePlan
    members: Mapping[str, Member]
    runs: Mapping[str, Run] = field(default_factory=dict)
    grants: Sequence[Grant] = ()
    busy: Mapping[str, str] = field(default_factory=dict)
    freezes: Sequence[StandingFreeze] = ()
    having: Collection[str] = ()
    starting: Collection[str] = ()
    demo_verified_at: datetime | None = None
    is_paused: bool = False

    @cached_property
    def plans(self) -> Mapping[str, tuple[PhasePlan, MemberPlan]]:
        """Each member's part of the plan, and its phase's."""
        return {one.slug: (phase, one) for phase in self.plan.phases for one in phase.members}

    @cached_property
    def _grants_by_slug(self) -> Mapping[str, Sequence[Grant]]:
        found: dict[str, list[Grant]] = {}
        for one in self.grants:
            found.setdefault(one.slug, []).append(one)
        return found

    def grants_of(self, slug: str) -> Sequence[Grant]:
        """The answers given for one customer, oldest first."""
        return self._grants_by_slug.get(slug, ())


@dataclass(frozen=True)
class Start:
    """A member whose every gate is open: its deploy is to be begun."""

    rollout_id: str
    slug: str
    epoch: int


@dataclass(frozen=True)
class PhaseView:
    """One phase as the decision sees it. `begins` and `ends` are the days of the calendar."""

    name: str
    state: PhaseState
    begins: datetime
    ends: datetime
    batch: int
    batch_count: int
    waiting_on: WaitingOn | None = None


@dataclass(frozen=True)
class RolloutDecision:
    """What may happen next to one rollout: its rows as they are to be, who starts, and what the others wait for."""

    rollout: Rollout
    members: Mapping[str, Member]
    starts: tuple[Start, ...] = ()
    waiting: Mapping[str, WaitingOn] = field(default_factory=dict)
    phases: tuple[PhaseView, ...] = ()
    next_at: datetime | None = None


def day_of(day_zero: datetime, at: datetime) -> int:
    """The day of the calendar at an instant; negative before day 0."""
    return (at - day_zero) // timedelta(days=1)
