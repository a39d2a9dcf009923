"""Freezes, pins and holds that people set while the system runs: when each holds, and which gate it shuts. Pure.

A freeze has a start and an end, once or again and again; a pin keeps one customer at its version until an instant; a
hold keeps one customer until a person ends it. Freezes of the configuration are part of a plan and not here (`gates`).

One occurrence of a freeze that recurs lasts from the first instant at which the wall of its time zone shows the start
until the last one at which it shows a time before the end: a start that a clock change skips is the instant of the
change, and an end that comes twice is the second one. All sums are made in UTC.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from securewatch.deploy.steps import OPERATOR
from securewatch.deploy.view import Gate
from securewatch.rollout.windows import first_change, to_utc, zone_of

HORIZON = timedelta(days=400)
"""So far is looked ahead for when nothing holds any more."""
EVERY_ACCEPTED = "daily, weekly, monthly, yearly, or a rule of RFC 5545 like FREQ=WEEKLY;BYDAY=FR,SU"


def _listed(value: str) -> str:
    return f"({value})(,({value}))*"


_WEEKDAY = "MO|TU|WE|TH|FR|SA|SU"
_ALWAYS = {"INTERVAL": r"[1-9]\d{0,2}", "COUNT": r"[1-9]\d{0,3}", "UNTIL": r"\d{8}(T\d{6}Z?)?", "WKST": _WEEKDAY}
_LONG = {
    "BYDAY": _listed(rf"([+-]?[1-5])?({_WEEKDAY})"),
    "BYMONTHDAY": _listed(r"[+-]?([1-9]|[12]\d|3[01])"),
    "BYMONTH": _listed(r"[1-9]|1[0-2]"),
    "BYSETPOS": _listed(r"[+-]?[1-9]\d?"),
}
_PARTS = {
    "DAILY": _ALWAYS,
    "WEEKLY": {**_ALWAYS, "BYDAY": _listed(_WEEKDAY)},
    "MONTHLY": {**_ALWAYS, **_LONG},
    "YEARLY": {**_ALWAYS, **_LONG},
}
"""The parts of a rule by its FREQ, each with its values: those whose next occurrence is found in no time.

None is about times of the day: those are the start's.
"""
_UNTIL = re.compile(r"UNTIL=(\d{8})(?:T(\d{6})(Z?))?")
_STAMP = "%Y%m%dT%H%M%S"
_ZONE_HOURS = timedelta(days=2)
"""No two walls differ by more."""
_TICK = timedelta(microseconds=1)


class FreezeKind(StrEnum):
    """What a person set."""

    FREEZE = "freeze"
    PIN = "pin"
    HOLD = "hold"


@dataclass(frozen=True)
class StandingFreeze:
    """A time in which nothing starts, set by `actor` at `at`; for everyone where it names no policy and no customer.

    `every` is empty, or a rule of RFC 5545 for when it recurs: then start and end are those of the first occurrence,
    on the wall of `timezone`. A hold has no end. `id` is 0 until stored. Raises ValueError for one that means nothing.
    """

    kind: FreezeKind
    name: str
    start: datetime
    end: datetime | None
    actor: str
    at: datetime
    every: str = ""
    timezone: str = "UTC"
    policies: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    reason: str = ""
    id: int = 0

    def __post_init__(self) -> None:
        zone = zone_of(self.timezone)
        if (self.end is None) is not (self.kind is FreezeKind.HOLD):
            raise ValueError("a hold has no end, and all else has one")
        if self.end is not None and to_utc(self.end) <= to_utc(self.start):
            raise ValueError("the end is not after the start")
        if not self.every:
            return
        if self.end is None or _wall(self.end, zone) <= _wall(self.start, zone):
            raise ValueError("the end is not after the start on the wall")
        if next(iter(_rule(self.every, _wall(self.start, zone), zone)), None) is None:
            raise ValueError("the rule never occurs")

    def concerns(self, slug: str, policy: str) -> bool:
        """Whether the customer of that slug and policy is meant."""
        return not (self.policies or self.customers) or policy in self.policies or slug in self.customers

    def is_over(self, now: datetime) -> bool:
        """Whether it never holds again."""
        if self.end is None or now < self.end:
            return False
        return not self.every or next(_occurrences(self, now), None) is None


def parse_every(text: str) -> str:
    """The rule that a person's words stand for. Raises ValueError with what is wrong."""
    rule = text.strip().upper().removeprefix("RRULE:").rstrip(";")
    rule = f"FREQ={rule}" if rule in _PARTS else rule
    parts = [tuple(part.split("=", 1)) for part in rule.split(";")]
    values = {name: value for name, *rest in parts for value in rest}
    if len(values) < len(parts):
        raise ValueError("a part has no value or stands there twice")
    accepted = _PARTS.get(values.pop("FREQ", ""))
    if accepted is None:
        raise ValueError(f"FREQ is none of {', '.join(_PARTS)}")
    for name, value in values.items():
        if not re.fullmatch(accepted.get(name, ""), value):
            raise ValueError(f"{name}={value} cannot stand in such a rule")
    _rule(rule, datetime(2000, 1, 1), ZoneInfo("UTC"))  # noqa: DTZ001 - a wall time
    return rule


