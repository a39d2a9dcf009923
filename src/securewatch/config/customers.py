"""Merges what the two files say about each customer, and holds those that disagree or share. Knows no other key."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import time

from pydantic import SecretStr

from securewatch.config.files import customers_file as theirs
from securewatch.config.files.checking import show_found
from securewatch.config.files.customers_file import CustomerEntry, CustomersFile
from securewatch.config.files.kinds import CUSTOMER_PREFERENCE
from securewatch.config.files.render_file import CustomerMapping
from securewatch.config.fleet import (
    PHASE_OF_POLICY,
    ConfigWarning,
    Contact,
    Customer,
    CustomerProblem,
    MaintenanceWindow,
)
from securewatch.config.policy import DeploymentSource
from securewatch.config.quantity import parse_wall_time
from securewatch.core.errors import Problem
from securewatch.core.ids import is_safe_id

MAPPING_PATH = "customer_environment_mapping"
_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}")
_PASSWORD = re.compile(r"://[^/\s]*:[^/\s]+@")


@dataclass(frozen=True)
class Place:
    """Where a customer stands in both files; a path is empty where it stands in the other one only."""

    slug: str
    mapping_path: str
    entry_path: str


@dataclass(frozen=True)
class FileNames:
    """The two files' names for people."""

    render: str
    customers: str


@dataclass
class Merged:
    """The customers, with what is wrong: `problems` refuse the whole fleet, `held` single customers."""

    customers: dict[str, Customer] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    held: list[CustomerProblem] = field(default_factory=list)
    warnings: list[ConfigWarning] = field(default_factory=list)


def merge_customers(mappings: Mapping[str, CustomerMapping], file: CustomersFile, names: FileNames) -> Merged:
    """Every customer of either file, in the order of `customers.json`; those of the mapping alone come last."""
    merged = Merged()
    entries: dict[str, tuple[str, CustomerEntry]] = {}
    for index, entry in enumerate(file.customers):
        path = f"customers[{index}]"
        if entry.slug in entries:
            found, accepted = f'"{entry.slug}" again', "a slug that no other customer has"
            merged.problems.append(Problem(names.customers, f"{path}.slug", found, accepted))
            continue
        entries[entry.slug] = path, entry
    for slug in dict.fromkeys((*entries, *mappings)):
        path, own = entries.get(slug, ("", None))
        mapping = mappings.get(slug)
        place = Place(slug, f"{MAPPING_PATH}.{slug}" if mapping else "", path)
        _merge_one(merged, mapping, own, place, names)
    merged.problems += _similar_slugs(merged.customers, names)
    merged.held += _shared(merged.customers, names)
    _hold(merged)
    return merged


def _merge_one(
    merged: Merged, mapping: CustomerMapping | None, entry: CustomerEntry | None, place: Place, names: FileNames
) -> None:
    if not is_safe_id(place.slug):
        found = "this key"
        accepted = "a slug of letters, digits, `-` and `_`, such as acme-corp"
        merged.problems.append(Problem(names.render, place.mapping_path, found, accepted))
        return
    policy = (entry and entry.deployment_policy) or (mapping and mapping.deployment_policy)
    if not policy:
        where = (names.customers, place.entry_path) if entry else (names.render, place.mapping_path)
        accepted = "one of 'demo', 'startup', 'standard' or 'enterprise', in one of the two files"
        merged.problems.append(Problem(where[0], f"{where[1]}.deployment_policy", "nothing", accepted))
        return
    merged.held += _disagreements(mapping, entry, place, names)
    merged.warnings += _warnings(mapping, entry, place, names)
    customer = _customer(mapping, entry, place.slug, policy)
    merged.customers[place.slug] = customer


def _customer(mapping: CustomerMapping | None, entry: CustomerEntry | None, slug: str, policy: str) -> Customer:
    services = entry.render_services if entry else theirs.RenderServices()
    url = (mapping and mapping.database_url) or (entry and entry.database_url)
    known = Customer(
        slug=slug,
        name=slug,
        policy=policy,
        phase=PHASE_OF_POLICY[policy],
        backend_service_id=mapping.backend_service_id if mapping else services.backend or "",
        frontend_service_id=mapping.frontend_service_id if mapping else services.frontend or "",
        database_id=mapping.database_id if mapping else None,
        database_url=SecretStr(url) if url else None,
        custom_domain=(mapping and mapping.custom_domain) or (entry and entry.custom_domain) or None,
    )
    if entry is None:
        return known
    return replace(
        known,
        name=entry.name,
        deployment_source=entry.deployment_source or DeploymentSource.STABLE_TAGS_ONLY,
        current_version=entry.current_version,
        target_version=entry.target_version,
        auto_update=bool(entry.auto_update),
        contact=Contact(entry.contact.email, entry.contact.name),
        window=window_of(entry.maintenance_window),
        industry=entry.industry,
        size=None if entry.size is None else str(entry.size),
        setup_date=entry.setup_date,
        last_updated=entry.last_updated,
    )


def window_of(entry: theirs.MaintenanceWindow | None) -> MaintenanceWindow:
    """The window as a value; without one any time will do. An unknown time zone of the customer's choice is UTC."""
    if entry is None:
        return MaintenanceWindow()
    zone = "UTC" if entry.timezone in (None, CUSTOMER_PREFERENCE) else entry.timezone
    hours = entry.time
    if hours is None:
        return MaintenanceWindow(entry.day, timezone=zone or "UTC")
    end = time(0) if hours.end == "24:00" else parse_wall_time(hours.end)
    return MaintenanceWindow(entry.day, parse_wall_time(hours.start), end, zone or "UTC", hours.start, hours.end)


