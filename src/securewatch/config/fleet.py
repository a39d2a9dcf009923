"""The fleet as frozen values, merged from the files. Knows no file format (see `files/`) and no environment."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from securewatch.config.extras import Extras
from securewatch.config.policy import DeploymentRule, DeploymentSource, MessageTemplate, Policy, VersionMetadata
from securewatch.config.quantity import BatchSize, Comparison
from securewatch.core.errors import NotFound, Problem

PHASE_OF_POLICY = {
    "demo": "demo",
    "startup": "startup_early_access",
    "standard": "standard_rollout",
    "enterprise": "enterprise_rollout",
}
"""Policies in the order in which a release reaches them, and the phase of each (reference: config format)."""

SHORT_PHASE_NAMES = {phase: policy for policy, phase in PHASE_OF_POLICY.items()}


@dataclass(frozen=True)
class ConfigWarning:
    """Something in a file that deserves a look and stops nothing. Never holds a secret value."""

    file: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: {self.message}"


@dataclass(frozen=True)
class CustomerProblem(Problem):
    """A problem that holds one customer and leaves the others alone (SW104, SW105)."""

    slug: str
    code: str


@dataclass(frozen=True)
class MaintenanceWindow:
    """When a customer may be touched: `day` a lower-case weekday or `any`; times None for any time; IANA `timezone`.

    `start_text` and `end_text` are HH:MM; an end of 24:00 (a time of 0:00) is the midnight that ends the day, and one
    before the start lies on the next day.
    """

    day: str = "any"
    start: time | None = None
    end: time | None = None
    timezone: str = "UTC"
    start_text: str | None = None
    end_text: str | None = None

    @property
    def any_time(self) -> bool:
        """Whether the window never shuts."""
        return self.day == "any" and self.start is None

    def __str__(self) -> str:
        if self.any_time:
            return "at any time"
        hours = "any time" if self.start_text is None else f"{self.start_text}-{self.end_text}"
        return f"{self.day} {hours} {self.timezone}"


@dataclass(frozen=True)
class Contact:
    """Whom to tell at the customer."""

    email: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Customer:
    """One customer, merged from both files. `held` gives the reasons for which nothing of it may be deployed."""

    slug: str
    name: str
    policy: str
    phase: str
    backend_service_id: str
    frontend_service_id: str
    deployment_source: DeploymentSource = DeploymentSource.STABLE_TAGS_ONLY
    database_id: str | None = None
    database_url: SecretStr | None = None
    custom_domain: str | None = None
    current_version: str | None = None
    target_version: str | None = None
    auto_update: bool = False
    contact: Contact = Contact()
    window: MaintenanceWindow = MaintenanceWindow()
    industry: str | None = None
    size: str | None = None
    setup_date: str | None = None
    last_updated: str | None = None
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phase:
    """One phase of a release. `batch_delay` is a duration, or "maintenance_window": the customer's next window."""

    name: str
    deployment_method: str
    rollback_method: str
    monitoring_duration: timedelta
    batch_size: BatchSize
    batch_delay: timedelta | str
    health_check_delay: timedelta

    @property
    def short_name(self) -> str:
        """The name that is printed: demo, startup, standard, enterprise."""
        return SHORT_PHASE_NAMES[self.name]

    @property
    def needs_approval(self) -> bool:
        """Whether a person must approve each deploy of the phase."""
        return self.deployment_method == "scheduled_manual_with_approval"

    @property
    def needs_window(self) -> bool:
        """Whether the phase's customers are touched only inside their maintenance windows."""
        return self.batch_delay == "maintenance_window"


@dataclass(frozen=True)
class DayRange:
    """The days of a release on which a phase runs, both included; day n begins n x 24 h after the start."""

    first_day: int
    last_day: int


@dataclass(frozen=True)
class Triggers:
    """What rolls a customer back. `error_rate` is a share of one, `response_ms` in milliseconds."""

    consecutive_failures: int = 3
    error_rate: float = 0.05
    response_ms: float = 5000.0


@dataclass(frozen=True)
class Criterion:
    """One success criterion as written (`text`), its parsed bar where it has one, and whether it is measured."""

    name: str
    text: str
    bar: Comparison | None
    is_measured: bool = False

    @property
    def comparison(self) -> str:
        """The comparing sign, or nothing."""
        return self.bar.operator if self.bar else ""

    @property
    def value(self) -> float | None:
        """The bar in `unit`."""
        return self.bar.value if self.bar else None

    @property
    def unit(self) -> str:
        """ "ms", "share" (of one) or nothing."""
        return self.bar.unit if self.bar else ""


@dataclass(frozen=True)
class Bar:
    """The success criteria that can be measured; None where the files say nothing, and the triggers are the bar."""

    response_ms_max: float | None = None
    error_rate_max: float | None = None
    availability_min: float | None = None


@dataclass(frozen=True)
class Endpoints:
    """Paths that every customer's backend answers."""

    health: str = "/api/health"
    database: str = "/api/health/database"
    version: str = "/api/version"


