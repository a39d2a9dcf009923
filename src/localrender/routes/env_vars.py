"""/services/{id}/env-vars, one by one and all at once; no write deploys anything (reference, sections 3.6 and 4)."""

import base64
import re
import secrets

from fastapi import APIRouter, Request, Response

from localrender.answers import APIError, answer, body_of, no_content, page
from localrender.ids import cursor_of
from localrender.model import EnvVar, Service
from localrender.platform import Platform
from localrender.routes.context import platform_of, service_of

router = APIRouter(prefix="/v1/services/{service_id}/env-vars")

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_GENERATED_BYTES = 32


@router.get("")
async def list_env_vars(request: Request, service_id: str) -> Response:
    """A page of env vars: twenty unless told, values in clear."""
    service = service_of(request, service_id)
    rows = list(service.env.items())
    return page(request, "envVar", rows, row=lambda one: one[1].row, show=lambda one: _show(one[0], one[1]))


@router.put("")
async def replace_env_vars(request: Request, service_id: str) -> Response:
    """Replace the whole list; null and [] delete everything (recorded). Every cursor changes."""
    service = service_of(request, service_id)
    body = await body_of(request)
    if body is not None and not isinstance(body, list):
        raise APIError(400, "the request body must be an array")
    values = dict(_item(one) for one in body or [])
    platform = platform_of(request)
    service.env = {key: _new(platform, value) for key, value in values.items()}
    service.updated_at = platform.now()
    return answer([{"envVar": _show(key, var), "cursor": cursor_of(var.row)} for key, var in service.env.items()])


@router.get("/{key}")
async def get_env_var(request: Request, service_id: str, key: str) -> Response:
    """One env var."""
    return answer(_show(key, _var_of(service_of(request, service_id), key)))


@router.put("/{key}")
async def put_env_var(request: Request, service_id: str, key: str) -> Response:
    """Create or update one env var."""
    service = service_of(request, service_id)
    value = _value(await body_of(request))
    _check_key(key)
    platform = platform_of(request)
    service.env[key] = _new(platform, value)
    service.updated_at = platform.now()
    return answer(_show(key, service.env[key]))


@router.delete("/{key}")
async def delete_env_var(request: Request, service_id: str, key: str) -> Response:
    """Delete one env var; 204."""
    service = service_of(request, service_id)
    _var_of(service, key)
    del service.env[key]
    service.updated_at = platform_of(request).now()
    return no_content(204)


def _show(key: str, var: EnvVar) -> dict[str, object]:
    return {"key": key, "value": var.value}


def _new(platform: Platform, value: str) -> EnvVar:
    return EnvVar(value, platform.mint.mint("env", platform.now()))


def _var_of(service: Service, key: str) -> EnvVar:
    if key not in service.env:
        raise APIError(404, f"not found: {key}")
    return service.env[key]


def _item(one: object) -> tuple[str, str]:
    key = one.get("key") if isinstance(one, dict) else None
    if not isinstance(key, str):
        raise APIError(400, "key is required")
    _check_key(key)
    return key, _value(one)


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise APIError(400, f"invalid environment variable key: {key}")


def _value(body: object) -> str:
    if not isinstance(body, dict):
        raise APIError(400, "the request body must be a JSON object")
    if "value" in body:
        value = body["value"]
        if not isinstance(value, str) or "generateValue" in body:
            raise APIError(400, "invalid value: must be a string, without generateValue")
        return value
    if body.get("generateValue") is not True:
        raise APIError(400, "value or generateValue is required")
    return base64.b64encode(secrets.token_bytes(_GENERATED_BYTES)).decode()
