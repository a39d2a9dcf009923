"""`minor-release-policies.json` and `deployment-policies.json` as they stand on disk (reference: config format)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, StrictBool, WithJsonSchema

from securewatch.config.files.kinds import GIVEN, Batches, Duration, FileModel, Name, Texts, refusal
from securewatch.config.policy import DeploymentSource

AdoptionStrategy = Literal["immediate", "early_adopter", "phased_automatic", "manual_approval_required"]
WINDOWS_ACCEPTED = "`maintenance_window` or `any`, alone or in a list"


def _time_windows(value: object) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    free = ("any", "anytime", "any_time", "flexible")
    if not isinstance(words, list) or not words or any(word not in (*free, "maintenance_window") for word in words):
        raise refusal(WINDOWS_ACCEPTED)
    return ("any",) if any(word in free for word in words) else ("maintenance_window",)


TimeWindows = Annotated[
    tuple[str, ...],
    PlainValidator(_time_windows),
    WithJsonSchema({"type": ["string", "array"], "$comment": WINDOWS_ACCEPTED}),
]


class RollbackPolicy(FileModel):
    """What a policy promises about rolling back."""

    refuses_near_misses: ClassVar[bool] = True
    window: Annotated[Duration | None, GIVEN] = Field(
        None, description="How long after a release a rollback is promised; shown only."
    )
    triggers: Texts = Field((), description="What the customers were told triggers a rollback; shown only.")
    process: str | None = Field(None, description="Shown only.")


class ReleasePolicy(FileModel):
    """How customers of one policy meet a minor release."""

    adoption_strategy: Annotated[AdoptionStrategy | None, GIVEN] = Field(
        None, description="`manual_approval_required` makes a plan infeasible where the notice would be late."
    )
    testing_period: Annotated[Duration | None, GIVEN] = Field(None, description="Shown only.")
    rollout_delay: Annotated[Duration | None, GIVEN] = Field(
        None, description="Earliest day after a release, only where `release_calendar` is `policy_delay`."
    )
    batch_size: Annotated[Batches | None, GIVEN] = Field(
        None, description="What the customers were told; the phase's own batch size rules."
    )
    notification_advance: Annotated[Duration | None, GIVEN] = Field(
        None, description="How long before its deploy a customer is told."
    )
    validation_requirements: Texts = Field((), description="Shown only.")
    rollback_policy: RollbackPolicy = Field(default_factory=RollbackPolicy, description="Promises on rolling back.")
    approvers: list[Name] = Field(
        default_factory=list, description="Actors who may approve; empty: anybody but the one who asked."
    )
    require_reason: StrictBool = Field(False, description="Whether commands on these customers need a `--reason`.")


class ReleasePolicies(FileModel):
    """The four policies."""

    demo: ReleasePolicy = Field(default_factory=ReleasePolicy, description="Demo environments.")
    startup: ReleasePolicy = Field(default_factory=ReleasePolicy, description="Startup customers.")
    standard: ReleasePolicy = Field(default_factory=ReleasePolicy, description="Standard customers.")
    enterprise: ReleasePolicy = Field(default_factory=ReleasePolicy, description="Enterprise customers.")


class LifecyclePhase(FileModel):
    """One stage of a minor release."""

    name: Name = Field(
        description="`demo_release` and the phases' long names reach customers; other stages are shown only."
    )
    duration: Duration = Field(description="How long the stage lasts.")
    activities: Texts = Field((), description="Shown only.")
    gate_criteria: Texts = Field(
        (), description="When the phase counts as done: words as under `success_criteria`; others are shown only."
    )


class ReleaseLifecycle(FileModel):
    """The stages of a minor release, in their order."""

    phases: list[LifecyclePhase] = Field(default_factory=list, description="The stages.")


class MessageTemplate(FileModel):
    """The wording of one kind of message."""

    subject: str = Field("", description="Subject, with `{…}` fields.")
    content: str = Field("", description="Text, with `{…}` fields.")
    include: Texts = Field((), description="What the message must hold.")


class MinorReleasePoliciesFile(FileModel):
    """`config/minor-release-policies.json`: how customers of each policy meet a minor release."""

    minor_release_policies: ReleasePolicies = Field(description="The policies.")
    minor_release_lifecycle: ReleaseLifecycle = Field(
        default_factory=ReleaseLifecycle, description="The calendar of a minor release."
    )
    communication_templates: dict[str, MessageTemplate] = Field(
        default_factory=dict,
        description="Wording of `advance_notification`, `deployment_confirmation` and `rollback_notification`.",
    )
    version_compatibility: Any = Field(
        None,
        description="By tag: `compatible_with` lists the versions (tags or families) from which a customer may come; "
        "others are refused softly.",
    )


class DeploymentPolicy(FileModel):
    """Which versions customers of one policy take, and when."""

    deployment_source: Annotated[DeploymentSource | None, GIVEN] = Field(
        None, description="Which versions the policy allows; a customer's own source may only be stricter."
    )
    auto_update: Annotated[StrictBool | None, GIVEN] = Field(None, description="Shown only.")
    supported_versions: Annotated[list[Name] | None, GIVEN] = Field(
        None, description="Tags, families (`v1.x`), `latest` or `main`; others are refused without `--force`."
    )
    minimum_testing_period: Annotated[Duration | None, GIVEN] = Field(
        None, description="Earliest time after the version's first verified demo deploy."
    )
    rollback_window: Annotated[Duration | None, GIVEN] = Field(None, description="Shown only.")
    maintenance_window: Any = Field(None, description="Shown only; a customer's own window rules.")
    minor_release_policy: str | None = Field(None, description="Shown only.")


class DeploymentPolicies(FileModel):
    """The four policies."""

    demo: DeploymentPolicy = Field(default_factory=DeploymentPolicy, description="Demo environments.")
    startup: DeploymentPolicy = Field(default_factory=DeploymentPolicy, description="Startup customers.")
    standard: DeploymentPolicy = Field(default_factory=DeploymentPolicy, description="Standard customers.")
    enterprise: DeploymentPolicy = Field(default_factory=DeploymentPolicy, description="Enterprise customers.")


class VersionLifecycle(FileModel):
    """What is promised about one version."""

    status: str | None = Field(None, description="`deprecated`, `unsupported` and `end_of_life` are refused softly.")
    release_date: str | None = Field(None, description="Shown only.")
    support_level: str | None = Field(None, description="Shown only.")
    end_of_life: str | None = Field(None, description="Shown only.")
    backward_compatible: StrictBool | None = Field(None, description="Shown only.")


class DeploymentRule(FileModel):
    """What one environment demands of every deploy."""

    refuses_near_misses: ClassVar[bool] = True
    requires_backup: StrictBool = Field(False, description="Whether a database backup must exist before a deploy.")
    requires_approval: StrictBool = Field(False, description="Whether a person must approve each deploy.")
    requires_testing: StrictBool = Field(False, description="Shown only; `minimum_testing_period` is the gate.")
    allowed_time_windows: TimeWindows = Field(
        (), description="`maintenance_window` binds deploys to the customer's window."
    )


class DeploymentRules(FileModel):
    """Rules by environment: `demo` for demo customers, `production` for all others."""

    refuses_near_misses: ClassVar[bool] = True
    production: DeploymentRule = Field(default_factory=DeploymentRule, description="Paying customers.")
    staging: DeploymentRule = Field(default_factory=DeploymentRule, description="No customer; shown only.")
    demo: DeploymentRule = Field(default_factory=DeploymentRule, description="Demo customers.")


class RolloutPhaseRule(FileModel):
    """When a phase counts as done."""

    name: str | None = Field(None, description="The phase.")
    phase: str | None = Field(None, description="The phase, where `name` is not used.")
    success_criteria: Texts = Field(
        (), description="Such as `batch_success_rate_95_percent`, `no_rollbacks`, `minimal_support_tickets`."
    )


class MinorReleaseRules(FileModel):
    """Rules over a whole minor release."""

    rollout_phases: list[RolloutPhaseRule] = Field(default_factory=list, description="When each phase counts as done.")


class DeploymentPoliciesFile(FileModel):
    """`config/deployment-policies.json`, optional. Without it every stable tag is supported."""

    deployment_policies: DeploymentPolicies = Field(default_factory=DeploymentPolicies, description="The policies.")
    version_lifecycle: dict[str, VersionLifecycle] = Field(
        default_factory=dict, description="What is promised about each version, by tag."
    )
    deployment_rules: DeploymentRules = Field(default_factory=DeploymentRules, description="Rules by environment.")
    minor_release_rules: MinorReleaseRules = Field(
        default_factory=MinorReleaseRules, description="Rules over a whole minor release."
    )
