"""What Render and git say about one customer right now, and the hard checks on it. Reads only; used by plans and preflight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from securewatch.core.ids import ServiceID
from securewatch.deploy.model import ServiceKind
from securewatch.render import custom_domains, deploys, env_vars, services
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.errors import ServiceMissing
from securewatch.render.models import CustomDomain, Deploy, DeployStatus, Service

TYPES = {ServiceKind.BACKEND: "web_service", ServiceKind.FRONTEND: "static_site"}


@dataclass(frozen=True)
class Expected:
    """Who a service must be: its id, its name by the convention (or as declared) and its kind (S6)."""

    kind: ServiceKind
    service_id: str
    name: str


@dataclass(frozen=True)
class ServiceFacts:
    """One service as Render shows it. `env` holds values: it is never printed, stored or logged."""

    kind: ServiceKind
    service: Service
    deploys: tuple[Deploy, ...]
    domains: tuple[CustomDomain, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def live(self) -> Deploy | None:
        """The deploy that serves now, if Render says that one does."""
        return next((one for one in self.deploys if one.status is DeployStatus.LIVE), None)


@dataclass(frozen=True)
class Finding:
    """One result of a check. Soft ones yield to `--force`; warnings (`is_warning`) never stop anything."""

    code: str
    what: str
    fix: str = ""
    is_soft: bool = False
    is_warning: bool = False

    def as_data(self) -> dict[str, Any]:
        """As plain data for an observation."""
        return {"code": self.code, "what": self.what, "fix": self.fix}


async def fetch_facts(
    client: RenderClient, expected: Expected, *, priority: Priority, with_env: bool = True
) -> ServiceFacts | Finding:
    """Everything about one service; a Finding where Render has no such service.

    Raises the gateway's errors for everything else.
    """
    service_id = ServiceID(expected.service_id)
    try:
        service = await services.fetch_service(client, service_id, priority=priority)
    except ServiceMissing:
        return Finding(
            "SW305",
            f"Render has no service {expected.service_id} ({expected.kind})",
            f"correct the {expected.kind}_service_id in config/render-deployment.json",
        )
    found = await deploys.fetch_deploys(client, service_id, priority=priority)
    domains = await custom_domains.fetch_custom_domains(client, service_id, priority=priority)
    variables = await env_vars.fetch_env_vars(client, service_id, priority=priority) if with_env else []
    env = {one.key: one.value.get_secret_value() for one in variables}
    return ServiceFacts(expected.kind, service, tuple(found), tuple(domains), env)


def check_service(expected: Expected, facts: ServiceFacts, owner_id: str, slug: str) -> list[Finding]:
    """The hard checks on one service (name, type, owner, autodeploy, suspension) and the warnings. Pure."""
    service, findings = facts.service, []
    identity = (
        ("name", service.name, expected.name),
        ("type", service.type, TYPES[expected.kind]),
        ("owner", service.owner_id, owner_id),
    )
    for what, found, wanted in identity:
        if found != wanted:
            text = f"service {service.id} has the {what} {found!r}; {slug}'s {expected.kind} must have {wanted!r}"
            fix = "map the customer's own service, or declare the name under service_names in config/securewatch.json"
            findings.append(Finding("SW408", text, fix))
    if not service.autodeploy_is_off:
        text = f"service {service.id} deploys by itself on new commits"
        findings.append(Finding("SW407", text, f"securewatch customer autodeploy-off {slug}"))
    if service.suspended:
        findings.append(Finding("SW415", f"service {service.id} is suspended", "resume it in Render's dashboard"))
    return findings + _warnings(facts)


def _warnings(facts: ServiceFacts) -> list[Finding]:
    service = facts.service
    texts = [f"{service.id}: the domain {one.name} is not verified" for one in facts.domains if not one.is_verified]
    if facts.kind is ServiceKind.BACKEND and not service.health_check_path:
        texts.append(f"{service.id}: no health-check path; Render only waits for an open port")
    if service.has_disk:
        texts.append(f"{service.id}: it has a disk, so its deploys are not free of downtime")
    return [Finding("", text, is_warning=True) for text in texts]


def hard(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that stop a deploy whatever is forced."""
    return [one for one in findings if not one.is_soft and not one.is_warning]