@dataclass(frozen=True)
class Templates:
    """Env-var templates by key. Values may hold secrets: they are never printed."""

    backend: Mapping[str, str] = field(default_factory=dict, repr=False)
    frontend: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Gates:
    """What binds one customer's deploys, from its phase, its environment's rules and its policy together."""

    needs_window: bool
    needs_approval: bool
    requires_backup: bool
    minimum_testing_period: timedelta


@dataclass(frozen=True)
class Fleet:
    """Everything the files say. `problems` hold single customers; `defaults_used` are absent safety keys."""

    config_dir: Path
    api_endpoint: str | None
    customers: Mapping[str, Customer]
    phases: Mapping[str, Phase]
    calendar: Mapping[str, DayRange]
    triggers: Triggers
    criteria: tuple[Criterion, ...]
    bar: Bar
    endpoints: Endpoints
    templates: Templates
    naming_convention: str
    policies: Mapping[str, Policy]
    extra: Extras
    versions: VersionMetadata
    deployment_rules: Mapping[str, DeploymentRule]
    has_deployment_policies: bool = False
    notification_channels: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, MessageTemplate] = field(default_factory=dict)
    exit_criteria: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version_compatibility: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[CustomerProblem, ...] = ()
    warnings: tuple[ConfigWarning, ...] = ()
    defaults_used: tuple[tuple[str, str], ...] = ()

    def find_customer(self, name_or_slug: str) -> Customer:
        """The customer with the slug or the full name, in any case.

        Raises NotFound (SW202) with the nearest names, also where two customers have that name.
        """
        wanted = name_or_slug.strip().casefold()
        by_slug = [one for one in self.customers.values() if one.slug.casefold() == wanted]
        found = by_slug or [one for one in self.customers.values() if one.name.casefold() == wanted]
        if len(found) != 1:
            raise _unknown_customer(name_or_slug, self.customers, [one.slug for one in found])
        return found[0]

    def phase_of(self, customer: Customer) -> Phase:
        """The phase in which a release reaches the customer."""
        return self.phases[customer.phase]

    def policy_of(self, customer: Customer) -> Policy:
        """What the customer's policy promises."""
        return self.policies[customer.policy]

    def customers_of(self, policy: str) -> tuple[Customer, ...]:
        """The customers of a policy, by slug."""
        return tuple(self.customers[slug] for slug in sorted(self.customers) if self.customers[slug].policy == policy)

    def rule_of(self, customer: Customer) -> DeploymentRule:
        """The rules of the customer's environment: `demo` for demo customers, `production` for all others."""
        return self.rule_of_policy(customer.policy)

    def rule_of_policy(self, policy: str) -> DeploymentRule:
        """Like `rule_of`, for all customers of a policy."""
        return self.deployment_rules.get("demo" if policy == "demo" else "production", DeploymentRule())

    def gates_of(self, customer: Customer) -> Gates:
        """What binds a deploy of the customer (design: behaviour, rollouts; architecture, one customer)."""
        phase, rule = self.phase_of(customer), self.rule_of(customer)
        return Gates(
            needs_window=phase.needs_window or rule.needs_window,
            needs_approval=phase.needs_approval or rule.requires_approval,
            requires_backup=rule.requires_backup or phase.rollback_method == "snapshot_restore",
            minimum_testing_period=self.policy_of(customer).minimum_testing_period or timedelta(0),
        )

    def approvers_of(self, customer: Customer) -> tuple[str, ...]:
        """Who may approve; empty: anybody but the requester."""
        return self.policy_of(customer).approvers

    def needs_reason(self, customer: Customer) -> bool:
        """Whether acts on the customer need a `--reason`."""
        return self.policy_of(customer).require_reason

    def service_name(self, customer: Customer, kind: str) -> str:
        """The name that the customer's backend or frontend (`kind`) has on Render: as declared, else by convention."""
        service_id = customer.backend_service_id if kind == "backend" else customer.frontend_service_id
        declared = self.extra.service_names
        return (
            declared.get(service_id)
            or declared.get(f"{customer.slug}.{kind}")
            or self.naming_convention.replace("{customer-slug}", customer.slug).replace("{service-type}", kind)
        )


def _unknown_customer(asked: str, customers: Mapping[str, Customer], same_name: list[str]) -> NotFound:
    if same_name:
        return NotFound(
            "SW202",
            f"two customers are called {asked!r}",
            why=f"the slugs are {', '.join(same_name)}",
            fix="give the slug instead of the name",
        )
    names = {text.casefold(): one.slug for one in customers.values() for text in (one.slug, one.name)}
    matches = difflib.get_close_matches(asked.strip().casefold(), names, n=5, cutoff=0.5)
    near = list(dict.fromkeys(names[one] for one in matches))[:3]
    fix = f"did you mean {' or '.join(near)}?" if near else "`securewatch customer list` shows them all"
    return NotFound("SW202", f"there is no customer {asked!r}", why="neither a slug nor a full name", fix=fix)
