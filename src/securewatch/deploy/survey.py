"""What Render says about one service right now, as plain facts. Reads only; used by plans, preflight and checks."""

from securewatch.core.ids import ServiceID
from securewatch.deploy.facts import Expected, Finding, LiveDeploy, ServiceFacts
from securewatch.render import custom_domains, deploys, env_vars, services
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.errors import RenderError, ServiceMissing
from securewatch.render.models import CustomDomain, Deploy, DeployStatus


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
    domains = await _fetch_domains(client, service_id, priority)
    variables = await env_vars.fetch_env_vars(client, service_id, priority=priority) if with_env else []
    return ServiceFacts(
        kind=expected.kind,
        service_id=service.id,
        name=service.name,
        type=service.type,
        owner_id=service.owner_id,
        url=service.url or "",
        is_suspended=service.suspended,
        autodeploy_is_off=service.autodeploy_is_off,
        health_check_path=service.health_check_path or "",
        has_disk=service.has_disk,
        live=live_of(found),
        domains=tuple(one.name for one in domains),
        unverified_domains=tuple(one.name for one in domains if not one.is_verified),
        env={one.key: one.value.get_secret_value() for one in variables},
    )


async def _fetch_domains(client: RenderClient, service_id: ServiceID, priority: Priority) -> list[CustomDomain]:
    """The custom domains; none where Render does not give them out, since they are only reported and never a gate."""
    try:
        return await custom_domains.fetch_custom_domains(client, service_id, priority=priority)
    except RenderError:
        return []


def live_of(found: list[Deploy]) -> LiveDeploy | None:
    """The deploy that serves now, if Render says that one does; `found` is newest first."""
    live = next((one for one in found if one.status is DeployStatus.LIVE), None)
    return LiveDeploy(live.id, live.commit.id if live.commit else None) if live is not None else None
