"""Tell customers and the team what is due, and show what became of it. What is due, `rollout/notices.py` decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from securewatch.controller.messenger import audit_again, put_notices
from securewatch.deps import Deps
from securewatch.notify.notice import Letter, compose, unknown_words
from securewatch.operations.engine import make_messenger
from securewatch.operations.expected import Expected
from securewatch.operations.follow import RETRY_LOCK_SECONDS, pause_real_seconds
from securewatch.operations.start import bind, refuse_paused
from securewatch.rollout.notices import Notice, RecipientKind, advance_notices
from securewatch.store import outbox
from securewatch.store.outbox import Entry, NoticeState

DELIVERY_SECONDS_MAX = 60.0
"""Real seconds after which what another process is still delivering is shown as it is."""
FAILURES = frozenset({NoticeState.FAILED, NoticeState.UNKNOWN})


@dataclass(frozen=True)
class Draft:
    """A notice that is or will be due, and how it would read now; `to` is an address, or what it lacks."""

    notice: Notice
    letter: Letter
    to: str


@dataclass(frozen=True)
class Drafts:
    """What is due now, and what comes later, earliest first."""

    due: tuple[Draft, ...]
    later: tuple[Draft, ...]


async def draft_notices(deps: Deps, release: Expected, phase: str | None) -> Drafts:
    """The advance notices of a phase's customers, or of all, with their texts. Writes nothing."""
    now = deps.clock.now()
    members = [one for one in release.members if phase in (None, one.phase)]
    found = advance_notices(release.plan, members, slots=release.slots, now=now)
    drafts = [_draft(deps, one, now) for one in found if one.slug in deps.fleet.customers]
    return Drafts(
        tuple(one for one in drafts if one.notice.due_at <= now),
        tuple(one for one in drafts if one.notice.due_at > now),
    )


async def send_notices(deps: Deps, drafts: Drafts) -> Sequence[Entry]:
    """Put what is due into the outbox and deliver it; gives each as it stands then. What was sent before stays sent.

    Raises ShutGate (SW403) while everything is paused.
    """
    database, notices = await deps.database(), [one.notice for one in drafts.due]
    box = deps.box(create=True)
    async with database.write("notices") as tx:
        await bind(deps, tx, None)
        await refuse_paused(tx)
        await put_notices(tx, box, notices, actor=deps.settings.actor, at=deps.clock.now())
    return await _deliver(deps, notices)


async def resend_notices(deps: Deps, *, version: str | None, customer: str | None) -> Sequence[Entry]:
    """Try again what did not arrive, of a version and a customer where given; gives each as it stands then.

    What may have arrived is not sent again (decision 0012). Raises NotFound (SW202) for an unknown customer, ShutGate
    (SW403) while everything is paused.
    """
    failed = [one for one in await list_notices(deps, version=version, customer=customer) if _may_be_resent(one)]
    if not failed:
        return ()
    box, now = deps.box(create=True), deps.clock.now()
    async with (await deps.database()).write("notices again") as tx:
        await bind(deps, tx, None)
        await refuse_paused(tx)
        for one in failed:
            await outbox.mark_again(tx, one, at=now)
            await audit_again(tx, box, one.notice, actor=deps.settings.actor, at=now)
    return await _deliver(deps, [one.notice for one in failed])


def _may_be_resent(entry: Entry) -> bool:
    is_refused = entry.state is NoticeState.WAITING and bool(entry.delivery.reason)
    return is_refused or entry.state in (NoticeState.FAILED, NoticeState.NOT_CONFIGURED)


async def _deliver(deps: Deps, notices: Sequence[Notice]) -> Sequence[Entry]:
    """Deliver what is due, and wait for what another process delivers."""
    messenger, give_up_at = await make_messenger(deps), deps.clock.monotonic() + DELIVERY_SECONDS_MAX
    while True:
        await messenger.deliver_due(deps.clock.now())
        entries = await _entries(deps, notices)
        is_under_way = any(one.state is NoticeState.SENDING or not (one.tries or one.state.is_over) for one in entries)
        if not is_under_way or deps.clock.monotonic() >= give_up_at:
            return entries
        await pause_real_seconds(RETRY_LOCK_SECONDS)


async def list_notices(deps: Deps, *, version: str | None, customer: str | None) -> Sequence[Entry]:
    """The outbox, oldest first; empty where there is no state yet. Raises NotFound (SW202) for an unknown customer."""
    slug = deps.fleet.find_customer(customer).slug if customer is not None else None
    database = await deps.existing_database()
    if database is None:
        return []
    async with database.read() as tx:
        return await outbox.notices_of(tx, version=version, slug=slug)


def has_failed(entry: Entry) -> bool:
    """Whether it did not surely arrive though there was a way: refused, given up or unknown."""
    return entry.state in FAILURES or (entry.state is NoticeState.WAITING and bool(entry.delivery.reason))


def channel_warnings(deps: Deps) -> list[str]:
    """What is wrong with how people are told: a required channel that is missing, a template nobody can fill."""
    missing = deps.channels.missing(deps.fleet.notification_channels)
    unknown = unknown_words(deps.fleet.messages)
    return [*missing, *(f"communication_templates: {one} is not known" for one in unknown)]


async def _entries(deps: Deps, notices: Sequence[Notice]) -> Sequence[Entry]:
    wanted = {(one.event, one.recipient) for one in notices}
    database = await deps.database()
    async with database.read() as tx:
        found = [
            one for version in {one.version for one in notices} for one in await outbox.notices_of(tx, version=version)
        ]
    return [one for one in found if (one.notice.event, one.notice.recipient) in wanted]


def _draft(deps: Deps, notice: Notice, now: datetime) -> Draft:
    customer = deps.fleet.customers[notice.slug]
    address = customer.contact.email
    ways = deps.channels.to(notice.recipient, address)
    name = address if notice.recipient is RecipientKind.CUSTOMER else "the team"
    to = (
        f"{name} by {', '.join(one.name for one in ways)}" if ways else deps.channels.why_not(notice.recipient, address)
    )
    return Draft(notice, compose(notice, customer, deps.fleet.messages, now=max(now, notice.due_at)), to)
