"""`customers.json` as it stands on disk (reference: config format). Not what it means beside the other files."""

from typing import Annotated, Any

from pydantic import Field, StrictBool, field_validator

from securewatch.config.files.kinds import (
    GIVEN,
    IDENTIFIER_ACCEPTED,
    Day,
    FileModel,
    Hours,
    Identifier,
    Name,
    Timezone,
    refusal,
)
from securewatch.config.files.render_file import PolicyWord
from securewatch.config.policy import DeploymentSource
from securewatch.core.ids import is_safe_id


class RenderServices(FileModel):
    """The customer's services; must agree with `render-deployment.json`."""

    backend: Annotated[Identifier | None, GIVEN] = Field(None, description="Render's id of the backend.")
    frontend: Annotated[Identifier | None, GIVEN] = Field(None, description="Render's id of the frontend.")


class Contact(FileModel):
    """Whom to tell at the customer."""

    email: str | None = Field(None, description="E-mail address.")
    name: str | None = Field(None, description="Name.")


class MaintenanceWindow(FileModel):
    """When the customer may be touched, on the clock of its own wall."""

    day: Day = Field(description="The weekday on which the window opens, or `any`.")
    time: Hours = Field(description="Its hours; it may cross midnight.")
    timezone: Annotated[Timezone | None, GIVEN] = Field(
        None, description="IANA name; `customer_preference` means UTC until one is known."
    )


class CustomerEntry(FileModel):
    """One customer."""

    name: Name = Field(description="Full name; commands accept it.")
    slug: str = Field(description="Short name, used in commands, names and env vars.")
    industry: str | None = Field(None, description="Shown only.")
    size: str | int | None = Field(None, description="Shown only.")
    current_version: str | None = Field(None, description="Shown only; what a service runs is asked of the service.")
    target_version: str | None = Field(None, description="A tag or `latest_stable`; shown only.")
    deployment_policy: Annotated[PolicyWord | None, GIVEN] = Field(
        None, description="Decides the customer's phase; must agree with `render-deployment.json`."
    )
    deployment_source: Annotated[DeploymentSource | None, GIVEN] = Field(
        None, description="Which versions the customer takes. Default: `stable_tags_only`."
    )
    database_url: str | None = Field(
        None, description="`render-deployment.json` wins where they differ; a real URL is warned of."
    )
    custom_domain: str | None = Field(None, description="`render-deployment.json` wins where they differ.")
    render_services: RenderServices = Field(default_factory=RenderServices, description="The customer's services.")
    setup_date: str | None = Field(None, description="Shown only.")
    last_updated: str | None = Field(None, description="Shown only.")
    auto_update: Annotated[StrictBool | None, GIVEN] = Field(None, description="Shown only, never a gate.")
    contact: Contact = Field(default_factory=Contact, description="Whom to tell at the customer.")
    maintenance_window: Annotated[MaintenanceWindow | None, GIVEN] = Field(
        None, description="When the customer may be touched; needed where its phase waits for it."
    )
    render: dict[str, Any] | None = Field(
        None, description="Found in old installations with an `api_key` inside, which is warned of and not used."
    )

    @field_validator("slug")
    @classmethod
    def _check_slug(cls, value: str) -> str:
        if not is_safe_id(value):
            raise refusal(IDENTIFIER_ACCEPTED.replace("srv-acme-backend-abc123", "acme-corp"))
        return value


class Metadata(FileModel):
    """What the files say about versions; the tags of the repository are the truth."""

    latest_version: str | None = Field(None, description="Shown only.")
    next_planned_version: str | None = Field(None, description="Shown only.")
    supported_versions: list[str] = Field(default_factory=list, description="Shown only.")
    deprecated_versions: list[str] = Field(
        default_factory=list, description="Deploying one of these is refused without `--force`."
    )


class CustomersFile(FileModel):
    """`config/customers.json`: who the customers are."""

    customers: list[CustomerEntry] = Field(description="The customers.")
    metadata: Metadata = Field(default_factory=Metadata, description="What the files say about versions.")
    deployment_environments: Any = Field(None, description="Shown only.")
