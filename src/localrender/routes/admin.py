"""/admin: what a test asks of the platform itself: faults, options, keys, pushes, reset, journal, state; no key."""

import hashlib
import json
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from localrender.answers import APIError, answer, no_content
from localrender.faults import Fault, FaultKind
from localrender.machine import Order
from localrender.model import Policy, Service, Trigger
from localrender.rates import GROUPS
from localrender.routes.context import platform_of

router = APIRouter(prefix="/admin")


class Strict(BaseModel):
    """A body with no unknown keys."""

    model_config = ConfigDict(extra="forbid")


class FaultBody(Strict):
    """`POST /admin/faults`: see `faults.Fault`."""

    kind: FaultKind
    method: str = ".*"
    path: str = ".*"
    count: int | None = 1
    after: int = 0
    status: int = 500
    message: str = "internal server error"
    retry_after: int | None = None
    seconds: float = 0.0
    acts: bool | None = None


class OptionsBody(Strict):
    """`PATCH /admin/options`: only what is given changes; `limits` by group name."""

    policy: Policy | None = None
    build_seconds: Annotated[float, Field(ge=0)] | None = None
    update_seconds: Annotated[float, Field(ge=0)] | None = None
    static_seconds: Annotated[float, Field(ge=0)] | None = None
    retention: Annotated[int, Field(ge=0)] | None = None
    export_seconds: Annotated[float, Field(ge=0)] | None = None
    recovery_seconds: Annotated[float, Field(ge=0)] | None = None
    snapshot_seconds: Annotated[float, Field(ge=0)] | None = None
    recovery_days: Literal[3, 7] | None = None
    shuffle: bool | None = None
    retry_after: bool | None = None
    latency: bool | None = None
    limits: dict[str, Annotated[int, Field(ge=0)]] | None = None


class KeyBody(Strict):
    """`POST /admin/keys`."""

    key: Annotated[str, StringConstraints(min_length=1)]


class PushBody(Strict):
    """`POST /admin/push`: the commit that was pushed, any ref; the default branch's tip where it is missing."""

    ref: str | None = None


@router.post("/reset")
async def reset(request: Request) -> Response:
    """Go back to the seeded state."""
    await platform_of(request).reset()
    return no_content(204)


@router.post("/keep")
async def keep(request: Request) -> Response:
    """Let a reset go back to the services of now; the databases are empty after it all the same."""
    platform_of(request).keep()
    return no_content(204)


@router.delete("/keep")
async def forget(request: Request) -> Response:
    """Let a reset go back to the seeded state again."""
    platform_of(request).forget()
    return no_content(204)


@router.get("/journal")
async def show_journal(request: Request, since: int = 0) -> Response:
    """Every request under /v1 since the last reset, oldest first; `?since=N` gives those after number N."""
    lines = platform_of(request).journal.lines
    return answer([one.as_json() for one in lines if one.number > since])


@router.get("/state")
async def show_state(request: Request) -> Response:
    """Every service as it is: what is live, its env vars, and all its deploys."""
    platform = platform_of(request)
    platform.advance()
    shown = {one.id: show_service_state(one) for one in platform.state.services.values()}
    return answer({"now": platform.now().isoformat(), "busy": platform.machine.busy, "services": shown})


@router.get("/faults")
async def list_faults(request: Request) -> Response:
    """The armed faults and how often each has struck."""
    return answer([asdict(one) for one in platform_of(request).faults.armed])


@router.post("/faults")
async def arm_fault(request: Request, body: FaultBody) -> Response:
    """Arm a fault; 201."""
    fault = Fault(**body.model_dump())
    platform_of(request).faults.arm(fault)
    return answer(asdict(fault), 201)


@router.delete("/faults")
async def clear_faults(request: Request) -> Response:
    """Remove every fault."""
    platform_of(request).faults.clear()
    return no_content(204)


@router.get("/options")
async def show_options(request: Request) -> Response:
    """The options."""
    return answer(asdict(platform_of(request).options))


@router.patch("/options")
async def change_options(request: Request, body: OptionsBody) -> Response:
    """Change options until the next reset."""
    platform = platform_of(request)
    for name in body.model_fields_set:
        value = getattr(body, name)
        if value is None:
            raise APIError(400, f"{name} must not be null")
        if name == "limits" and (unknown := set(value) - {group.name for group in GROUPS}):
            raise APIError(400, f"no such group of limits: {min(unknown)}")
        setattr(platform.options, name, value)
    return answer(asdict(platform.options))


@router.post("/keys")
async def add_key(request: Request, body: KeyBody) -> Response:
    """Accept one more key."""
    platform_of(request).state.keys.add(body.key)
    return no_content(204)


@router.delete("/keys")
async def revoke_keys(request: Request) -> Response:
    """Accept no key any more."""
    platform_of(request).state.keys.clear()
    return no_content(204)


@router.delete("/keys/{key}")
async def revoke_key(request: Request, key: str) -> Response:
    """Accept a key no more."""
    platform_of(request).state.keys.discard(key)
    return no_content(204)


@router.post("/push")
async def push(request: Request, body: PushBody) -> Response:
    """Somebody pushed: every service with autodeploy on deploys the commit (trigger `new_commit`)."""
    platform = platform_of(request)
    commit = platform.host.head() if body.ref is None else platform.host.resolve(body.ref)
    if commit is None:
        raise APIError(404, f"unknown ref: {body.ref}")
    made = {
        one.id: platform.machine.create(one, Order(Trigger.NEW_COMMIT, commit, one.values)).id
        for one in platform.state.services.values()
        if one.auto_deploy and not one.suspended and one.image is None
    }
    platform.poke()
    return answer({"commit": commit.id, "deploys": made})


def show_service_state(service: Service) -> dict[str, object]:
    """A service for tests; `effective` counts the deploys that ever went live, the seeded one included."""
    live, running = service.live, service.running
    values = service.values
    return {
        "name": service.name,
        "kind": service.kind.value,
        "customer": service.customer,
        "owner_id": service.owner_id,
        "url": service.url,
        "auto_deploy": service.auto_deploy,
        "suspended": service.suspended,
        "maintenance": service.maintenance,
        "live_commit": live.commit.id if live and live.commit else None,
        "live_deploy": live.id if live else None,
        "live_env": live.env if live else {},
        "running_deploy": running.id if running else None,
        "env": values,
        "env_fingerprint": hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16],
        "effective": sum(one.live_at is not None for one in service.deploys),
        "deploys": [
            {
                "id": one.id,
                "status": one.status.value,
                "trigger": one.trigger.value,
                "commit": one.commit.id if one.commit else None,
                "created_at": one.created_at.isoformat(),
                "live_at": one.live_at.isoformat() if one.live_at else None,
            }
            for one in service.deploys
        ],
    }
