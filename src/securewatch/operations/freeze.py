"""Freezes, pins and holds: set one, end one, list them. Needs the files and the state database, and nothing of Render.

What they keep from starting is decided where the gates are (`rollout/freezes.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from securewatch.core.errors import Conflict, NotFound, UsageError
from securewatch.deps import Deps
from securewatch.operations.start import bind
from securewatch.rollout.freezes import EVERY_ACCEPTED, HORIZON, FreezeKind, StandingFreeze, occurrences, parse_every
from securewatch.store import audit, freezes
from securewatch.store.database import Tx

_FILE = "config/securewatch.json"
_LIST = "securewatch freeze list"


@dataclass(frozen=True)
class FreezeRequest:
    """A freeze as a person asks for it. `every` is a word or a rule; `customers` are slugs or full names."""

    name: str
    start: datetime
    end: datetime
    every: str = ""
    timezone: str = "UTC"
    policies: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class FreezeRow:
    """A freeze, pin or hold as it is at `now`: holds, waits or over; and when it holds, or holds next.

    `is_ours` is false for one of the files.
    """

    freeze: StandingFreeze
    now: datetime
    state: str
    begins: datetime | None
    until: datetime | None
    is_ours: bool = True


async def add_freeze(deps: Deps, request: FreezeRequest) -> FreezeRow:
    """Set a freeze, in whole seconds.

    Raises NotFound (SW202) for an unknown customer, UsageError (SW201) for a freeze that means nothing or is over,
    Conflict (SW212) where one of that name stands already.
    """
    unknown = [one for one in request.policies if one not in deps.fleet.policies]
    if unknown:
        raise _meaningless(request.name, f"{unknown[0]!r} is no policy", f"one of {', '.join(deps.fleet.policies)}")
    if any(one.name == request.name for one in deps.fleet.extra.freezes):
        raise _taken(request.name, f"it stands in {_FILE}")
    freeze = _make(
        deps,
        FreezeKind.FREEZE,
        request.name,
        start=request.start.replace(microsecond=0),
        end=request.end.replace(microsecond=0),
        every=_rule_of(request),
        timezone=request.timezone,
        policies=request.policies,
        customers=tuple(dict.fromkeys(deps.fleet.find_customer(one).slug for one in request.customers)),
        reason=request.reason,
    )
    async with (await deps.database()).write("freeze") as tx:
        await bind(deps, tx, None)
        other = await freezes.find_open(tx, FreezeKind.FREEZE, request.name)
        if other is not None:
            raise _taken(request.name, f"{other.actor} set it at {other.at:%Y-%m-%d %H:%M} UTC")
        return _row(deps, await _add(deps, tx, freeze))


async def end_freeze(deps: Deps, name: str) -> StandingFreeze:
    """Take a freeze away. Raises NotFound (SW206) where there is none of that name."""
    return await _end(deps, FreezeKind.FREEZE, name)


async def pin(deps: Deps, slug: str, *, until: datetime, timezone: str = "UTC", reason: str = "") -> FreezeRow:
    """Keep a customer at its version until an instant; a pin that it has is replaced. Raises as `add_freeze` does."""
    slug = deps.fleet.find_customer(slug).slug
    freeze = _make(
        deps,
        FreezeKind.PIN,
        slug,
        start=deps.clock.now(),
        end=until,
        timezone=timezone,
        customers=(slug,),
        reason=reason,
    )
    async with (await deps.database()).write("pin") as tx:
        await bind(deps, tx, None)
        before = await freezes.find_open(tx, FreezeKind.PIN, slug)
        if before is not None:
            await _take_away(deps, tx, before)
        return _row(deps, await _add(deps, tx, freeze))


async def hold(deps: Deps, slug: str, *, reason: str = "") -> FreezeRow:
    """Keep a customer from starting until a person ends it; holding one again keeps the first one's words."""
    slug = deps.fleet.find_customer(slug).slug
    freeze = _make(deps, FreezeKind.HOLD, slug, start=deps.clock.now(), end=None, customers=(slug,), reason=reason)
    async with (await deps.database()).write("hold") as tx:
        await bind(deps, tx, None)
        before = await freezes.find_open(tx, FreezeKind.HOLD, slug)
        return _row(deps, before or await _add(deps, tx, freeze))


async def release(deps: Deps, kind: FreezeKind, slug: str) -> StandingFreeze:
    """End a customer's pin or hold. Raises NotFound (SW202) for an unknown customer, (SW206) where it has none."""
    return await _end(deps, kind, deps.fleet.find_customer(slug).slug)


