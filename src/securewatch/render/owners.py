"""Owners: the workspaces that a key reaches, and the cheapest proof that Render accepts it."""

from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.models import Owner, decode


async def fetch_owners(client: RenderClient, *, priority: Priority) -> list[Owner]:
    """Every owner that the key reaches. Raises KeyRefused where Render does not accept the key."""
    return [decode(Owner, one, "GET /owners") for one in await client.get_all("/owners", "owner", priority=priority)]
