"""Builds the controller out of a process's parts, and shares what is spent in the rate windows while it runs."""

from collections.abc import Awaitable, Callable

from securewatch.controller.controller import Controller, Parts
from securewatch.controller.ledger import Ledger, LedgerParts, Patience
from securewatch.controller.observer import Observer
from securewatch.controller.vault import StoredVault
from securewatch.deploy.effects import Tools
from securewatch.deploy.looks import Sight
from securewatch.deps import Deps

IsDone = Callable[[], Awaitable[bool]]
SHARE_SECONDS = 5.0
"""Real seconds between two moments at which a controller shares the rate windows."""


async def make_controller(deps: Deps, owner_id: str, *, only_run: str | None = None) -> Controller:
    """A controller of this process; it may tick only under the controller lock."""
    database, box, client = await deps.database(), deps.box(create=True), await deps.client()
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


def sharing_rates(deps: Deps, is_done: IsDone) -> IsDone:
    """`is_done` for a controller's loop that shares the rate windows with other processes while it runs."""
    shared_at = deps.clock.monotonic()

    async def share_and_ask() -> bool:
        nonlocal shared_at
        if deps.clock.monotonic() - shared_at >= SHARE_SECONDS:
            shared_at = deps.clock.monotonic()
            await deps.share_rates()
        return await is_done()

    return share_and_ask