async def list_freezes(deps: Deps) -> list[FreezeRow]:
    """Every freeze, pin and hold that nobody has ended, those of the files first."""
    files = [
        StandingFreeze(
            FreezeKind.FREEZE,
            one.name,
            one.start,
            one.end,
            actor=_FILE,
            at=one.start,
            policies=one.policies,
            customers=one.customers,
        )
        for one in deps.fleet.extra.freezes
    ]
    rows = [_row(deps, one, is_ours=False) for one in files]
    database = await deps.existing_database()
    if database is None:
        return rows
    async with database.read() as tx:
        return [*rows, *(_row(deps, one) for one in await freezes.open_freezes(tx))]


# --- making -----------------------------------------------------------------------------------------------------------


def _rule_of(request: FreezeRequest) -> str:
    try:
        return parse_every(request.every) if request.every else ""
    except ValueError as error:
        raise _meaningless(request.name, str(error), f"--every as {EVERY_ACCEPTED}") from error


def _make(deps: Deps, kind: FreezeKind, name: str, **more: Any) -> StandingFreeze:
    """The value. Raises UsageError (SW201) where it means nothing or would never hold."""
    now = deps.clock.now()
    try:
        made = StandingFreeze(kind, name, actor=deps.settings.actor, at=now, **more)
    except ValueError as error:
        raise _meaningless(
            name, str(error), "a start, an end after it, and a time zone of the IANA database"
        ) from error
    if not name.strip():
        raise _meaningless(name, "it has no name", "a name")
    if made.is_over(now):
        raise _meaningless(name, f"it is over: now it is {now:%Y-%m-%d %H:%M} UTC", "an end that is to come")
    return made


def _row(deps: Deps, freeze: StandingFreeze, *, is_ours: bool = True) -> FreezeRow:
    now = deps.clock.now()
    begins, until = _stretch(freeze, now)
    state = "over" if freeze.is_over(now) else "holds" if begins is not None and begins <= now else "waits"
    return FreezeRow(freeze, now, state, begins, until, is_ours)


def _stretch(freeze: StandingFreeze, now: datetime) -> tuple[datetime | None, datetime | None]:
    """When it holds, or holds next."""
    if not freeze.every:
        return freeze.start, freeze.end
    return next(occurrences(freeze, now, now + HORIZON), (None, None))


# --- rows and the audit log -------------------------------------------------------------------------------------------


async def _add(deps: Deps, tx: Tx, freeze: StandingFreeze) -> StandingFreeze:
    kept = await freezes.add(tx, freeze)
    names = ("name", "start", "end", "every", "timezone", "policies", "customers", "reason")
    await _note(deps, tx, kept, f"{kept.kind}.set", {name: getattr(kept, name) for name in names})
    return kept


async def _end(deps: Deps, kind: FreezeKind, name: str) -> StandingFreeze:
    database = await deps.existing_database()
    if database is None:
        raise _missing(deps, kind, name)
    async with database.write("end") as tx:
        await bind(deps, tx, None)
        found = await freezes.find_open(tx, kind, name)
        if found is None:
            raise _missing(deps, kind, name)
        await _take_away(deps, tx, found)
    return found


async def _take_away(deps: Deps, tx: Tx, freeze: StandingFreeze) -> None:
    await freezes.end(tx, freeze.id, at=deps.clock.now())
    await _note(deps, tx, freeze, f"{freeze.kind}.ended", {"name": freeze.name, "set_by": freeze.actor})


async def _note(deps: Deps, tx: Tx, freeze: StandingFreeze, action: str, detail: Mapping[str, Any]) -> None:
    await audit.append(
        tx,
        deps.box(create=True),
        at=deps.clock.now(),
        actor=deps.settings.actor,
        action=action,
        slug=freeze.customers[0] if len(freeze.customers) == 1 else None,
        detail={name: value for name, value in detail.items() if value},
    )


def _meaningless(name: str, why: str, accepted: str) -> UsageError:
    return UsageError("SW201", f"{name!r} cannot be set", why=why, fix=f"give {accepted}")


def _taken(name: str, why: str) -> Conflict:
    return Conflict(
        "SW212",
        f"there is a freeze {name!r} already",
        why=why,
        fix="give it another name, or end that one first: `securewatch freeze rm NAME`",
    )


def _missing(deps: Deps, kind: FreezeKind, name: str) -> NotFound:
    if kind is FreezeKind.FREEZE and any(one.name == name for one in deps.fleet.extra.freezes):
        why, fix = "a command ends what a command set, and the files are never written", f"remove it from {_FILE}"
        return NotFound("SW206", f"the freeze {name!r} stands in {_FILE}", why=why, fix=fix)
    return NotFound("SW206", f"there is no {kind} {name!r}", why="nobody set one, or it was ended", fix=_LIST)
