"""Services: read them, switch autodeploy off, and maintenance mode on and off.

Has no suspend and no delete (design: safety, S7).
"""

from securewatch.core.ids import OwnerID, ServiceID
from securewatch.render.answers import Answer
from securewatch.render.budget import Priority
from securewatch.render.client import Guard, RenderClient
from securewatch.render.models import Service, decode
from securewatch.render.paths import path_to


async def fetch_service(client: RenderClient, service_id: ServiceID, *, priority: Priority) -> Service:
    """One service. Raises ServiceMissing where Render has none of that id."""
    path = path_to("services", service_id)
    return decode(Service, await client.get(path, priority=priority), f"GET {path}")


async def fetch_services(
    client: RenderClient, *, owner_id: OwnerID | None = None, name: str | None = None, priority: Priority
) -> list[Service]:
    """All services that the key reaches, of one owner or of one exact name where given; previews are left out."""
    params = {"includePreviews": "false"}
    params |= {"ownerId": owner_id} if owner_id else {}
    params |= {"name": name} if name else {}
    found = await client.get_all("/services", "service", params, priority=priority)
    return [decode(Service, one, "GET /services") for one in found]


async def turn_autodeploy_off(
    client: RenderClient, service_id: ServiceID, *, priority: Priority, guard: Guard
) -> Answer:
    """Switch autodeploy off. `autoDeploy` is in every age of the API; `autoDeployTrigger` beside it is an error."""
    return await client.write(
        "PATCH", path_to("services", service_id), body={"autoDeploy": "no"}, priority=priority, guard=guard
    )


async def set_maintenance(  # noqa: PLR0913 - an address, the two halves of the mode, and how to send it
    client: RenderClient, service_id: ServiceID, *, enabled: bool, uri: str, priority: Priority, guard: Guard
) -> Answer:
    """Switch maintenance mode on or off. Render needs both halves: `uri` is the page that the service has already.

    Sending it again changes nothing. Static sites have none: RequestRejected. Else raises like `RenderClient.write`.
    """
    body = {"serviceDetails": {"maintenanceMode": {"enabled": enabled, "uri": uri}}}
    return await client.write("PATCH", path_to("services", service_id), body=body, priority=priority, guard=guard)
