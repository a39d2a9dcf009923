"""Deploys: list, look at, create, cancel, roll back. Render has no idempotency key: a create sent twice is two."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from securewatch.core.ids import ServiceID
from securewatch.render.answers import Answer, Asked, unknown
from securewatch.render.budget import Priority
from securewatch.render.client import Guard, RenderClient
from securewatch.render.errors import NotTheAPI
from securewatch.render.models import Deploy, DeployStatus, decode
from securewatch.render.paths import path_to

_OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Created:
    """What came of a create or a rollback: the new deploy, or None where Render only accepted it (202; recorded)."""

    deploy: Deploy | None
    request_id: str | None

    @property
    def accepted_only(self) -> bool:
        """Whether the deploy's id is unknown and must be found in the list."""
        return self.deploy is None


async def fetch_deploys(  # noqa: PLR0913 - the optional filters of one list
    client: RenderClient,
    service_id: ServiceID,
    *,
    created_after: datetime | None = None,
    statuses: Sequence[DeployStatus] = (),
    limit: int | None = None,
    priority: Priority,
) -> list[Deploy]:
    """The deploys of a service, newest first by `created_at`, those without one last; the newest `limit` of them.

    Render's lists have no order, so all pages are read whatever the limit (design: behaviour, effects).
    """
    path = path_to("services", service_id, "deploys")
    params: dict[str, str | Sequence[str]] = {}
    if created_after is not None:
        params["createdAfter"] = created_after.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if statuses:
        params["status"] = [str(one) for one in statuses]
    items = await client.get_all(path, "deploy", params, priority=priority)
    found = [decode(Deploy, one, f"GET {path}") for one in items]
    return sorted(found, key=lambda one: (one.created_at or _OLDEST, one.id), reverse=True)[:limit]


async def fetch_deploy(client: RenderClient, service_id: ServiceID, deploy_id: str, *, priority: Priority) -> Deploy:
    """One deploy. Raises ServiceMissing where Render has no such deploy or service."""
    path = path_to("services", service_id, "deploys", deploy_id)
    return decode(Deploy, await client.get(path, priority=priority), f"GET {path}")


async def create_deploy(
    client: RenderClient, service_id: ServiceID, *, commit: str, priority: Priority, guard: Guard
) -> Created:
    """Build and deploy one commit (a full SHA: the API knows no tags). Raises like `RenderClient.write`."""
    path = path_to("services", service_id, "deploys")
    answer = await client.write("POST", path, body={"commitId": commit}, priority=priority, guard=guard)
    return _created(path, answer)


async def cancel_deploy(
    client: RenderClient, service_id: ServiceID, deploy_id: str, *, priority: Priority, guard: Guard
) -> Answer:
    """Ask Render to cancel a deploy; whether it ended is for a later look. Raises like `RenderClient.write`."""
    path = path_to("services", service_id, "deploys", deploy_id, "cancel")
    return await client.write("POST", path, priority=priority, guard=guard)


async def roll_back(
    client: RenderClient, service_id: ServiceID, deploy_id: str, *, priority: Priority, guard: Guard
) -> Created:
    """Make a new deploy of what an earlier one built, with its env vars of then. Raises like `RenderClient.write`."""
    path = path_to("services", service_id, "rollback")
    answer = await client.write("POST", path, body={"deployId": deploy_id}, priority=priority, guard=guard)
    return _created(path, answer)


def _created(path: str, answer: Answer) -> Created:
    """202 names no deploy; any other success that names none leaves the outcome unknown."""
    if answer.status == 202 and answer.body is None:
        return Created(None, answer.request_id)
    try:
        return Created(decode(Deploy, answer.body, f"POST {path}"), answer.request_id)
    except NotTheAPI as error:
        raise unknown(Asked("POST", path), error.why, answer.request_id) from error
