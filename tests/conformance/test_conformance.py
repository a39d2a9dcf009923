"""Every answer of every endpoint that the platform has is one that Render's description allows, but for a table."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft4Validator

from localrender.app import ROUTERS
from localrender.model import Options
from localrender.views import show_event
from tests.conformance.contract import Contract, Exchange, load_contract
from tests.conformance.deviations import DEVIATIONS, Deviation
from tests.fakes.rig import BACKEND, BYSTANDER, DATABASE, FRONTEND, Rig, running_rig
from tests.integration.localrender.given_databases import cluster, rig_over

EVENT_TITLES = {
    "deploy_started": "Deploy Started",
    "deploy_ended": "Deploy Ended",
    "build_started": "Build Started",
    "build_ended": "Build Ended",
    "server_restarted": "Server Restarted",
    "service_suspended": "Service Suspended",
    "service_resumed": "Service Resumed",
    "maintenance_mode_enabled": "Maintenance Mode Enabled",
    "maintenance_mode_uri_updated": "Maintenance Mode URI Updated",
}


async def drive_services(rig: Rig) -> None:
    for query in ("", "?limit=2", "?name=status-page", "?type=static_site", "?ownerId=tea-x,tea-y"):
        await rig.api.get(f"/services{query}")
    for service_id in (BACKEND, FRONTEND, BYSTANDER, "srv-unknown"):
        await rig.api.get(f"/services/{service_id}")
        await rig.api.request("PATCH", f"/services/{service_id}", json={"autoDeploy": "no"})
        await rig.api.get(f"/services/{service_id}/custom-domains")
    await rig.api.request("PATCH", f"/services/{BACKEND}", json={"autoDeploy": 1})
    for service_id in (BACKEND, FRONTEND):
        for mode in ({"enabled": True, "uri": "https://status.example"}, {"enabled": False}):
            body = {"serviceDetails": {"maintenanceMode": mode}}
            await rig.api.request("PATCH", f"/services/{service_id}", json=body)
    for verb in ("suspend", "resume", "restart"):
        await rig.api.post(f"/services/{FRONTEND}/{verb}")
        await rig.api.post(f"/services/srv-unknown/{verb}")


async def drive_deploys(rig: Rig) -> None:
    first = rig.backend.deploys[0].id
    for service_id in (BACKEND, BYSTANDER):
        path = f"/services/{service_id}"
        # Minted ids are in turn even and odd, and only the even ones show `finishedAt: null`.
        for _ in range(3):
            await rig.api.post(f"{path}/deploys", json={})
            deploy = (await rig.deploys(service_id, status="build_in_progress,update_in_progress"))[0]["id"]
            await rig.api.get(f"{path}/deploys/{deploy}")
            await rig.api.post(f"{path}/deploys", json={})
            await rig.api.post(f"{path}/deploys/{deploy}/cancel")
            await rig.api.post(f"{path}/deploys/{deploy}/cancel")
            await rig.pass_seconds(60)
        for _ in range(2):
            target = rig.platform.state.services[service_id].deploys[0].id
            await rig.api.post(f"{path}/rollback", json={"deployId": target})
            await rig.pass_seconds(60)
        await rig.api.get(f"{path}/deploys?status=live")
    for body in ({"commitId": "f" * 40}, {"commitId": "v1"}, []):
        await rig.api.post(f"/services/{BACKEND}/deploys", json=body)
    await rig.api.get(f"/services/{BACKEND}/deploys?limit=0")
    await rig.api.post(f"/services/{BACKEND}/rollback", json={})
    await rig.api.post(f"/services/{BACKEND}/rollback", json={"deployId": "dep-unknown"})
    await rig.api.get(f"/services/{BACKEND}/deploys/dep-unknown")
    await rig.api.post("/services/srv-unknown/deploys", json={})
    await rig.api.get(f"/services/srv-unknown/deploys/{first}")
    rig.backend.suspended = True
    await rig.deploy(1)
    await rig.api.post(f"/services/{BACKEND}/rollback", json={"deployId": first})


async def drive_env_vars(rig: Rig) -> None:
    path = f"/services/{BACKEND}/env-vars"
    await rig.api.get(path)
    await rig.api.get(f"{path}?limit=101")
    await rig.api.put(f"{path}/NEW", json={"value": "1"})
    await rig.api.put(f"{path}/NEW", json={"generateValue": True})
    await rig.api.put(f"{path}/NEW", json={})
    await rig.api.get(f"{path}/NEW")
    await rig.api.delete(f"{path}/NEW")
    await rig.api.delete(f"{path}/NEW")
    await rig.api.get(f"{path}/NEW")
    await rig.api.put(path, json=[{"key": "A", "value": "1"}])
    await rig.api.put(path, json=[{"value": "1"}])
    await rig.api.put(path, content=b"null")
    await rig.api.get(path)


async def drive_others(rig: Rig) -> None:
    await rig.deploy(1)
    await rig.pass_seconds(60)
    for event in rig.platform.state.events:
        await rig.api.get(f"/events/{event.id}")
    owner = next(iter(rig.platform.state.owners))
    for path in (
        f"/services/{BACKEND}/events?type=deploy_ended",
        f"/services/{BACKEND}/events",
        f"/services/{BACKEND}/events?startTime=yesterday",
        "/services/srv-unknown/events",
        "/events/evt-unknown",
        "/owners",
        f"/owners/{owner}",
        "/owners/tea-unknown",
        "/users",
        "/postgres",
        "/postgres?limit=0",
        f"/postgres/{DATABASE}",
        "/postgres/dpg-unknown-a",
        f"/postgres/{DATABASE}/connection-info",
        "/postgres/dpg-unknown-a/connection-info",
    ):
        await rig.api.get(path)
    await rig.api.get("/users", headers={"Authorization": "Bearer rnd_wrong"})


async def drive_databases(rig: Rig) -> None:
    path = f"/postgres/{DATABASE}"
    await rig.admin.post(f"{path}/snapshot")
    at = rig.clock.now().isoformat()
    for _ in range(2):
        await rig.api.get(f"{path}/export")
        await rig.api.get(f"{path}/recovery")
        await rig.api.post(f"{path}/export")
        await rig.api.post(f"{path}/export")
        await rig.pass_seconds(900)
    for body in ({"restoreTime": at}, {"restoreTime": "now"}, {}):
        await rig.api.post(f"{path}/recovery", json=body)
    for postgres_id in list(rig.platform.state.databases):
        await rig.api.get(f"/postgres/{postgres_id}")
        await rig.api.get(f"/postgres/{postgres_id}/recovery")
        await rig.pass_seconds(300)
    await rig.api.get("/postgres")
    for event in rig.platform.state.events:
        await rig.api.get(f"/events/{event.id}")
    for verb in ("export", "recovery"):
        await rig.api.get(f"/postgres/dpg-unknown-a/{verb}")
        await rig.api.post(f"/postgres/dpg-unknown-a/{verb}", json={})


async def drive_faults(rig: Rig) -> None:
    for fault in (
        {"kind": "html", "status": 502},
        {"kind": "html", "status": 503},
        {"kind": "empty", "status": 429},
        {"kind": "status", "status": 503},
        {"kind": "truncate"},
    ):
        await rig.admin.post("/faults", json=fault)
        await rig.api.get("/users")


DRIVES = (drive_services, drive_deploys, drive_env_vars, drive_others, drive_databases, drive_faults)
ROOMY = {"reads": 10_000, "writes": 10_000, "service": 10_000}


async def answers_of(drive: Callable[[Rig], Awaitable[None]]) -> list[Exchange]:
    """Every answer that a drive gets from a fresh platform."""
    made: list[Exchange] = []

    async def keep(response: httpx2.Response) -> None:
        await response.aread()
        content_type = response.headers.get("content-type", "")
        request = response.request
        made.append(Exchange(request.method, request.url.path, response.status_code, content_type, response.text))

    async with _rig_for(drive) as rig:
        rig.api.event_hooks = {"response": [keep]}
        await drive(rig)
    return made


@asynccontextmanager
async def _rig_for(drive: Callable[[Rig], Awaitable[None]]) -> AsyncIterator[Rig]:
    """A fresh platform; only the drive of databases has real ones, since they take a second."""
    options = Options(limits=ROOMY)
    if drive is not drive_databases:
        async with running_rig(options) as rig:
            yield rig
        return
    with cluster() as postgres, tempfile.TemporaryDirectory() as folder:
        async with rig_over(postgres, Path(folder), options) as rig:
            yield rig


def deviations_of(contract: Contract, exchange: Exchange) -> set[Deviation]:
    """What of an answer leaves the description."""
    operation = f"{exchange.method} {contract.template_of(exchange.path)}"
    return {Deviation(operation, exchange.status, finding) for finding in contract.findings(exchange)}


async def test_every_answer_conforms_but_for_the_table_and_the_table_holds_nothing_else() -> None:
    contract = load_contract()

    answers = [answer for drive in DRIVES for answer in await answers_of(drive)]

    found = {deviation for answer in answers for deviation in deviations_of(contract, answer)}
    assert found == {Deviation(one.operation, one.status, one.finding) for one in DEVIATIONS}


async def test_every_endpoint_was_asked_and_every_one_is_documented() -> None:
    contract = load_contract()
    routes = [one for router in ROUTERS for one in router.routes if isinstance(one, APIRoute)]
    endpoints = [(method, one.path) for one in routes if one.path.startswith("/v1") for method in one.methods]

    asked = {
        (answer.method, contract.template_of(answer.path))
        for drive in DRIVES
        for answer in await answers_of(drive)
        if answer.status < 300
    }

    assert {
        (method, contract.template_of(path.replace("{", "").replace("}", ""))) for method, path in endpoints
    } == asked
    assert all(template is not None for _, template in asked)


@pytest.mark.parametrize("deviation", [one for one in DEVIATIONS if one.recorded], ids=lambda one: one.operation)
def test_a_recorded_exchange_deviates_in_the_same_place(deviation: Deviation) -> None:
    contract = load_contract()
    recordings = [one for one in contract.recordings if (one.method, one.path, one.status) == deviation.recorded]

    assert recordings
    assert all((deviation.recorded_finding or deviation.finding) in contract.findings(one) for one in recordings)


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda one: f"{one.operation} {one.finding[0]}")
def test_each_deviation_has_exactly_one_ground(deviation: Deviation) -> None:
    assert sum(ground is not None for ground in (deviation.recorded, deviation.fault, deviation.document)) == 1


async def test_the_details_of_each_event_fit_the_member_of_the_union_that_is_meant() -> None:
    contract = load_contract()
    schema = contract.document["components"]["schemas"]["serviceEventWithCursor"]
    members = {one["title"]: one for one in schema["properties"]["event"]["properties"]["details"]["oneOf"]}

    async with running_rig(Options(limits=ROOMY)) as rig:
        for drive in (drive_services, drive_deploys):
            await drive(rig)
        events = rig.platform.state.events
        shown = [show_event(one)["details"] for one in events]

    assert set(EVENT_TITLES) == {one.type for one in events}
    for event, details in zip(events, shown, strict=True):
        member = {**members[EVENT_TITLES[event.type]], "components": contract.document["components"]}
        Draft4Validator(member).validate(details)
