"""Postgres instances: how to reach them, Render's exports of them, and recovery to a point in time.

A recovery makes a new instance and an export a file at Render: neither changes the instance it is of. Has no
suspend, restart, change of plan or delete (design: safety, S7). Facts: reference, render-api, section 6.
"""

from datetime import UTC, datetime

from securewatch.core.ids import OwnerID, PostgresID
from securewatch.render.answers import Answer, Asked, unknown
from securewatch.render.budget import Priority
from securewatch.render.client import Guard, RenderClient
from securewatch.render.errors import NotTheAPI
from securewatch.render.models import Connection, Export, Postgres, RecoveryWindow, decode
from securewatch.render.paths import path_to


async def fetch_postgres(client: RenderClient, postgres_id: PostgresID, *, priority: Priority) -> Postgres:
    """One instance. Raises ServiceMissing where Render has none of that id."""
    path = path_to("postgres", postgres_id)
    return decode(Postgres, await client.get(path, priority=priority), f"GET {path}")


async def fetch_postgres_named(
    client: RenderClient, name: str, *, owner_id: OwnerID, priority: Priority
) -> list[Postgres]:
    """The instances of one owner that are called exactly so, replicas left out. Names are not unique at Render."""
    params = {"name": name, "ownerId": owner_id, "includeReplicas": "false"}
    found = await client.get_all("/postgres", "postgres", params, priority=priority)
    return [one for one in (decode(Postgres, item, "GET /postgres") for item in found) if one.name == name]


async def fetch_connection(client: RenderClient, postgres_id: PostgresID, *, priority: Priority) -> Connection:
    """How to connect to one instance, password included. Raises like `fetch_postgres`."""
    path = path_to("postgres", postgres_id, "connection-info")
    return decode(Connection, await client.get(path, priority=priority), f"GET {path}")


async def fetch_recovery_window(client: RenderClient, postgres_id: PostgresID, *, priority: Priority) -> RecoveryWindow:
    """Whether and from when on the instance can be recovered to. Raises like `fetch_postgres`."""
    path = path_to("postgres", postgres_id, "recovery")
    return decode(RecoveryWindow, await client.get(path, priority=priority), f"GET {path}")


async def recover(  # noqa: PLR0913 - an address, the two halves of what is asked, and how to send it
    client: RenderClient, postgres_id: PostgresID, *, at: datetime, name: str, priority: Priority, guard: Guard
) -> Postgres:
    """Begin a recovery to `at` into a new instance called `name`; gives that one, which is not available yet.

    Sent twice it makes two instances, so it is sent at most once: after OutcomeUnknown look for the name. Raises like
    `RenderClient.write`, and OutcomeUnknown too where a success names no instance.
    """
    path = path_to("postgres", postgres_id, "recovery")
    restore_time = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    body = {"restoreTime": restore_time, "restoreName": name}
    answer = await client.write("POST", path, body=body, priority=priority, guard=guard)
    try:
        return decode(Postgres, answer.body, f"POST {path}")
    except NotTheAPI as error:
        raise unknown(Asked("POST", path), error.why, answer.request_id) from error


async def fetch_exports(client: RenderClient, postgres_id: PostgresID, *, priority: Priority) -> list[Export]:
    """The exports that Render keeps or is making, newest first; one that failed is in no list.

    The answer is a bare list without pages. Raises like `fetch_postgres`.
    """
    path = path_to("postgres", postgres_id, "export")
    body = await client.get(path, priority=priority)
    if not isinstance(body, list):
        raise NotTheAPI(f"the answer to GET {path} is not a list of Render's API")
    found = [decode(Export, one, f"GET {path}") for one in body]
    return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)


async def create_export(client: RenderClient, postgres_id: PostgresID, *, priority: Priority, guard: Guard) -> Answer:
    """Ask for an export; 202 names none, so look for it in the list. Raises like `RenderClient.write`.

    RequestRejected while another is under way, and on a free plan.
    """
    return await client.write("POST", path_to("postgres", postgres_id, "export"), priority=priority, guard=guard)
