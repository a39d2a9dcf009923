"""`render-deployment.json` as it stands on disk (reference: config format), not what it means beside others."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from securewatch.config import quantity
from securewatch.config.files.kinds import (
    GIVEN,
    BaseURL,
    Batches,
    Duration,
    FileModel,
    Identifier,
    Milliseconds,
    Name,
    PositiveCount,
    PostgresName,
    Share,
    URLPath,
    refusal,
)

DeploymentMethod = Literal["immediate_auto_deploy", "manual_trigger_with_tag", "scheduled_manual_with_approval"]
RollbackMethod = Literal["git_revert", "previous_deployment", "snapshot_restore"]
ChannelUse = Literal["required", "optional", "conditional"]
PolicyWord = Literal["demo", "startup", "standard", "enterprise"]

DELAY_ACCEPTED = f"{quantity.DURATION_ACCEPTED}, or `maintenance_window`"


def _batch_delay(value: object) -> timedelta | str:
    if value == "maintenance_window":
        return "maintenance_window"
    if not isinstance(value, str) or not quantity.is_parsed_by(quantity.parse_duration, value):
        raise refusal(DELAY_ACCEPTED)
    return quantity.parse_duration(value)


BatchDelay = Annotated[
    timedelta | str,
    PlainValidator(_batch_delay),
    WithJsonSchema({"type": "string", "$comment": DELAY_ACCEPTED}),
]


class RenderConfiguration(FileModel):
    """How to reach Render, and how services are named."""

    api_endpoint: Annotated[BaseURL | None, GIVEN] = Field(
        None, description="Base URL of Render's API with `/v1`; `RENDER_HOST` overrides it."
    )
    service_naming_convention: Annotated[Name | None, GIVEN] = Field(
        None, description="Template of the services' names, with `{customer-slug}` and `{service-type}`."
    )


class BatchConfiguration(FileModel):
    """How a phase is cut into batches."""

    refuses_near_misses: ClassVar[bool] = True
    batch_size: Annotated[Batches | None, GIVEN] = Field(
        None, description="Customers that go at once: a share (rounded up), `individual` or `all_at_once`."
    )
    batch_delay: Annotated[BatchDelay | None, GIVEN] = Field(
        None,
        description="Wait between two batches; `maintenance_window` waits for the customer's next window.",
    )
    health_check_delay: Annotated[Duration | None, GIVEN] = Field(
        None, description="Settle time after a deploy is live, before the first probe counts."
    )


class Phase(FileModel):
    """One phase of a release."""

    deployment_method: Annotated[DeploymentMethod | None, GIVEN] = Field(
        None, description="How deploys of the phase start; `scheduled_manual_with_approval` needs an approval each."
    )
    rollback_method: Annotated[RollbackMethod | None, GIVEN] = Field(
        None,
        description="How the phase goes back: `git_revert` and `previous_deployment` mean the recorded good deploy; "
        "`snapshot_restore` demands a database backup too.",
    )
    monitoring_duration: Annotated[Duration | None, GIVEN] = Field(
        None, description="How long a customer is watched after its deploy is verified, with the triggers armed."
    )
    batch_configuration: BatchConfiguration = Field(
        default_factory=BatchConfiguration, description="How the phase is cut into batches."
    )


class Phases(FileModel):
    """The four phases; one that no customer belongs to may be absent."""

    demo: Annotated[Phase | None, GIVEN] = Field(None, description="Policy `demo`: day 0.")
    startup_early_access: Annotated[Phase | None, GIVEN] = Field(None, description="Policy `startup`: days 1 to 7.")
    standard_rollout: Annotated[Phase | None, GIVEN] = Field(None, description="Policy `standard`: days 8 to 21.")
    enterprise_rollout: Annotated[Phase | None, GIVEN] = Field(None, description="Policy `enterprise`: days 22 to 51.")


class HealthEndpoints(FileModel):
    """Paths that every customer's backend answers."""

    backend_health: Annotated[URLPath | None, GIVEN] = Field(None, description="Path of the health answer.")
    database_health: Annotated[URLPath | None, GIVEN] = Field(None, description="Path of the database's health answer.")
    version_info: Annotated[URLPath | None, GIVEN] = Field(None, description="Path of the version answer.")


