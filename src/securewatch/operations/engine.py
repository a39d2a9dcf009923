"""Builds the controller out of a process's parts, and shares what is spent in the rate windows while it runs."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from functools import partial

from securewatch.config.load import FleetReader
from securewatch.controller.announcer import Announcer
from securewatch.controller.backups import BackupKeeper
from securewatch.controller.controller import EVERYTHING, Controller, Parts, Scope
from securewatch.controller.databases import CustomerDatabases
from securewatch.controller.ledger import Ledger, LedgerParts, Patience
from securewatch.controller.messenger import Messenger, MessengerParts
from securewatch.controller.observer import Observer
from securewatch.controller.vault import StoredVault
from securewatch.deploy.looks import Sight
from securewatch.deploy.outcomes import Tools
from securewatch.deps import Deps
from securewatch.operations.begin import MemberStarter
from securewatch.operations.roster import RosterKeeper
from securewatch.operations.usual import load_known
from securewatch.rollout.model import Member, ReleasePlan
from securewatch.rollout.schedule import expected_starts
from securewatch.store import audit
from securewatch.store.database import Database

IsDone = Callable[[], Awaitable[bool]]
SHARE_SECONDS = 5.0
"""Real seconds between two moments at which a controller shares the rate windows."""


async def make_controller(deps: Deps, owner_id: str, *, scope: Scope = EVERYTHING) -> Controller:
    """A controller of this process; it may tick only under the controller lock. Raises ConfigError (SW107)."""
    database, box, client = await deps.database(), deps.box(create=True), await deps.client()
    async with database.read() as tx:
        await audit.check_key(tx, box)
    keeper = partial(make_keeper, deps, database)
    databases = CustomerDatabases(
        client=client,
        repository=deps.repository,
        apply=deps.apply_migrations,
        secret_of=deps.settings.customer_secret,
        keeper=keeper,
        store=database,
        clock=deps.clock,
        owner_id=owner_id,
    )
    tools = Tools(client, StoredVault(database, box, clock=deps.clock), databases, owner_id)
    patience = Patience(
        grace_seconds=deps.settings.grace_seconds,
        http_timeout_seconds=deps.settings.http_timeout_seconds,
        started_monotonic=deps.clock.monotonic(),
        started_at=deps.clock.now(),
    )
    parts = LedgerParts(database, box, tools, deps.settings.actor)
    roster = RosterKeeper(deps)
    sight = Sight(client, await deps.prober(), deps.repository)
    return Controller(
        Parts(
            database=database,
            box=box,
            clock=deps.clock,
            ledger=Ledger(parts, clock=deps.clock, patience=patience),
            observer=Observer(database, box, sight, clock=deps.clock),
            actor=deps.settings.actor,
            starter=MemberStarter(deps),
            drain_seconds=2 * deps.settings.http_timeout_seconds,
            chores=(roster.keep, (await make_announcer(deps)).announce_due, (await make_messenger(deps)).deliver_due),
            stamp=roster.stamp,
        ),
        scope=scope,
    )


def make_keeper(deps: Deps, database: Database) -> BackupKeeper:
    """Keeps backups. Raises ConfigError (SW110) where what it needs is not installed."""
    work = deps.backups(create=True)
    return BackupKeeper(database, deps.box(create=True), work, deps.clock, deps.settings.actor)


async def make_messenger(deps: Deps) -> Messenger:
    """A messenger of this process."""
    parts = MessengerParts(
        database=await deps.database(),
        box=deps.box(create=True),
        channels=deps.channels,
        sender=deps.sender,
        fleet=FleetReader(deps.config_dir),
        lock=deps.messenger_lock,
        actor=deps.settings.actor,
    )
    return Messenger(parts, clock=deps.clock)


async def make_announcer(deps: Deps) -> Announcer:
    """Puts advance notices into the outbox."""

    async def expect(
        plan: ReleasePlan, members: Collection[Member], day_zero: datetime, now: datetime
    ) -> Mapping[str, datetime | None]:
        return expected_starts(plan, members, day_zero, now=now, known=await load_known(deps, plan))

    return Announcer(await deps.database(), deps.box(create=True), actor=deps.settings.actor, expect=expect)


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