def _disagreements(
    mapping: CustomerMapping | None, entry: CustomerEntry | None, place: Place, names: FileNames
) -> Iterator[CustomerProblem]:
    """What the two files say differently about one customer (SW105); each names both files."""
    if mapping is None:
        accepted = f"an entry {MAPPING_PATH}.{place.slug} in {names.render}"
        yield CustomerProblem(
            names.customers, place.entry_path, "a customer in this file only", accepted, place.slug, "SW105"
        )
        return
    if entry is None:
        accepted = f'an entry with the slug "{place.slug}" in {names.customers}'
        yield CustomerProblem(
            names.render, place.mapping_path, "a customer in this file only", accepted, place.slug, "SW105"
        )
        return
    pairs = (
        ("backend_service_id", mapping.backend_service_id, "render_services.backend", entry.render_services.backend),
        (
            "frontend_service_id",
            mapping.frontend_service_id,
            "render_services.frontend",
            entry.render_services.frontend,
        ),
        ("deployment_policy", mapping.deployment_policy, "deployment_policy", entry.deployment_policy),
    )
    for key, ours, other_key, other in pairs:
        if ours and other and ours != other:
            accepted = f'"{ours}" as in {names.render}: {place.mapping_path}.{key}, or the same in both'
            path = f"{place.entry_path}.{other_key}"
            yield CustomerProblem(names.customers, path, f'"{other}"', accepted, place.slug, "SW105")


def _warnings(
    mapping: CustomerMapping | None, entry: CustomerEntry | None, place: Place, names: FileNames
) -> Iterator[ConfigWarning]:
    parts = ((names.render, place.mapping_path, mapping), (names.customers, place.entry_path, entry))
    for file, path, part in parts:
        if part is not None and _is_secret(part.database_url or ""):
            text = (
                "a database URL stands in the file; put a placeholder such as ${CUSTOMER_DATABASE_URL} in its place: "
                "the value belongs in the service's env vars on Render (and change its password, it was readable here)"
            )
            yield ConfigWarning(file, f"{path}.database_url", text)
    if entry is not None and entry.render and "api_key" in entry.render:
        text = (
            "an API key stands in the file; it is not used: export it as RENDER_API_KEY, remove it here, and revoke it"
        )
        yield ConfigWarning(names.customers, f"{place.entry_path}.render.api_key", text)
    if mapping is None or entry is None:
        return
    for key in ("database_url", "custom_domain"):
        ours, other = getattr(mapping, key), getattr(entry, key)
        if ours and other and ours != other:
            text = f"differs from {names.render}: {place.mapping_path}.{key}, which wins"
            yield ConfigWarning(names.customers, f"{place.entry_path}.{key}", text)


def _is_secret(database_url: str) -> bool:
    """Whether a database URL is more than a placeholder: a whole URL, or one with its password in it."""
    left = _PLACEHOLDER.sub("", database_url)
    return bool(left.strip()) and (left == database_url or bool(_PASSWORD.search(left)))


def _similar_slugs(customers: Mapping[str, Customer], names: FileNames) -> Iterator[Problem]:
    """Slugs that differ only in case, `-` and `_` would share the variables of their secrets."""
    seen: dict[str, str] = {}
    for slug in customers:
        other = seen.setdefault(slug.upper().replace("-", "_"), slug)
        if other != slug:
            accepted = f'a slug that differs from "{other}" in more than case, `-` and `_`'
            yield Problem(names.customers, f"slug {slug}", f'"{slug}"', accepted)


def _shared(customers: Mapping[str, Customer], names: FileNames) -> list[CustomerProblem]:
    """Customers that share a service, a database or a domain; all of them are held (SW104, S6)."""
    users: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for customer in customers.values():
        for kind, key, value in _identities(customer):
            users.setdefault((kind, value), []).append((customer.slug, key))
    return [
        CustomerProblem(
            names.render,
            f"{MAPPING_PATH}.{slug}.{key}",
            show_found(value, kind),
            f"a {kind.replace('_', ' ')} of its own: {_others(uses, slug)} has the same",
            slug,
            "SW104",
        )
        for (kind, value), uses in users.items()
        if len(uses) > 1
        for slug, key in uses
    ]


def _identities(customer: Customer) -> Iterator[tuple[str, str, str]]:
    """(kind, key, value) of everything that must belong to one customer alone. A placeholder names no database."""
    url = customer.database_url.get_secret_value() if customer.database_url else ""
    domain = (customer.custom_domain or "").lower().rstrip(".")
    found = (
        ("service", "backend_service_id", customer.backend_service_id),
        ("service", "frontend_service_id", customer.frontend_service_id),
        ("database", "database_id", customer.database_id or ""),
        ("database_url", "database_url", "" if "${" in url else url),
        ("domain", "custom_domain", "" if "${" in domain else domain),
    )
    return (one for one in found if one[2])


def _others(uses: Sequence[tuple[str, str]], slug: str) -> str:
    others = list(dict.fromkeys(one for one, _ in uses if one != slug))
    return " and ".join(others) or "its other service"


def _hold(merged: Merged) -> None:
    for slug, customer in merged.customers.items():
        reasons = tuple(f"{one.code}: {one}" for one in merged.held if one.slug == slug)
        merged.customers[slug] = replace(customer, held=tuple(dict.fromkeys(reasons)))
