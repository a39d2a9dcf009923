"""The verdict over samples: each trigger acts at its threshold and not before it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securewatch.health.verdict import (
    Baseline,
    Health,
    Sample,
    Thresholds,
    Trigger,
    baseline_of,
    compare,
    confirm,
    judge,
    meets,
    percentile,
)

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
DEFAULTS = Thresholds()


def row(marks: str, *, ms: float | None = 100.0, start: datetime = START) -> list[Sample]:
    """Samples one second apart: `.` is ok, `x` failed with an answer, `-` failed without one, `s` took 6 seconds."""
    taken = []
    for number, mark in enumerate(marks):
        response = {"-": None, "s": 6000.0}.get(mark, ms)
        at = start + timedelta(seconds=number)
        taken.append(Sample(at, mark in ".s", response, "" if mark in ".s" else "status 500"))
    return taken


def timed(*times: float) -> list[Sample]:
    return [Sample(START + timedelta(seconds=number), True, ms) for number, ms in enumerate(times)]


# --- enough data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 19])
def test_fewer_than_twenty_samples_are_not_enough_data_and_not_healthy(count: int) -> None:
    verdict = judge(row("." * count), DEFAULTS)

    assert verdict.health is Health.NOT_ENOUGH_DATA
    assert verdict.samples == count


def test_twenty_good_samples_are_healthy() -> None:
    verdict = judge(row("." * 20), DEFAULTS)

    assert (verdict.health, verdict.trigger, verdict.failures, verdict.error_rate) == (Health.HEALTHY, None, 0, 0.0)


def test_no_samples_have_no_numbers() -> None:
    verdict = judge([], DEFAULTS)

    assert (verdict.error_rate, verdict.p50_ms, verdict.p95_ms) == (None, None, None)


# --- failures in a row ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marks", ["xxx", "---", "x-x", "." * 20 + "xxx", "." * 200 + "xxx"])
def test_three_failures_in_a_row_at_the_end_fail_whatever_came_before(marks: str) -> None:
    verdict = judge(row(marks), DEFAULTS)

    assert (verdict.health, verdict.trigger) == (Health.FAILING, Trigger.FAILURES_IN_A_ROW)
    assert "status 500" in verdict.detail


@pytest.mark.parametrize("marks", ["xx", "xx.", "xx.x", "xxx.", "x.xx"])
def test_three_failures_that_are_not_the_last_three_in_a_row_do_not_fail(marks: str) -> None:
    assert judge(row(marks), DEFAULTS).health is Health.NOT_ENOUGH_DATA


def test_failures_in_a_row_need_no_twenty_samples_and_wait_for_no_burst() -> None:
    verdict = judge(row("x.x.x" + "." * 20 + "xxx"), DEFAULTS)

    assert (verdict.health, verdict.trigger) == (Health.FAILING, Trigger.FAILURES_IN_A_ROW)


def test_the_number_of_failures_in_a_row_is_configurable() -> None:
    strict = replace(DEFAULTS, consecutive_failures=1)

    assert judge(row(".x"), strict).health is Health.FAILING


def test_samples_count_in_the_order_of_their_times() -> None:
    shuffled = row("xxx" + "." * 20)[::-1]

    assert judge(shuffled, DEFAULTS).trigger is Trigger.ERROR_RATE


# --- error rate -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "samples", "health"),
    [
        (1, 20, Health.HEALTHY),  # 5 % is not over 5 %
        (2, 20, Health.HEALTHY),  # 10 %, but fewer than 3 failures
        (3, 19, Health.NOT_ENOUGH_DATA),
        (3, 20, Health.SUSPECT),
        (3, 59, Health.SUSPECT),
        (3, 60, Health.HEALTHY),  # 5 % exactly
        (6, 120, Health.HEALTHY),  # 5 % exactly
        (7, 120, Health.SUSPECT),
    ],
)
def test_an_error_rate_over_five_percent_is_suspect_from_twenty_samples_and_three_failures(
    failures: int, samples: int, health: Health
) -> None:
    good = samples - failures
    marks = "x." * failures + "." * (good - failures)

    verdict = judge(row(marks), DEFAULTS)

    assert verdict.health is health
    assert verdict.trigger is (Trigger.ERROR_RATE if health is Health.SUSPECT else None)
    assert (verdict.samples, verdict.failures) == (samples, failures)


def test_a_watch_counts_the_last_120_samples_only() -> None:
    old_failures = row("x." * 10 + "." * 120)

    verdict = judge(old_failures, DEFAULTS)

    assert (verdict.health, verdict.samples, verdict.failures) == (Health.HEALTHY, 120, 0)


def test_a_verification_counts_all_samples_since_settling() -> None:
    taken = row("x." * 10 + "." * 120)

    verdict = judge(taken, DEFAULTS, since=START)

    assert (verdict.health, verdict.samples, verdict.failures) == (Health.SUSPECT, 140, 10)


def test_samples_before_settling_count_for_nothing() -> None:
    taken = row("xxxxx" + "." * 19)
    settled = START + timedelta(seconds=5)

    verdict = judge(taken, DEFAULTS, since=settled)

    assert (verdict.health, verdict.samples, verdict.failures) == (Health.NOT_ENOUGH_DATA, 19, 0)
    assert judge(taken, DEFAULTS, since=START + timedelta(seconds=4)).failures == 1


def test_the_error_rate_threshold_is_configurable() -> None:
    lax = replace(DEFAULTS, error_rate=0.2)

    assert judge(row("x.x.x" + "." * 15), lax).health is Health.HEALTHY


@given(st.lists(st.booleans(), max_size=150))
@settings(max_examples=200, deadline=None)
def test_the_verdict_is_what_the_rules_say_of_any_failures(outcomes: list[bool]) -> None:
    marks = "".join("." if ok else "x" for ok in outcomes)
    window = outcomes[-120:]
    failures = window.count(False)

    verdict = judge(row(marks), DEFAULTS)

    if outcomes[-3:] == [False] * 3:
        expected = Health.FAILING
    elif len(window) < 20:
        expected = Health.NOT_ENOUGH_DATA
    elif failures >= 3 and Fraction(failures, len(window)) > Fraction(5, 100):
        expected = Health.SUSPECT
    else:
        expected = Health.HEALTHY
    assert verdict.health is expected


# --- bursts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "samples", "confirms"),
    [(0, 20, False), (1, 20, False), (2, 20, True), (20, 20, True), (19, 19, False)],
)
def test_a_burst_confirms_with_twenty_samples_and_a_rate_over_the_threshold(
    failures: int, samples: int, confirms: bool
) -> None:
    burst = row("x" * failures + "." * (samples - failures))

    assert confirm(burst, DEFAULTS) is confirms


def test_an_empty_burst_confirms_nothing() -> None:
    assert not confirm([], DEFAULTS)


# --- slowness ---------------------------------------------------------------------------------------------------------


def test_three_answers_in_a_row_over_the_limit_fail() -> None:
    verdict = judge(row("sss"), DEFAULTS)

    assert (verdict.health, verdict.trigger) == (Health.FAILING, Trigger.SLOW)
    assert "6,000 ms" in verdict.detail


@pytest.mark.parametrize("marks", ["ss", "ss.", "s.s", "sss."])
def test_a_slow_answer_or_two_do_not_fail(marks: str) -> None:
    assert judge(row(marks), DEFAULTS).health is Health.NOT_ENOUGH_DATA


@pytest.mark.parametrize("marks", ["ss.s.", "s.s.s", ".ss.s", "." * 20 + "s.ss."])
def test_a_median_of_the_last_five_over_the_limit_fails(marks: str) -> None:
    verdict = judge(row(marks), DEFAULTS)

    assert (verdict.health, verdict.trigger) == (Health.FAILING, Trigger.SLOW)


@pytest.mark.parametrize("marks", ["s.s..", "s.ss......", "s.s.", ".s.s."])
def test_a_median_of_the_last_five_below_the_limit_or_of_fewer_does_not_fail(marks: str) -> None:
    assert judge(row(marks), DEFAULTS).health is not Health.FAILING


def test_the_limit_itself_is_not_over_the_limit() -> None:
    assert judge(timed(*[5000.0] * 20), DEFAULTS).health is Health.HEALTHY
    assert judge(timed(*[5000.001] * 3), DEFAULTS).trigger is Trigger.SLOW


def test_a_sample_without_an_answer_says_nothing_of_speed() -> None:
    assert judge(row("ss-s"), DEFAULTS).trigger is Trigger.SLOW
    assert judge(row("ss-."), DEFAULTS).trigger is None


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "median", "p95"),
    [
        ([7.0], 7.0, 7.0),
        ([1.0, 2.0], 1.0, 2.0),
        ([3.0, 1.0, 2.0], 2.0, 3.0),
        ([float(value) for value in range(1, 21)], 10.0, 19.0),
        ([float(value) for value in range(1, 22)], 11.0, 20.0),
        ([float(value) for value in range(100, 0, -1)], 50.0, 95.0),
    ],
)
def test_the_baseline_has_the_nearest_rank_median_and_p95(values: list[float], median: float, p95: float) -> None:
    baseline = baseline_of(timed(*values))

    assert (baseline.median_ms, baseline.p95_ms) == (median, p95)


def test_a_percentile_of_nothing_is_unknown() -> None:
    assert percentile([], 0.95) is None


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=400), st.sampled_from([(0.5, "0.5"), (0.95, "0.95"), (1.0, "1")])
)
@settings(max_examples=100, deadline=None)
def test_a_percentile_is_a_measured_value_at_its_exact_rank(values: Sequence[float], share: tuple[float, str]) -> None:
    rank = math.ceil(Fraction(share[1]) * len(values))

    assert percentile(values, share[0]) == sorted(values)[rank - 1]


def test_a_baseline_counts_failures_and_takes_times_of_those_that_answered() -> None:
    baseline = baseline_of(row("..x-"))

    assert baseline == Baseline(median_ms=100.0, p95_ms=100.0, samples=4, failures=2)


def test_a_baseline_of_a_dead_site_has_no_times() -> None:
    assert baseline_of(row("----")) == Baseline(None, None, 4, 4)


@pytest.mark.parametrize(
    ("after", "ratio", "is_regression"), [(200.0, 2.0, False), (200.1, 2.001, True), (50.0, 0.5, False)]
)
def test_a_p95_over_twice_the_one_before_is_a_regression(after: float, ratio: float, is_regression: bool) -> None:
    comparison = compare(Baseline(90.0, 100.0, 20, 0), Baseline(90.0, after, 20, 0))

    assert comparison.p95_ratio == pytest.approx(ratio)
    assert comparison.is_regression is is_regression


def test_without_a_time_on_both_sides_nothing_is_compared() -> None:
    known, unknown = Baseline(1.0, 1.0, 20, 0), Baseline(None, None, 20, 20)

    assert [compare(known, unknown).p95_ratio, compare(unknown, known).p95_ratio] == [None, None]
    assert not compare(known, unknown).is_regression


# --- the bar ----------------------------------------------------------------------------------------------------------


def test_with_no_bar_the_triggers_are_the_bar() -> None:
    assert meets(judge(row("." * 20), DEFAULTS)) == ()
    assert meets(judge(row("." * 19), DEFAULTS)) == ("19 of 20 samples so far",)
    assert len(meets(judge(row("xxx"), DEFAULTS))) == 1
    assert len(meets(judge(row("x.x.x" + "." * 15), DEFAULTS))) == 1


@pytest.mark.parametrize(("ms", "reaches"), [(1999.0, True), (2000.0, False)])
def test_the_p95_must_be_below_the_bar(ms: float, reaches: bool) -> None:
    verdict = judge(timed(*[ms] * 20), DEFAULTS)

    assert (meets(verdict, response_ms_max=2000.0) == ()) is reaches


@pytest.mark.parametrize(("samples", "reaches"), [(20, False), (100, False), (101, True)])
def test_the_error_rate_must_be_below_the_bar(samples: int, reaches: bool) -> None:
    verdict = judge(row("x" + "." * (samples - 1)), DEFAULTS)

    assert (meets(verdict, error_rate_max=0.01) == ()) is reaches


def test_the_availability_must_be_above_the_bar() -> None:
    one_of_twenty = judge(row("x" + "." * 19), DEFAULTS)

    assert meets(one_of_twenty, availability_min=0.94) == ()
    assert meets(one_of_twenty, availability_min=0.95) == ("the availability is 95 %, not above 95 %",)


def test_a_bar_without_data_is_not_reached_and_each_bar_says_so() -> None:
    reasons = meets(judge([], DEFAULTS), response_ms_max=2000.0, error_rate_max=0.01, availability_min=0.999)

    assert len(reasons) == 4


@pytest.mark.parametrize(
    "name",
    ["consecutive_failures", "window_samples", "samples_min", "failures_min", "slow_in_a_row", "slow_median_of"],
)
def test_a_count_below_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Thresholds(**{name: 0})