def occurrences(freeze: StandingFreeze, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of [begin, end) in which it holds, in UTC, earliest first; two never touch."""
    pending: tuple[datetime, datetime] | None = None
    for starts, stops in _occurrences(freeze, to_utc(begin)):
        if starts >= end:
            break
        piece = max(starts, to_utc(begin)), min(stops, to_utc(end))
        if pending is not None and pending[1] >= piece[0]:
            pending = pending[0], max(pending[1], piece[1])
            continue
        if pending is not None:
            yield pending
        pending = piece
    if pending is not None:
        yield pending


def end_at(freeze: StandingFreeze, at: datetime) -> datetime | None:
    """When what holds at the instant ends; None where nothing does, and for a hold, which no time ends."""
    if not freeze.every:
        return freeze.end if freeze.end is not None and freeze.start <= at < freeze.end else None
    first = next(occurrences(freeze, at, at + HORIZON), None)
    return first[1] if first is not None and first[0] <= at else None


class FreezeCheck:
    """What all freezes say at one instant; made once for a decision about many customers."""

    def __init__(self, freezes: Sequence[StandingFreeze], now: datetime) -> None:
        self._now = to_utc(now)
        self._of_all: list[StandingFreeze] = []
        self._of_policy: dict[str, list[StandingFreeze]] = {}
        self._of_slug: dict[str, list[StandingFreeze]] = {}
        self._gates: dict[tuple[StandingFreeze, ...], tuple[Gate, ...]] = {}
        self._ends: dict[tuple[StandingFreeze, datetime], datetime | None] = {}
        for freeze in freezes:
            if not (freeze.policies or freeze.customers):
                self._of_all.append(freeze)
            for policy in freeze.policies:
                self._of_policy.setdefault(policy, []).append(freeze)
            for slug in freeze.customers:
                self._of_slug.setdefault(slug, []).append(freeze)

    def gates_of(self, slug: str, policy: str, *, forced: bool = False) -> tuple[Gate, ...]:
        """The gates that are shut for a customer. `--force` opens freezes and pins; a hold only who ends it."""
        named = (*self._of_policy.get(policy, ()), *self._of_slug.get(slug, ()))
        concerned = tuple(dict.fromkeys((*self._of_all, *named)))
        if concerned not in self._gates:
            self._gates[concerned] = tuple(self._shut(concerned))
        return tuple(gate for gate in self._gates[concerned] if not forced or gate.name == FreezeKind.HOLD)

    def _shut(self, concerned: Sequence[StandingFreeze]) -> Iterator[Gate]:
        """A gate for each hold, and one for all else: until nothing of it holds any more."""
        for one in concerned:
            if one.kind is FreezeKind.HOLD and one.start <= self._now:
                yield Gate(FreezeKind.HOLD, False, f"the end of {_words(one)}", "SW404", person=OPERATOR)
        holding = [one for one in concerned if self._end_at(one, self._now) is not None]
        if holding:
            words = " and ".join(_words(one) for one in holding)
            yield Gate(holding[0].kind, False, f"the end of {words}", "SW401", until=self._until(concerned))

    def _until(self, concerned: Sequence[StandingFreeze]) -> datetime:
        """When none of those that have an end holds any more; somewhere past the horizon where that is later."""
        until = self._now
        while until < self._now + HORIZON:
            ends = [end for one in concerned if (end := self._end_at(one, until)) is not None]
            if not ends:
                break
            until = max(ends)
        return until

    def _end_at(self, one: StandingFreeze, at: datetime) -> datetime | None:
        if (one, at) not in self._ends:
            self._ends[one, at] = end_at(one, at)
        return self._ends[one, at]


def _words(freeze: StandingFreeze) -> str:
    if freeze.kind is FreezeKind.FREEZE:
        return f"the freeze {freeze.name!r}"
    why = f" ({freeze.reason})" if freeze.reason else ""
    return f"the {freeze.kind} that {freeze.actor} set{why}"


# --- from the wall to instants ----------------------------------------------------------------------------------------


def _occurrences(freeze: StandingFreeze, begin: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every occurrence that ends after `begin`, earliest first, whole; they may overlap."""
    start, end = (
        to_utc(freeze.start),
        to_utc(freeze.end) if freeze.end is not None else datetime.max.replace(tzinfo=UTC),
    )
    if not freeze.every:
        yield from [(start, end)] if end > begin else []
        return
    zone = zone_of(freeze.timezone)
    first, length = _wall(start, zone), _wall(end, zone) - _wall(start, zone)
    for wall in _rule(freeze.every, first, zone).xafter(_wall(begin, zone) - length - _ZONE_HOURS, inc=True):
        starts, stops = max(start, _first_instant(wall, zone)), _last_instant(wall + length, zone)
        if starts < stops and stops > begin:
            yield starts, stops


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the wall shows that time or, where it skips it, a later one."""
    first, second = _instants(wall, zone)
    return first_change(zone, second, first) if first > second else first


def _last_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The end of the last instant at which the wall shows a time just before that one."""
    first, second = _instants(wall - _TICK, zone)
    return first_change(zone, second, first) if first > second else second + _TICK


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A wall time by the offset before a clock change and by that after it: the same one far from any."""
    return wall.replace(tzinfo=zone).astimezone(UTC), wall.replace(tzinfo=zone, fold=1).astimezone(UTC)


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


@lru_cache(maxsize=1024)
def _rule(every: str, first: datetime, zone: ZoneInfo) -> Any:
    """The rule over wall times, keeping what it has found. Raises ValueError where it is none."""

    def on_the_wall(found: re.Match[str]) -> str:
        day, hour, is_utc = found[1], found[2] or "235959", bool(found[3])
        last = datetime.strptime(f"{day}T{hour}", _STAMP)  # noqa: DTZ007 - a wall time, or made one in the next line
        return f"UNTIL={(_wall(last.replace(tzinfo=UTC), zone) if is_utc else last).strftime(_STAMP)}"

    try:
        return rrulestr(_UNTIL.sub(on_the_wall, every), dtstart=first, cache=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"{every!r} is no rule: {error}") from error
