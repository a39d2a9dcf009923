"""Success criteria, triggers and the calendar of a release, as the files write them."""

from datetime import timedelta

import pytest

from securewatch.config.files.policy_files import ReleaseLifecycle
from securewatch.config.fleet import Bar, DayRange
from securewatch.config.phases import Defaults, merge_calendar, merge_criteria


@pytest.mark.parametrize(
    ("criteria", "bar"),
    [
        ({"response_time": "< 2000ms", "error_rate": "< 1%", "uptime": "> 99.9%"}, Bar(2000, 0.01, 0.999)),
        (["response_time < 2s", "error rate: < 1%"], Bar(2000, 0.01, None)),
        (["< 2000ms", "< 1%", "> 99.9%"], Bar(2000, 0.01, 0.999)),
        (["< 2000ms", "< 500ms", "< 2%", "< 1%", "> 99%", "> 99.9%"], Bar(500, 0.01, 0.999)),
        ({"customer_satisfaction": "> 90%", "tickets": "< 10", "pages": "all load"}, Bar()),
        ({}, Bar()),
    ],
)
def test_criteria_make_the_strictest_bar_of_what_is_measured(
    criteria: dict[str, object] | list[object], bar: Bar
) -> None:
    found, made, problems = merge_criteria(criteria, "x.json")

    assert (made, problems, len(found)) == (bar, [], len(criteria))


@pytest.mark.parametrize(
    "criteria",
    [
        {"response_time": "fast"},
        {"response_time": "> 2000ms"},
        {"response_time": "< 1%"},
        {"error_rate": "> 1%"},
        {"availability": "< 99.9%"},
        {"availability": None},
        {"p99": "> 5s"},
        ["no comparison"],
        [7],
    ],
)
def test_a_criterion_that_says_something_else_is_a_problem(criteria: dict[str, object] | list[object]) -> None:
    assert len(merge_criteria(criteria, "x.json")[2]) == 1


def lifecycle(*stages: tuple[str, str]) -> ReleaseLifecycle:
    """The stages of a minor release, with their durations."""
    return ReleaseLifecycle.model_validate({"phases": [{"name": name, "duration": length} for name, length in stages]})


def test_phases_follow_each_other_and_other_stages_take_no_days() -> None:
    defaults = Defaults()
    stages = (("development", "28_days"), ("demo_release", "2_days"), ("startup_early_access", "3_days"))

    calendar, problems = merge_calendar(lifecycle(*stages), "x.json", defaults)

    assert problems == []
    assert (calendar["demo"], calendar["startup_early_access"]) == (DayRange(0, 1), DayRange(2, 4))
    assert (calendar["standard_rollout"], calendar["enterprise_rollout"]) == (DayRange(5, 18), DayRange(19, 48))
    assert [value for _, value in defaults.used] == ["14_days", "30_days"]


@pytest.mark.parametrize(
    "stages", [[("demo_release", "36_hours")], [("demo_release", "0_days")], [("demo_release", "1_day")] * 2]
)
def test_a_stage_lasts_whole_days_and_comes_once(stages: list[tuple[str, str]]) -> None:
    assert len(merge_calendar(lifecycle(*stages), "x.json", Defaults())[1]) == 1


def test_a_default_is_remembered_only_where_it_is_taken() -> None:
    defaults = Defaults()

    assert defaults.take(timedelta(hours=1), timedelta(hours=2), "a") == timedelta(hours=1)
    assert defaults.take(None, timedelta(hours=2), "b") == timedelta(hours=2)
    assert defaults.used == [("b", "2_hours")]
