"""The settings of `securewatch.json`, as frozen values with their documented defaults. Knows no file format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class ReleaseCalendar(StrEnum):
    """Which dates rule a release: the days of the phases, or each policy's `rollout_delay`."""

    PHASES = "phases"
    POLICY_DELAY = "policy_delay"


@dataclass(frozen=True)
class ProbeSettings:
    """How often and how long customers are looked at. `timeout_seconds` is real, the others product time."""

    dense_interval: timedelta = timedelta(seconds=30)
    dense_duration: timedelta = timedelta(hours=1)
    sparse_interval: timedelta = timedelta(minutes=5)
    timeout_seconds: float = 10.0
    verification_interval: timedelta = timedelta(seconds=5)
    verification_samples: int = 20
    baseline_samples: int = 20


@dataclass(frozen=True)
class FailureBudget:
    """How many customers of one batch may fail before the rollout halts: a count, or a share of the batch."""

    count: int = 0
    share: float = 0.0

    def allowed(self, customer_count: int) -> int:
        """Failures that a batch of that many customers may have; a share is rounded down."""
        return max(self.count, int(customer_count * self.share + 1e-9))


DEFAULT_BUDGETS = {"standard": FailureBudget(share=0.05)}
"""What fails without halting where the files say nothing; in every other phase the first failure halts."""


@dataclass(frozen=True)
class ApprovalRule:
    """How many distinct people must approve, and how long an approval holds (None: 30 days)."""

    count: int = 1
    expires_after: timedelta | None = None


@dataclass(frozen=True)
class Freeze:
    """A time in which nothing new starts, for all customers or for those of some policies or slugs."""

    name: str
    start: datetime
    end: datetime
    policies: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()

    def concerns(self, slug: str, policy: str) -> bool:
        """Whether the customer of that slug and policy is meant. When it holds, `rollout/gates.py` says."""
        return not (self.policies or self.customers) or policy in self.policies or slug in self.customers


@dataclass(frozen=True)
class Extras:
    """The settings of `securewatch.json`. Mappings by phase use the short names; absent phases take the default."""

    release_calendar: ReleaseCalendar = ReleaseCalendar.PHASES
    deploy_timeout: timedelta = timedelta(minutes=10)
    probe: ProbeSettings = ProbeSettings()
    failure_budget: Mapping[str, FailureBudget] = field(default_factory=dict)
    approvals: Mapping[str, ApprovalRule] = field(default_factory=dict)
    lanes: Mapping[str, int] = field(default_factory=dict)
    require_reason: frozenset[str] = frozenset()
    service_names: Mapping[str, str] = field(default_factory=dict)
    freezes: tuple[Freeze, ...] = ()
    p95_may_fail: bool = False
    keep_backups: timedelta = timedelta(days=14)

    def failure_budget_of(self, phase: str) -> FailureBudget:
        """The budget of a phase (short name): as given, else the default."""
        return self.failure_budget.get(phase, DEFAULT_BUDGETS.get(phase, FailureBudget()))

    def approval_of(self, phase: str) -> ApprovalRule:
        """The approval rule of a phase (short name)."""
        return self.approvals.get(phase, ApprovalRule())

    def lanes_of(self, phase: str) -> int:
        """How many customers of an `individual` phase (short name) may go side by side."""
        return self.lanes.get(phase, 1)
