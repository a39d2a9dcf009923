"""Makes up an installation from a seed: customers with windows and zones, phases, policies. Writes configuration files.

What it made up is kept as plain values, so that a witness need not read the files as the product does.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from localrender.model import Kind
from localrender.seed import Customer as Mapped
from localrender.seed import World

KEY = "rnd_rehearsal_canary"
CANARY = "canary7f3a91"
"""Stands in every secret value; nothing that the product writes may hold it."""
PHASES = ("demo", "startup", "standard", "enterprise")
APPROVERS = ("dana", "evan", "fay")
REQUESTER = "olga"
_ZONES = ("UTC", "America/New_York", "America/Los_Angeles", "Europe/Berlin", "Europe/London", "Asia/Kolkata")
_MORE_ZONES = ("Australia/Lord_Howe", "Asia/Tokyo", "America/Sao_Paulo", "Pacific/Auckland", "Africa/Cairo")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "any")
_LONG_NAMES = {
    "demo": "demo",
    "startup": "startup_early_access",
    "standard": "standard_rollout",
    "enterprise": "enterprise_rollout",
}
_TEMPLATES = {
    "backend_env_vars": {
        "NODE_ENV": "production",
        "VERSION_TAG": "${DEPLOYMENT_VERSION}",
        "DEPLOY_PHASE": "${DEPLOYMENT_PHASE}",
        "CUSTOMER_SLUG": "${CUSTOMER_SLUG}",
        "DATABASE_URL": "${CUSTOMER_DATABASE_URL}",
        "JWT_SECRET": "${CUSTOMER_JWT_SECRET}",
    },
    "frontend_env_vars": {"VITE_VERSION_TAG": "${DEPLOYMENT_VERSION}", "VITE_CUSTOMER_SLUG": "${CUSTOMER_SLUG}"},
}
DECLARED = frozenset(key for keys in _TEMPLATES.values() for key in keys)
"""Every key that a deploy may write."""


@dataclass(frozen=True)
class Window:
    """When a customer may be touched: weekday or `any`, and wall times in its zone (start after end: over midnight)."""

    day: str
    start: str
    end: str
    zone: str


@dataclass(frozen=True)
class Customer:
    """One made-up customer."""

    slug: str
    policy: str
    backend: str
    frontend: str
    window: Window

    @property
    def services(self) -> tuple[str, str]:
        """Its services' ids."""
        return self.backend, self.frontend


@dataclass(frozen=True)
class PhaseRules:
    """How one phase goes: days (both included), share of a batch (0: individual), hours between two, failures."""

    name: str
    first_day: int
    last_day: int
    share: float
    delay_hours: float
    lanes: int
    failures: float
    approvals: int
    monitoring_hours: float
    settle_minutes: int

    @property
    def is_individual(self) -> bool:
        """Whether customers go one by one, in their windows and with an approval."""
        return self.share == 0


@dataclass(frozen=True)
class Freeze:
    """A time in which nobody of these starts; all where there is no slug."""

    name: str
    start: datetime
    end: datetime
    slugs: tuple[str, ...]

    def binds(self, slug: str, at: datetime) -> bool:
        """Whether it holds for the customer now."""
        return self.start <= at < self.end and (not self.slugs or slug in self.slugs)


@dataclass(frozen=True)
class MadeUp:
    """The installation: who there is, by which rules, from when on."""

    seed: int
    start: datetime
    customers: Mapping[str, Customer]
    phases: Mapping[str, PhaseRules]
    freezes: tuple[Freeze, ...]
    world: World

    def by_service(self) -> Mapping[str, Customer]:
        """Each customer by its services' ids."""
        return {service_id: one for one in self.customers.values() for service_id in one.services}


def make_up(seed: int, count: int) -> MadeUp:
    """An installation of so many customers, the same for the same seed; each policy has one at least."""
    chance = random.Random(f"fleet:{seed}")  # noqa: S311 - the same seed gives the same fleet
    start = datetime(2026, 1, 1, 8, tzinfo=UTC) + timedelta(minutes=chance.randrange(365 * 24 * 60))
    policies = list(PHASES) + chance.choices(PHASES, (1, 6, 9, 4), k=max(0, count - len(PHASES)))
    customers = {one.slug: one for one in (_customer(number, policies[number], chance) for number in range(count))}
    phases = {one.name: one for one in _phases(chance, policies.count("enterprise"))}
    templates = {kind: _TEMPLATES[f"{kind.value}_env_vars"] for kind in Kind}
    world = World(tuple(_mapped(one) for one in customers.values()), KEY, str(seed), env_templates=templates)
    return MadeUp(seed, start, customers, phases, _freezes(chance, start, list(customers)), world)


def _customer(number: int, policy: str, chance: random.Random) -> Customer:
    slug = f"c{number:03}"
    begin = chance.randrange(0, 24 * 4) * 15
    length = chance.choice((120, 180, 240, 360))
    start, end = (f"{at // 60 % 24:02}:{at % 60:02}" for at in (begin, begin + length))
    zone = chance.choice(_ZONES if chance.random() < 0.7 else _MORE_ZONES)
    return Customer(
        slug, policy, f"srv-{slug}-back", f"srv-{slug}-front", Window(chance.choice(_DAYS), start, end, zone)
    )


