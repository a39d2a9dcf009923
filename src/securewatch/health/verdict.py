"""From samples to a verdict: triggers, baselines and success criteria. Pure: no clock, no HTTP, no word on what to do.

A percentile here is the nearest-rank one: of n sorted values the one at rank ceil(share * n), so always a value that
was measured, never an estimate between two. The median is the percentile of one half: of an even number of values, the
lower of the two in the middle.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

BURST_SAMPLES = 20
"""How many samples a confirming burst has (design: behaviour, before, during and after one deploy)."""
BURST_INTERVAL_SECONDS = 1.0
"""How far apart the samples of a burst are, in seconds."""
REGRESSION_RATIO = 2.0
"""A p95 over this many times the baseline's is a regression."""


@dataclass(frozen=True)
class Sample:
    """One round of a service's health requests, begun at `at`.

    `response_ms` is None where nothing answered at all; a request that ran into its time-out has the time it waited.
    `reason` says why it is not ok, and is empty when it is; it never holds a part of the answer's body.
    """

    at: datetime
    ok: bool
    response_ms: float | None
    reason: str = ""


@dataclass(frozen=True)
class Thresholds:
    """When samples are taken for a failure. Rates are shares of one; "over" is strictly greater.

    Raises ValueError when a count is below one, since a trigger over no samples would always or never act.
    """

    consecutive_failures: int = 3
    error_rate: float = 0.05
    response_ms: float = 5000.0
    window_samples: int = 120
    samples_min: int = 20
    failures_min: int = 3
    slow_in_a_row: int = 3
    slow_median_of: int = 5

    def __post_init__(self) -> None:
        counts = (
            self.consecutive_failures,
            self.window_samples,
            self.samples_min,
            self.failures_min,
            self.slow_in_a_row,
            self.slow_median_of,
        )
        if min(counts) < 1:
            raise ValueError("every count of the health thresholds must be 1 or more")


class Health(StrEnum):
    """What the samples show. SUSPECT: the error rate is over its threshold and a burst must confirm it."""

    HEALTHY = "healthy"
    NOT_ENOUGH_DATA = "not_enough_data"
    FAILING = "failing"
    SUSPECT = "suspect"


class Trigger(StrEnum):
    """Why a service is FAILING or SUSPECT."""

    FAILURES_IN_A_ROW = "failures_in_a_row"
    ERROR_RATE = "error_rate"
    SLOW = "slow"


@dataclass(frozen=True)
class Verdict:
    """What `judge` found. `error_rate` is a share of `samples`, None of no samples; times are in milliseconds."""

    health: Health
    trigger: Trigger | None
    detail: str
    samples: int
    failures: int
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True)
class Baseline:
    """How a service answered over some samples: before a deploy, or after it. Times are in milliseconds."""

    median_ms: float | None
    p95_ms: float | None
    samples: int
    failures: int


@dataclass(frozen=True)
class Comparison:
    """A service before and after. `p95_ratio` is None where either side has no response time, or the first is zero."""

    before: Baseline
    after: Baseline
    p95_ratio: float | None
    is_regression: bool


def judge(samples: Sequence[Sample], thresholds: Thresholds, *, since: datetime | None = None) -> Verdict:
    """The verdict over the samples, in whatever order they come.

    Without `since` (a watch) the numbers are those of the last `window_samples`. With it (verification) only samples at
    or after that instant count, and the numbers are those of all of them. A sample without a response time is a
    failure, yet says nothing of speed: the triggers on speed look at the last samples that have one.
    """
    counted = sorted((sample for sample in samples if since is None or sample.at >= since), key=lambda one: one.at)
    window = counted if since is not None else counted[-thresholds.window_samples :]
    health, trigger, detail = _diagnose(counted, window, thresholds)
    times = _times(window)
    return Verdict(
        health=health,
        trigger=trigger,
        detail=detail,
        samples=len(window),
        failures=_failures(window),
        error_rate=_rate(window),
        p50_ms=percentile(times, 0.5),
        p95_ms=percentile(times, 0.95),
    )


def confirm(burst: Sequence[Sample], thresholds: Thresholds) -> bool:
    """Whether a burst of 20 samples or more shows the error rate again; a shorter one confirms nothing.

    The window that asked for the burst held at least `failures_min` failures already, so the burst's rate alone counts.
    """
    rate = _rate(burst)
    return len(burst) >= BURST_SAMPLES and rate is not None and rate > thresholds.error_rate


