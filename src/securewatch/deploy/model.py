"""The values of one customer's deploy, all frozen: the plan and the run. No behaviour beyond reading them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from securewatch.health.verdict import Baseline, Comparison, Thresholds

SAMPLES_LOADED_MAX = 400
"""How many of a service's newest samples a decision sees; far more than any rule counts."""


class ServiceKind(StrEnum):
    """The two halves of a customer's pair."""

    BACKEND = "backend"
    FRONTEND = "frontend"


class RunKind(StrEnum):
    """What a run is for."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    ENV = "env"
    RESTORE = "restore"


class Stage(StrEnum):
    """Where a run is. Names once released stay readable for ever (design: architecture, upgrades)."""

    QUEUED = "queued"
    PREFLIGHT = "preflight"
    BACKING_UP = "backing_up"
    CLOSING = "closing"
    RESTORING = "restoring"
    MIGRATING = "migrating"
    SETTING_ENV = "setting_env"
    DEPLOYING = "deploying"
    OPENING = "opening"
    SETTLING = "settling"
    VERIFYING = "verifying"
    WATCHING = "watching"
    UNWINDING = "unwinding"
    STOPPING = "stopping"
    ROLLING_BACK = "rolling_back"
    RECHECKING = "rechecking"
    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    HELD = "held"
    REFUSED = "refused"
    SUPERSEDED = "superseded"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens unless a person asks for it."""
        return self in _TERMINAL

    @property
    def is_forward(self) -> bool:
        """Whether the run is on its way to the new version, so that it can still be turned back."""
        return self in _FORWARD


_TERMINAL = frozenset({Stage.DONE, Stage.FAILED, Stage.ROLLED_BACK, Stage.HELD, Stage.REFUSED, Stage.SUPERSEDED})
_FORWARD = frozenset(
    {
        Stage.QUEUED,
        Stage.PREFLIGHT,
        Stage.BACKING_UP,
        Stage.CLOSING,
        Stage.RESTORING,
        Stage.MIGRATING,
        Stage.SETTING_ENV,
        Stage.DEPLOYING,
        Stage.OPENING,
        Stage.SETTLING,
        Stage.VERIFYING,
        Stage.WATCHING,
    }
)


REOPENS = frozenset({Stage.DONE, Stage.HELD, Stage.SUPERSEDED})
"""Finished stages from which a person may still ask for the way back."""


class Status(StrEnum):
    """The eight words that people and programs see (design: interface)."""

    QUEUED = "queued"
    BUILDING = "building"
    LIVE = "live"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    WAITING = "waiting"
    HELD = "held"
    UNKNOWN = "unknown"


# --- the plan ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EnvChange:
    """One env var to write: name and fingerprints, never its value. `before` is None where Render has no such key."""

    key: str
    before: str | None
    after: str


@dataclass(frozen=True)
class Drift:
    """A declared key whose value on Render differs from its template; shown, not written by a deploy."""

    key: str


@dataclass(frozen=True)
class ServicePlan:
    """What a deploy does to one service."""

    kind: ServiceKind
    service_id: str
    name: str
    url: str
    env_changes: tuple[EnvChange, ...] = ()
    drift: tuple[Drift, ...] = ()
    live_deploy_id: str | None = None
    live_commit: str | None = None


@dataclass(frozen=True)
class WindowSpec:
    """A maintenance window as configured: `day` a weekday or `any`; `start`, `end` as HH:MM or None for any time."""

    day: str
    start: str | None
    end: str | None
    timezone: str


@dataclass(frozen=True)
class FreezeSpec:
    """A time in which nothing starts: from `start`, and from `end` on no more."""

    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class GateRules:
    """Which gates bind this customer's deploy; frozen into the plan.

    `approval_expires_seconds` counts from the answer; 0 in a release's plan means the end of the phase.
    """

    window: WindowSpec | None = None
    needs_approval: bool = False
    approvers: tuple[str, ...] = ()
    approvals_needed: int = 1
    approval_expires_seconds: float = 30 * 86400.0
    freezes: tuple[FreezeSpec, ...] = ()


@dataclass(frozen=True)
class Criteria:
    """The bar for *verified* (`success_criteria`); None where the files say nothing: then the triggers are the bar."""

    response_ms_max: float | None = None
    error_rate_max: float | None = None
    availability_min: float | None = None


@dataclass(frozen=True)
class DeployRules:
    """The durations (seconds of product time) and thresholds of one deploy; frozen into the plan."""

    deploy_timeout_seconds: float = 600.0
    queue_timeout_seconds: float = 3600.0
    settle_seconds: float = 600.0
    monitoring_seconds: float = 86400.0
    baseline_samples: int = 20
    verification_samples: int = 20
    verification_samples_max: int = 120
    verification_interval_seconds: float = 5.0
    poll_interval_seconds: float = 5.0
    dense_interval_seconds: float = 30.0
    dense_duration_seconds: float = 3600.0
    sparse_interval_seconds: float = 300.0
    thresholds: Thresholds = field(default_factory=Thresholds)
    criteria: Criteria = field(default_factory=Criteria)
    p95_may_fail: bool = False


