"""Why a release cannot be carried out as planned: the smallest set of facts for each customer without a slot. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from securewatch.deploy.model import WindowSpec
from securewatch.rollout.model import MemberPlan
from securewatch.rollout.notes import name_some
from securewatch.rollout.slots import Fact, FactKind, Frame, facts_of, ranges_under

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Conflict:
    """Customers of a phase that the same facts leave without a slot; `lanes_needed` where more lanes would do."""

    phase: str
    slugs: tuple[str, ...]
    text: str
    lanes_needed: int = 0


def customer_conflicts(frame: Frame, members: Iterable[MemberPlan]) -> Iterable[Conflict]:
    """A conflict for each group of customers that the same facts leave without a slot, whatever the others do."""
    found: dict[str, list[str]] = {}
    for member in members:
        found.setdefault(_explain(frame, member), []).append(member.slug)
    for text, slugs in found.items():
        yield Conflict(frame.phase.name, tuple(slugs), f"{name_some(slugs)}: {text}")


def crowded(frame: Frame, slugs: Sequence[str], *, lanes_needed: int) -> Conflict:
    """Customers that have slots of their own, but not enough of them for all."""
    phase = frame.phase
    some = f"{len(slugs)} of {len(phase.due)} customers ({name_some(slugs)})"
    end = f"before the end of day {phase.last_day}"
    if lanes_needed:
        lanes = "one lane leaves" if phase.lanes == 1 else f"{phase.lanes} lanes leave"
        text = f"{phase.name}: {lanes} {some} no slot {end}; {lanes_needed} lanes would do"
    else:
        batches = f"{phase.batch_count} batches, {_words_of(phase.batch_delay_seconds)} apart, leave"
        text = f"{phase.name}: {batches} {some} no slot {end}"
    return Conflict(phase.name, tuple(slugs), text, lanes_needed)


def window_words(window: WindowSpec) -> str:
    """A maintenance window in words: `Sunday 02:00-06:00 America/New_York`."""
    hours = f"{window.start}-{window.end}" if window.start else "at any time"
    return f"{window.day.capitalize() if window.day != 'any' else 'any day'} {hours} {window.timezone}"


def _explain(frame: Frame, member: MemberPlan) -> str:
    """The smallest set of the customer's facts that leaves it no slot."""
    facts = facts_of(frame, member)
    sets = (some for count in range(1, len(facts) + 1) for some in combinations(facts, count))
    found = next((some for some in sets if not ranges_under(frame, some)), facts)
    words = [_WORDS[one.kind](frame, member, one) for one in found]
    if len(found) == 1 and found[0].kind is FactKind.WINDOW and _is_too_short(frame, found[0]):
        usual = _words_of(frame.duration.total_seconds())
        return f"{words[0]} is never open for as long as a deploy usually takes ({usual})"
    leave = "leaves" if len(words) == 1 else "leave"
    text = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    return f"{text} {leave} no slot before the end of day {frame.phase.last_day}"


def _is_too_short(frame: Frame, fact: Fact) -> bool:
    """Whether the window does open in the phase's days, but never for long enough."""
    shortest = Frame(frame.phase, frame.day_zero, frame.now, frame.opens, timedelta(0), frame.tested_at)
    return bool(ranges_under(shortest, (fact,)))


def _window(_frame: Frame, _member: MemberPlan, fact: Fact) -> str:
    return window_words(fact.window) if fact.window is not None else ""


def _freezes(_frame: Frame, _member: MemberPlan, fact: Fact) -> str:
    names = [f'"{one.name}"' for one in fact.freezes]
    return f"the freeze{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _notice(_frame: Frame, member: MemberPlan, _fact: Fact) -> str:
    days = member.notice_days[0]
    return f"{days} day{'s' if days != 1 else ''}' notice".replace("day' notice", "day's notice")


def _testing(frame: Frame, member: MemberPlan, _fact: Fact) -> str:
    nobody = ", and no demo customer that gets the version," if frame.tested_at is None else ""
    return f"{_words_of(member.testing_seconds)} of testing{nobody}"


def _delay(_frame: Frame, member: MemberPlan, _fact: Fact) -> str:
    return f"a rollout_delay of {_words_of(member.earliest_seconds)}"


def _before(frame: Frame, _member: MemberPlan, _fact: Fact) -> str:
    return f"the phase before, which ends on day {(frame.opens - frame.day_zero) // _DAY},"


def _now(frame: Frame, _member: MemberPlan, _fact: Fact) -> str:
    return f"a start on day {(frame.now - frame.day_zero) // _DAY}, which it is now,"


_WORDS = {
    FactKind.WINDOW: _window,
    FactKind.FREEZES: _freezes,
    FactKind.NOTICE: _notice,
    FactKind.TESTING: _testing,
    FactKind.DELAY: _delay,
    FactKind.BEFORE: _before,
    FactKind.NOW: _now,
}


def _words_of(seconds: float) -> str:
    """A duration in its greatest whole unit: `14 days`, `6 h`, `31 min`."""
    for unit, length in (("day", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length and (seconds % length == 0 or unit == "min"):
            count = round(seconds / length)
            return f"{count} {unit}{'s' if unit == 'day' and count != 1 else ''}"
    return f"{seconds:g} s"