def baseline_of(samples: Sequence[Sample]) -> Baseline:
    """The baseline that these samples make; times are those of every sample that has one, ok or not."""
    times = _times(samples)
    return Baseline(percentile(times, 0.5), percentile(times, 0.95), len(samples), _failures(samples))


def compare(before: Baseline, after: Baseline) -> Comparison:
    """A baseline against a later one: a regression is a p95 over twice the one before."""
    if before.p95_ms is None or after.p95_ms is None:
        return Comparison(before, after, None, False)
    ratio = after.p95_ms / before.p95_ms if before.p95_ms > 0 else None
    return Comparison(before, after, ratio, after.p95_ms > REGRESSION_RATIO * before.p95_ms)


def meets(
    verdict: Verdict,
    *,
    response_ms_max: float | None = None,
    error_rate_max: float | None = None,
    availability_min: float | None = None,
) -> tuple[str, ...]:
    """Why the verdict does not reach the bar for *verified*; empty when it does.

    Anything but HEALTHY never does, so with no bar given the triggers are the bar. The bars are strict, as the files
    write them (`< 2000ms`, `< 1%`, `> 99.9%`): the p95 must be below `response_ms_max` milliseconds, the error rate
    below `error_rate_max`, the share of ok samples above `availability_min` (both shares of one).
    """
    reasons = [] if verdict.health is Health.HEALTHY else [verdict.detail]
    rate, p95 = verdict.error_rate, verdict.p95_ms
    if response_ms_max is not None and (p95 is None or p95 >= response_ms_max):
        reasons.append(f"the p95 response time is {_ms(p95)}, not below {_ms(response_ms_max)}")
    if error_rate_max is not None and (rate is None or rate >= error_rate_max):
        reasons.append(f"the error rate is {_share(rate)}, not below {_share(error_rate_max)}")
    available = None if rate is None else (verdict.samples - verdict.failures) / verdict.samples
    if availability_min is not None and (available is None or available <= availability_min):
        reasons.append(f"the availability is {_share(available)}, not above {_share(availability_min)}")
    return tuple(reasons)


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank percentile of the values, `share` above 0 and up to 1; None of no values."""
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)), 1) - 1] if ranked else None


def _diagnose(
    counted: Sequence[Sample], window: Sequence[Sample], thresholds: Thresholds
) -> tuple[Health, Trigger | None, str]:
    """The first trigger that holds, the certain ones before the one that needs a burst."""
    last = counted[-thresholds.consecutive_failures :]
    if len(last) == thresholds.consecutive_failures and _failures(last) == len(last):
        return Health.FAILING, Trigger.FAILURES_IN_A_ROW, f"{len(last)} failed in a row, the last: {last[-1].reason}"
    slow = _slowness(_times(counted), thresholds)
    if slow:
        return Health.FAILING, Trigger.SLOW, slow
    failures, rate = _failures(window), _rate(window)
    if len(window) < thresholds.samples_min or rate is None:
        return Health.NOT_ENOUGH_DATA, None, f"{len(window)} of {thresholds.samples_min} samples so far"
    share = f"{failures} of {len(window)} samples failed"
    if failures >= thresholds.failures_min and rate > thresholds.error_rate:
        return Health.SUSPECT, Trigger.ERROR_RATE, f"{share}, over {_share(thresholds.error_rate)}"
    return Health.HEALTHY, None, share


def _slowness(times: Sequence[float], thresholds: Thresholds) -> str:
    limit = thresholds.response_ms
    row = times[-thresholds.slow_in_a_row :]
    if len(row) == thresholds.slow_in_a_row and min(row) > limit:
        return f"{len(row)} answers in a row took over {_ms(limit)}, the last {_ms(row[-1])}"
    recent = times[-thresholds.slow_median_of :]
    median = percentile(recent, 0.5)
    if len(recent) == thresholds.slow_median_of and median is not None and median > limit:
        return f"the median of the last {len(recent)} answers is {_ms(median)}, over {_ms(limit)}"
    return ""


def _times(samples: Iterable[Sample]) -> list[float]:
    return [sample.response_ms for sample in samples if sample.response_ms is not None]


def _failures(samples: Iterable[Sample]) -> int:
    return sum(not sample.ok for sample in samples)


def _rate(samples: Sequence[Sample]) -> float | None:
    return _failures(samples) / len(samples) if samples else None


def _ms(milliseconds: float | None) -> str:
    return "unknown" if milliseconds is None else f"{milliseconds:,.0f} ms"


def _share(share: float | None) -> str:
    return "unknown" if share is None else f"{share * 100:.4g} %"
