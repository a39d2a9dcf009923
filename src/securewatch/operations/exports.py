"""Render's own exports of a customer's database, for people: list, ask for one, download. Render keeps them, not we.

They are no backups of ours: not sealed, not tried, gone after seven days, and no gate counts them. The address of an
export leaves this file only for the download.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from securewatch.config.fleet import Customer
from securewatch.controller.addresses import DatabaseOf, find_url
from securewatch.controller.ledger import SEND_DEADLINE_SECONDS
from securewatch.core.errors import Conflict, NeedsHuman, NotFound, Refused, Rejected, Retryable
from securewatch.core.ids import PostgresID, ServiceID
from securewatch.deps import Deps
from securewatch.operations.migrations import no_database
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import refuse_held
from securewatch.operations.standing import since_restore
from securewatch.operations.start import bind, refuse_paused
from securewatch.render import postgres
from securewatch.render.budget import Priority
from securewatch.render.download import download, refuse_unusable
from securewatch.render.errors import OutcomeUnknown, RequestRejected
from securewatch.render.models import Export
from securewatch.render.recovery import Reach, reach_of, show_utc
from securewatch.store import audit

NO_EXPORT = "SW615"
FREE = "free"
POLL = timedelta(seconds=5)
HEARTBEAT = timedelta(minutes=1)
DOUBT_MAX = timedelta(minutes=5)
"""How long Render must show no new export before a request whose answer was lost counts as unknown for good."""
UNDER_WAY_MAX = timedelta(hours=6)
"""An export without an address that is older will never be ready; nor is one waited for longer."""
Tell = Callable[[datetime, str], None]
"""Hears what happens while an export is followed, and when."""


@dataclass(frozen=True)
class KeptExport:
    """One export at Render, without its address: when it was taken, whether it is ready, and when Render removes it."""

    id: str
    created_at: datetime
    is_ready: bool
    lapses_at: datetime


@dataclass(frozen=True)
class Exports:
    """What Render has of one customer's database: exports, the newest first, and how far a recovery reaches."""

    slug: str
    postgres_id: str
    exports: tuple[KeptExport, ...]
    recovery: Reach


@dataclass(frozen=True)
class Downloaded:
    """An export as a file here, which is not sealed."""

    export: str
    file: Path
    bytes: int


@dataclass(frozen=True)
class _Subject:
    """A customer, its database at Render, and the owner that the key reaches."""

    customer: Customer
    postgres_id: PostgresID
    owner_id: str


@dataclass(frozen=True)
class _Wanted:
    """An export that was asked for: of what, what was there before, since when, and the answer's loss."""

    subject: _Subject
    before: frozenset[str]
    asked_at: datetime
    doubt: OutcomeUnknown | None = None


async def list_exports(deps: Deps, slug: str) -> Exports:
    """The exports of a customer's database at Render, and how far back Render can recover it.

    Raises Refused: SW611 where the files name no database, SW408 where the backend uses another one.
    """
    subject, client = await _subject_of(deps, slug), await deps.client()
    found = await postgres.fetch_exports(client, subject.postgres_id, priority=Priority.CLI)
    window = await postgres.fetch_recovery_window(client, subject.postgres_id, priority=Priority.CLI)
    reach = reach_of(window, deps.clock.now())
    return Exports(subject.customer.slug, subject.postgres_id, tuple(_kept(one) for one in found), reach)


async def make_export(deps: Deps, slug: str, *, tell: Tell, file: Path | None = None) -> KeptExport:
    """Ask Render for an export and follow it until it is ready. A `file` is where it is to go then.

    Raises like `list_exports`; SW615: Refused where Render makes none, Conflict while another one is under way,
    Rejected where it failed; ShutGate (SW403) while everything is paused; OutcomeUnknown where the answer was lost and
    Render shows none.
    """
    if file is not None:
        refuse_unusable(file)
    subject, client = await _subject_of(deps, slug), await deps.client()
    instance = await postgres.fetch_postgres(client, subject.postgres_id, priority=Priority.CLI)
    if instance.plan == FREE:
        fix = "take one of ours (securewatch backup create), or a paid plan in Render's dashboard"
        raise _refused(subject, "the database is on a free plan, for which Render makes no exports", fix)
    known = await postgres.fetch_exports(client, subject.postgres_id, priority=Priority.CLI)
    _refuse_second(subject, known, deps.clock.now())
    wanted = await _ask(deps, _Wanted(subject, frozenset(one.id for one in known), deps.clock.now()))
    tell(deps.clock.now(), "asked Render for an export" + ("; its answer was lost, so looking" if wanted.doubt else ""))
    return await _follow(deps, wanted, tell)


async def download_export(
    deps: Deps, slug: str, file: Path, *, export_id: str | None = None, progress: Callable[[int], None] | None = None
) -> Downloaded:
    """Download an export of the customer, the newest that is ready where none is named, to a file of mode 0600.

    Raises like `list_exports`, NotFound (SW206) where none is ready, UsageError (SW201) for a file that cannot be.
    """
    refuse_unusable(file)
    subject = await _subject_of(deps, slug)
    found = await postgres.fetch_exports(await deps.client(), subject.postgres_id, priority=Priority.CLI)
    export = next((one for one in found if one.url is not None and export_id in (None, one.id)), None)
    if export is None or export.url is None:
        raise NotFound(
            "SW206",
            f"there is no export of {subject.customer.slug}'s database to download",
            why=f"Render shows {len(found)}, and none that is ready",
            fix=f"ask for one: securewatch backup export --customer {subject.customer.slug}",
        )
    count = await download(export.url, file, progress=progress)
    detail: dict[str, object] = {"postgres_id": subject.postgres_id, "export": export.id, "bytes": count}
    await _write_down(deps, subject, action="export.downloaded", detail=detail)
    return Downloaded(export.id, file, count)


