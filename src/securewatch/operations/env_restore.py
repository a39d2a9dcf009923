"""Plan to put a service's env vars back to an entry of the history. A run of its own carries it out, key by key.

It never writes DATABASE_URL, which only a restore of the database changes, nor a key that Render gives, and takes no
key away: keys that came later stay, and are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from securewatch.core.errors import NotFound, Refused
from securewatch.deploy.facts import ServiceFacts
from securewatch.deploy.model import EnvChange, RunKind, ServiceKind
from securewatch.deploy.plan import DATABASE_URL, EnvPlan, Planning, Target, plan_deploy, with_fingerprints
from securewatch.deps import Deps
from securewatch.operations.checks import Check
from securewatch.operations.env_entries import find_entry
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import (
    BOTH,
    DeployRequest,
    Planned,
    check_freezes,
    check_services,
    fetch_all,
    refuse_held,
    refuse_unexplained,
)
from securewatch.store.env_history import EnvEntry

TAKES_EFFECT = "nothing is deployed: what is written takes effect with the next deploy"
_OF_RENDER = ("RENDER", "IS_PULL_REQUEST")
_PREFIX_OF_RENDER = "RENDER_"
_PLACEHOLDER = "${"


@dataclass(frozen=True)
class RestoreRequest:
    """What a person asks for: the entry, and which of its keys (None: all that differ)."""

    slug: str
    number: int
    kinds: tuple[ServiceKind, ...] = BOTH
    keys: tuple[str, ...] | None = None
    force: bool = False
    reason: str = ""

    @property
    def label(self) -> str:
        """What stands in the place of a version in plan and run: it tells two restores apart."""
        return f"entry {self.number}"


async def restore_request(deps: Deps, asked: RestoreRequest) -> DeployRequest:
    """The same as a request that a run is made of. Raises NotFound (SW202, SW206), ConfigError (SW107)."""
    customer = deps.fleet.find_customer(asked.slug)
    service, _ = await find_entry(deps, customer, asked.number, kinds=asked.kinds)
    return DeployRequest(
        customer.slug, asked.label, (service.kind,), kind=RunKind.ENV, force=asked.force, reason=asked.reason
    )


async def plan_restore(deps: Deps, asked: RestoreRequest) -> Planned:
    """The plan: which keys are written. Reads only.

    Raises Refused (SW215) where DATABASE_URL or a key of Render's would have to change, NotFound (SW206) for a key that
    the entry does not have, and like `plan_customer` for what is wrong with the service.
    """
    customer = deps.fleet.find_customer(asked.slug)
    refuse_held(deps, customer)
    service, entry = await find_entry(deps, customer, asked.number, kinds=asked.kinds)
    request = await restore_request(deps, asked)
    refuse_unexplained(deps, customer, request)
    owner_id = await find_owner(deps)
    facts = await fetch_all(deps, (service,))
    checks = [
        Check("Render API key", f"accepted for {owner_id}"),
        *check_services(customer, (service,), facts, owner_id),
    ]
    env, notes = _plan_env(asked, entry, facts[0])
    env = with_fingerprints(env, facts[0], deps.box().fingerprint)
    plan = plan_deploy(
        Planning(deps.fleet, customer, owner_id, notes=(*notes, TAKES_EFFECT)),
        Target(RunKind.ENV, asked.label, ""),
        facts=facts,
        env={service.kind: env},
    )
    checks += await check_freezes(deps, plan, request)
    values = {service.service_id: env.values}
    return Planned(request, customer, plan, tuple(checks), not env.changes, "", values, {})


def _plan_env(asked: RestoreRequest, entry: EnvEntry, facts: ServiceFacts) -> tuple[EnvPlan, list[str]]:
    chosen = _chosen(asked, entry)
    differing = {key: entry.values[key] for key in chosen if facts.env.get(key) != entry.values[key]}
    _refuse_forbidden(asked, entry, list(differing))
    left = [key for key, value in differing.items() if _is_of_render(key) or _PLACEHOLDER in value]
    values = {key: value for key, value in differing.items() if key not in left}
    notes = [f"put back as they were at {entry.at:%Y-%m-%d %H:%M} UTC, {entry.seen.words} {entry.run_id}"]
    if left:
        notes.append(f"left alone, Render's own or an unexpanded placeholder: {', '.join(left)}")
    later = sorted(set(facts.env) - set(entry.values))
    if later:
        notes.append(f"came later, and stay as they are: {', '.join(later)}")
    return EnvPlan(tuple(EnvChange(key, None, "") for key in values), (), values), notes


def _chosen(asked: RestoreRequest, entry: EnvEntry) -> Sequence[str]:
    if asked.keys is None:
        return sorted(entry.values)
    unknown = [key for key in asked.keys if key not in entry.values]
    if unknown:
        raise NotFound(
            "SW206",
            f"entry {entry.number} has no env var {', '.join(unknown)}",
            why="only what it has can be put back; a key that came later stays",
            fix=f"securewatch env diff --customer {asked.slug} {entry.number}",
        )
    of_render = [key for key in asked.keys if _is_of_render(key)]
    if of_render:
        raise Refused(
            "SW215",
            f"{', '.join(of_render)} is not put back",
            why="Render gives it; what is written there would stand in the way of Render's own value",
            fix="leave it out of --keys",
        )
    return sorted(set(asked.keys))


def _refuse_forbidden(asked: RestoreRequest, entry: EnvEntry, differing: list[str]) -> None:
    """DATABASE_URL decides which data the customer sees: it goes back with the data or not at all."""
    if DATABASE_URL not in differing:
        return
    others = ",".join(key for key in differing if key != DATABASE_URL and not _is_of_render(key))
    command = f"securewatch env restore --customer {asked.slug} {entry.number}"
    raise Refused(
        "SW215",
        f"{DATABASE_URL} of {asked.slug} is not put back",
        why=f"it differs from entry {entry.number}, and only a restore of the database changes it",
        fix=f"put back the others: {command} --keys {others}" if others else "restore the database instead",
    )


def _is_of_render(key: str) -> bool:
    return key in _OF_RENDER or key.startswith(_PREFIX_OF_RENDER)
