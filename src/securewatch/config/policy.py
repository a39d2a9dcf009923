"""What policies promise, as frozen values: sources, periods, rules, wording. Not whether a version may go out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from securewatch.config.quantity import BatchSize


class DeploymentSource(StrEnum):
    """Which versions a customer takes."""

    STABLE_TAGS_ONLY = "stable_tags_only"
    LATEST_STABLE_TAG = "latest_stable_tag"
    MAIN_BRANCH = "main_branch"


@dataclass(frozen=True)
class RollbackPolicy:
    """What a policy promises about rolling back; shown to people."""

    window: timedelta | None = None
    triggers: tuple[str, ...] = ()
    process: str | None = None


@dataclass(frozen=True)
class Policy:
    """The promises of one policy, merged from both policy files. None means that no file says anything."""

    name: str
    adoption_strategy: str | None = None
    testing_period: timedelta | None = None
    rollout_delay: timedelta | None = None
    batch_size: BatchSize | None = None
    notification_advance: timedelta | None = None
    validation_requirements: tuple[str, ...] = ()
    rollback: RollbackPolicy = RollbackPolicy()
    approvers: tuple[str, ...] = ()
    require_reason: bool = False
    deployment_source: DeploymentSource | None = None
    auto_update: bool | None = None
    supported_versions: tuple[str, ...] | None = None
    minimum_testing_period: timedelta | None = None
    rollback_window: timedelta | None = None
    minor_release_policy: str | None = None


@dataclass(frozen=True)
class DeploymentRule:
    """What one environment (production, staging, demo) demands of every deploy."""

    requires_backup: bool = False
    requires_approval: bool = False
    requires_testing: bool = False
    allowed_time_windows: tuple[str, ...] = ()

    @property
    def needs_window(self) -> bool:
        """Whether deploys are bound to the customer's maintenance window."""
        return "maintenance_window" in self.allowed_time_windows


@dataclass(frozen=True)
class Lifecycle:
    """What is promised about one version."""

    status: str | None = None
    release_date: str | None = None
    support_level: str | None = None
    end_of_life: str | None = None
    backward_compatible: bool | None = None


@dataclass(frozen=True)
class VersionMetadata:
    """What the files say about versions; the tags of the repository are the truth."""

    latest: str | None = None
    next_planned: str | None = None
    supported: tuple[str, ...] = ()
    deprecated: tuple[str, ...] = ()
    lifecycle: Mapping[str, Lifecycle] = field(default_factory=dict)


@dataclass(frozen=True)
class MessageTemplate:
    """The wording of one kind of message to customers."""

    subject: str = ""
    content: str = ""
    include: tuple[str, ...] = ()
