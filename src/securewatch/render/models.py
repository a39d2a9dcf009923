"""What Render answers, as frozen values. Tolerant: unknown keys are ignored, null is absence, new states are UNKNOWN.

Field names and traps: Render's OpenAPI document and the recorded exchanges (reference: render-api, sections 1, 3.1, 5).
Not for requests, which the resource modules spell out.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from securewatch.render.errors import NotTheAPI

EXPORT_KEPT = timedelta(days=7)
"""How long Render keeps an export (reference: render-api, section 6)."""
RECOVERY_LAG = timedelta(minutes=10)
"""A recovery reaches no later than this before now (reference: render-api, section 6)."""


class DeployStatus(StrEnum):
    """The eleven states of a deploy, and one for states that Render may add (reference: render-api 3.2)."""

    CREATED = "created"
    QUEUED = "queued"
    BUILD_IN_PROGRESS = "build_in_progress"
    PRE_DEPLOY_IN_PROGRESS = "pre_deploy_in_progress"
    UPDATE_IN_PROGRESS = "update_in_progress"
    LIVE = "live"
    DEACTIVATED = "deactivated"
    BUILD_FAILED = "build_failed"
    PRE_DEPLOY_FAILED = "pre_deploy_failed"
    UPDATE_FAILED = "update_failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        """Whether the deploy itself has ended. `live` counts, though a later deploy turns it into `deactivated`."""
        return not self.is_in_flight and self is not DeployStatus.UNKNOWN

    @property
    def is_in_flight(self) -> bool:
        """Whether Render still works on it or will."""
        return self in _IN_FLIGHT

    @property
    def is_failure(self) -> bool:
        """Whether a phase of it failed. `canceled` is none, nor is `deactivated`, which was live."""
        return self in _FAILURES


_IN_FLIGHT = frozenset(
    {
        DeployStatus.CREATED,
        DeployStatus.QUEUED,
        DeployStatus.BUILD_IN_PROGRESS,
        DeployStatus.PRE_DEPLOY_IN_PROGRESS,
        DeployStatus.UPDATE_IN_PROGRESS,
    }
)
_FAILURES = frozenset({DeployStatus.BUILD_FAILED, DeployStatus.PRE_DEPLOY_FAILED, DeployStatus.UPDATE_FAILED})


class PostgresStatus(StrEnum):
    """The states of a Postgres instance. `unknown` is Render's own word just after creation, and ours for new states.

    A recovery goes through `recovery_in_progress` and `creating` to `available` (reference: render-api, section 6).
    """

    CREATING = "creating"
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    CONFIG_RESTART = "config_restart"
    SUSPENDED = "suspended"
    MAINTENANCE_SCHEDULED = "maintenance_scheduled"
    MAINTENANCE_IN_PROGRESS = "maintenance_in_progress"
    RECOVERY_FAILED = "recovery_failed"
    RECOVERY_IN_PROGRESS = "recovery_in_progress"
    UPDATING_INSTANCE = "updating_instance"
    UNKNOWN = "unknown"


class RecoveryStatus(StrEnum):
    """Whether a Postgres instance can be recovered to a point in time, and one for words that Render may add."""

    AVAILABLE = "AVAILABLE"
    BACKUP_NOT_READY = "BACKUP_NOT_READY"
    NOT_AVAILABLE = "NOT_AVAILABLE"
    UNKNOWN = "unknown"


_STATUSES = tuple(DeployStatus)
_POSTGRES_STATUSES = tuple(PostgresStatus)
_RECOVERY_STATUSES = tuple(RecoveryStatus)


def _known_status(value: Any) -> Any:
    return value if value in _STATUSES else DeployStatus.UNKNOWN


def _known_postgres_status(value: Any) -> Any:
    return value if value in _POSTGRES_STATUSES else PostgresStatus.UNKNOWN


def _known_recovery_status(value: Any) -> Any:
    return value if value in _RECOVERY_STATUSES else RecoveryStatus.UNKNOWN


def _named_commit(value: Any) -> Any:
    """A commit without an id, which Render's document allows, names none."""
    return None if isinstance(value, Mapping) and not value.get("id") else value


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _text(value: Any) -> Any:
    return "" if value is None else value


def _filled(value: Any) -> Any:
    return value or None


def _is_suspended(value: Any) -> bool:
    """`suspended` or `not_suspended`; a word that Render may add counts as suspended, absence does not."""
    return value not in (None, False, "not_suspended")


Text = Annotated[str, BeforeValidator(_text)]
"""A string; null is the empty one."""
Stamp = Annotated[datetime, AfterValidator(_in_utc)]
"""An RFC 3339 instant with 0 to 9 fractional digits, in UTC, cut to microseconds."""
Suspended = Annotated[bool, BeforeValidator(_is_suspended)]


