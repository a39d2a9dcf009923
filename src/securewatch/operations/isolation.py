"""Are the customers' databases apart from each other? Compares fingerprints of where each `DATABASE_URL` points."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from securewatch.config.fleet import Customer, Fleet
from securewatch.core.ids import ServiceID
from securewatch.deploy.facts import Finding
from securewatch.deps import Deps
from securewatch.render import env_vars
from securewatch.render.budget import Priority
from securewatch.render.errors import ServiceMissing
from securewatch.store import former, identity

KEY = "DATABASE_URL"
KIND = "database"
PLACEHOLDER = "${"
"""A value with one of these left over points nowhere: it says nothing about a database."""
_RENDER_DATABASE = "dpg-"
UNKNOWN_READ_MAX = 50
"""How many customers whose database nobody has seen yet are read for one plan; the others are read with their own."""


async def find_shared(deps: Deps, customer: Customer, database_url: str | None) -> tuple[list[Finding], dict[str, str]]:
    """The findings about shared databases, and the fingerprints by slug that were read for it, to be kept.

    `database_url` is the customer's own value on Render. Raises the gateway's errors.
    """
    if not database_url or PLACEHOLDER in database_url:
        return [], {}
    box, fresh = deps.box(), {}
    ours = box.fingerprint(where(database_url))
    fresh[customer.slug] = ours
    others: set[str] = set()
    known: set[str] = set()
    database = await deps.existing_database()
    if database is not None and not box.is_ephemeral:
        async with database.read() as tx:
            for print_ in await former.fingerprints(tx, box, where(database_url)):
                others |= set(await identity.others_with(tx, customer.slug, KIND, print_))
            known = await identity.known(tx, KIND)
    fresh |= await _read_unknown(deps, deps.fleet, known | {customer.slug})
    others |= {slug for slug, print_ in fresh.items() if slug != customer.slug and print_ == ours}
    others &= set(deps.fleet.customers)
    findings = [
        Finding(
            "SW104",
            f"{customer.slug} and {slug} share a database: their {KEY} point at the same one",
            f"give each customer a database of its own and correct {KEY} in Render's dashboard",
        )
        for slug in sorted(others)
    ]
    return findings, fresh


async def _read_unknown(deps: Deps, fleet: Fleet, known: set[str]) -> Mapping[str, str]:
    client, box, fresh = await deps.client(), deps.box(), {}
    missing = [one for slug, one in sorted(fleet.customers.items()) if slug not in known and not one.held]
    for customer in missing[:UNKNOWN_READ_MAX]:
        service_id = ServiceID(customer.backend_service_id)
        try:
            found = await env_vars.fetch_env_var(client, service_id, KEY, priority=Priority.CLI)
        except ServiceMissing:
            continue
        if found is not None and PLACEHOLDER not in found.value.get_secret_value():
            fresh[customer.slug] = box.fingerprint(where(found.value.get_secret_value()))
    return fresh


def where(database_url: str) -> str:
    """Where a database URL points, without user, password and options: `host:port/name`; else the text itself.

    A database of Render is its `dpg-` id, the first part of its host's name inside Render and outside.
    """
    try:
        parts = urlsplit(database_url)
        port = parts.port or 5432
    except ValueError:
        return database_url
    if not parts.hostname:
        return database_url
    first_label = parts.hostname.lower().partition(".")[0]
    if first_label.startswith(_RENDER_DATABASE):
        return first_label
    return f"{parts.hostname.lower()}:{port}{parts.path}"
