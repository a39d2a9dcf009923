"""Whose services are these? The workspace that the key reaches and that every service must belong to."""

from securewatch.core.errors import Refused, UsageError
from securewatch.core.ids import ServiceID
from securewatch.deps import Deps
from securewatch.render import owners, services
from securewatch.render.budget import Priority
from securewatch.render.errors import ServiceMissing
from securewatch.store import meta


async def find_owner(deps: Deps) -> str:
    """The owner id: `RENDER_WORKSPACE`, else the one recorded at the first plan, else the one that the key reaches.

    Also proves that Render accepts the key, and is the check that every command makes which talks to Render. Raises
    SignInNeeded, Conflict (SW414) where the state belongs to another Render, owner or clock, UsageError (SW109) for a
    workspace out of reach, Refused (SW408) where the key reaches several and nothing says which.
    """
    recorded = await _recorded(deps)
    found = {one.id for one in await owners.fetch_owners(await deps.client(), priority=Priority.CLI)}
    if recorded is not None and recorded not in found:
        raise meta.another_installation("owner", recorded, f"a key that reaches {', '.join(sorted(found)) or 'none'}")
    wanted = deps.settings.workspace or recorded
    if wanted is None:
        return next(iter(found)) if len(found) == 1 else await _owner_of_services(deps, found)
    if wanted not in found:
        raise UsageError(
            "SW109",
            f"the API key does not reach the workspace {wanted}",
            why=f"it reaches {', '.join(sorted(found)) or 'none'}",
            fix="use a key of a member of that workspace, or correct RENDER_WORKSPACE",
        )
    return wanted


async def _recorded(deps: Deps) -> str | None:
    database = await deps.existing_database()
    if database is None:
        return None
    settings = deps.settings
    async with database.read() as tx:
        await meta.check_installation(
            tx, host=settings.render_host, owner=settings.workspace, clock_file=settings.clock_file is not None
        )
        return await meta.get_meta(tx, "owner")


async def _owner_of_services(deps: Deps, reached: set[str]) -> str:
    """The one owner of the fleet's first service that exists."""
    client = await deps.client()
    for customer in deps.fleet.customers.values():
        try:
            service_id = ServiceID(customer.backend_service_id)
            service = await services.fetch_service(client, service_id, priority=Priority.CLI)
        except ServiceMissing:
            continue
        if service.owner_id in reached:
            return service.owner_id
    raise Refused(
        "SW408",
        "it is not clear which workspace the services belong to",
        why=f"the key reaches {', '.join(sorted(reached)) or 'none'}",
        fix="set RENDER_WORKSPACE=tea-…",
    )
