"""Every recorded exchange of an operation that the gateway uses is understood by the real client."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from securewatch.render.answers import Answer
from securewatch.render.deploys import Created
from securewatch.render.models import Connection, CustomDomain, Deploy, EnvVar, Postgres, Service
from tests.contract.render_calls import CALLS, Call
from tests.contract.render_data import matches, recordings, require_data
from tests.fakes.replay import Exchange
from tests.unit.render.given import handled_by

require_data()


def call_of(exchange: Exchange) -> Call | None:
    path = exchange.target.split("?")[0]
    return next((one for one in CALLS if one.method == exchange.method and matches(one.template, path)), None)


USED = [(one, call) for one in recordings() if (call := call_of(one)) is not None]


def facts_of(found: Any) -> Any:
    """What the client understood, in Render's own words."""
    if isinstance(found, list):
        return [facts_of(one) for one in found]
    return _FACTS[type(found)](found)


_FACTS: dict[type, Callable[[Any], Any]] = {
    EnvVar: lambda one: {"key": one.key, "value": one.value.get_secret_value()},
    Service: lambda one: {
        "id": one.id,
        "name": one.name,
        "type": one.type,
        "ownerId": one.owner_id,
        "off": one.autodeploy_is_off,
        "maintenance": one.maintenance and one.maintenance.model_dump(),
    },
    Postgres: lambda one: {
        "id": one.id,
        "name": one.name,
        "status": str(one.status),
        "databaseName": one.database_name,
        "plan": one.plan,
        "diskSizeGB": one.disk_size_gb,
    },
    Connection: lambda one: {
        "internalConnectionString": one.internal_url.get_secret_value(),
        "externalConnectionString": one.external_url.get_secret_value(),
    },
    CustomDomain: lambda one: {"name": one.name, "verificationStatus": one.verification_status},
    Deploy: lambda one: {"id": one.id, "status": str(one.status), "trigger": one.trigger},
    Created: lambda one: one.deploy and facts_of(one.deploy),
    Answer: lambda one: one.body,
}


def facts_in(body: Any, like: Any) -> Any:
    """The same facts, taken from the recorded body itself."""
    if isinstance(body, list):
        inner = [next(value for key, value in item.items() if key != "cursor") for item in body]
        return [facts_in(one, wanted) for one, wanted in zip(inner, like, strict=True)]
    if not isinstance(like, dict):
        return body
    trigger = body.get("autoDeployTrigger")
    derived = {
        "off": trigger == "off" if trigger else body.get("autoDeploy") == "no",
        "maintenance": body.get("serviceDetails", {}).get("maintenanceMode"),
    }
    return {key: body.get(key, derived.get(key, "")) for key in like}


@pytest.mark.parametrize(
    ("exchange", "call"), USED, ids=[f"{n}-{call.name.replace(' ', '-')}" for n, (_, call) in enumerate(USED)]
)
async def test_a_recorded_exchange_is_understood(exchange: Exchange, call: Call) -> None:
    headers = {name: value for name, value in exchange.headers.items() if name.lower() != "content-length"}

    async with handled_by(
        lambda _: httpx2.Response(exchange.status, headers=headers, content=exchange.body.encode())
    ) as client:
        facts = facts_of(await call.send(client))

    recorded = json.loads(exchange.body) if exchange.body.strip() else None
    assert facts == facts_in(recorded, facts)


def test_no_operation_that_is_used_lost_its_recordings() -> None:
    counts = {call.name: sum(1 for _, one in USED if one is call) for call in CALLS}

    assert {name: count for name, count in counts.items() if count} == {
        "list services": 12,
        "get a service": 31,
        "switch autodeploy off": 22,
        "create a deploy": 4,
        "list env vars": 14,
        "list custom domains": 2,
        "get a Postgres instance": 10,
        "get how to connect": 2,
    }


def test_every_recorded_answer_tells_the_rates_as_the_budget_reads_them() -> None:
    """Reset is a number of seconds, at most an hour; limits are positive (reference: render-api 2.2)."""
    told = [{name.lower(): value for name, value in one.headers.items()} for one in recordings()]

    assert all(0 <= int(one["ratelimit-reset"]) <= 3600 for one in told)
    assert all(0 <= int(one["ratelimit-remaining"]) < int(one["ratelimit-limit"]) for one in told)
