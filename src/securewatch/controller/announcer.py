"""Puts the advance notices of open rollouts into the outbox when they are due. Sends nothing; see `messenger.py`."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime

from securewatch.controller.messenger import put_notices
from securewatch.rollout.model import Member, MemberState, ReleasePlan, Rollout, RolloutState
from securewatch.rollout.notices import Notice, advance_notices, moved_notices
from securewatch.store import freezes, meta, outbox, release_plans, rollouts
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, Tx

Expect = Callable[[ReleasePlan, Collection[Member], datetime, datetime], Awaitable[Mapping[str, datetime | None]]]
_TELLS = (RolloutState.PLANNED, RolloutState.RUNNING)
"""While a rollout is paused or halted, nobody knows when a customer's turn comes."""


class Announcer:
    """Tells ahead, on behalf of `actor`. `expect` gives the starts of a plan's customers from day 0, as seen now."""

    def __init__(self, database: Database, box: SecretBox, *, actor: str, expect: Expect) -> None:
        self._database = database
        self._box = box
        self._actor = actor
        self._expect = expect
        self._told: set[tuple[str, str]] = set()
        self._slots: dict[str, tuple[object, Mapping[str, datetime | None], tuple[Notice, ...]]] = {}

    async def announce_due(self, now: datetime) -> datetime | None:
        """Put what is due; gives when the next one will be, as things stand. Customers nobody asked for hear nothing.

        It writes only what is new. Raises NeedsHuman (SW703) for a rollout that this version cannot read.
        """
        async with self._database.read() as tx:
            if await meta.is_paused(tx):
                return None
            found = [one for rollout in await rollouts.open_rollouts(tx) for one in await self._of(tx, rollout, now)]
            due = [one for one in found if one.due_at <= now and (one.event, one.recipient) not in self._told]
            new = [one for one in due if not await outbox.has(tx, one)]
        if new:
            async with self._database.write("announce", about=()) as tx:
                await put_notices(tx, self._box, new, actor=self._actor, at=now)
        self._told.update((one.event, one.recipient) for one in due)
        return min((one.due_at for one in found if one.due_at > now), default=None)

    async def _of(self, tx: Tx, rollout: Rollout, now: datetime) -> tuple[Notice, ...]:
        """Every notice of a rollout. The expected starts are made anew where somebody's turn has come, a freeze was set
        or ended, or an hour has gone by: a fleet is large.
        """
        plan = await release_plans.load_release_plan(tx, rollout.plan_hash)
        if plan is None or rollout.state not in _TELLS:
            return ()
        members = (await rollouts.members_of(tx, rollout.id)).values()
        waiting = frozenset(one.slug for one in members if one.state is MemberState.PENDING)
        seen = (waiting, now.replace(minute=0, second=0, microsecond=0), tuple(await freezes.open_freezes(tx)))
        asked = [one for one in members if one.asked]
        if self._slots.get(rollout.id, (None,))[0] != seen:
            slots = await self._expect(plan, members, rollout.day_zero, now)
            told = [one.notice for one in await outbox.notices_of(tx, version=plan.version)]
            self._slots[rollout.id] = (seen, slots, moved_notices(plan, asked, told, slots=slots, now=now))
        _, slots, moved = self._slots[rollout.id]
        return (*moved, *advance_notices(plan, asked, slots=slots, now=now))
