"""Why a release cannot be carried out as planned: the smallest set of facts for each customer without a slot. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from securewatch.rollout.gates import window_words
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


def _explain(frame: Frame, member: MemberPlan) -> str:
    """The smallest set of the customer's facts that leaves it no slot."""
    found = _smallest(frame, facts_of(frame, member))
    words = [_WORDS[one.kind](frame, member, one) for one in found]
    if len(found) == 1 and found[0].kind is FactKind.WINDOW and _is_too_short(frame, found[0]):
        usual = _words_of(frame.duration.total_seconds())
        return f"{words[0]} is never open for as long as a deploy usually takes ({usual})"
    leave = "leaves" if len(words) == 1 else "leave"
    text = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    return f"{text} {leave} no slot before the end of day {frame.phase.last_day}"


def _smallest(frame: Frame, facts: Sequence[Fact]) -> Sequence[Fact]:
    """One fact or two that leave no slot; else what is left when each that is not needed is taken away."""
    few = (some for count in (1, 2) for some in combinations(facts, count))
    found: Sequence[Fact] | None = next((some for some in few if not ranges_under(frame, some)), None)
    if found is not None:
        return found
    needed = list(facts)
    for fact in facts:
        others = [one for one in needed if one is not fact]
        if not ranges_under(frame, others):
            needed = others
    return needed


def _is_too_short(frame: Frame, fact: Fact) -> bool:
    """Whether the window does open in the phase's days, but never for long enough."""
    shortest = Frame(frame.phase, frame.day_zero, frame.now, frame.opens, timedelta(0), frame.tested_at)
    return bool(ranges_under(shortest, (fact,)))


def _window(_frame: Frame, _member: MemberPlan, fact: Fact) -> str:
    return window_words(fact.window) if fact.window is not None else ""


def _freeze(_frame: Frame, _member: MemberPlan, fact: Fact) -> str:
    return f'the freeze "{fact.freeze.name}"' if fact.freeze is not None else ""


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
    FactKind.FREEZE: _freeze,
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
