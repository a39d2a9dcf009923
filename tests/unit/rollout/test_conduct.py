"""The decision about a rollout: phases on their days, batches after each other, halts, lanes, gates."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from securewatch.deploy.model import Stage
from securewatch.rollout.freezes import FreezeKind, StandingFreeze
from securewatch.rollout.model import MemberState, RolloutState
from securewatch.rollout.view import PhaseState
from tests.unit.rollout.release import (
    DAY_ZERO,
    EVERYBODY,
    HOUR,
    PLAN,
    approved,
    day,
    decided,
    grant,
    members,
    part,
    phase,
    rollout,
    run_of,
    started,
    verified,
)

V, PENDING = MemberState.VERIFIED, MemberState.PENDING
DEMO_DONE = {"demo": V}
STARTUP_DONE = {**DEMO_DONE, "alfa": V, "bravo": V, "coco": V}
STANDARD_DONE = {**STARTUP_DONE, "s0": V, "s1": V, "s2": V, "s3": V}
SUNDAY = day(27) - 7 * HOUR  # the first Sunday of the enterprise phase, 02:00


def test_demo_starts_at_once_and_the_others_wait_for_their_day() -> None:
    found = decided(DAY_ZERO)

    assert started(found) == ["demo"]
    assert found.waiting["alfa"].until == day(1)
    assert found.next_at == day(1)


def test_a_rollout_that_begins_later_starts_nothing_before() -> None:
    found = decided(DAY_ZERO - HOUR, of=rollout(state=RolloutState.PLANNED))

    assert (started(found), found.next_at, found.rollout.state) == ([], DAY_ZERO, RolloutState.PLANNED)


def test_a_phase_opens_on_its_day_when_the_one_before_is_done() -> None:
    assert started(decided(day(1) - HOUR, members(**DEMO_DONE))) == []
    assert started(decided(day(1), members(**DEMO_DONE))) == ["alfa", "bravo"]


@pytest.mark.parametrize("state", [PENDING, MemberState.RUNNING, MemberState.FAILED, MemberState.HELD])
def test_a_phase_waits_while_the_one_before_is_not_well_done(state: MemberState) -> None:
    found = decided(day(1), members(demo=state), of=rollout(state=RolloutState.RUNNING))

    assert "alfa" not in started(found)


def test_forced_customers_go_before_their_day_but_batch_after_batch() -> None:
    rows = {slug: replace(one, forced=one.phase == "startup") for slug, one in members().items()}

    assert started(decided(DAY_ZERO, rows)) == ["demo", "alfa", "bravo"]


def test_forced_customers_pass_no_halt() -> None:
    rows = {slug: replace(one, forced=True) for slug, one in members().items()}

    assert started(decided(DAY_ZERO, rows, of=rollout(state=RolloutState.HALTED))) == []


def test_a_batch_opens_when_the_one_before_is_verified_and_its_delay_has_passed() -> None:
    rows = members(**DEMO_DONE) | {"alfa": verified("alfa", day(1)), "bravo": verified("bravo", day(1) + HOUR)}

    early = decided(day(1) + 2.5 * HOUR, rows)
    later = decided(day(1) + 3 * HOUR, rows)

    assert (started(early), early.next_at) == ([], day(1) + 3 * HOUR)
    assert started(later) == ["coco"]


def test_a_batch_waits_while_one_of_the_batch_before_is_under_way() -> None:
    rows = members(**DEMO_DONE, bravo=MemberState.RUNNING) | {"alfa": verified("alfa", day(1))}

    assert started(decided(day(2), rows, runs=[run_of("bravo", Stage.DEPLOYING)])) == []


def test_one_failure_in_startup_halts_the_rollout() -> None:
    rows = members(**DEMO_DONE, alfa=MemberState.RUNNING, bravo=MemberState.RUNNING)
    runs = [run_of("alfa", Stage.ROLLING_BACK, code="SW503"), run_of("bravo", Stage.VERIFYING)]

    found = decided(day(1) + HOUR, rows, runs=runs)

    assert (found.rollout.state, found.rollout.code) == (RolloutState.HALTED, "SW508")
    assert found.rollout.detail == "startup, batch 1: 1 of 2 failed, 0 may (alfa is being taken back SW503)"


def test_failures_inside_the_budget_do_not_halt_and_the_others_go_on() -> None:
    rows = members(**STARTUP_DONE, s0=MemberState.FAILED, s1=V)

    found = decided(day(9), rows)

    assert (found.rollout.state, started(found)) == (RolloutState.RUNNING, ["s2", "s3"])


def test_too_few_verified_customers_keep_the_next_phase_shut() -> None:
    rows = members(**{**STANDARD_DONE, "s0": MemberState.FAILED})

    found = decided(SUNDAY, rows, grants=[grant("medhealth")])

    assert started(found) == []
    assert "3 of 4 customers are verified, 95% are needed" in found.waiting["medhealth"].what


@pytest.mark.parametrize("state", [RolloutState.HALTED, RolloutState.PAUSED])
def test_a_halted_or_paused_rollout_starts_nothing_new_and_follows_what_runs(state: RolloutState) -> None:
    rows = members(demo=MemberState.RUNNING)
    found = decided(day(1), rows, runs=[run_of("demo", Stage.WATCHING, verified_at=DAY_ZERO)], of=rollout(state=state))

    assert (started(found), found.members["demo"].state) == ([], V)
    assert found.waiting["alfa"].person


@pytest.mark.parametrize(("state", "next_at"), [(RolloutState.HALTED, None), (RolloutState.RUNNING, day(8))])
def test_no_day_comes_next_for_a_halted_rollout(state: RolloutState, next_at: datetime | None) -> None:
    assert decided(day(2), members(**STARTUP_DONE), of=rollout(state=state)).next_at == next_at


def test_the_kill_switch_starts_nothing() -> None:
    assert started(decided(DAY_ZERO, is_paused=True)) == []


def test_enterprise_customers_wait_for_approval_and_window_and_go_one_by_one() -> None:
    rows = members(**STANDARD_DONE)

    neither = decided(day(23), rows)
    unapproved = decided(SUNDAY, rows)
    both = decided(SUNDAY, rows, grants=[grant("medhealth"), grant("zulu")])

    assert started(neither) == started(unapproved) == []
    assert (neither.waiting["medhealth"].until, neither.waiting["medhealth"].person) == (SUNDAY, "")
    assert unapproved.waiting["medhealth"].person == "anyone but bob"
    assert started(both) == ["medhealth"]
    assert both.waiting["zulu"].what == "its turn: medhealth is under way"


@pytest.mark.parametrize(
    "bad",
    [
        {"actor": "bob"},
        {"granted": False},
        {"plan_hash": "another"},
        {"used_by": "medhealth-0"},
        {"expires_at": day(22)},
    ],
)
def test_an_approval_that_does_not_count_opens_nothing(bad: dict[str, object]) -> None:
    assert started(decided(SUNDAY, members(**STANDARD_DONE), grants=[grant("medhealth", **bad)])) == []


def test_a_window_too_short_for_the_usual_duration_is_not_entered() -> None:
    late = SUNDAY + 3.75 * HOUR

    found = decided(late, members(**STANDARD_DONE), grants=[grant("medhealth")])

    assert started(found) == []
    assert found.waiting["medhealth"].until == SUNDAY + timedelta(days=7)


def test_a_member_whose_start_is_under_way_takes_its_lane_and_is_not_started_again() -> None:
    grants = [grant("medhealth"), grant("zulu")]

    assert started(decided(SUNDAY, members(**STANDARD_DONE), grants=grants, starting={"medhealth"})) == []


def test_testing_counts_from_the_first_verified_demo_deploy() -> None:
    tested = replace(PLAN, phases=(phase("startup", 0, 7, part("alfa", testing_seconds=86400.0)),))

    unknown = decided(day(3), plan=tested)
    early = decided(day(3), plan=tested, demo_verified_at=day(2.5))
    later = decided(day(3), plan=tested, demo_verified_at=day(2))

    assert (started(unknown), started(early), started(later)) == ([], [], ["alfa"])
    assert early.next_at == day(3.5)


def test_a_policys_delay_rules_where_the_calendar_says_so() -> None:
    delayed = part("alfa", earliest_seconds=3 * 86400.0)
    plan = replace(PLAN, calendar="policy_delay", phases=(phase("startup", 9, 20, delayed),))

    assert started(decided(day(2), plan=plan)) == []
    assert started(decided(day(3), plan=plan)) == ["alfa"]


def test_a_standing_hold_and_another_run_of_the_customer_keep_it_waiting() -> None:
    hold = StandingFreeze(FreezeKind.HOLD, "demo", DAY_ZERO - HOUR, None, "ann", DAY_ZERO, customers=("demo",))

    held = decided(DAY_ZERO, freezes=[hold])
    busy = decided(DAY_ZERO, busy={"demo": "demo-3 is deploying"})

    assert (started(held), started(busy)) == ([], [])
    assert busy.waiting["demo"].what == "another run of it: demo-3 is deploying"


def test_customers_that_nobody_asked_for_do_not_start() -> None:
    rows = {slug: replace(one, asked=one.phase != "demo") for slug, one in members().items()}

    found = decided(day(1), rows)

    assert started(found) == []
    assert "nobody asked for it yet" in found.waiting["alfa"].what


def test_a_member_is_as_its_run_is() -> None:
    rows = members(demo=MemberState.RUNNING)
    stages = {
        Stage.QUEUED: MemberState.RUNNING,
        Stage.WATCHING: V,
        Stage.DONE: MemberState.DONE,
        Stage.FAILED: MemberState.FAILED,
        Stage.REFUSED: MemberState.FAILED,
        Stage.ROLLED_BACK: MemberState.ROLLED_BACK,
        Stage.HELD: MemberState.HELD,
        Stage.SUPERSEDED: MemberState.FAILED,
    }

    found = {stage: decided(DAY_ZERO, rows, runs=[run_of("demo", stage)]).members["demo"].state for stage in stages}

    assert found == stages


def test_a_watch_that_turns_back_counts_as_a_failure() -> None:
    rows = members(demo=V)

    found = decided(DAY_ZERO + 2 * HOUR, rows, runs=[run_of("demo", Stage.ROLLING_BACK, code="SW503")])

    assert (found.members["demo"].state, found.rollout.state) == (MemberState.RUNNING, RolloutState.HALTED)


def test_an_accepted_failure_halts_nothing_again() -> None:
    failed = replace(members(demo=MemberState.FAILED)["demo"], accepted=True)

    assert decided(DAY_ZERO, members(demo=failed)).rollout.state is RolloutState.RUNNING


def test_the_rollout_is_done_when_everybody_is() -> None:
    watched = dict.fromkeys(EVERYBODY, MemberState.DONE)

    found = decided(day(53), members(**watched))

    assert (found.rollout.state, found.next_at, found.waiting) == (RolloutState.DONE, None, {})
    assert [(one.name, one.state) for one in found.phases] == [(one.name, PhaseState.DONE) for one in PLAN.phases]
    assert decided(day(52), members(**{**watched, "zulu": V})).rollout.state is RolloutState.RUNNING


def test_phases_say_where_they_are() -> None:
    found = decided(day(1) + HOUR, members(**DEMO_DONE, alfa=MemberState.RUNNING))

    assert [(one.name, one.state) for one in found.phases] == [
        ("demo", PhaseState.DONE),
        ("startup", PhaseState.RUNNING),
        ("standard", PhaseState.WAITING),
        ("enterprise", PhaseState.WAITING),
    ]


def test_two_lanes_let_two_go_side_by_side() -> None:
    plan = replace(PLAN, phases=(phase("enterprise", 0, 51, *map(approved, ("a", "b", "c")), lanes=2),))
    now = day(6) - 7 * HOUR

    assert started(decided(now, plan=plan, grants=[grant(one) for one in "abc"])) == ["a", "b"]
