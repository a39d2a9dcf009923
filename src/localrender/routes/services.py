"""/services: list, get, patch, suspend, resume and restart (reference, section 5)."""

from fastapi import APIRouter, Request, Response

from localrender.answers import APIError, answer, listed, no_content, object_of, page, within
from localrender.machine import Order
from localrender.model import Kind, Service, Trigger
from localrender.routes.context import platform_of, service_of
from localrender.views import show_service

router = APIRouter(prefix="/v1/services")

_REGION = "oregon"
_IGNORED = frozenset({"repo", "branch", "image", "buildFilter", "rootDir", "serviceDetails"})


@router.get("")
async def list_services(request: Request) -> Response:
    """Services by name, type, owner, region, suspension and times; arrays in both encodings."""
    created, updated = within(request, "created"), within(request, "updated")

    def wanted(service: Service) -> bool:
        shown = show_service(service)
        pairs = (("name", "name"), ("type", "type"), ("ownerId", "ownerId"), ("suspended", "suspended"))
        return (
            all((values := listed(request, name)) is None or shown[key] in values for name, key in pairs)
            and ((regions := listed(request, "region")) is None or _REGION in regions)
            and listed(request, "environmentId") is None
            and created(service.created_at)
            and updated(service.updated_at)
        )

    rows = [one for one in platform_of(request).state.services.values() if wanted(one)]
    return page(request, "service", rows, row=lambda one: one.id, show=show_service)


@router.get("/{service_id}")
async def get_service(request: Request, service_id: str) -> Response:
    """One service."""
    return answer(show_service(service_of(request, service_id)))


@router.patch("/{service_id}")
async def patch_service(request: Request, service_id: str) -> Response:
    """Change autodeploy, the name or the maintenance mode; other documented keys are accepted and change nothing."""
    service = service_of(request, service_id)
    body = await object_of(request)
    if "autoDeploy" in body and "autoDeployTrigger" in body:
        raise APIError(400, "autoDeploy and autoDeployTrigger cannot both be set")
    unknown = set(body) - _IGNORED - {"autoDeploy", "autoDeployTrigger", "name"}
    if unknown:
        raise APIError(400, f"unknown field: {min(unknown)}")
    auto_deploy = _auto_deploy(body)
    name = body.get("name", service.name)
    if not isinstance(name, str) or not name:
        raise APIError(400, "invalid name")
    maintenance = _maintenance(service, body)
    service.auto_deploy = service.auto_deploy if auto_deploy is None else auto_deploy
    service.name = name
    service.updated_at = platform_of(request).now()
    if maintenance is not None:
        await _set_maintenance(request, service, *maintenance)
    return answer(show_service(service))


@router.post("/{service_id}/suspend")
async def suspend_service(request: Request, service_id: str) -> Response:
    """Stop serving; 202 without a body."""
    await set_suspended(request, service_of(request, service_id), suspended=True)
    return no_content(202)


@router.post("/{service_id}/resume")
async def resume_service(request: Request, service_id: str) -> Response:
    """Serve again and deploy (trigger `service_resumed`); 202 without a body."""
    service = service_of(request, service_id)
    if service.suspended:
        await set_suspended(request, service, suspended=False)
        live = service.live
        if live is not None:
            order = Order(Trigger.SERVICE_RESUMED, live.commit, service.values, image=live.image)
            platform_of(request).machine.create(service, order)
    return no_content(202)


@router.post("/{service_id}/restart")
async def restart_service(request: Request, service_id: str) -> Response:
    """Restart with the running commit and the running env vars, so nothing changes here; 200 without a body."""
    service = service_of(request, service_id)
    platform = platform_of(request)
    platform.machine.events.add(service, "server_restarted", platform.now(), {"triggeredByUser": None})
    return no_content(200)


async def set_suspended(request: Request, service: Service, *, suspended: bool) -> None:
    """Suspend or resume a service and its application."""
    platform = platform_of(request)
    service.suspended = suspended
    service.updated_at = platform.now()
    platform.touched.add(service.id)
    await platform.host.suspend(service.id, suspended)
    platform.machine.events.add(service, "service_suspended" if suspended else "service_resumed", platform.now(), {})


async def _set_maintenance(request: Request, service: Service, enabled: bool, uri: str) -> None:
    platform = platform_of(request)
    events, now = platform.machine.events, platform.now()
    if service.maintenance_uri != uri:
        uris: dict[str, object] = {"fromURI": service.maintenance_uri, "toURI": uri}
        events.add(service, "maintenance_mode_uri_updated", now, uris)
    if service.maintenance is not enabled:
        events.add(service, "maintenance_mode_enabled", now, {"enabled": enabled})
    service.maintenance, service.maintenance_uri = enabled, uri
    platform.touched.add(service.id)
    await platform.host.maintain(service.id, enabled)


def _maintenance(service: Service, body: dict[str, object]) -> tuple[bool, str] | None:
    """The maintenance mode that a body asks for; static sites have none. Raises APIError 400."""
    details = body.get("serviceDetails", {})
    if not isinstance(details, dict):
        raise APIError(400, "invalid serviceDetails")
    if "maintenanceMode" not in details:
        return None
    if service.kind is Kind.FRONTEND:
        raise APIError(400, "maintenanceMode is not available for static sites")
    mode = details["maintenanceMode"]
    if not isinstance(mode, dict) or not isinstance(mode.get("enabled"), bool) or not isinstance(mode.get("uri"), str):
        raise APIError(400, "invalid maintenanceMode: enabled and uri are required")
    return mode["enabled"], mode["uri"]


def _auto_deploy(body: dict[str, object]) -> bool | None:
    if "autoDeploy" in body:
        if body["autoDeploy"] not in ("yes", "no"):
            raise APIError(400, "invalid autoDeploy: must be yes or no")
        return body["autoDeploy"] == "yes"
    if "autoDeployTrigger" in body:
        if body["autoDeployTrigger"] not in ("commit", "checksPass", "off"):
            raise APIError(400, "invalid autoDeployTrigger: must be commit, checksPass or off")
        return body["autoDeployTrigger"] != "off"
    return None
