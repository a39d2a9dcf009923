"""What the platform holds: services, deploys, env vars, owners, databases, events, and its options. No behaviour."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from localrender.hosting import Built, CommitInfo


class Status(StrEnum):
    """The status of a deploy (OpenAPI document: deployStatus)."""

    CREATED = "created"
    QUEUED = "queued"
    BUILD = "build_in_progress"
    PRE_DEPLOY = "pre_deploy_in_progress"
    UPDATE = "update_in_progress"
    LIVE = "live"
    DEACTIVATED = "deactivated"
    BUILD_FAILED = "build_failed"
    PRE_DEPLOY_FAILED = "pre_deploy_failed"
    UPDATE_FAILED = "update_failed"
    CANCELED = "canceled"


WAITING = frozenset({Status.CREATED, Status.QUEUED})
RUNNING = frozenset({Status.BUILD, Status.PRE_DEPLOY, Status.UPDATE})
FAILED = frozenset({Status.BUILD_FAILED, Status.PRE_DEPLOY_FAILED, Status.UPDATE_FAILED})


class Trigger(StrEnum):
    """Why a deploy was made (OpenAPI document: deploy.trigger)."""

    API = "api"
    BLUEPRINT_SYNC = "blueprint_sync"
    DEPLOY_HOOK = "deploy_hook"
    DEPLOYED_BY_RENDER = "deployed_by_render"
    MANUAL = "manual"
    NEW_COMMIT = "new_commit"
    OTHER = "other"
    ROLLBACK = "rollback"
    SERVICE_RESUMED = "service_resumed"
    SERVICE_UPDATED = "service_updated"


class Policy(StrEnum):
    """What happens to a deploy created while another runs (workspace setting; docs: deploys)."""

    WAIT = "wait"
    OVERRIDE = "override"


class Kind(StrEnum):
    """What a service serves, which is also what `AppHost.build` is told."""

    BACKEND = "backend"
    FRONTEND = "frontend"


@dataclass(frozen=True, slots=True)
class Script:
    """What a test wants of the next deploy: how it ends (None: by itself), whether it hangs, and its stage seconds."""

    ends: Status | None = None
    hangs: bool = False
    seconds: float | None = None


@dataclass(slots=True)
class Deploy:
    """One deploy; `env` is the snapshot of the env vars at its creation, `due` the earliest end of its stage."""

    id: str
    service_id: str
    trigger: Trigger
    commit: CommitInfo | None
    env: dict[str, str]
    created_at: datetime
    updated_at: datetime
    status: Status = Status.CREATED
    image: str | None = None
    artifact: Built | None = None
    needs_build: bool = True
    started_at: datetime | None = None
    finished_at: datetime | None = None
    live_at: datetime | None = None
    due: datetime | None = None
    switching: bool = False
    rollback_of: str | None = None
    build_id: str = ""
    script: Script = Script()


@dataclass(slots=True)
class EnvVar:
    """A value and its row: the row changes with every write, and its cursor with it (recorded)."""

    value: str
    row: str


@dataclass(frozen=True, slots=True)
class CustomDomain:
    """A custom domain of a service."""

    id: str
    name: str
    created_at: datetime
    verified: bool


@dataclass(slots=True)
class Service:
    """A web service or static site. `image` is set for a service that runs an image and has no commits."""

    id: str
    name: str
    kind: Kind
    owner_id: str
    created_at: datetime
    updated_at: datetime
    customer: str
    url: str
    repo: str = ""
    branch: str = "main"
    image: str | None = None
    auto_deploy: bool = False
    suspended: bool = False
    maintenance: bool = False
    maintenance_uri: str = ""
    env: dict[str, EnvVar] = field(default_factory=dict)
    deploys: list[Deploy] = field(default_factory=list)
    domains: list[CustomDomain] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)

    @property
    def values(self) -> dict[str, str]:
        """The configured env vars, key to value."""
        return {key: var.value for key, var in self.env.items()}

    @property
    def live(self) -> Deploy | None:
        """The deploy that serves."""
        return next((one for one in reversed(self.deploys) if one.status is Status.LIVE), None)

    @property
    def running(self) -> Deploy | None:
        """The deploy that is being built or started."""
        return next((one for one in reversed(self.deploys) if one.status in RUNNING), None)

    @property
    def waiting(self) -> Deploy | None:
        """The deploy that runs next."""
        return next((one for one in reversed(self.deploys) if one.status in WAITING), None)


@dataclass(frozen=True, slots=True)
class Owner:
    """A workspace."""

    id: str
    name: str
    email: str


class PostgresStatus(StrEnum):
    """The status of a database, as far as the platform shows it (OpenAPI document: databaseStatus)."""

    CREATING = "creating"
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    RECOVERING = "recovery_in_progress"
    RECOVERY_FAILED = "recovery_failed"


@dataclass(frozen=True, slots=True)
class Export:
    """A dump that a client asked for, to be downloaded by its token once it is `ready`; `folder` holds the file."""

    id: str
    created_at: datetime
    token: str
    file: Path
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A dump of the platform's own, which a recovery to a time not before `at` can begin from."""

    at: datetime
    file: Path


@dataclass(slots=True)
class Postgres:
    """A database and its dumps, oldest first; the URL carries its password. Role and database have one name.

    `changes` is how many rows had been written when the platform dumped it last by itself; `recovered_from` the id of
    the database that it was recovered from, if it was.
    """

    id: str
    name: str
    database: str
    user: str
    password: str
    url: str
    owner_id: str
    created_at: datetime
    plan: str = "basic_1gb"
    status: PostgresStatus = PostgresStatus.AVAILABLE
    exports: list[Export] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    changes: int | None = None
    recovered_from: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a service or database; `details` as the OpenAPI document shapes them for the type."""

    id: str
    service_id: str
    type: str
    at: datetime
    details: dict[str, object]


@dataclass(slots=True)
class Options:
    """How the platform behaves; durations in seconds of product time, retention in successful deploys a service.

    `snapshot_seconds` is how often changed databases are dumped for recoveries, 0 for never; `recovery_days` how far
    back those reach (3 or 7, by the plan of the workspace). A recovery takes `recovery_seconds` of work, and as many
    more until it is available.
    """

    policy: Policy = Policy.WAIT
    build_seconds: float = 40.0
    update_seconds: float = 15.0
    static_seconds: float = 25.0
    retention: int = 20
    export_seconds: float = 30.0
    recovery_seconds: float = 120.0
    snapshot_seconds: float = 3600.0
    recovery_days: float = 7.0
    shuffle: bool = False
    retry_after: bool = False
    latency: bool = False
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """Everything a reset puts back."""

    services: dict[str, Service] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    databases: dict[str, Postgres] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
