"""Delivers what is due in the outbox, some side by side. Decides neither what is told nor when; never holds a deploy.

One process delivers at a time (a file lock of its own): so a notice that is *sending* when the lock was free is one
whose sender died, and is not sent again (docs/decisions/0012).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from securewatch.config.fleet import Fleet
from securewatch.core.clock import Clock
from securewatch.core.errors import SecurewatchError
from securewatch.notify.channels import Channel, Channels
from securewatch.notify.notice import Letter, compose
from securewatch.notify.sending import Outcome, Sender, Sending
from securewatch.rollout.notices import Notice
from securewatch.store import audit, former, meta, outbox
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, Tx
from securewatch.store.locks import ControllerLock
from securewatch.store.news import OUTBOX
from securewatch.store.outbox import Entry, NoticeState

log = logging.getLogger(__name__)

SIDE_BY_SIDE_MAX = 10
BUSY_SECONDS = 5.0
"""Product seconds before another look where somebody else delivers, or something is in the way."""
TROUBLE_SECONDS = 300.0
_GONE = "the customer is not in the files any more"
_DIED = "the process that was sending it ended; it may have arrived"


@dataclass(frozen=True)
class MessengerParts:
    """What a messenger is made of. `fleet` gives the files as they are now."""

    database: Database
    box: SecretBox
    channels: Channels
    sender: Sender
    fleet: Callable[[], Fleet]
    lock: ControllerLock
    actor: str


@dataclass(frozen=True)
class _Parcel:
    """One claimed notice, its text, and the ways that are still to be tried, each with its fingerprint."""

    entry: Entry
    letter: Letter
    ways: tuple[tuple[str, Channel], ...]


class Messenger:
    """Brings notices to people. Each method may be called at any time, by any number of processes."""

    def __init__(self, parts: MessengerParts, *, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock

    async def deliver_due(self, now: datetime) -> datetime | None:
        """Try everything that is due; gives when to come again, None where nothing waits.

        Raises nothing of ours: what stands in the way is logged, and tried again later.
        """
        try:
            async with self._parts.database.read() as tx:
                next_at, is_paused = await outbox.next_due(tx), await meta.is_paused(tx)
            if next_at is None or next_at > now:
                return next_at
            if is_paused:
                return now + timedelta(seconds=BUSY_SECONDS)
            return await self._deliver(now)
        except SecurewatchError as error:
            log.warning("notices wait", extra={"action": "notices_wait", "code": error.code})
            return now + timedelta(seconds=TROUBLE_SECONDS)

    async def _deliver(self, now: datetime) -> datetime | None:
        lock = self._parts.lock
        if not lock.try_acquire("the messenger", since=now):
            return now + timedelta(seconds=BUSY_SECONDS)
        try:
            fleet = await asyncio.to_thread(self._parts.fleet)
            while (parcels := await self._claim(fleet, now)) is not None:
                results = await asyncio.gather(*(self._send(one) for one in parcels))
                await self._record(parcels, results)
            async with self._parts.database.read() as tx:
                return await outbox.next_due(tx)
        finally:
            lock.release()

    # --- claim --------------------------------------------------------------------------------------------------------

    async def _claim(self, fleet: Fleet, now: datetime) -> Sequence[_Parcel] | None:
        """Commit the next few as *sending*; None where nothing is due any more, or everything is paused."""
        async with self._parts.database.write("claim notices", about=()) as tx:
            found = await outbox.due(tx, now, SIDE_BY_SIDE_MAX)
            if not found or await meta.is_paused(tx):
                return None
            return [one for entry in found if (one := await self._claim_one(tx, fleet, entry, now)) is not None]

    async def _claim_one(self, tx: Tx, fleet: Fleet, entry: Entry, now: datetime) -> _Parcel | None:
        notice = entry.notice
        if entry.state is NoticeState.SENDING:
            await self._audit(tx, await outbox.mark_over(tx, entry, NoticeState.UNKNOWN, _DIED), now)
            return None
        customer = fleet.customers.get(notice.slug)
        address = customer.contact.email if customer else None
        channels = self._parts.channels.to(notice.recipient, address) if customer else ()
        if customer is None or not channels:
            why = self._parts.channels.why_not(notice.recipient, address) if customer else _GONE
            await self._audit(tx, await outbox.mark_over(tx, entry, NoticeState.NOT_CONFIGURED, why), now)
            return None
        letter = compose(notice, customer, fleet.messages, now=now)
        ways = await self._ways(tx, entry, channels)
        sending = await outbox.mark_sending(tx, entry)
        await self._audit(tx, sending, now)
        return _Parcel(sending, letter, ways)

    async def _ways(self, tx: Tx, entry: Entry, channels: Sequence[Channel]) -> tuple[tuple[str, Channel], ...]:
        """The channels that are not settled, each with its fingerprint; one may be settled under an earlier key."""
        found = []
        for channel in channels:
            prints = await former.fingerprints(tx, self._parts.box, channel.target)
            if not set(prints).intersection(entry.delivery.settled):
                found.append((prints[0], channel))
        return tuple(found)

    # --- send and record ----------------------------------------------------------------------------------------------

    async def _send(self, parcel: _Parcel) -> Sequence[Sending]:
        sends = (self._parts.sender.send(channel, parcel.letter, parcel.entry.notice) for _, channel in parcel.ways)
        return await asyncio.gather(*sends)

    async def _record(self, parcels: Sequence[_Parcel], results: Sequence[Sequence[Sending]]) -> None:
        now = self._clock.now()
        async with self._parts.database.write("record notices", about=()) as tx:
            for parcel, found in zip(parcels, results, strict=True):
                await self._audit(tx, await _recorded(tx, parcel, found, now), now)

    async def _audit(self, tx: Tx, entry: Entry, now: datetime) -> None:
        """Note a change of state; neither an address nor a URL."""
        notice, actor = entry.notice, self._parts.actor
        detail = {"event": notice.event, "recipient": notice.recipient.value, "version": notice.version}
        if entry.delivery.reason:
            detail["reason"] = entry.delivery.reason
        action = f"notice.{entry.state}"
        await audit.append(tx, self._parts.box, at=now, actor=actor, action=action, slug=notice.slug, detail=detail)


async def _recorded(tx: Tx, parcel: _Parcel, found: Sequence[Sending], now: datetime) -> Entry:
    """A way that took it, or may have, is not tried again; one that refused it is."""
    pairs = tuple(zip((print_ for print_, _ in parcel.ways), found, strict=True))
    settled = tuple(print_ for print_, one in pairs if one.outcome is not Outcome.REFUSED)
    doubts = [one.reason for one in found if one.outcome is Outcome.UNKNOWN]
    refusals = [one.reason for one in found if one.outcome is Outcome.REFUSED]
    before = parcel.entry.delivery
    delivery = replace(before, settled=(*before.settled, *settled), is_doubtful=before.is_doubtful or bool(doubts))
    entry = replace(parcel.entry, delivery=delivery)
    if refusals:
        return await outbox.mark_failed(tx, entry, "; ".join([*refusals, *doubts]), at=now)
    if delivery.is_doubtful:
        return await outbox.mark_over(tx, entry, NoticeState.UNKNOWN, "; ".join(doubts) or before.reason)
    return await outbox.mark_sent(tx, entry, at=now)


async def put_notices(tx: Tx, box: SecretBox, found: Iterable[Notice], *, actor: str, at: datetime) -> Sequence[Notice]:
    """Put into the outbox, and audit, what is new of these notices; gives those."""
    new = [one for one in found if await outbox.put(tx, one)]
    if new:
        tx.concerns(OUTBOX)
    for event in dict.fromkeys(one.event for one in new):
        of_event = [one for one in new if one.event == event]
        recipients = [one.recipient.value for one in of_event]
        detail = {"event": event, "recipients": recipients, "version": of_event[0].version}
        action = f"notice.{NoticeState.WAITING}"
        await audit.append(tx, box, at=at, actor=actor, action=action, slug=of_event[0].slug, detail=detail)
    return new


async def audit_again(tx: Tx, box: SecretBox, notice: Notice, *, actor: str, at: datetime) -> None:
    """Note that a person had a notice tried again."""
    detail = {"event": notice.event, "recipients": [notice.recipient.value], "version": notice.version, "again": True}
    action = f"notice.{NoticeState.WAITING}"
    await audit.append(tx, box, at=at, actor=actor, action=action, slug=notice.slug, detail=detail)
