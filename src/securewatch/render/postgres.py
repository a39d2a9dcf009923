"""Postgres instances and how to reach them, read only."""

from securewatch.core.ids import PostgresID
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.models import Connection, Postgres, decode
from securewatch.render.paths import path_to


async def fetch_postgres(client: RenderClient, postgres_id: PostgresID, *, priority: Priority) -> Postgres:
    """One instance. Raises ServiceMissing where Render has none of that id."""
    path = path_to("postgres", postgres_id)
    return decode(Postgres, await client.get(path, priority=priority), f"GET {path}")


async def fetch_connection(client: RenderClient, postgres_id: PostgresID, *, priority: Priority) -> Connection:
    """How to connect to one instance, password included. Raises like `fetch_postgres`."""
    path = path_to("postgres", postgres_id, "connection-info")
    return decode(Connection, await client.get(path, priority=priority), f"GET {path}")
