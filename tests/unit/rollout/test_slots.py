"""When a deploy may start: long windows, no freezes, earliest instants, and lanes that hold one at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from securewatch.deploy.model import FreezeSpec, GateRules, WindowSpec
from securewatch.rollout.model import MemberPlan
from securewatch.rollout.slots import Fact, FactKind, Frame, Lanes, Range, facts_of, first_from, ranges_under
from tests.unit.rollout.release import DAY_ZERO, HOUR, SUNDAY_NIGHT, day, part, phase

WEEK = phase("standard", 7, 13)  # the 9th of November 2026, a Monday, to the 15th, a Sunday, each from 9:00 on
FRAME = Frame(WEEK, DAY_ZERO, now=DAY_ZERO, opens=DAY_ZERO, duration=HOUR, tested_at=None)
SUNDAY = datetime(2026, 11, 15, 2, tzinfo=UTC)
TICK = timedelta(seconds=1)


def ranges(member: MemberPlan, **frame: object) -> tuple[Range, ...]:
    changed = replace(FRAME, **frame)  # type: ignore[arg-type]  # names are the test's
    return ranges_under(changed, facts_of(changed, member))


def kinds(member: MemberPlan, **frame: object) -> list[FactKind]:
    return [one.kind for one in facts_of(replace(FRAME, **frame), member)]  # type: ignore[arg-type]  # as above


def test_without_gates_every_instant_of_the_phase_will_do() -> None:
    assert ranges(part("a")) == ((day(7), day(14)),)
    assert kinds(part("a")) == []


def test_a_window_is_entered_while_a_whole_deploy_fits_into_the_rest() -> None:
    found = ranges(part("a", gates=GateRules(window=SUNDAY_NIGHT)))

    assert found == ((SUNDAY, SUNDAY + 3 * HOUR + TICK),)


def test_a_window_that_is_too_short_is_never_entered() -> None:
    short = WindowSpec("sunday", "02:00", "02:59", "UTC")

    assert ranges(part("a", gates=GateRules(window=short))) == ()


def test_a_window_of_exactly_the_length_of_a_deploy_is_entered_as_it_opens() -> None:
    exact = WindowSpec("sunday", "02:00", "03:00", "UTC")

    assert ranges(part("a", gates=GateRules(window=exact))) == ((SUNDAY, SUNDAY + TICK),)


def test_a_window_that_crosses_the_end_of_the_phase_is_entered_before_it() -> None:
    over = WindowSpec("monday", "08:00", "12:00", "UTC")

    assert ranges(part("a", gates=GateRules(window=over))) == (
        (day(7), day(7) + 2 * HOUR + TICK),
        (day(14) - HOUR, day(14)),
    )


def test_a_window_that_nobody_can_read_is_never_open() -> None:
    assert ranges(part("a", gates=GateRules(window=WindowSpec("sunday", "02:00", "06:00", "Mars/Olympus")))) == ()


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (8, 9, ((7, 8), (9, 14))),
        (6, 8, ((8, 14),)),
        (13, 20, ((7, 13),)),
        (6, 20, ()),
        (14, 20, ((7, 14),)),
        (1, 7, ((7, 14),)),
    ],
)
def test_nothing_starts_in_a_freeze(begin: float, end: float, expected: tuple[tuple[float, float], ...]) -> None:
    frozen = part("a", gates=GateRules(freezes=(FreezeSpec("audit", day(begin), day(end)),)))

    assert ranges(frozen) == tuple((day(first), day(last)) for first, last in expected)


def test_freezes_that_overlap_are_cut_out_together() -> None:
    freezes = (FreezeSpec("b", day(9), day(12)), FreezeSpec("a", day(8), day(10)), FreezeSpec("c", day(8.5), day(9.5)))

    assert ranges(part("a", gates=GateRules(freezes=freezes))) == ((day(7), day(8)), (day(12), day(14)))


def test_the_notice_counts_from_now_and_only_where_the_policy_needs_it() -> None:
    noticed = part("a", notice_days=(10, 7, 0), needs_notice=True)

    assert ranges(noticed) == ((day(10), day(14)),)
    assert ranges(replace(noticed, needs_notice=False)) == ((day(7), day(14)),)


def test_the_testing_period_counts_from_the_first_demo_deploy() -> None:
    tested = part("a", testing_seconds=2 * 86400.0)

    assert ranges(tested, tested_at=day(6)) == ((day(8), day(14)),)
    assert ranges(tested, tested_at=None) == ()


def test_the_policys_delay_the_phase_before_and_now_each_move_the_first_start() -> None:
    assert ranges(part("a", earliest_seconds=9 * 86400.0)) == ((day(9), day(14)),)
    assert ranges(part("a"), opens=day(10)) == ((day(10), day(14)),)
    assert ranges(part("a"), now=day(11)) == ((day(11), day(14)),)
    assert ranges(part("a"), now=day(20)) == ()


def test_only_what_binds_within_the_phase_is_a_fact() -> None:
    early = part(
        "a",
        gates=GateRules(freezes=(FreezeSpec("over", day(1), day(2)),)),
        notice_days=(3, 0),
        needs_notice=True,
        earliest_seconds=86400.0,
    )

    assert kinds(early, opens=day(5), now=day(4)) == []
    assert kinds(early, opens=day(8), now=day(9)) == [FactKind.NOTICE, FactKind.BEFORE, FactKind.NOW]


def test_facts_can_be_looked_at_one_by_one() -> None:
    window = Fact(FactKind.WINDOW, window=SUNDAY_NIGHT)

    assert ranges_under(FRAME, ()) == ((day(7), day(14)),)
    assert ranges_under(FRAME, (window, Fact(FactKind.NOTICE, day(13.9)))) == ()


def test_the_first_start_from_an_instant_on() -> None:
    two = ((day(1), day(2)), (day(3), day(4)))

    assert [first_from(two, day(at)) for at in (0, 1.5, 2, 3.5)] == [day(1), day(1.5), day(3), day(3.5)]
    assert first_from(two, day(4)) is None


# --- lanes ------------------------------------------------------------------------------------------------------------


def test_one_lane_holds_one_after_the_other() -> None:
    lanes, free = Lanes(1, HOUR), ((day(0), day(0) + 2 * HOUR),)

    assert [lanes.place(free) for _ in range(3)] == [(day(0), 1), (day(0) + HOUR, 1), None]


def test_two_lanes_hold_two_side_by_side() -> None:
    lanes, free = Lanes(2, HOUR), ((day(0), day(0) + 2 * HOUR),)

    found = [lanes.place(free) for _ in range(5)]

    assert found == [(day(0), 1), (day(0), 2), (day(0) + HOUR, 1), (day(0) + HOUR, 2), None]


def test_a_gap_that_is_too_small_stays_free() -> None:
    lanes = Lanes(1, HOUR)
    lanes.place(((day(0) + 1.5 * HOUR, day(1)),))

    assert lanes.place(((day(0) + 0.75 * HOUR, day(1)),)) == (day(0) + 2.5 * HOUR, 1)
    assert lanes.place(((day(0) + 0.5 * HOUR, day(1)),)) == (day(0) + 0.5 * HOUR, 1)


def test_the_next_window_is_taken_where_the_first_is_full() -> None:
    lanes, windows = Lanes(1, HOUR), ((day(0), day(0) + TICK), (day(7), day(7) + TICK))

    assert [lanes.place(windows) for _ in range(3)] == [(day(0), 1), (day(7), 1), None]
