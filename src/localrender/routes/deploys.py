"""/services/{id}/deploys and /rollback (reference, section 3)."""

import hashlib
import re

from fastapi import APIRouter, Request, Response

from localrender.answers import APIError, answer, listed, no_content, object_of, page, within
from localrender.hosting import CommitInfo
from localrender.machine import ArtifactGone, CannotCancel, Order
from localrender.model import Deploy, Service, Status, Trigger
from localrender.platform import Platform
from localrender.routes.context import deploy_of, platform_of, service_of
from localrender.views import show_deploy

router = APIRouter(prefix="/v1/services/{service_id}")

_SHA = re.compile(r"[0-9a-fA-F]{7,40}")
_KNOWN = frozenset({"clearCache", "commitId", "imageUrl", "deployMode"})


@router.get("/deploys")
async def list_deploys(request: Request, service_id: str) -> Response:
    """Deploys by status and times; newest first, or in no order at all with the option `shuffle`."""
    service = service_of(request, service_id)
    statuses = listed(request, "status")
    if statuses is not None and not statuses <= {one.value for one in Status}:
        raise APIError(400, "invalid status")
    created, updated, finished = (within(request, name) for name in ("created", "updated", "finished"))
    rows = [
        one
        for one in reversed(service.deploys)
        if (statuses is None or one.status.value in statuses)
        and created(one.created_at)
        and updated(one.updated_at)
        and finished(one.finished_at)
    ]
    if platform_of(request).options.shuffle:
        rows.sort(key=lambda one: hashlib.sha256(one.id.encode()).digest())
    return page(request, "deploy", rows, row=lambda one: one.id, show=show_deploy)


@router.get("/deploys/{deploy_id}")
async def get_deploy(request: Request, service_id: str, deploy_id: str) -> Response:
    """One deploy."""
    return answer(show_deploy(deploy_of(service_of(request, service_id), deploy_id)))


@router.post("/deploys")
async def create_deploy(request: Request, service_id: str) -> Response:
    """Deploy a commit: 201 with the deploy, or 202 without a body where it has to wait (recorded)."""
    service = service_of(request, service_id)
    body = await object_of(request)
    if service.suspended:
        raise APIError(409, "service is suspended")
    platform = platform_of(request)
    deploy = platform.machine.create(service, order_of(platform, service, body))
    return no_content(202) if deploy.status is Status.QUEUED else answer(show_deploy(deploy), 201)


@router.post("/deploys/{deploy_id}/cancel")
async def cancel_deploy(request: Request, service_id: str, deploy_id: str) -> Response:
    """End a deploy that is not live yet; 400 where it has ended."""
    service = service_of(request, service_id)
    deploy = deploy_of(service, deploy_id)
    try:
        platform_of(request).machine.cancel(service, deploy)
    except CannotCancel as error:
        raise APIError(400, f"deploy cannot be canceled: status is {deploy.status.value}") from error
    return answer(show_deploy(deploy))


@router.post("/rollback")
async def roll_back(request: Request, service_id: str) -> Response:
    """Deploy an earlier deploy's artifact and env vars again: 201 with the new deploy, also where it has to wait."""
    service = service_of(request, service_id)
    body = await object_of(request, ["deployId"])
    if service.suspended:
        raise APIError(400, "service is suspended")
    target = deploy_of(service, str(body["deployId"]))
    try:
        deploy = platform_of(request).machine.roll_back(service, target)
    except ArtifactGone as error:
        raise APIError(400, f"cannot roll back to {target.id}: its build artifact is not available") from error
    return answer(show_deploy(deploy), 201)


def order_of(platform: Platform, service: Service, body: dict[str, object]) -> Order:
    """What the body of a create asks for. Raises APIError 400 or 404."""
    if unknown := set(body) - _KNOWN:
        raise APIError(400, f"unknown field: {min(unknown)}")
    if body.get("clearCache", "do_not_clear") not in ("clear", "do_not_clear"):
        raise APIError(400, "invalid clearCache")
    mode = body.get("deployMode", "build_and_deploy")
    if mode not in ("build_and_deploy", "deploy_only"):
        raise APIError(400, "invalid deployMode")
    if mode == "deploy_only":
        return _redeploy(platform, service, body)
    if service.image is not None:
        if "commitId" in body:
            raise APIError(400, "commitId is not allowed for image-backed services")
        return Order(Trigger.API, None, service.values, image=_image(service, body))
    if "imageUrl" in body:
        raise APIError(400, "imageUrl is only allowed for image-backed services")
    return Order(Trigger.API, _commit(platform, body), service.values)


def _redeploy(platform: Platform, service: Service, body: dict[str, object]) -> Order:
    if set(body) & {"commitId", "imageUrl", "clearCache"}:
        raise APIError(400, "deploy_only cannot be combined with commitId, imageUrl or clearCache")
    kept: list[Deploy] = platform.machine.retained(service)
    if not kept:
        raise APIError(400, "there is no successful build to deploy")
    last = kept[-1]
    return Order(Trigger.API, last.commit, service.values, artifact=last.artifact, rebuild=False, image=last.image)


def _commit(platform: Platform, body: dict[str, object]) -> CommitInfo:
    if "commitId" not in body:
        return platform.host.head()
    wanted = body["commitId"]
    if not isinstance(wanted, str) or not _SHA.fullmatch(wanted):
        raise APIError(400, "invalid commitId")
    commit = platform.host.resolve(wanted.lower())
    if commit is None:
        raise APIError(404, f"commit not found: {wanted}")
    return commit


def _image(service: Service, body: dict[str, object]) -> str:
    configured = service.image or ""
    image = body.get("imageUrl", configured)
    if not isinstance(image, str) or _repository(image) != _repository(configured):
        raise APIError(400, "imageUrl must be of the configured image")
    return image


def _repository(image: str) -> str:
    path, slash, name = image.partition("@")[0].rpartition("/")
    return path + slash + name.partition(":")[0]
