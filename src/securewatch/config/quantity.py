"""Pure parsers of the quantities in the files and on the command line. They know no file and no default."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum

_SECONDS_OF = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_SHORT_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)_(second|minute|hour|day)s?(?:_after_release)?", re.ASCII)
_SHORT_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])", re.ASCII)
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:\s*%|_percent(?:_groups)?)", re.ASCII)
_MILLISECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s)", re.ASCII)
_COMPARISON = re.compile(r"(<=|>=|<|>)\s*(\S.*)", re.ASCII)
_TIME_RANGE = re.compile(r"([0-9]{1,2}:[0-9]{2})\s*-\s*([0-9]{1,2}:[0-9]{2})", re.ASCII)
_WALL_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)
_DAYS_MAX = 3650

DURATION_ACCEPTED = "a duration such as 10_minutes, 2_hours or 7_days"
SHORT_DURATION_ACCEPTED = "a duration such as 30s, 15m, 2h or 1d"
PERCENT_ACCEPTED = "a percentage from 0 to 100 such as 5% or 25_percent"
RESPONSE_ACCEPTED = "a response time such as 5000ms or 5s"
COMPARISON_ACCEPTED = "a comparison such as `< 2000ms`, `< 1%` or `> 99.9%`"
BATCH_SIZE_ACCEPTED = "a share from 1 to 100 such as 25_percent, `individual` or `all_at_once`"
TIME_RANGE_ACCEPTED = "HH:MM-HH:MM (it may cross midnight), `any` or `flexible`"


class BatchKind(StrEnum):
    """How a phase is cut into batches."""

    PERCENT = "percent"
    INDIVIDUAL = "individual"
    ALL = "all"


@dataclass(frozen=True)
class BatchSize:
    """How many customers of a phase go at once; `percent` is above 0 only for a share."""

    kind: BatchKind
    percent: float = 0.0

    def count_of(self, customer_count: int) -> int:
        """Customers in one batch of a phase with that many: a share is rounded up and never empty."""
        if self.kind is BatchKind.ALL:
            return max(1, customer_count)
        if self.kind is BatchKind.INDIVIDUAL:
            return 1
        hundredths = round(self.percent * 100)
        return max(1, -(-customer_count * hundredths // 10_000))

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.kind is BatchKind.PERCENT else str(self.kind)


@dataclass(frozen=True)
class Comparison:
    """A bar such as `< 2000ms`: `value` in milliseconds (`unit` "ms"), as a share of one ("share"), or plain ("")."""

    operator: str
    value: float
    unit: str

    def __str__(self) -> str:
        shown = f"{self.value * 100:g}%" if self.unit == "share" else f"{self.value:g}{self.unit}"
        return f"{self.operator} {shown}"


@dataclass(frozen=True)
class TimeRange:
    """Wall times as HH:MM; 24:00 is the midnight that ends a day; an end before the start is of the next day."""

    start: str
    end: str


def parse_duration(text: str) -> timedelta:
    """`<number>_<unit>` with second(s), minute(s), hour(s) or day(s), also ending in `_after_release`.

    Raises ValueError for anything else and for more than ten years.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(DURATION_ACCEPTED)
    return _as_timedelta(found[1], found[2], DURATION_ACCEPTED)


def parse_short_duration(text: str) -> timedelta:
    """What people type: `30s`, `15m`, `2h`, `1d`, or the files' `15_minutes`. Raises ValueError for anything else."""
    found = _SHORT_DURATION.fullmatch(text.strip())
    if found is None:
        try:
            return parse_duration(text)
        except ValueError as error:
            raise ValueError(SHORT_DURATION_ACCEPTED) from error
    return _as_timedelta(found[1], _SHORT_UNITS[found[2]], SHORT_DURATION_ACCEPTED)


