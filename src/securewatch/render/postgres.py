"""Postgres instances, read only; their connection strings are not asked for here."""

from securewatch.core.ids import PostgresID
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.models import Postgres, decode
from securewatch.render.paths import path_to


async def fetch_postgres(client: RenderClient, postgres_id: PostgresID, *, priority: Priority) -> Postgres:
    """One instance. Raises ServiceMissing where Render has none of that id."""
    path = path_to("postgres", postgres_id)
    return decode(Postgres, await client.get(path, priority=priority), f"GET {path}")
