"""Custom domains of a service, read only."""

from securewatch.core.ids import ServiceID
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.models import CustomDomain, decode
from securewatch.render.paths import path_to


async def fetch_custom_domains(
    client: RenderClient, service_id: ServiceID, *, priority: Priority
) -> list[CustomDomain]:
    """Every custom domain of a service."""
    path = path_to("services", service_id, "custom-domains")
    found = await client.get_all(path, "customDomain", priority=priority)
    return [decode(CustomDomain, one, f"GET {path}") for one in found]
