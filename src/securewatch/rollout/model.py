"""The values of a release on its way through the fleet, all frozen: the plan, the rollout and its members."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from securewatch.deploy.model import DeployRules, Endpoints, GateRules, ServiceKind

RELEASE_PLAN_FORMAT = 1
HAS_IT = "has"
"""How the detail of a customer begins that is skipped because it has the version already."""
NOTICE_DAYS = (7, 3, 0)
"""Days ahead at which a customer is reminded, where its policy's advance is longer."""


class RolloutState(StrEnum):
    """Where a rollout is (design: behaviour, commands)."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    DONE = "done"
    ABORTED = "aborted"

    @property
    def is_over(self) -> bool:
        """Whether nothing more starts, ever."""
        return self in (RolloutState.DONE, RolloutState.ABORTED)


class MemberState(StrEnum):
    """Where one customer is within a rollout. Verified ones are still watched; done ones have been."""

    PENDING = "pending"
    RUNNING = "running"
    VERIFIED = "verified"
    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    HELD = "held"
    SKIPPED = "skipped"

    @property
    def is_over(self) -> bool:
        """Whether the rollout does nothing more for the customer unless a person asks for it."""
        return self not in (MemberState.PENDING, MemberState.RUNNING)

    @property
    def is_failure(self) -> bool:
        """Whether it counts against the failure budget."""
        return self in (MemberState.FAILED, MemberState.ROLLED_BACK, MemberState.HELD)


# --- the plan ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MemberPlan:
    """What is decided beforehand for one customer. `batch` counts from 1 within its phase.

    `left_out` says why the version does not come to the customer (with `code`), which then is in no batch (0).
    `testing_seconds` is the policy's minimum testing period, `earliest_seconds` the policy's delay from day 0 where the
    calendar is `policy_delay`. `notice_days` are the days ahead at which the customer is told, longest first; with
    `needs_notice` the deploy may not come sooner than that after the plan.
    """

    slug: str
    name: str
    policy: str
    batch: int
    services: tuple[tuple[ServiceKind, str], ...]
    gates: GateRules
    testing_seconds: float = 0.0
    earliest_seconds: float = 0.0
    notice_days: tuple[int, ...] = ()
    needs_notice: bool = False
    left_out: str = ""
    code: str = ""


@dataclass(frozen=True)
class Budget:
    """How many customers of a batch may fail before the rollout halts: the greater of a count and a share of one."""

    count: int = 0
    share: float = 0.0

    def allowed(self, customer_count: int) -> int:
        """Failures that a batch of that many customers may have."""
        return max(self.count, int(customer_count * self.share + 1e-9))


@dataclass(frozen=True)
class PhasePlan:
    """One phase: its days (both included), how it is cut, and when it counts as well done.

    `batch_size` is in words. `lanes` is how many customers of an individual phase go side by side; 0 where whole
    batches go. `batch_delay_seconds` is counted from the end of the batch before.
    """

    name: str
    first_day: int
    last_day: int
    batch_size: str
    batch_delay_seconds: float
    lanes: int
    needs_window: bool
    needs_approval: bool
    budget: Budget
    rules: DeployRules
    members: tuple[MemberPlan, ...]
    success_rate: float = 0.95
    allows_rollbacks: bool = True
    requires_backup: bool = False

    @property
    def due(self) -> tuple[MemberPlan, ...]:
        """The customers to whom the version comes, batch by batch."""
        return tuple(one for one in self.members if not one.left_out)

    @property
    def batch_count(self) -> int:
        """How many batches there are."""
        return max((one.batch for one in self.members), default=0)

    def begins(self, day_zero: datetime) -> datetime:
        """The first instant of the phase (day n begins n x 24 h after the start; design: behaviour, rollouts)."""
        return day_zero + timedelta(days=self.first_day)

    def ends(self, day_zero: datetime) -> datetime:
        """The first instant after the phase's last day."""
        return day_zero + timedelta(days=self.last_day + 1)


@dataclass(frozen=True)
class ReleasePlan:
    """The immutable document of a release: what comes to whom, in which order, under which rules.

    `hash` covers all of it but `notes`; it holds no instant. `env_keys` are the names that a deploy writes by template;
    values and the other keys of each customer are in the plan that is made when its turn comes.
    """

    version: str
    commit: str
    calendar: str
    phases: tuple[PhasePlan, ...]
    endpoints: Endpoints
    env_keys: tuple[tuple[ServiceKind, tuple[str, ...]], ...] = ()
    joining: str = ""
    plan_format: int = RELEASE_PLAN_FORMAT
    hash: str = ""
    notes: tuple[str, ...] = ()

    def phase(self, name: str) -> PhasePlan:
        """The phase of that short name; raises KeyError where the plan has none."""
        return {one.name: one for one in self.phases}[name]


# --- the rollout ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """One customer of a rollout: the row that the controller moves.

    `asked` says that somebody asked for this customer, so that it starts when its gates open; `forced` that its soft
    gates are skipped. `run_id` is the latest run made for it. `accepted` says that a person has seen the failure, so
    that it counts no more against the budget. `joined` holds the part of a customer who came after the plan.
    """

    rollout_id: str
    slug: str
    phase: str
    batch: int
    state: MemberState
    since: datetime
    asked: bool = True
    forced: bool = False
    run_id: str = ""
    attempt: int = 0
    code: str = ""
    detail: str = ""
    accepted: bool = False
    started_at: datetime | None = None
    verified_at: datetime | None = None
    joined: MemberPlan | None = None
    epoch: int = 0


@dataclass(frozen=True)
class Rollout:
    """One version on its way through the fleet: the row that the controller moves.

    `day_zero` is where day 0 of the calendar begins.
    """

    id: str
    plan_hash: str
    version: str
    commit: str
    generation: int
    state: RolloutState
    since: datetime
    day_zero: datetime
    requested_by: str
    requested_at: datetime
    reason: str = ""
    code: str = ""
    detail: str = ""
    finished_at: datetime | None = None
    epoch: int = 0


def new_members(rollout: Rollout, plan: ReleasePlan, now: datetime) -> list[Member]:
    """The members of a rollout at its begin. Nobody is asked for yet; who is left out is skipped, with the reason."""
    return [
        Member(
            rollout_id=rollout.id,
            slug=one.slug,
            phase=phase.name,
            batch=one.batch,
            state=MemberState.SKIPPED if one.left_out else MemberState.PENDING,
            since=now,
            asked=False,
            code=one.code,
            detail=one.left_out,
        )
        for phase in plan.phases
        for one in phase.members
    ]
