"""The fleet's decision: every run gets its gates, its own decision, and the earliest instant rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from securewatch.deploy.model import RunKind, Stage, WindowSpec
from securewatch.rollout.decide import FleetView, decide
from securewatch.rollout.freezes import FreezeKind, StandingFreeze
from tests.unit.rollout.given import NOW, SUNDAY_NIGHT, TUESDAY_NOON, customer, grant, run, view

TUESDAY_EVENING = WindowSpec("tuesday", "20:00", "22:00", "UTC")
SUNDAY = datetime(2026, 11, 29, 2, tzinfo=UTC)


def test_an_empty_fleet_waits_for_nothing() -> None:
    decision = decide(FleetView(()), NOW)

    assert (dict(decision.decisions), decision.next_at) == ({}, None)


def test_a_run_behind_a_shut_window_waits_until_it_opens() -> None:
    decision = decide(FleetView((view(customer(window=SUNDAY_NIGHT), run()),)), NOW)

    found = decision.decisions["run-1"]
    assert found.run == run()
    assert found.waiting_on is not None
    assert (found.waiting_on.code, found.waiting_on.until, found.waiting_on.is_gate) == ("SW401", SUNDAY, True)
    assert decision.next_at == SUNDAY


def test_a_run_behind_open_gates_moves_on() -> None:
    decision = decide(FleetView((view(customer(window=TUESDAY_NOON), run()),)), NOW)

    assert decision.decisions["run-1"].run.stage is Stage.PREFLIGHT


def test_a_run_waits_for_its_approval_and_moves_once_it_is_given() -> None:
    waiting = view(customer(needs_approval=True), run())

    before = decide(FleetView((waiting,)), NOW).decisions["run-1"]
    after = decide(FleetView((waiting,), [grant("alice")]), NOW).decisions["run-1"]

    assert before.waiting_on is not None
    assert (before.waiting_on.code, before.waiting_on.person) == ("SW402", "anyone but bob")
    assert after.run.stage is Stage.PREFLIGHT


def test_approval_and_window_bind_together() -> None:
    waiting = view(customer(needs_approval=True, window=SUNDAY_NIGHT), run())

    approved = decide(FleetView((waiting,), [grant("alice")]), NOW)
    neither = decide(FleetView((waiting,)), NOW).decisions["run-1"].waiting_on

    assert approved.next_at == SUNDAY
    assert approved.decisions["run-1"].run.stage is Stage.QUEUED
    assert neither is not None
    assert neither.person == ""  # the window is shut too, so it does not wait for the person alone
    assert "approval" in neither.what


def test_an_approval_of_one_customer_opens_nothing_for_another() -> None:
    one = view(customer(needs_approval=True), run())
    other = view(customer("medhealth", needs_approval=True), run(id="run-2", slug="medhealth", requested_by="alice"))

    decision = decide(FleetView((one, other), [grant("carol")]), NOW)

    assert decision.decisions["run-1"].run.stage is Stage.PREFLIGHT
    assert decision.decisions["run-2"].run.stage is Stage.QUEUED


def test_a_window_that_cannot_be_read_holds_its_own_run_alone() -> None:
    broken = view(customer(window=WindowSpec("sunday", "02:00", "04:00", "Mars/Olympus")), run())
    sound = view(customer("medhealth"), run(id="run-2", slug="medhealth"))

    decision = decide(FleetView((broken, sound)), NOW)

    assert decision.decisions["run-1"].run.stage is Stage.QUEUED
    assert decision.decisions["run-2"].run.stage is Stage.PREFLIGHT


def test_the_earliest_instant_of_all_runs_is_the_next_one() -> None:
    later = view(customer(window=SUNDAY_NIGHT), run())
    sooner = view(customer("medhealth", window=TUESDAY_EVENING), run(id="run-2", slug="medhealth"))

    assert decide(FleetView((later, sooner)), NOW).next_at == NOW + timedelta(hours=8)


def test_the_kill_switch_stops_every_run() -> None:
    decision = decide(FleetView((view(customer(), run()),), is_paused=True), NOW)

    found = decision.decisions["run-1"]
    assert (found.run, found.effects) == (run(), ())
    assert found.waiting_on is not None
    assert found.waiting_on.code == "SW403"


def test_a_customers_request_to_go_back_passes_a_shut_window_and_a_missing_approval() -> None:
    part = customer(needs_approval=True, window=SUNDAY_NIGHT)
    asked = replace(view(part, run(stage=Stage.WATCHING)), rollback_reason="customer-request")

    assert decide(FleetView((asked,)), NOW).decisions["run-1"].run.stage is Stage.STOPPING


def test_a_freeze_binds_every_run_but_a_rollback() -> None:
    frozen = StandingFreeze(FreezeKind.FREEZE, "audit", NOW, NOW + timedelta(days=1), actor="ann", at=NOW)
    back = view(customer("medhealth"), run(id="run-2", slug="medhealth", kind=RunKind.ROLLBACK))

    decision = decide(FleetView((view(customer(), run()), back), freezes=[frozen]), NOW)

    waiting = decision.decisions["run-1"].waiting_on
    assert waiting is not None
    assert (waiting.code, waiting.until) == ("SW401", frozen.end)
    assert decision.decisions["run-2"].run.stage is Stage.ROLLING_BACK


def test_a_hold_is_no_matter_of_time_and_stands_though_the_run_is_forced() -> None:
    held = StandingFreeze(
        FreezeKind.HOLD, "acme-corp", NOW, None, actor="ann", at=NOW, customers=("acme-corp",), reason="log-ins fail"
    )

    decision = decide(FleetView((view(customer(), run(force=True)),), freezes=[held]), NOW)

    waiting = decision.decisions["run-1"].waiting_on
    assert waiting is not None
    assert (waiting.what, waiting.person) == ("the end of the hold that ann set (log-ins fail)", "an operator")
    assert decision.next_at is None


def test_the_same_fleet_at_the_same_time_gives_the_same_decision() -> None:
    fleet = FleetView((view(customer(window=SUNDAY_NIGHT, needs_approval=True), run()),), [grant("alice")])

    assert decide(fleet, NOW) == decide(fleet, NOW)