class Answered(BaseModel):
    """What all answers share. Made from Render's camel case, or in code by the names below."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        defer_build=True,  # most commands read few of them
    )


class Commit(Answered):
    """The commit of a deploy: its full SHA."""

    id: str
    message: Text = ""
    created_at: Stamp | None = None


class Deploy(Answered):
    """One deploy. `commit` is None for image-backed ones (recorded); `trigger` is `api`, `rollback`, `new_commit`..."""

    id: str
    commit: Annotated[Commit | None, BeforeValidator(_named_commit)] = None
    status: Annotated[DeployStatus, BeforeValidator(_known_status)] = DeployStatus.UNKNOWN
    trigger: Text = ""
    created_at: Stamp | None = None
    updated_at: Stamp | None = None
    started_at: Stamp | None = None
    finished_at: Stamp | None = None


class Maintenance(Answered):
    """A service's maintenance mode: whether a page stands in front of it, and which; an empty `uri` is Render's own."""

    enabled: bool = False
    uri: Text = ""


class ServiceDetails(Answered):
    """The part of a service that depends on its type; static sites have only the `url` of these."""

    url: Text = ""
    health_check_path: Text = ""
    disk: Mapping[str, Any] | None = Field(default=None, repr=False)
    maintenance_mode: Maintenance | None = None


class Service(Answered):
    """One service. An absent name, type or owner is the empty string, which matches no customer's."""

    id: str
    name: Text = ""
    type: Text = ""
    owner_id: Text = ""
    suspended: Suspended = False
    auto_deploy: Text = ""
    auto_deploy_trigger: Text = ""
    repo: Text = ""
    branch: Text = ""
    dashboard_url: Text = ""
    service_details: ServiceDetails | None = None

    @property
    def url(self) -> str | None:
        """Where the service is reached, as Render says it; None where it does not."""
        return (self.service_details and self.service_details.url) or None

    @property
    def health_check_path(self) -> str:
        """The path that Render itself checks; empty when there is none."""
        return self.service_details.health_check_path if self.service_details else ""

    @property
    def has_disk(self) -> bool:
        """Whether it has a persistent disk, which switches zero-downtime deploys off (reference: render-api 3.5)."""
        return bool(self.service_details and self.service_details.disk)

    @property
    def maintenance(self) -> Maintenance | None:
        """Its maintenance mode; None where Render tells of none, as for static sites."""
        return self.service_details.maintenance_mode if self.service_details else None

    @property
    def autodeploy_is_off(self) -> bool:
        """Off when `autoDeployTrigger` is `off` or, where that is absent, `autoDeploy` is `no`."""
        if self.auto_deploy_trigger:
            return self.auto_deploy_trigger == "off"
        return self.auto_deploy == "no"


class EnvVar(Answered):
    """One env var of a service; the value shows in no repr."""

    key: str
    value: Annotated[SecretStr, BeforeValidator(_text)]


class Owner(Answered):
    """A workspace or person that services belong to."""

    id: str
    name: Text = ""
    type: Text = ""
    email: Text = Field(default="", repr=False)


class Event(Answered):
    """Something that happened to a service; `details` depends on `type` (reference: render-api 7.3)."""

    id: str
    type: Text = ""
    timestamp: Stamp | None = None
    service_id: Text = ""
    details: Mapping[str, Any] = Field(default_factory=dict, repr=False)


class Postgres(Answered):
    """One Postgres instance; nothing secret is part of it. `disk_size_gb` is None where Render does not say."""

    id: str
    name: Text = ""
    status: Annotated[PostgresStatus, BeforeValidator(_known_postgres_status)] = PostgresStatus.UNKNOWN
    database_name: Text = ""
    plan: Text = ""
    region: Text = ""
    version: Text = ""
    role: Text = ""
    disk_size_gb: int | None = Field(default=None, alias="diskSizeGB")
    suspended: Suspended = False
    owner: Owner | None = None
    created_at: Stamp | None = None


class RecoveryWindow(Answered):
    """Whether an instance can be recovered to a point in time, and the earliest one where Render names it."""

    status: Annotated[RecoveryStatus, BeforeValidator(_known_recovery_status)] = Field(
        default=RecoveryStatus.UNKNOWN, alias="recoveryStatus"
    )
    starts_at: Stamp | None = None

    @property
    def is_open(self) -> bool:
        """Whether a recovery may be asked for now."""
        return self.status is RecoveryStatus.AVAILABLE

    def ends_at(self, now: datetime) -> datetime:
        """The latest point that a recovery reaches at `now`."""
        return now - RECOVERY_LAG


class Export(Answered):
    """One export of an instance by Render. The `url` gives the data to whoever has it; None until it is ready."""

    id: str
    created_at: Stamp
    url: Annotated[SecretStr | None, BeforeValidator(_filled)] = Field(default=None, repr=False)

    @property
    def is_ready(self) -> bool:
        """Whether it can be downloaded. Render has no word for it but the `url` (reference: render-api, section 6)."""
        return self.url is not None

    @property
    def lapses_at(self) -> datetime:
        """When Render removes it."""
        return self.created_at + EXPORT_KEPT


class Connection(Answered):
    """How to reach a Postgres instance from inside Render and from outside (reference: render-api, section 6)."""

    internal_url: SecretStr = Field(alias="internalConnectionString")
    external_url: SecretStr = Field(alias="externalConnectionString")


class CustomDomain(Answered):
    """A domain of the customer's that points to a service."""

    name: str
    verification_status: Text = ""

    @property
    def is_verified(self) -> bool:
        """Whether Render has seen the DNS record."""
        return self.verification_status == "verified"


M = TypeVar("M", bound=Answered)


def decode(model: type[M], body: object, source: str) -> M:
    """One answer as a value. `source` names where it came from, as `GET /services/srv-1`.

    Raises NotTheAPI, which names the fields that cannot be read and never what they hold.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        places = ", ".join(
            ".".join(map(str, one["loc"])) or "the body" for one in error.errors(include_input=False)[:3]
        )
        raise NotTheAPI(
            f"the answer to {source} is no {model.__name__} of Render's API", why=f"cannot be read: {places}"
        ) from None
