"""`securewatch.json` as it stands on disk: the settings that the older files have no home for."""

from typing import Annotated

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
    PositiveDuration,
    SampleCount,
    refusal,
)
from securewatch.config.files.render_file import PolicyWord

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


def _service_names(value: object) -> dict[str, str]:
    """By service id or `slug.backend`; an object by slug (`{"acme-corp": {"backend": ...}}`) means the same."""
    if not isinstance(value, dict):
        raise refusal(NAMES_ACCEPTED)
    names: dict[str, object] = {}
    for key, name in value.items():
        names.update({f"{key}.{kind}": one for kind, one in name.items()} if isinstance(name, dict) else {key: name})
    if not all(isinstance(name, str) and name.strip() for name in names.values()):
        raise refusal(NAMES_ACCEPTED)
    return {key: str(name) for key, name in names.items()}


NAMES_ACCEPTED = "names by service id, by `slug.backend` and `slug.frontend`, or in an object by slug"
ServiceNames = Annotated[
    dict[str, str], PlainValidator(_service_names), WithJsonSchema({"type": "object", "$comment": NAMES_ACCEPTED})
]


class Probe(FileModel):
    """How often and how long customers are looked at."""

    dense_interval: Annotated[PositiveDuration | None, GIVEN] = Field(
        None, description="Between probes early in a watch. Default: 30_seconds."
    )
    dense_duration: Annotated[Duration | None, GIVEN] = Field(
        None, description="How long probes are dense. Default: 1_hour."
    )
    sparse_interval: Annotated[PositiveDuration | None, GIVEN] = Field(
        None, description="Between probes later. Default: 5_minutes."
    )
    timeout: Annotated[PositiveDuration | None, GIVEN] = Field(
        None, description="Longest wait for one answer, in real time. Default: 10_seconds."
    )
    verification_interval: Annotated[PositiveDuration | None, GIVEN] = Field(
        None, description="Between samples of the verification. Default: 5_seconds."
    )
    verification_samples: Annotated[SampleCount | None, GIVEN] = Field(
        None, description="Samples a verification needs. Default: 20."
    )
    baseline_samples: Annotated[SampleCount | None, GIVEN] = Field(
        None, description="Samples taken before a deploy, 20 or more. Default: 20."
    )


class Approval(FileModel):
    """Who must agree before deploys of a phase that needs approval."""

    count: PositiveCount = Field(1, description="Distinct people who must approve.")
    expires_after: Annotated[PositiveDuration | None, GIVEN] = Field(
        None, description="How long an approval holds. Default: 30 days."
    )


class Freeze(FileModel):
    """A time in which nothing new starts. Rollbacks pass."""

    name: Name = Field(description="What it is for.")
    start: Instant = Field(description="First instant of the freeze.")
    end: Instant = Field(description="First instant after the freeze.")
    policies: list[PolicyWord] = Field(default_factory=list, description="Only customers of these policies.")
    customers: list[str] = Field(default_factory=list, description="Only these customers, by slug.")


class SecurewatchFile(FileModel):
    """`config/securewatch.json`, optional: settings that the older files have no home for."""

    release_calendar: Annotated[ReleaseCalendar, GIVEN] = Field(
        ReleaseCalendar.PHASES,
        description="Which dates rule a release: the phases' days, or each policy's `rollout_delay`.",
    )
    deploy_timeout: Annotated[PositiveDuration | None, GIVEN] = Field(
        None, description="Longest time for one service's deploy once Render has begun it. Default: 10_minutes."
    )
    probe: Probe = Field(default_factory=Probe, description="How often and how long customers are looked at.")
    failure_budget: dict[PhaseWord, Budget] = Field(
        default_factory=dict,
        description="By phase: customers of a batch that may fail before the rollout halts, as a count or a share. "
        "Default: 5 % in standard, 0 elsewhere.",
    )
    approvals: dict[PhaseWord, Approval] = Field(default_factory=dict, description="By phase: who must agree.")
    lanes: dict[PhaseWord, PositiveCount] = Field(
        default_factory=dict, description="By phase: customers of an `individual` phase side by side. Default: 1."
    )
    require_reason: RequireReason = Field(
        frozenset(), description="Policies whose customers need a `--reason`; true: all of them."
    )
    service_names: ServiceNames = Field(
        default_factory=dict,
        description="Names off the convention, by service id or `slug.backend`, `slug.frontend`.",
    )
    freezes: list[Freeze] = Field(default_factory=list, description="Times in which nothing new starts.")
    p95_may_fail: StrictBool = Field(
        False, description="Whether a 95th percentile over twice the baseline fails a verification."
    )
    keep_backups: Annotated[Duration | None, GIVEN] = Field(
        None,
        description="How long every database backup is kept; what a policy's rollback window needs stays longer. "
        "Default: 14_days.",
    )