class HealthMonitoring(FileModel):
    """Where customers are probed, and the bar for *verified*."""

    endpoints: HealthEndpoints = Field(default_factory=HealthEndpoints, description="Where customers are probed.")
    success_criteria: Annotated[dict[str, Any] | list[Any], GIVEN] = Field(
        default_factory=dict,
        description="The bar for *verified*: response time, error rate and availability, each as a comparison such as "
        "`< 2000ms`, `< 1%`, `> 99.9%`. Where one is missing, the trigger is the bar.",
    )


class AutomaticTriggers(FileModel):
    """What rolls a customer back without asking."""

    refuses_near_misses: ClassVar[bool] = True
    health_check_failures: Annotated[PositiveCount | None, GIVEN] = Field(
        None, description="Failed samples in a row that roll back."
    )
    error_rate_threshold: Annotated[Share | None, GIVEN] = Field(
        None, description="Error rate over which a customer is rolled back."
    )
    response_time_threshold: Annotated[Milliseconds | None, GIVEN] = Field(
        None, description="Response time over which a customer is rolled back."
    )


class NotificationChannels(FileModel):
    """Who is told of a rollback."""

    refuses_near_misses: ClassVar[bool] = True
    slack_webhook: Annotated[ChannelUse | None, GIVEN] = Field(None, description="Slack.")
    email_alerts: Annotated[ChannelUse | None, GIVEN] = Field(None, description="E-mail.")
    customer_notification: Annotated[ChannelUse | None, GIVEN] = Field(None, description="The customer.")


class RollbackProcedures(FileModel):
    """When customers are rolled back, and who is told."""

    refuses_near_misses: ClassVar[bool] = True
    automatic_triggers: AutomaticTriggers = Field(
        default_factory=AutomaticTriggers, description="What rolls a customer back without asking."
    )
    notification_channels: NotificationChannels = Field(
        default_factory=NotificationChannels, description="Who is told of a rollback."
    )


class CustomerMapping(FileModel):
    """The services of one customer."""

    backend_service_id: Identifier = Field(description="Render's id of the customer's backend (`srv-…`).")
    frontend_service_id: Identifier = Field(description="Render's id of the customer's frontend (`srv-…`).")
    database_id: PostgresName | None = Field(None, description="Render's id of the customer's Postgres (`dpg-…`).")
    database_url: str | None = Field(
        None, description="Usually a placeholder such as `${CUSTOMER_DATABASE_URL}`; a real URL is warned of."
    )
    custom_domain: str | None = Field(None, description="The customer's own domain; reported only.")
    deployment_policy: Annotated[PolicyWord | None, GIVEN] = Field(
        None, description="The customer's policy; must agree with `customers.json`."
    )


class EnvTemplates(FileModel):
    """Env vars that every customer's services have, with `${…}` placeholders."""

    backend_env_vars: dict[str, str] = Field(default_factory=dict, description="Templates of the backend's env vars.")
    frontend_env_vars: dict[str, str] = Field(default_factory=dict, description="Templates of the frontend's env vars.")


class RenderDeploymentFile(FileModel):
    """`config/render-deployment.json`: phases, probes, triggers, services and env-var templates."""

    render_configuration: RenderConfiguration = Field(
        default_factory=RenderConfiguration, description="How to reach Render, and how services are named."
    )
    deployment_phases: Phases = Field(description="The phases of a release.")
    health_monitoring: HealthMonitoring = Field(
        default_factory=HealthMonitoring, description="Where customers are probed, and the bar for *verified*."
    )
    rollback_procedures: RollbackProcedures = Field(
        default_factory=RollbackProcedures, description="When customers are rolled back, and who is told."
    )
    customer_environment_mapping: dict[str, CustomerMapping] = Field(
        description="The services of each customer, by slug."
    )
    environment_variable_templates: EnvTemplates = Field(
        default_factory=EnvTemplates, description="Env vars that every customer's services have."
    )
    customer_service_templates: Any = Field(None, description="How new services are made; not used by deploys.")
    render_api_operations: Any = Field(None, description="Old notes on Render's API; never used.")
