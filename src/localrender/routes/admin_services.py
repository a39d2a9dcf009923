"""/admin/services: what happens to a service behind the product's back: drift, foreign deploys, sick applications."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints

from localrender.answers import APIError, answer, no_content, object_of
from localrender.machine import Order
from localrender.model import FAILED, EnvVar, Script, Status, Trigger
from localrender.routes.admin import Strict, show_service_state
from localrender.routes.context import platform_of, service_of
from localrender.routes.services import set_suspended
from localrender.views import show_deploy

router = APIRouter(prefix="/admin/services/{service_id}")

Text = Annotated[str, StringConstraints(min_length=1)]


class ServiceBody(Strict):
    """`PATCH /admin/services/{id}`: only what is given changes."""

    name: Text | None = None
    owner_id: Text | None = None
    auto_deploy: bool | None = None
    suspended: bool | None = None


class DeployBody(Strict):
    """`POST /admin/services/{id}/deploys`: any ref, the default branch's tip where it is missing."""

    trigger: Trigger = Trigger.MANUAL
    ref: str | None = None


class ScriptBody(Strict):
    """`POST /admin/services/{id}/scripts`: how the next deploy goes; scripts queue up."""

    ends: Status | None = None
    hangs: bool = False
    seconds: Annotated[float, Field(ge=0)] | None = None


class EnvVarBody(Strict):
    """`PUT /admin/services/{id}/env-vars/{key}`."""

    value: str


@router.get("")
async def show(request: Request, service_id: str) -> Response:
    """One service as in `GET /admin/state`."""
    platform_of(request).advance()
    return answer(show_service_state(service_of(request, service_id)))


@router.patch("")
async def change(request: Request, service_id: str, body: ServiceBody) -> Response:
    """Rename, give to another owner, switch autodeploy, suspend or resume (without a deploy)."""
    service = service_of(request, service_id)
    service.name = body.name or service.name
    service.owner_id = body.owner_id or service.owner_id
    if body.auto_deploy is not None:
        service.auto_deploy = body.auto_deploy
    if body.suspended is not None:
        await set_suspended(request, service, suspended=body.suspended)
    return answer(show_service_state(service))


@router.delete("")
async def delete(request: Request, service_id: str) -> Response:
    """Delete the service; its application stops."""
    platform = platform_of(request)
    platform.machine.remove(service_of(request, service_id))
    platform.touched.add(service_id)
    await platform.host.suspend(service_id, True)
    return no_content(204)


@router.post("/deploys")
async def deploy(request: Request, service_id: str, body: DeployBody) -> Response:
    """Somebody else deploys; 201."""
    platform = platform_of(request)
    service = service_of(request, service_id)
    platform.advance()
    commit = None
    if service.image is None:
        commit = platform.host.head() if body.ref is None else platform.host.resolve(body.ref)
        if commit is None:
            raise APIError(404, f"unknown ref: {body.ref}")
    made = platform.machine.create(service, Order(body.trigger, commit, service.values, image=service.image))
    platform.poke()
    return answer(show_deploy(made), 201)


@router.post("/scripts")
async def script(request: Request, service_id: str, body: ScriptBody) -> Response:
    """Say how the next deploy goes: `ends` in a failure, `hangs` until canceled, or takes `seconds` per stage."""
    if body.ends is not None and body.ends not in FAILED:
        raise APIError(400, "ends must be build_failed, pre_deploy_failed or update_failed")
    service_of(request, service_id).scripts.append(Script(body.ends, body.hangs, body.seconds))
    return no_content(204)


@router.put("/misbehave")
async def misbehave(request: Request, service_id: str) -> Response:
    """Make the application's answers bad, as `AppHost.misbehave` says."""
    platform = platform_of(request)
    service = service_of(request, service_id)
    fault = await object_of(request)
    platform.touched.add(service.id)
    try:
        await platform.host.misbehave(service.id, fault)
    except ValueError as error:
        raise APIError(400, str(error)) from error
    return no_content(204)


@router.delete("/misbehave")
async def heal(request: Request, service_id: str) -> Response:
    """Heal the application."""
    await platform_of(request).host.misbehave(service_of(request, service_id).id, None)
    return no_content(204)


@router.put("/env-vars/{key}")
async def put_env_var(request: Request, service_id: str, key: str, body: EnvVarBody) -> Response:
    """Somebody else writes an env var."""
    platform = platform_of(request)
    service = service_of(request, service_id)
    service.env[key] = EnvVar(body.value, platform.mint.mint("env", platform.now()))
    service.updated_at = platform.now()
    return no_content(204)


@router.delete("/env-vars/{key}")
async def delete_env_var(request: Request, service_id: str, key: str) -> Response:
    """Somebody else deletes an env var."""
    service_of(request, service_id).env.pop(key, None)
    return no_content(204)