def _phases(chance: random.Random, enterprise_count: int) -> list[PhaseRules]:
    days = {"demo": (0, 0), "startup": (1, 7), "standard": (8, 21), "enterprise": (22, 51)}
    shares = {
        "demo": 1.0,
        "startup": chance.choice((0.5, 0.34)),
        "standard": chance.choice((0.25, 0.4)),
        "enterprise": 0.0,
    }
    delays = {
        "demo": 0.0,
        "startup": chance.choice((1.0, 2.0)),
        "standard": chance.choice((2.0, 6.0)),
        "enterprise": 0.0,
    }
    failures = {"demo": 0.0, "startup": 0.0, "standard": chance.choice((0.0, 0.05, 0.3)), "enterprise": 0.0}
    return [
        PhaseRules(
            name=name,
            first_day=days[name][0],
            last_day=days[name][1],
            share=shares[name],
            delay_hours=delays[name],
            lanes=max(1, min(4, enterprise_count // 6)) if name == "enterprise" else 1,
            failures=failures[name],
            approvals=chance.choice((1, 1, 2)) if name == "enterprise" else 0,
            monitoring_hours=chance.choice((1, 1, 2)),
            settle_minutes=chance.choice((1, 2, 5)),
        )
        for name in PHASES
    ]


def _freezes(chance: random.Random, start: datetime, slugs: list[str]) -> tuple[Freeze, ...]:
    found = []
    for number in range(chance.randrange(3)):
        begin = start + timedelta(days=chance.choice((1, 8, chance.uniform(2, 35)))) - timedelta(hours=1)
        end = begin + timedelta(hours=chance.choice((6, 12, 36)))
        some = tuple(chance.sample(slugs, 3)) if chance.random() < 0.5 and len(slugs) > 3 else ()
        found.append(Freeze(f"freeze {number}", begin.replace(microsecond=0), end.replace(microsecond=0), some))
    return tuple(found)


def _mapped(one: Customer) -> Mapped:
    domain = f"{one.slug}.securewatch.example"
    return Mapped(one.slug, one.backend, one.frontend, f"dpg-{one.slug}-a", domain, one.policy)


# --- files ------------------------------------------------------------------------------------------------------------


def write_config(made: MadeUp, folder: Path) -> Path:
    """Write the configuration of the installation; gives the folder `config`."""
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    documents = {
        "render-deployment.json": _render_file(made),
        "customers.json": {"customers": [_entry(one) for one in made.customers.values()]},
        "minor-release-policies.json": _policies_file(),
        "securewatch.json": _own_file(made),
    }
    for name, document in documents.items():
        (config / name).write_text(json.dumps(document), encoding="utf-8")
    return config


def _render_file(made: MadeUp) -> dict[str, object]:
    return {
        "render_configuration": {"service_naming_convention": "securewatch-{customer-slug}-{service-type}"},
        "deployment_phases": {_LONG_NAMES[one.name]: _phase(one) for one in made.phases.values()},
        "health_monitoring": {
            "endpoints": {
                "backend_health": "/api/health",
                "database_health": "/api/health/database",
                "version_info": "/api/version",
            },
            "success_criteria": {"response_time": "< 2000ms", "error_rate": "< 1%"},
        },
        "rollback_procedures": {
            "automatic_triggers": {
                "health_check_failures": 3,
                "error_rate_threshold": "5%",
                "response_time_threshold": "5000ms",
            }
        },
        "customer_environment_mapping": {
            one.slug: {
                "backend_service_id": one.backend_id,
                "frontend_service_id": one.frontend_id,
                "database_id": one.database_id,
                "database_url": "${" + f"{one.slug.upper()}_DATABASE_URL" + "}",
                "custom_domain": one.domain,
                "deployment_policy": one.policy,
            }
            for one in made.world.customers
        },
        "environment_variable_templates": _TEMPLATES,
    }


def _phase(one: PhaseRules) -> dict[str, object]:
    size = "individual" if one.is_individual else "all_at_once" if one.share == 1 else f"{one.share * 100:g}_percent"
    return {
        "deployment_method": "scheduled_manual_with_approval" if one.approvals else "manual_trigger_with_tag",
        "rollback_method": "previous_deployment",
        "monitoring_duration": f"{one.monitoring_hours:g}_hours",
        "batch_configuration": {
            "batch_size": size,
            "batch_delay": "maintenance_window" if one.is_individual else f"{one.delay_hours:g}_hours",
            "health_check_delay": f"{one.settle_minutes}_minutes",
        },
    }


def _entry(one: Customer) -> dict[str, object]:
    window = one.window
    return {
        "name": f"Customer {one.slug}",
        "slug": one.slug,
        "deployment_policy": one.policy,
        "deployment_source": "stable_tags_only",
        "render_services": {"backend": one.backend, "frontend": one.frontend},
        "contact": {"email": f"ops@{one.slug}.example", "name": "Operations"},
        "maintenance_window": {"day": window.day, "time": f"{window.start}-{window.end}", "timezone": window.zone},
    }


def _policies_file() -> dict[str, object]:
    advance = {"demo": "0_days", "startup": "1_day", "standard": "3_days", "enterprise": "14_days"}
    policies: dict[str, dict[str, object]] = {
        name: {"adoption_strategy": "phased_automatic", "notification_advance": advance[name]} for name in PHASES
    }
    policies["enterprise"] |= {"adoption_strategy": "manual_approval_required", "approvers": [*APPROVERS, REQUESTER]}
    return {"minor_release_policies": policies}


def _own_file(made: MadeUp) -> dict[str, object]:
    return {
        "probe": {
            "dense_interval": "30_minutes",
            "dense_duration": "1_hour",
            "sparse_interval": "3_hours",
            "verification_interval": "1_second",
        },
        "failure_budget": {one.name: f"{one.failures * 100:g}%" if one.failures else 0 for one in made.phases.values()},
        "approvals": {one.name: {"count": one.approvals} for one in made.phases.values() if one.approvals},
        "lanes": {one.name: one.lanes for one in made.phases.values() if one.is_individual},
        "freezes": [
            {
                "name": one.name,
                "start": one.start.isoformat(),
                "end": one.end.isoformat(),
                "customers": list(one.slugs),
            }
            for one in made.freezes
        ],
    }
