"""Switch a customer's autodeploy off: the one change that makes its services deployable by this tool alone."""

from securewatch.config.fleet import Customer
from securewatch.core.ids import ServiceID
from securewatch.deploy.facts import check_service
from securewatch.deploy.plan import expected_services
from securewatch.deps import Deps
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import BOTH, fetch_all, refuse, refuse_held
from securewatch.operations.start import bind, refuse_paused
from securewatch.render import services
from securewatch.render.budget import Priority
from securewatch.store import audit


async def turn_off(deps: Deps, slug: str) -> list[str]:
    """Switch it off on the services that have it on; gives their ids.

    Raises Refused (SW408) where a service is not the customer's own, ShutGate (SW403) while everything is paused.
    """
    customer = deps.fleet.find_customer(slug)
    refuse_held(deps, customer)
    owner_id = await find_owner(deps)
    expected = expected_services(deps.fleet, customer, BOTH)
    facts = await fetch_all(deps, expected)
    pairs = list(zip(expected, facts, strict=True))
    refuse(
        [found for one, fact in pairs for found in check_service(one, fact, owner_id, slug) if found.code == "SW408"]
    )
    changed = [fact.service_id for fact in facts if not fact.autodeploy_is_off]
    for service_id in changed:
        await _write_down(deps, customer, service_id, owner_id)
        await services.turn_autodeploy_off(
            await deps.client(), ServiceID(service_id), priority=Priority.CLI, guard=_no_guard
        )
    return changed


async def _write_down(deps: Deps, customer: Customer, service_id: str, owner_id: str) -> None:
    """The entry comes before the request: no write without a committed intent (S1). Sent twice, it changes nothing."""
    database, box, now = await deps.database(), deps.box(create=True), deps.clock.now()
    async with database.write("autodeploy off") as tx:
        await bind(deps, tx, owner_id)
        await refuse_paused(tx)
        await audit.append(
            tx,
            box,
            at=now,
            actor=deps.settings.actor,
            action="autodeploy.off",
            slug=customer.slug,
            detail={"service_id": service_id},
        )


def _no_guard() -> None:
    """Switching it off twice changes nothing, so it needs no deadline."""
