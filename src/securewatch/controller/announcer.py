"""Puts the advance notices of open rollouts into the outbox when they are due. Sends nothing; see `messenger.py`."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from securewatch.controller.load_rollouts import MemberCache
from securewatch.controller.messenger import put_notices
from securewatch.rollout.freezes import StandingFreeze
from securewatch.rollout.model import Member, MemberState, ReleasePlan, Rollout, RolloutState
from securewatch.rollout.notices import Notice, advance_notices, moved_notices
from securewatch.store import freezes, meta, outbox, release_plans, rollouts
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, Tx

Expect = Callable[[ReleasePlan, Collection[Member], datetime, datetime], Awaitable[Mapping[str, datetime | None]]]
_TELLS = (RolloutState.PLANNED, RolloutState.RUNNING)
"""While a rollout is paused or halted, nobody knows when a customer's turn comes."""


@dataclass(frozen=True)
class _Outlook:
    """What was expected of a rollout's customers at an hour, and which of them are told that their turn has moved."""

    hour: datetime
    standing: Sequence[StandingFreeze]
    waiting: frozenset[str]
    slots: Mapping[str, datetime | None]
    moved: tuple[Notice, ...]


@dataclass(frozen=True)
class _Found:
    """Every notice of a rollout as its outlook and members were; it is so until the next one is due."""

    outlook: _Outlook
    members: Mapping[str, Member]
    notices: tuple[Notice, ...]
    until: datetime | None


class Announcer:
    """Tells ahead, on behalf of `actor`. `expect` gives the starts of a plan's customers from day 0, as seen now."""

    def __init__(self, database: Database, box: SecretBox, *, actor: str, expect: Expect) -> None:
        self._database = database
        self._box = box
        self._actor = actor
        self._expect = expect
        self._told: set[tuple[str, str]] = set()
        self._entries: dict[str, list[outbox.Entry]] = {}
        self._members = MemberCache()
        self._found: dict[str, _Found] = {}

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
        """Every notice of a rollout."""
        plan = await release_plans.load_release_plan(tx, rollout.plan_hash)
        if plan is None or rollout.state not in _TELLS:
            return ()
        members = await self._members.members_of(tx, rollout.id)
        outlook = await self._look_ahead(tx, rollout, plan, members, now)
        known = self._found.get(rollout.id)
        if known is not None and known.outlook is outlook and known.members is members and not _is_due(known, now):
            return known.notices
        asked = [one for one in members.values() if one.asked]
        notices = (*outlook.moved, *advance_notices(plan, asked, slots=outlook.slots, now=now))
        until = min((one.due_at for one in notices if one.due_at > now), default=None)
        self._found[rollout.id] = _Found(outlook, members, notices, until)
        return notices

    async def _look_ahead(
        self, tx: Tx, rollout: Rollout, plan: ReleasePlan, members: Mapping[str, Member], now: datetime
    ) -> _Outlook:
        """The expected starts. They are made anew where a customer waits that did not, a freeze was set or ended, or
        an hour has gone by: a fleet is large.
        """
        known = self._found.get(rollout.id)
        hour, standing = now.replace(minute=0, second=0, microsecond=0), await freezes.open_freezes(tx)
        waiting = frozenset(one.slug for one in members.values() if one.state is MemberState.PENDING and one.asked)
        if known is not None and waiting <= known.outlook.waiting and _holds(known.outlook, hour, standing):
            return known.outlook
        slots = await self._expect(plan, members.values(), rollout.day_zero, now)
        asked = [one for one in members.values() if one.asked]
        moved = moved_notices(plan, asked, await self._put_so_far(tx, plan.version), slots=slots, now=now)
        return _Outlook(hour, standing, waiting, slots, moved)

    async def _put_so_far(self, tx: Tx, version: str) -> Sequence[Notice]:
        """Every notice of a version, oldest first: what a notice says never changes, so each is read once."""
        entries = self._entries.setdefault(version, [])
        entries += await outbox.notices_of(tx, version=version, after=entries[-1].id if entries else 0)
        return [one.notice for one in entries]


def _is_due(found: _Found, now: datetime) -> bool:
    return found.until is not None and found.until <= now


def _holds(outlook: _Outlook, hour: datetime, standing: Sequence[StandingFreeze]) -> bool:
    return outlook.hour == hour and outlook.standing == standing
