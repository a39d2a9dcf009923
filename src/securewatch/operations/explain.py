"""Why does a customer stand where it stands? Asks the very decision that the controller asks: no second opinion."""

from collections.abc import Mapping

from securewatch.controller.load import load_fleet_view, load_requests
from securewatch.core.errors import NotFound
from securewatch.deploy.view import Decision
from securewatch.deps import Deps
from securewatch.operations.status import CustomerStatus, status_of
from securewatch.rollout.decide import decide
from securewatch.store import runs


async def load_status(deps: Deps, run_id: str, *, decisions: Mapping[str, Decision] | None = None) -> CustomerStatus:
    """The state of one run; `decisions` are those of a controller in this process, else they are made anew.

    They are made over all unfinished runs of its customer: an older one may stand in the way.
    """
    database = await deps.database()
    now = deps.clock.now()
    async with database.read() as tx:
        run = await runs.load_run(tx, run_id)
        if run is None:
            raise NotFound("SW206", f"there is no run {run_id}", fix="securewatch customer history SLUG")
        open_runs = await runs.open_runs(tx) if decisions is None else ()
        others = [one for one in open_runs if one.slug == run.slug and one.id != run.id]
        fleet = await load_fleet_view(tx, [run, *others], await load_requests(tx))
    found = decisions if decisions is not None else decide(fleet, now).decisions
    return status_of(fleet.views[0], found.get(run_id), now)


async def explain(deps: Deps, slug: str) -> CustomerStatus:
    """The state of a customer's latest run. Raises NotFound (SW206) where it never had one."""
    customer = deps.fleet.find_customer(slug)
    database = await deps.existing_database()
    run = None
    if database is not None:
        async with database.read() as tx:
            run = await runs.latest_run(tx, customer.slug)
    if run is None:
        raise NotFound(
            "SW206",
            f"nothing was ever deployed to {customer.slug} with this tool",
            why="there is no run of it in the state database",
            fix=f"securewatch deploy-customer --version vX.Y.Z --customer {customer.slug}",
        )
    return await load_status(deps, run.id)
