"""Env vars of a service, one key at a time. The call that replaces the whole list is left out on purpose (S2)."""

from securewatch.core.ids import ServiceID
from securewatch.render.answers import Answer
from securewatch.render.budget import Priority
from securewatch.render.client import Guard, RenderClient
from securewatch.render.errors import PlaceholderLeft, RequestRejected, ServiceMissing
from securewatch.render.models import EnvVar, decode
from securewatch.render.paths import path_to, path_to_env_var


async def fetch_env_vars(client: RenderClient, service_id: ServiceID, *, priority: Priority) -> list[EnvVar]:
    """The service's own env vars, all pages of them; those of linked groups are not part of it."""
    path = path_to("services", service_id, "env-vars")
    return [decode(EnvVar, one, f"GET {path}") for one in await client.get_all(path, "envVar", priority=priority)]


async def fetch_env_var(client: RenderClient, service_id: ServiceID, key: str, *, priority: Priority) -> EnvVar | None:
    """One env var; None where the service has none of that name. Raises ServiceMissing where there is no service.

    A missing key and a missing service are both 404, so "none" is believed only of the whole list.
    """
    path = path_to_env_var(service_id, key)
    try:
        return decode(EnvVar, await client.get(path, priority=priority), f"GET {path}")
    except (ServiceMissing, RequestRejected):
        found = await fetch_env_vars(client, service_id, priority=priority)
        return next((one for one in found if one.key == key), None)


async def put_env_var(  # noqa: PLR0913 - an address, a value, and how to send it
    client: RenderClient, service_id: ServiceID, key: str, *, value: str, priority: Priority, guard: Guard
) -> Answer:
    """Create or replace one env var. Raises PlaceholderLeft for a `${...}` in it, else like `RenderClient.write`."""
    path = path_to_env_var(service_id, key)
    if "${" in value:
        raise PlaceholderLeft(f"the value for {key} of {service_id} holds an unexpanded placeholder", status=None)
    return await client.write("PUT", path, body={"value": value}, priority=priority, guard=guard)


async def delete_env_var(
    client: RenderClient, service_id: ServiceID, key: str, *, priority: Priority, guard: Guard
) -> Answer:
    """Remove one env var, as a rollback does with a key that its plan added. Raises like `RenderClient.write`."""
    return await client.write("DELETE", path_to_env_var(service_id, key), priority=priority, guard=guard)
