"""Builds the controller out of a process's parts, and keeps what was spent in the rate windows."""

from securewatch.controller.controller import Controller, Parts
from securewatch.controller.ledger import Ledger, LedgerParts, Patience
from securewatch.controller.observer import Observer
from securewatch.controller.vault import StoredVault
from securewatch.deploy.effects import Tools
from securewatch.deploy.looks import Sight
from securewatch.deps import Deps
from securewatch.store import rates


async def make_controller(deps: Deps, owner_id: str, *, only_run: str | None = None) -> Controller:
    """A controller of this process; it may tick only under the controller lock."""
    database, box, client = await deps.database(), deps.box(create=True), await deps.client()
    await load_rates(deps)
    tools = Tools(client, StoredVault(database, box, clock=deps.clock), owner_id)
    patience = Patience(
        grace_seconds=deps.settings.grace_seconds,
        http_timeout_seconds=deps.settings.http_timeout_seconds,
        started_monotonic=deps.clock.monotonic(),
        started_at=deps.clock.now(),
    )
    parts = LedgerParts(database, box, tools, deps.settings.actor)
    sight = Sight(client, await deps.prober(), deps.repository)
    return Controller(
        Parts(
            database=database,
            box=box,
            clock=deps.clock,
            ledger=Ledger(parts, clock=deps.clock, patience=patience),
            observer=Observer(database, box, sight, clock=deps.clock),
            actor=deps.settings.actor,
            drain_seconds=2 * deps.settings.http_timeout_seconds,
        ),
        only_run=only_run,
    )


async def load_rates(deps: Deps) -> None:
    """Begin with what other processes have spent of the current rate windows."""
    database = await deps.existing_database()
    if database is not None:
        async with database.read() as tx:
            deps.budget.restore(await rates.load_spent(tx))


async def save_rates(deps: Deps) -> None:
    """Leave what this process has spent to the next one."""
    database = await deps.existing_database()
    if database is not None:
        async with database.write("rates") as tx:
            await rates.save_spent(tx, deps.budget.snapshot())
