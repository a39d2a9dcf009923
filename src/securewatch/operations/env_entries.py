"""A customer's env vars as they were, and how they differ. Shows names and fingerprints, never values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from securewatch.config.fleet import Customer
from securewatch.core.errors import NotFound, UsageError
from securewatch.core.ids import ServiceID
from securewatch.deploy.facts import Expected
from securewatch.deploy.model import ServiceKind
from securewatch.deploy.plan import expected_services
from securewatch.deps import Deps
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import BOTH
from securewatch.render import env_vars
from securewatch.render.budget import Priority
from securewatch.store import env_history
from securewatch.store.env_history import EnvEntry, Seen


@dataclass(frozen=True)
class HistoryRow:
    """One entry. `changed` names the keys that differ from the entry before it; None where there is none before."""

    number: int
    kind: ServiceKind
    service_id: str
    at: datetime
    run_id: str
    actor: str
    seen: Seen
    key_id: str
    key_count: int
    changed: tuple[str, ...] | None


@dataclass(frozen=True)
class KeyDifference:
    """One key that differs; `before` and `after` are keyed fingerprints of its values, None where it has none."""

    key: str
    before: str | None
    after: str | None

    @property
    def word(self) -> str:
        """Added, removed or changed."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


@dataclass(frozen=True)
class Difference:
    """How the env vars of one service differ from entry `first` to `second`, which is None for Render now."""

    kind: ServiceKind
    service_id: str
    first: int
    second: int | None
    keys: tuple[KeyDifference, ...]


async def list_entries(
    deps: Deps, slug: str, *, kinds: tuple[ServiceKind, ...] = BOTH, limit: int = 20
) -> list[HistoryRow]:
    """The newest `limit` entries of each service, newest first; none where there is no state yet.

    Raises NotFound (SW202), ConfigError (SW107) where they cannot be opened.
    """
    customer = deps.fleet.find_customer(slug)
    rows: list[HistoryRow] = []
    for one in expected_services(deps.fleet, customer, kinds):
        found = await _entries(deps, customer, one, limit + 1)
        before = [*(entry.values for entry in found[1:]), None]
        rows += [_row(entry, one.kind, old) for entry, old in zip(found, before, strict=True)][:limit]
    return sorted(rows, key=lambda row: row.number, reverse=True)


async def find_entry(
    deps: Deps, customer: Customer, number: int, *, kinds: tuple[ServiceKind, ...] = BOTH
) -> tuple[Expected, EnvEntry]:
    """One entry of the customer's, and the service that it is of.

    Raises NotFound (SW206) where the customer's services have none of that number, ConfigError (SW107).
    """
    database = await deps.existing_database()
    entry = None
    if database is not None:
        async with database.read() as tx:
            entry = await env_history.load_entry(tx, deps.box(), customer.slug, number)
    for one in expected_services(deps.fleet, customer, kinds):
        if entry is not None and entry.service_id == one.service_id:
            return one, entry
    raise _no_entry(customer, f"no {' or '.join(kinds)} of {customer.slug} has an entry {number} of its env vars")


async def diff_entries(
    deps: Deps, slug: str, *, kinds: tuple[ServiceKind, ...] = BOTH, first: int | None, second: int | None
) -> list[Difference]:
    """From entry `first` (None: the newest of each service) to `second` (None: what Render shows now).

    Raises NotFound, UsageError (SW201) for entries of two services, ConfigError (SW107), the gateway's errors.
    """
    customer = deps.fleet.find_customer(slug)
    if first is not None:
        chosen = [await find_entry(deps, customer, first, kinds=kinds)]
    else:
        expected = expected_services(deps.fleet, customer, kinds)
        chosen = [(one, found[0]) for one in expected if (found := await _entries(deps, customer, one, 1))]
    if not chosen:
        raise _no_entry(customer, f"there is no entry of the env vars of {customer.slug} yet")
    if second is None:
        await find_owner(deps)
        return [_difference(deps, one, entry, None, await fetch_env(deps, one)) for one, entry in chosen]
    one, entry = chosen[0]
    other, to = await find_entry(deps, customer, second, kinds=kinds)
    if other != one:
        why = f"{entry.number} is of the {one.kind}, and {to.number} of the {other.kind}"
        raise UsageError("SW201", "the two entries are of two services", why=why, fix="take two of one service")
    return [_difference(deps, one, entry, to.number, to.values)]


async def fetch_env(deps: Deps, service: Expected) -> Mapping[str, str]:
    """The env vars of a service as Render shows them now. Raises the gateway's errors."""
    found = await env_vars.fetch_env_vars(await deps.client(), ServiceID(service.service_id), priority=Priority.CLI)
    return {one.key: one.value.get_secret_value() for one in found}


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names of the keys whose values differ, or that only one of the two has."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


async def _entries(deps: Deps, customer: Customer, service: Expected, limit: int) -> Sequence[EnvEntry]:
    database = await deps.existing_database()
    if database is None:
        return ()
    async with database.read() as tx:
        return await env_history.entries_of(tx, deps.box(), customer.slug, service_id=service.service_id, limit=limit)


def _row(entry: EnvEntry, kind: ServiceKind, before: Mapping[str, str] | None) -> HistoryRow:
    return HistoryRow(
        number=entry.number,
        kind=kind,
        service_id=entry.service_id,
        at=entry.at,
        run_id=entry.run_id,
        actor=entry.actor,
        seen=entry.seen,
        key_id=entry.key_id,
        key_count=len(entry.values),
        changed=None if before is None else tuple(differing(before, entry.values)),
    )


def _difference(
    deps: Deps, service: Expected, entry: EnvEntry, number: int | None, after: Mapping[str, str]
) -> Difference:
    box, before = deps.box(), entry.values
    keys = tuple(
        KeyDifference(
            key,
            box.fingerprint(before[key]) if key in before else None,
            box.fingerprint(after[key]) if key in after else None,
        )
        for key in differing(before, after)
    )
    return Difference(service.kind, service.service_id, entry.number, number, keys)


def _no_entry(customer: Customer, what: str) -> NotFound:
    why = "an entry is kept each time this tool backs up, writes or takes back env vars"
    return NotFound("SW206", what, why=why, fix=f"securewatch env history --customer {customer.slug}")
