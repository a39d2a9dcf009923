"""When a customer's deploy may start: windows, freezes and earliest instants laid over the days of a phase. Pure.

An instant may be a start when a gate would open at it, and the window stays open for as long as a deploy usually takes.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from securewatch.deploy.model import FreezeSpec, WindowSpec
from securewatch.rollout.gates import window_of
from securewatch.rollout.model import MemberPlan, PhasePlan
from securewatch.rollout.windows import occurrences

Range = tuple[datetime, datetime]
"""Instants at which something may start: the first, and the first one after the last."""
_TICK = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Frame:
    """What the customers of one phase share. `opens` is when the phase before is over, where that is after `begins`.

    `tested_at` is the first verified demo deploy; None where no demo customer gets the version.
    """

    phase: PhasePlan
    day_zero: datetime
    now: datetime
    opens: datetime
    duration: timedelta
    tested_at: datetime | None

    @property
    def begins(self) -> datetime:
        """The first instant of the phase's days."""
        return self.phase.begins(self.day_zero)

    @property
    def ends(self) -> datetime:
        """The first instant after the phase's days."""
        return self.phase.ends(self.day_zero)


class FactKind(StrEnum):
    """What can keep a customer from starting."""

    WINDOW = "window"
    FREEZE = "freeze"
    NOTICE = "notice"
    TESTING = "testing"
    DELAY = "delay"
    BEFORE = "before"
    NOW = "now"


@dataclass(frozen=True)
class Fact:
    """One thing that keeps a customer from starting at some instants of its phase."""

    kind: FactKind
    earliest: datetime | None = None
    window: WindowSpec | None = None
    freeze: FreezeSpec | None = None


def facts_of(frame: Frame, member: MemberPlan) -> tuple[Fact, ...]:
    """Everything that binds the customer within the phase's days."""
    gates, facts = member.gates, []
    if gates.window is not None:
        facts.append(Fact(FactKind.WINDOW, window=gates.window))
    facts += [
        Fact(FactKind.FREEZE, freeze=one) for one in gates.freezes if one.start < frame.ends and one.end > frame.begins
    ]
    earliest = {
        FactKind.NOTICE: _noticed(frame, member),
        FactKind.TESTING: _tested(frame, member),
        FactKind.DELAY: frame.day_zero + timedelta(seconds=member.earliest_seconds),
        FactKind.BEFORE: frame.opens,
        FactKind.NOW: frame.now,
    }
    facts += [Fact(kind, at) for kind, at in earliest.items() if at is not None and at > frame.begins]
    return tuple(facts)


def _noticed(frame: Frame, member: MemberPlan) -> datetime | None:
    """The earliest start where the first notice must have been given in time."""
    return frame.now + member.notice_days[0] * _DAY if member.needs_notice and member.notice_days else None


def _tested(frame: Frame, member: MemberPlan) -> datetime | None:
    """When the testing period is over; never, where no demo customer gets the version."""
    if not member.testing_seconds:
        return None
    return frame.ends if frame.tested_at is None else frame.tested_at + timedelta(seconds=member.testing_seconds)


def ranges_under(frame: Frame, facts: Sequence[Fact]) -> tuple[Range, ...]:
    """The instants of the phase's days at which the facts let a deploy start, earliest first."""
    begin = max((one.earliest for one in facts if one.earliest is not None), default=frame.begins)
    window = next((one.window for one in facts if one.window is not None), None)
    freezes = [one.freeze for one in facts if one.freeze is not None]
    opened = _window_starts(window, frame.begins, frame.ends, frame.duration)
    return tuple(_without(freezes, ((max(first, begin), last) for first, last in opened if last > begin)))


@lru_cache(maxsize=8192)
def _window_starts(window: WindowSpec | None, begin: datetime, end: datetime, duration: timedelta) -> tuple[Range, ...]:
    """The starts in [begin, end) from which the window stays open for the duration. An unreadable one never opens."""
    if window is None:
        return ((begin, end),)
    try:
        opened = occurrences(window_of(window), begin, end + duration)
        found = ((opens, min(closes - duration + _TICK, end)) for opens, closes in opened)
        return tuple((first, last) for first, last in found if first < last)
    except ValueError:
        return ()


def _without(freezes: Sequence[FreezeSpec], ranges: Iterator[Range]) -> Iterator[Range]:
    """The ranges outside all freezes."""
    for first, last in ranges:
        for freeze in sorted(freezes, key=lambda one: one.start):
            if freeze.end <= first or freeze.start >= last:
                continue
            if first < freeze.start:
                yield first, freeze.start
            first = freeze.end
            if first >= last:
                break
        if first < last:
            yield first, last


def first_from(ranges: Sequence[Range], at: datetime) -> datetime | None:
    """The first start that is not before the instant."""
    return next((max(first, at) for first, last in ranges if last > at), None)


class Lanes:
    """Customers that go one by one, so many side by side: each takes its lane for the same time."""

    def __init__(self, count: int, occupied: timedelta) -> None:
        self._occupied = occupied
        self._busy: list[list[Range]] = [[] for _ in range(count)]
        self._free_from: dict[Range, datetime] = {}

    def place(self, ranges: Sequence[Range]) -> tuple[datetime, int] | None:
        """Take the earliest free start, in the first lane that has it (from 1); None where no lane is free."""
        for one in ranges:
            found = self._find(one)
            if found is not None:
                at, lane = found
                _take(self._busy[lane], at, at + self._occupied)
                return at, lane + 1
        return None

    def _find(self, one: Range) -> tuple[datetime, int] | None:
        """The earliest free start of a range and its lane; what was full once stays so, and is not looked at again."""
        first, last = self._free_from.get(one, one[0]), one[1]
        best: tuple[datetime, int] | None = None
        for lane, busy in enumerate(self._busy):
            at = _first_gap(busy, first, last, self._occupied)
            if at is not None and (best is None or at < best[0]):
                best = at, lane
            if at == first:
                break
        self._free_from[one] = best[0] if best is not None else last
        return best


def _first_gap(busy: Sequence[Range], first: datetime, last: datetime, occupied: timedelta) -> datetime | None:
    """The first start in [first, last) with nothing else for that long; `busy` is sorted and does not overlap."""
    at = first
    for place in range(max(bisect_right(busy, (first, first)) - 1, 0), len(busy)):
        begin, end = busy[place]
        if begin >= at + occupied or at >= last:
            break
        at = max(at, end)
    return at if at < last else None


def _take(busy: list[Range], begin: datetime, end: datetime) -> None:
    """Note the time as taken, joined with what touches it."""
    place = bisect_right(busy, (begin, begin))
    if place < len(busy) and busy[place][0] == end:
        end = busy.pop(place)[1]
    if place and busy[place - 1][1] == begin:
        begin = busy.pop(place - 1)[0]
    insort(busy, (begin, end))