@dataclass(frozen=True)
class Endpoints:
    """Paths appended to a backend's URL."""

    health: str = "/api/health"
    version: str = "/api/version"
    database: str = "/api/health/database"


@dataclass(frozen=True)
class MigrationPlan:
    """One migration that a deploy applies unless the database has it: its id, and the SHA-256 of its text."""

    id: str
    checksum: str
    irreversible: bool = False


@dataclass(frozen=True)
class RestorePlan:
    """What a restored database is to hold, as of `at`: one of our backups, by its name; else Render recovers it."""

    at: datetime
    backup: str = ""


@dataclass(frozen=True)
class DatabasePlan:
    """What a run does to the customer's database, by Render's id of it, and whether a backup comes before it."""

    postgres_id: str
    migrations: tuple[MigrationPlan, ...] = ()
    needs_backup: bool = False
    restore: RestorePlan | None = None

    @property
    def is_irreversible(self) -> bool:
        """Whether older versions cannot live with the database afterwards."""
        return any(one.irreversible for one in self.migrations)


@dataclass(frozen=True)
class CustomerPlan:
    """Everything decided beforehand for one customer. `services` stand in the order in which they are deployed.

    `database` is None where nothing is done to it.
    """

    slug: str
    name: str
    policy: str
    phase: str
    owner_id: str
    services: tuple[ServicePlan, ...]
    gates: GateRules
    rules: DeployRules
    endpoints: Endpoints
    from_version: str | None = None
    database: DatabasePlan | None = None

    @property
    def backend(self) -> ServicePlan | None:
        """The backend, where the plan is for it."""
        return next((one for one in self.services if one.kind is ServiceKind.BACKEND), None)


@dataclass(frozen=True)
class Plan:
    """The immutable document that dry run, approval and execution all speak of.

    `hash` covers what is done, under which rules and in the place of what, and leaves out times, notes, generations,
    drift and the fingerprints of values.
    """

    plan_format: int
    kind: RunKind
    version: str
    commit: str
    customers: tuple[CustomerPlan, ...]
    hash: str
    notes: tuple[str, ...] = ()
    redeploy: bool = False

    def customer(self, slug: str) -> CustomerPlan:
        """The part of the plan for one customer; raises KeyError when it has none."""
        found = {customer.slug: customer for customer in self.customers}
        return found[slug]


# --- the run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GoodDeploy:
    """The deploy of one service that was live and healthy before the change: where a rollback goes (S10)."""

    kind: ServiceKind
    service_id: str
    deploy_id: str
    commit: str | None
    version: str | None


@dataclass(frozen=True)
class Progress:
    """How far one service is. Seconds are product time."""

    kind: ServiceKind
    deploy_id: str | None = None
    status: str = ""
    sent_at: datetime | None = None
    left_queue_at: datetime | None = None
    live_at: datetime | None = None
    verified_at: datetime | None = None
    timed_out_at: datetime | None = None
    version_note: str = ""
    comparison: Comparison | None = None
    way_back: str = ""
    back_deploy_id: str | None = None
    back_live_at: datetime | None = None


@dataclass(frozen=True)
class Run:
    """One try to bring one customer to a plan's version (or back): the row that the controller moves.

    `generation` counts tries of this customer; every write is conditional on it. `epoch` counts commits of this row.
    `rollout_id` names the rollout that began it, and `release_hash` that one's plan, to which approvals are bound; both
    are empty for a direct command.
    """

    id: str
    plan_hash: str
    slug: str
    kind: RunKind
    generation: int
    attempt: int
    version: str
    commit: str
    stage: Stage
    since: datetime
    requested_by: str
    requested_at: datetime
    force: bool = False
    reason: str = ""
    progress: tuple[Progress, ...] = ()
    good: tuple[GoodDeploy, ...] = ()
    baseline: tuple[tuple[ServiceKind, Baseline], ...] = ()
    baseline_healthy: bool = True
    approved_by: tuple[str, ...] = ()
    trigger: str = ""
    code: str = ""
    detail: str = ""
    went_live: bool = False
    verified_at: datetime | None = None
    burst_since: datetime | None = None
    unwatched_seconds: float = 0.0
    finished_at: datetime | None = None
    replaced_by: str = ""
    rollout_id: str = ""
    release_hash: str = ""
    epoch: int = 0

    @property
    def approval_hash(self) -> str:
        """The hash of the plan to which approvals of this run are bound."""
        return self.release_hash or self.plan_hash

    def of(self, kind: ServiceKind) -> Progress:
        """The progress of one service; an empty one where the run does not touch it."""
        return next((one for one in self.progress if one.kind == kind), None) or Progress(kind)

    def good_of(self, kind: ServiceKind) -> GoodDeploy | None:
        """The recorded good deploy of one service, if any."""
        return next((one for one in self.good if one.kind == kind), None)
