"""The looks of a deploy: reads of Render, git and the customer's sites, as plain data. Writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from securewatch.core.ids import ServiceID
from securewatch.deploy.effects import is_at, search_start
from securewatch.deploy.facts import Expected, Finding, LiveDeploy, ServiceFacts, check_service, hard
from securewatch.deploy.model import CustomerPlan, Plan, RunKind, ServiceKind, ServicePlan
from securewatch.deploy.survey import fetch_facts
from securewatch.deploy.view import Effect, Look
from securewatch.health.probe import Prober, ProbeTarget, VersionState
from securewatch.health.verdict import Sample
from securewatch.render import deploys, env_vars, services
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.models import Deploy, DeployStatus
from securewatch.versions.git import VendorRepository
from securewatch.versions.tag import ensure_unmoved


@dataclass(frozen=True)
class Sight:
    """What looks see with."""

    client: RenderClient
    prober: Prober
    repository: VendorRepository


def target_of(customer: CustomerPlan, service: ServicePlan) -> ProbeTarget:
    """Where the probes of one service go: the URL that Render gives, with the configured endpoints appended."""
    paths = customer.endpoints
    return ProbeTarget(str(service.kind), service.url, paths.health, paths.version, paths.database)


async def look_preflight(sight: Sight, plan: Plan, customer: CustomerPlan) -> Mapping[str, Any]:
    """The checks repeated at the start of a run, and the good pair: what is live now on each service.

    A moved tag raises Conflict (SW412), as it does while planning.
    """
    problems: list[Finding] = []
    good = []
    if plan.kind is RunKind.DEPLOY:
        tag = await sight.repository.resolve(plan.version)
        ensure_unmoved(tag, plan.commit)
    for service in customer.services:
        expected = Expected(service.kind, service.service_id, service.name)
        facts = await fetch_facts(sight.client, expected, priority=Priority.DEPLOY, with_env=False)
        if isinstance(facts, Finding):
            problems.append(facts)
            continue
        problems += hard(check_service(expected, facts, customer.owner_id, customer.slug))
        if facts.live is not None:
            good.append(await _good(sight, customer, service, facts, facts.live))
    return {"problems": [one.as_data() for one in problems], "good": good}


async def _good(
    sight: Sight, customer: CustomerPlan, service: ServicePlan, facts: ServiceFacts, live: LiveDeploy
) -> dict[str, Any]:
    """The deploy to go back to. Its version is the tag at its commit, unless the service says another."""
    tags = await sight.repository.list_tags() if live.commit else []
    tag = next((one.name for one in tags if one.commit == live.commit), "")
    answer = await sight.prober.version(target_of(customer, service), expected_version=tag)
    is_other = answer.reported_version is not None and answer.state is VersionState.MISMATCH
    return {
        "kind": str(service.kind),
        "service_id": facts.service_id,
        "deploy_id": live.id,
        "commit": live.commit,
        "version": answer.reported_version if is_other else tag or None,
    }


async def look_sample(sight: Sight, customer: CustomerPlan, kind: ServiceKind) -> Sample:
    """One round of a service's health requests."""
    return await sight.prober.sample(target_of(customer, _service(customer, kind)))


async def look_version(sight: Sight, customer: CustomerPlan, look: Look) -> Mapping[str, Any]:
    """What the service itself says it runs (S9)."""
    service = _service(customer, look.service_kind)
    answer = await sight.prober.version(
        target_of(customer, service),
        expected_version=str(look.args["version"]),
        expected_commit=str(look.args.get("commit") or "") or None,
    )
    return {"state": str(answer.state), "detail": answer.detail, "reported": answer.reported_version}


async def look_database(sight: Sight, customer: CustomerPlan, look: Look) -> Mapping[str, Any]:
    """Whether the backend reaches its database, as it reports itself."""
    answer = await sight.prober.database(target_of(customer, _service(customer, look.service_kind)))
    return {"state": str(answer.state), "detail": answer.detail}


async def look_poll(sight: Sight, look: Look, effect: Effect | None) -> Mapping[str, Any]:
    """Where one deploy is, what came after it, and whether one of ours runs twice (S1).

    `effect` is the one that made the deploy: its snapshot says where the search starts and what was there before.
    """
    before = effect.before if effect is not None else {}
    deploy_id, commit = str(look.args["deploy_id"]), str(look.args["commit"])
    service_id = ServiceID(str(look.args["service_id"]))
    found = await deploys.fetch_deploys(
        sight.client, service_id, created_after=search_start(before), priority=Priority.POLL
    )
    ours = next((one for one in found if one.id == deploy_id), None)
    if ours is None:
        ours = await deploys.fetch_deploy(sight.client, service_id, deploy_id, priority=Priority.POLL)
    known = {*before.get("ids", ()), deploy_id}
    doubles = [one.id for one in found if _is_double(one, known, ours, commit)] if before and commit else []
    return {"deploy_id": ours.id, "status": str(ours.status), "newer": _newer(found, ours), "doubles": doubles}


def _is_double(deploy: Deploy, known: set[str], ours: Deploy, commit: str) -> bool:
    is_alike = deploy.trigger == ours.trigger and deploy.trigger in ("api", "rollback")
    return deploy.id not in known and is_alike and is_at(deploy, commit)


def _newer(found: list[Deploy], ours: Deploy) -> Mapping[str, Any] | None:
    """The deploy that took the place of ours: one made after it that is live or on its way."""
    if ours.created_at is None:
        return None
    for one in found:
        is_later = one.id != ours.id and one.created_at is not None and one.created_at >= ours.created_at
        if is_later and not one.status.is_failure and one.status is not DeployStatus.CANCELED:
            return {"id": one.id, "status": str(one.status)}
    return None


async def look_way_back(
    sight: Sight, look: Look, *, backup: Mapping[str, str | None] | None, ours: Mapping[str, str | None]
) -> Mapping[str, Any]:
    """Whether Render's rollback may be used: it brings the target's whole env, so nothing else may have changed."""
    service_id = ServiceID(str(look.args["service_id"]))
    found = await deploys.fetch_deploys(sight.client, service_id, priority=Priority.ROLLBACK)
    live = next((one for one in found if one.status is DeployStatus.LIVE), None)
    if live is not None and live.id == look.args["deploy_id"]:
        return {"way": "none", "reason": "the good deploy is live"}
    target = next((one for one in found if one.id == look.args["deploy_id"]), None)
    if target is None or target.status is not DeployStatus.DEACTIVATED:
        return {"way": "build", "reason": "Render no longer has the good deploy"}
    if backup is None:
        return {"way": "render", "reason": "no env vars of ours to compare"}
    variables = await env_vars.fetch_env_vars(sight.client, service_id, priority=Priority.ROLLBACK)
    now = {one.key: one.value.get_secret_value() for one in variables}
    changed = sorted(key for key in {*now, *backup} if key not in ours and now.get(key) != backup.get(key))
    if changed:
        return {"way": "build", "reason": f"changed since the backup: {', '.join(changed)}"}
    return {"way": "render", "reason": ""}


async def look_autodeploy(sight: Sight, look: Look) -> Mapping[str, Any]:
    """Whether autodeploy is off (S3)."""
    service = await services.fetch_service(
        sight.client, ServiceID(str(look.args["service_id"])), priority=Priority.ROLLBACK
    )
    return {"is_off": service.autodeploy_is_off}


def _service(customer: CustomerPlan, kind: ServiceKind | None) -> ServicePlan:
    return next(one for one in customer.services if one.kind == kind)