def parse_percent(text: str) -> float:
    """`5%`, `25_percent` or `25_percent_groups` as a share of one. Raises ValueError for anything else or over 100."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None or float(found[1]) > 100:
        raise ValueError(PERCENT_ACCEPTED)
    return round(float(found[1]) / 100, 12)


def parse_response_ms(text: str) -> float:
    """`5000ms` or `5s` in milliseconds, above 0. Raises ValueError for anything else."""
    found = _MILLISECONDS.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise ValueError(RESPONSE_ACCEPTED)
    return float(found[1]) * (1000 if found[2] == "s" else 1)


def parse_batch_size(text: str) -> BatchSize:
    """The files' batch sizes: `50_percent`, `25_percent_groups`, `individual`, `individual_customer`, `all_at_once`.

    Raises ValueError for anything else, and for a share of nothing.
    """
    word = text.strip()
    if word in ("individual", "individual_customer"):
        return BatchSize(BatchKind.INDIVIDUAL)
    if word in ("all", "all_at_once"):
        return BatchSize(BatchKind.ALL)
    found = _PERCENT.fullmatch(word)
    if found is None or not 0 < float(found[1]) <= 100:
        raise ValueError(BATCH_SIZE_ACCEPTED)
    return BatchSize(BatchKind.PERCENT, float(found[1]))


def parse_comparison(text: str) -> Comparison:
    """`< 2000ms`, `< 1%`, `> 99.9%` or `< 10`. Raises ValueError for anything else."""
    found = _COMPARISON.fullmatch(text.strip())
    if found is None:
        raise ValueError(COMPARISON_ACCEPTED)
    return _with_unit(found[1], found[2])


def parse_time_range(text: str) -> TimeRange | None:
    """`HH:MM-HH:MM`; None for `any` and `flexible`. Raises ValueError for anything else and for an empty range."""
    word = text.strip()
    if word.lower() in ("any", "flexible"):
        return None
    found = _TIME_RANGE.fullmatch(word)
    if found is None:
        raise ValueError(TIME_RANGE_ACCEPTED)
    start, end = _padded(found[1]), _padded(found[2])
    parse_wall_time(start)
    if end != "24:00":
        parse_wall_time(end)
    if start == end:
        raise ValueError(f"{TIME_RANGE_ACCEPTED}; the start and the end differ")
    return TimeRange(start, end)


def parse_wall_time(text: str) -> time:
    """`HH:MM` on a 24-hour clock. Raises ValueError for anything else."""
    found = _WALL_TIME.fullmatch(text.strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError(TIME_RANGE_ACCEPTED)
    return time(int(found[1]), int(found[2]))


def show_duration(duration: timedelta) -> str:
    """A duration in the files' own words, in the greatest unit that divides it: `90_minutes`, `2_hours`."""
    seconds = duration.total_seconds()
    for unit, length in reversed(_SECONDS_OF.items()):
        if seconds and seconds % length == 0:
            count = int(seconds // length)
            return f"{count}_{unit}{'' if count == 1 else 's'}"
    return f"{seconds:g}_seconds"


def is_parsed_by(parse: Callable[[str], object], text: str) -> bool:
    """Whether the parser takes the text."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _with_unit(operator: str, amount: str) -> Comparison:
    if is_parsed_by(parse_percent, amount):
        return Comparison(operator, parse_percent(amount), "share")
    if is_parsed_by(parse_response_ms, amount):
        return Comparison(operator, parse_response_ms(amount), "ms")
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", amount, re.ASCII):
        return Comparison(operator, float(amount), "")
    raise ValueError(COMPARISON_ACCEPTED)


def _as_timedelta(number: str, unit: str, accepted: str) -> timedelta:
    seconds = float(number) * _SECONDS_OF[unit]
    if seconds > _DAYS_MAX * _SECONDS_OF["day"]:
        raise ValueError(f"{accepted}, at most {_DAYS_MAX} days")
    return timedelta(seconds=seconds)


def _padded(wall: str) -> str:
    return wall.rjust(5, "0")
