"""`securewatch.json` as it stands on disk: the settings that the older files have no home for."""

from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator, StrictBool, WithJsonSchema

from securewatch.config.extras import ReleaseCalendar
from securewatch.config.files.kinds import (
    GIVEN,
    POLICY_WORDS,
    Budget,
    Duration,
    FileModel,
    Instant,
    Name,
    PhaseWord,
    PositiveCount,
    refusal,
)

REASON_ACCEPTED = f"true, false, or a list of {', '.join(POLICY_WORDS)}"


def _require_reason(value: object) -> frozenset[str]:
    if isinstance(value, bool):
        return frozenset(POLICY_WORDS if value else ())
    if isinstance(value, list) and all(isinstance(word, str) and word in POLICY_WORDS for word in value):
        return frozenset(value)
    raise refusal(REASON_ACCEPTED)


RequireReason = Annotated[
    frozenset[str],
    PlainValidator(_require_reason),
    WithJsonSchema({"type": ["boolean", "array"], "items": {"enum": list(POLICY_WORDS)}}),
]


class OwnModel(FileModel):
    """A part of our own file: misspelt keys are errors."""

    refuses_near_misses: ClassVar[bool] = True


class Probe(OwnModel):
    """How often and how long customers are looked at."""

    dense_interval: Duration | None = Field(None, description="Between probes early in a watch. Default: 30_seconds.")
    dense_duration: Duration | None = Field(None, description="How long probes are dense. Default: 1_hour.")
    sparse_interval: Duration | None = Field(None, description="Between probes later. Default: 5_minutes.")
    timeout: Duration | None = Field(
        None, description="Longest wait for one answer, in real time. Default: 10_seconds."
    )
    verification_interval: Duration | None = Field(
        None, description="Between samples of the verification. Default: 5_seconds."
    )
    verification_samples: PositiveCount | None = Field(None, description="Samples a verification needs. Default: 20.")
    baseline_samples: PositiveCount | None = Field(None, description="Samples taken before a deploy. Default: 20.")


class Approval(OwnModel):
    """Who must agree before deploys of a phase that needs approval."""

    count: PositiveCount = Field(1, description="Distinct people who must approve.")
    expires_after: Annotated[Duration | None, GIVEN] = Field(
        None, description="How long an approval holds. Default: to the end of its phase."
    )


class Freeze(OwnModel):
    """A time in which nothing new starts. Rollbacks pass."""

    name: Name = Field(description="What it is for.")
    start: Instant = Field(description="First instant of the freeze.")
    end: Instant = Field(description="First instant after the freeze.")
    policies: list[str] = Field(default_factory=list, description="Only customers of these policies.")
    customers: list[str] = Field(default_factory=list, description="Only these customers, by slug.")


class SecurewatchFile(OwnModel):
    """`config/securewatch.json`, optional: settings that the older files have no home for."""

    release_calendar: Annotated[ReleaseCalendar, GIVEN] = Field(
        ReleaseCalendar.PHASES,
        description="Which dates rule a release: the phases' days, or each policy's `rollout_delay`.",
    )
    deploy_timeout: Annotated[Duration | None, GIVEN] = Field(
        None, description="Longest time for one service's deploy once Render has begun it. Default: 10_minutes."
    )
    probe: Probe = Field(default_factory=Probe, description="How often and how long customers are looked at.")
    failure_budget: dict[PhaseWord, Budget] = Field(
        default_factory=dict,
        description="By phase: customers of a batch that may fail before the rollout halts. Default: 0.",
    )
    approvals: dict[PhaseWord, Approval] = Field(default_factory=dict, description="By phase: who must agree.")
    lanes: dict[PhaseWord, PositiveCount] = Field(
        default_factory=dict, description="By phase: customers of an `individual` phase side by side. Default: 1."
    )
    require_reason: RequireReason = Field(
        frozenset(), description="Policies whose customers need a `--reason`; true: all of them."
    )
    service_names: dict[str, Name] = Field(
        default_factory=dict,
        description="Names off the convention, by service id or `slug.backend`, `slug.frontend`.",
    )
    freezes: list[Freeze] = Field(default_factory=list, description="Times in which nothing new starts.")
    p95_may_fail: StrictBool = Field(
        False, description="Whether a 95th percentile over twice the baseline fails a verification."
    )
