"""Services: reading them and switching autodeploy off."""

import json

import pytest

from securewatch.core.ids import OwnerID, ServiceID
from securewatch.render import services
from securewatch.render.budget import Priority
from securewatch.render.errors import ServiceMissing
from tests.fakes.replay import exchange
from tests.unit.render.given import no_guard, replaying

SERVICE = ServiceID("srv-1")


async def test_a_service_that_render_does_not_have_is_missing() -> None:
    client, _ = replaying([exchange("GET", "/services/srv-1", 404, {"message": "not found: srv-1"})])

    with pytest.raises(ServiceMissing) as caught:
        await services.fetch_service(client, SERVICE, priority=Priority.CLI)

    assert caught.value.why == "not found: srv-1"


async def test_services_are_listed_by_owner_and_name_without_previews() -> None:
    target = "/services?includePreviews=false&ownerId=tea-1&name=securewatch-acme-backend&limit=100"
    body = [{"service": {"id": "srv-1", "name": "securewatch-acme-backend"}, "cursor": "c"}]
    client, _ = replaying([exchange("GET", target, body=body)])

    found = await services.fetch_services(
        client, owner_id=OwnerID("tea-1"), name="securewatch-acme-backend", priority=Priority.CLI
    )

    assert [one.id for one in found] == ["srv-1"]


async def test_services_are_listed_without_a_filter() -> None:
    client, transport = replaying([exchange("GET", "/services?includePreviews=false&limit=100", body=[])])

    assert await services.fetch_services(client, priority=Priority.CLI) == []
    assert transport.is_used_up


async def test_autodeploy_is_switched_off_and_nothing_else_changed() -> None:
    client, transport = replaying([exchange("PATCH", "/services/srv-1", body={"id": "srv-1"})])

    await services.turn_autodeploy_off(client, SERVICE, priority=Priority.CLI, guard=no_guard)

    assert transport.requests[0].content == b'{"autoDeploy":"no"}'


async def test_maintenance_mode_is_switched_and_its_page_kept() -> None:
    client, transport = replaying([exchange("PATCH", "/services/srv-1", body={"id": "srv-1"})])

    await services.set_maintenance(
        client, SERVICE, enabled=True, uri="https://status.example", priority=Priority.DEPLOY, guard=no_guard
    )

    sent = json.loads(transport.requests[0].content)
    assert sent == {"serviceDetails": {"maintenanceMode": {"enabled": True, "uri": "https://status.example"}}}
