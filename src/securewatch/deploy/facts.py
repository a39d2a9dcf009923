"""One service as it is outside, as plain values, and the checks on it. Pure; `survey.py` fetches what stands here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from securewatch.deploy.model import ServiceKind

TYPES = {ServiceKind.BACKEND: "web_service", ServiceKind.FRONTEND: "static_site"}
"""What Render calls the two kinds (recorded: `GET /services`)."""
_NOT_OURS = "a deploy to a service that may be another customer's must never happen"


@dataclass(frozen=True)
class Expected:
    """Who a service must be: its id, its name by the convention (or as declared) and its kind (S6)."""

    kind: ServiceKind
    service_id: str
    name: str


@dataclass(frozen=True)
class LiveDeploy:
    """The deploy that serves now; `commit` is None where Render names none."""

    id: str
    commit: str | None


@dataclass(frozen=True)
class ServiceFacts:
    """One service as Render shows it. `env` holds values: it is never printed, stored or logged."""

    kind: ServiceKind
    service_id: str
    name: str
    type: str
    owner_id: str
    url: str
    is_suspended: bool
    autodeploy_is_off: bool
    health_check_path: str
    has_disk: bool
    live: LiveDeploy | None
    domains: tuple[str, ...] = ()
    unverified_domains: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Finding:
    """One result of a check. Soft ones yield to `--force`; warnings (`is_warning`) never stop anything."""

    code: str
    what: str
    fix: str = ""
    is_soft: bool = False
    is_warning: bool = False
    why: str = ""

    def as_data(self) -> dict[str, Any]:
        """As plain data for an observation."""
        return {"code": self.code, "what": self.what, "fix": self.fix}


def check_service(expected: Expected, facts: ServiceFacts, owner_id: str, slug: str) -> list[Finding]:
    """The hard checks on one service (name, type, owner, autodeploy, suspension) and the warnings."""
    findings = []
    identity = (
        ("name", facts.name, expected.name),
        ("type", facts.type, TYPES[expected.kind]),
        ("owner", facts.owner_id, owner_id),
    )
    for what, found, wanted in identity:
        if found != wanted:
            text = f"service {facts.service_id} has the {what} {found!r}; {slug}'s {expected.kind} must have {wanted!r}"
            findings.append(Finding("SW408", text, _fix_of_identity(what, expected, slug), why=_NOT_OURS))
    ours = f"{slug}'s {expected.kind} {facts.service_id}"
    if not facts.autodeploy_is_off:
        text = f"{ours} deploys by itself on new commits (autodeploy is on)"
        why = "its own deploys would go past this plan, its gates and its checks"
        findings.append(Finding("SW407", text, f"securewatch customer autodeploy-off {slug}", why=why))
    if facts.is_suspended:
        why = "Render deploys nothing to a suspended service"
        findings.append(Finding("SW415", f"{ours} is suspended", "resume it in Render's dashboard", why=why))
    return findings + _warnings(facts)


def _fix_of_identity(what: str, expected: Expected, slug: str) -> str:
    if what == "name":
        return f"if it is {slug}'s all the same, declare the name under service_names in config/securewatch.json"
    return f"map {slug}'s own service: {expected.kind}_service_id in config/render-deployment.json"


def _warnings(facts: ServiceFacts) -> list[Finding]:
    texts = [f"{facts.service_id}: the domain {name} is not verified" for name in facts.unverified_domains]
    if facts.kind is ServiceKind.BACKEND and not facts.health_check_path:
        texts.append(f"{facts.service_id}: no health-check path; Render only waits for an open port")
    if facts.has_disk:
        texts.append(f"{facts.service_id}: it has a disk, so its deploys are not free of downtime")
    return [Finding("", text, is_warning=True) for text in texts]


def hard(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that stop a deploy whatever is forced."""
    return [one for one in findings if not one.is_soft and not one.is_warning]
