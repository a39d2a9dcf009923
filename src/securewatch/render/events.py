"""Events: what happened to a service, as Render tells it."""

from datetime import UTC, datetime

from securewatch.core.ids import ServiceID
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.models import Event, decode
from securewatch.render.paths import path_to


async def fetch_events(
    client: RenderClient, service_id: ServiceID, *, since: datetime, priority: Priority
) -> list[Event]:
    """The events of a service from `since` on, all pages; without a start Render would give the last hour only."""
    path = path_to("services", service_id, "events")
    params = {"startTime": since.astimezone(UTC).isoformat().replace("+00:00", "Z")}
    return [decode(Event, one, f"GET {path}") for one in await client.get_all(path, "event", params, priority=priority)]
