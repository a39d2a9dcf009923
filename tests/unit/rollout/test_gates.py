"""Gates: what binds which customer, who may approve, and what `--force` opens."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from securewatch.deploy.model import FreezeSpec, GateRules, Run, Stage, WindowSpec
from securewatch.deploy.view import Gate
from securewatch.rollout.gates import Grant, gates_of, objection_to, valid_grants, window_of, window_words
from tests.unit.rollout.given import HASH, NOW, SUNDAY_NIGHT, TUESDAY_NOON, customer, grant, run

AUDIT = FreezeSpec("audit", NOW - timedelta(hours=1), NOW + timedelta(days=2))
CHRISTMAS = FreezeSpec("christmas", datetime(2026, 12, 23, tzinfo=UTC), datetime(2026, 12, 27, tzinfo=UTC))


def gate(name: str, grants: Sequence[Grant] = (), *, of: Run | None = None, now: datetime = NOW, **rules: Any) -> Gate:
    """One gate of a customer with these rules."""
    found = {one.name: one for one in gates_of(customer(**rules).gates, of or run(), grants, now)}
    return found[name]


def names(**rules: Any) -> list[str]:
    return [one.name for one in gates_of(customer(**rules).gates, run(), (), NOW)]


# --- which gates bind -------------------------------------------------------------------------------------------------


def test_a_customer_without_rules_has_no_gate() -> None:
    assert names() == []


def test_each_rule_brings_its_gate() -> None:
    assert names(freezes=(CHRISTMAS,)) == ["freeze"]
    assert names(window=SUNDAY_NIGHT) == ["window"]
    assert names(needs_approval=True) == ["approval"]
    assert names(window=SUNDAY_NIGHT, needs_approval=True) == ["window", "approval"]


def test_force_opens_every_gate() -> None:
    part = customer(window=SUNDAY_NIGHT, needs_approval=True, approvals_needed=2, freezes=(AUDIT,))

    found = gates_of(part.gates, run(force=True), (), NOW)

    assert [(one.name, one.is_open) for one in found] == [("freeze", True), ("window", True), ("approval", True)]


# --- freezes ----------------------------------------------------------------------------------------------------------


def test_a_freeze_that_holds_is_shut_until_its_end() -> None:
    shut = gate("freeze", freezes=(CHRISTMAS, AUDIT))

    assert (shut.is_open, shut.code, shut.until, shut.person) == (False, "SW401", AUDIT.end, "")
    assert "'audit'" in shut.reason


@pytest.mark.parametrize("now", [AUDIT.start - timedelta(seconds=1), AUDIT.end])
def test_before_its_start_and_from_its_end_on_a_freeze_is_open(now: datetime) -> None:
    assert gate("freeze", freezes=(AUDIT,), now=now).is_open


def test_of_two_freezes_at_once_the_one_that_ends_last_is_named() -> None:
    longer = FreezeSpec("move", NOW, AUDIT.end + timedelta(days=1))

    shut = gate("freeze", freezes=(longer, AUDIT))

    assert shut.until == longer.end
    assert "'move'" in shut.reason


# --- windows ----------------------------------------------------------------------------------------------------------


def test_a_shut_window_says_when_it_opens() -> None:
    shut = gate("window", window=SUNDAY_NIGHT)

    assert (shut.is_open, shut.code, shut.person) == (False, "SW401", "")
    assert shut.until == datetime(2026, 11, 29, 2, tzinfo=UTC)


def test_an_open_window_lets_through() -> None:
    assert gate("window", window=TUESDAY_NOON).is_open


def test_a_window_without_limits_is_open() -> None:
    assert gate("window", window=WindowSpec("any", None, None, "customer_preference")).is_open


@pytest.mark.parametrize(
    "spec",
    [
        WindowSpec("sunday", "02:00", "04:00", "Mars/Olympus"),
        WindowSpec("sunday", "02:00", None, "UTC"),
        WindowSpec("noday", None, None, "UTC"),
    ],
)
def test_a_window_that_cannot_be_read_is_shut_and_calls_a_person(spec: WindowSpec) -> None:
    shut = gate("window", window=spec)

    assert (shut.is_open, shut.code, shut.until) == (False, "SW401", None)
    assert shut.person
    assert "cannot be read" in shut.reason


def test_the_window_of_a_plan_keeps_its_hours_and_zone() -> None:
    window = window_of(WindowSpec("friday", "22:00", "02:30", "Asia/Tokyo"))

    assert (window.days, str(window.start), str(window.end)) == (frozenset({4}), "22:00:00", "02:30:00")
    assert window.timezone == "Asia/Tokyo"


# --- approvals --------------------------------------------------------------------------------------------------------


def test_an_approval_by_another_person_opens_the_gate() -> None:
    assert gate("approval", [grant("alice")], needs_approval=True).is_open
    assert valid_grants(customer(needs_approval=True).gates, run(), [grant("alice")], NOW) == (grant("alice"),)


def test_without_an_answer_the_gate_waits_for_a_person() -> None:
    shut = gate("approval", needs_approval=True)

    assert (shut.is_open, shut.code, shut.until) == (False, "SW402", None)
    assert (shut.reason, shut.person) == ("an approval by anyone but bob", "anyone but bob")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(grant("bob"), id="own"),
        pytest.param(grant(expires_at=NOW), id="expired"),
        pytest.param(grant(plan_hash="51d0"), id="another plan"),
        pytest.param(grant(slug="medhealth"), id="another customer"),
        pytest.param(grant(granted=False), id="rejected"),
        pytest.param(grant(used_by="run-0"), id="used"),
    ],
)
def test_an_answer_that_does_not_count_leaves_the_gate_shut(answer: Grant) -> None:
    assert not gate("approval", [answer], needs_approval=True).is_open


def test_an_approval_counts_until_just_before_it_expires() -> None:
    answer = grant(expires_at=NOW + timedelta(microseconds=1))

    assert gate("approval", [answer], needs_approval=True).is_open


def test_only_a_configured_approver_may_approve() -> None:
    rules: dict[str, Any] = {"needs_approval": True, "approvers": ("carol", "dave")}

    assert not gate("approval", [grant("alice")], **rules).is_open
    assert gate("approval", [grant("dave")], **rules).is_open
    assert gate("approval", **rules).person == "carol or dave"


def test_a_configured_approver_may_not_approve_what_they_asked_for() -> None:
    rules: dict[str, Any] = {"needs_approval": True, "approvers": ("bob", "carol")}

    shut = gate("approval", [grant("bob")], **rules)

    assert (shut.is_open, shut.person) == (False, "carol")


def test_a_requester_who_is_the_only_approver_is_told_that_nobody_else_is_configured() -> None:
    shut = gate("approval", [grant("bob")], needs_approval=True, approvers=("bob",))

    assert not shut.is_open
    assert shut.person == "an approver other than bob, and none is configured"


def test_a_rejection_revokes_the_approval_before_it_and_is_named() -> None:
    shut = gate("approval", [grant("alice"), grant("carol", granted=False)], needs_approval=True)

    assert not shut.is_open
    assert "carol rejected it" in shut.reason


def test_a_requester_may_withdraw() -> None:
    assert not gate("approval", [grant("alice"), grant("bob", granted=False)], needs_approval=True).is_open


def test_an_approval_after_a_rejection_counts() -> None:
    assert gate("approval", [grant("carol", granted=False), grant("alice")], needs_approval=True).is_open


@pytest.mark.parametrize(
    "later", [grant("bob"), grant("mallory"), grant("carol", expires_at=NOW), grant("carol", used_by="run-0")]
)
def test_a_later_approval_that_does_not_count_takes_nothing_from_one_that_does(later: Grant) -> None:
    rules: dict[str, Any] = {"needs_approval": True, "approvers": ("alice", "carol")}

    assert gate("approval", [grant("alice"), later], **rules).is_open


def test_a_rejection_for_another_customer_or_plan_is_not_spoken_of() -> None:
    others = [grant(slug="medhealth", granted=False), grant(plan_hash="51d0", granted=False)]

    shut = gate("approval", others, needs_approval=True)

    assert "rejected" not in shut.reason
    assert gate("approval", [grant("alice"), *others], needs_approval=True).is_open


def test_an_approval_of_this_run_goes_on_counting() -> None:
    used = grant("alice", used_by="run-1")

    assert gate("approval", [used], needs_approval=True).is_open


@pytest.mark.parametrize(("stage", "is_open"), [(Stage.SETTING_ENV, True), (Stage.QUEUED, False)])
def test_a_used_approval_does_not_expire_unless_the_run_waits_again(stage: Stage, is_open: bool) -> None:
    expired = grant("alice", used_by="run-1", expires_at=NOW)
    under_way = run(stage=stage, approved_by=("alice",))

    assert gate("approval", [expired], of=under_way, needs_approval=True).is_open is is_open


@pytest.mark.parametrize("stage", [Stage.QUEUED, Stage.PREFLIGHT, Stage.SETTING_ENV])
def test_a_rejection_reaches_a_run_that_went_ahead(stage: Stage) -> None:
    answers = [grant("alice", used_by="run-1"), grant("carol", granted=False)]

    assert not gate("approval", answers, of=run(stage=stage, approved_by=("alice",)), needs_approval=True).is_open


def test_two_approvals_need_two_people() -> None:
    rules: dict[str, Any] = {"needs_approval": True, "approvals_needed": 2}

    once = gate("approval", [grant("alice")], **rules)
    twice = gate("approval", [grant("alice"), grant("alice")], **rules)

    assert (once.is_open, once.reason) == (False, "1 of 2 approvals by anyone but bob and alice")
    assert twice == once
    assert gate("approval", [grant("alice"), grant("carol")], **rules).is_open


def test_of_two_approvals_needed_the_missing_approver_is_named() -> None:
    rules: dict[str, Any] = {"needs_approval": True, "approvals_needed": 2, "approvers": ("alice", "bob", "carol")}

    assert gate("approval", **rules).reason == "2 of 2 approvals by alice or carol"
    assert gate("approval", [grant("carol")], **rules).person == "alice"


def test_one_of_two_approvals_that_does_not_count_leaves_the_gate_shut() -> None:
    rules: dict[str, Any] = {"needs_approval": True, "approvals_needed": 2}

    for second in (grant("bob"), grant("carol", expires_at=NOW), grant("carol", used_by="run-0")):
        assert not gate("approval", [grant("alice"), second], **rules).is_open


def test_of_each_person_the_newest_approval_counts() -> None:
    older, newer = grant("alice"), grant("alice", expires_at=NOW + timedelta(days=3))

    found = valid_grants(customer(needs_approval=True).gates, run(), [older, grant("carol"), newer], NOW)

    assert found == (newer, grant("carol"))


@pytest.mark.parametrize(
    ("actor", "approvers", "objection"),
    [
        ("alice", (), ""),
        ("alice", ("alice",), ""),
        ("bob", (), "own request"),
        ("bob", ("bob", "alice"), "own request"),
        ("mallory", ("alice", "carol"), "not among the approvers (alice, carol)"),
    ],
)
def test_who_may_approve(actor: str, approvers: tuple[str, ...], objection: str) -> None:
    found = objection_to(actor, GateRules(needs_approval=True, approvers=approvers), requested_by="bob")

    assert objection in found
    assert bool(found) is bool(objection)


def test_the_hash_of_the_runs_own_plan_is_what_an_approval_binds_to() -> None:
    replanned = run(plan_hash="51d0")

    assert valid_grants(customer(needs_approval=True).gates, replanned, [grant()], NOW) == ()
    assert valid_grants(customer(needs_approval=True).gates, run(plan_hash=HASH), [grant()], NOW) == (grant(),)


def test_windows_in_words() -> None:
    assert window_words(WindowSpec("sunday", "02:00", "06:00", "Asia/Tokyo")) == "Sunday 02:00-06:00 Asia/Tokyo"
    assert window_words(WindowSpec("any", None, None, "UTC")) == "any day at any time UTC"