def find_new(before: Collection[str], listed: Sequence[Export]) -> Export | None:
    """The export that came since: of several the oldest, since one is made at a time and ours was asked for first."""
    new = [one for one in listed if one.id not in before]
    return min(new, key=lambda one: (one.created_at, one.id), default=None)


def find_under_way(listed: Sequence[Export], now: datetime) -> Export | None:
    """The export that is not ready yet; one that has been so for too long counts no more."""
    return next((one for one in listed if not one.is_ready and one.created_at > now - UNDER_WAY_MAX), None)


async def _ask(deps: Deps, wanted: _Wanted) -> _Wanted:
    """Send the request, after its audit entry: no write without a committed intent (S1)."""
    client, subject, begun = await deps.client(), wanted.subject, deps.clock.monotonic()
    detail: dict[str, object] = {"postgres_id": subject.postgres_id}
    await _write_down(deps, subject, action="export.requested", detail=detail, refuses_paused=True)

    def guard() -> None:
        if deps.clock.monotonic() - begun > SEND_DEADLINE_SECONDS:
            raise _refused(subject, "too much time went by before it could be sent", "run it again; nothing was sent")

    try:
        await postgres.create_export(client, subject.postgres_id, priority=Priority.CLI, guard=guard)
    except RequestRejected as error:
        fix = f"look at what there is: securewatch backup exports --customer {subject.customer.slug}"
        raise _refused(subject, error.what, fix) from error
    except OutcomeUnknown as error:
        return replace(wanted, doubt=error)
    return wanted


async def _follow(deps: Deps, wanted: _Wanted, tell: Tell) -> KeptExport:
    """Look until the export is ready. Where it shows no more it failed: Render lists no failed ones."""
    ours, said_at, slug = "", deps.clock.now(), wanted.subject.customer.slug
    while True:
        found, now = await _look(deps, wanted, tell), deps.clock.now()
        export = find_new(wanted.before, found) if found is not None else None
        if export is not None and export.is_ready:
            tell(now, f"{export.id} is ready")
            return _kept(export)
        if export is not None and not ours:
            ours, said_at = export.id, now
            tell(now, f"{ours} is under way")
        if ours and found is not None and export is None:
            fix = f"ask again: securewatch backup export --customer {slug}; Render's dashboard has the reason"
            raise Rejected(NO_EXPORT, f"Render's export of {slug}'s database failed", why=f"{ours} is gone", fix=fix)
        if wanted.doubt is not None and not ours and now - wanted.asked_at > DOUBT_MAX:
            raise wanted.doubt
        if now - wanted.asked_at > UNDER_WAY_MAX:
            why = f"not ready {int(UNDER_WAY_MAX.total_seconds() // 3600)} hours after it was asked for"
            fix = "look at the database in Render's dashboard"
            raise NeedsHuman(NO_EXPORT, f"Render's export of {slug}'s database does not end", why=why, fix=fix)
        if now - said_at >= HEARTBEAT:
            said_at = now
            tell(now, f"still under way, asked for {int((now - wanted.asked_at).total_seconds() // 60)} min ago")
        await deps.clock.sleep_until(now + POLL, wake=asyncio.Event())


async def _look(deps: Deps, wanted: _Wanted, tell: Tell) -> list[Export] | None:
    """The list as it is now; None where Render does not answer, which says nothing about the export."""
    try:
        return await postgres.fetch_exports(await deps.client(), wanted.subject.postgres_id, priority=Priority.CLI)
    except Retryable as error:
        tell(deps.clock.now(), f"trouble: {error.code} {error.what}; tried again")
        return None


async def _subject_of(deps: Deps, slug: str) -> _Subject:
    """The customer and its database at Render, which its backend was seen to use."""
    customer = deps.fleet.find_customer(slug)
    refuse_held(deps, customer)
    if customer.database_id is None:
        raise no_database(customer)
    owner_id = await find_owner(deps)
    wanted = await since_restore(
        deps, DatabaseOf(customer.slug, ServiceID(customer.backend_service_id), PostgresID(customer.database_id))
    )
    await find_url(await deps.client(), wanted, deps.settings.customer_secret, priority=Priority.CLI)
    return _Subject(customer, wanted.postgres_id, owner_id)


async def _write_down(
    deps: Deps, subject: _Subject, *, action: str, detail: dict[str, object], refuses_paused: bool = False
) -> None:
    database, box, actor = await deps.database(), deps.box(create=True), deps.settings.actor
    slug, now = subject.customer.slug, deps.clock.now()
    async with database.write("export") as tx:
        await bind(deps, tx, subject.owner_id)
        if refuses_paused:
            await refuse_paused(tx)
        await audit.append(tx, box, at=now, actor=actor, action=action, slug=slug, detail=detail)


def _refuse_second(subject: _Subject, known: Sequence[Export], now: datetime) -> None:
    pending, slug = find_under_way(known, now), subject.customer.slug
    if pending is not None:
        raise Conflict(
            NO_EXPORT,
            f"an export of {slug}'s database is under way already",
            why=f"Render makes one at a time: {pending.id} was begun at {show_utc(pending.created_at)}",
            fix=f"wait for it: securewatch backup exports --customer {slug}",
        )


def _refused(subject: _Subject, why: str, fix: str) -> Refused:
    return Refused(NO_EXPORT, f"Render makes no export of {subject.customer.slug}'s database", why=why, fix=fix)


def _kept(one: Export) -> KeptExport:
    return KeptExport(one.id, one.created_at, one.is_ready, one.lapses_at)
