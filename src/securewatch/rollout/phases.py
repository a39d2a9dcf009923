"""What the files say of a phase in a release: its days, its batch size in words, when it is well done. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from securewatch.config.extras import ReleaseCalendar
from securewatch.config.fleet import PHASE_OF_POLICY, DayRange, Fleet, Phase
from securewatch.config.quantity import BatchKind, BatchSize

SUCCESS_RATE = 0.95
"""The share of a phase that must succeed before the next one begins, where no file says another."""
_RATE = re.compile(r"(?:batch_)?success_rate[_:\s]+([0-9]+(?:\.[0-9]+)?)(?:_percent|\s*%)")
_ALL_HEALTHY = "demo_healthy"
_NO_ROLLBACKS = "no_rollbacks"
_APPROVAL = "customer_approval"
"""Says what the gates of the phase ask for anyway, where they do."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class ExitRule:
    """When a phase counts as well done; the words of `shown_only` gate nothing."""

    success_rate: float
    allows_rollbacks: bool
    shown_only: tuple[str, ...]


def exit_rule(fleet: Fleet, phase: Phase) -> ExitRule:
    """The rule that the words of the files make; of several rates the highest counts."""
    rates, shown_only, words = [], [], fleet.exit_criteria.get(phase.name, ())
    for word in words:
        found = _RATE.fullmatch(word.strip().lower())
        if found is not None:
            rates.append(min(float(found[1]) / 100, 1.0))
        elif word == _ALL_HEALTHY:
            rates.append(1.0)
        elif word != _NO_ROLLBACKS and not (word == _APPROVAL and phase.needs_approval):
            shown_only.append(word)
    return ExitRule(max(rates, default=SUCCESS_RATE), _NO_ROLLBACKS not in words, tuple(shown_only))


def follows_policies(fleet: Fleet) -> bool:
    """Whether each policy's `rollout_delay` rules the dates, and not the days of the phases."""
    return fleet.extra.release_calendar is ReleaseCalendar.POLICY_DELAY


def calendar_of(fleet: Fleet) -> Mapping[str, DayRange]:
    """The days of each phase (long name) under the calendar that rules.

    Under `policy_delay` a phase begins on its policy's day, but not before the phase before it is over, and keeps its
    length.
    """
    if not follows_policies(fleet):
        return fleet.calendar
    found: dict[str, DayRange] = {}
    free_day = 0
    for policy, name in PHASE_OF_POLICY.items():
        days, delay = fleet.calendar[name], fleet.policies[policy].rollout_delay
        first = max(free_day, days.first_day if delay is None else delay // _DAY)
        found[name] = DayRange(first, first + days.last_day - days.first_day)
        free_day = found[name].last_day + 1
    return found


def size_words(size: BatchSize) -> str:
    """A batch size as a plan says it."""
    if size.kind is BatchKind.PERCENT:
        return f"{size.percent:g} % at a time"
    return "all at once" if size.kind is BatchKind.ALL else "one by one"
