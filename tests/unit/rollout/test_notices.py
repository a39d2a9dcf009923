"""Who is told what, and when: ahead of a deploy, when it is verified, when it was taken back."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from securewatch.deploy.model import DeployRules, Endpoints, GateRules, RunKind, Stage
from securewatch.rollout.model import Budget, Member, MemberPlan, MemberState, PhasePlan, ReleasePlan
from securewatch.rollout.notices import (
    Notice,
    NoticeKind,
    RecipientKind,
    advance_notices,
    confirmation,
    moved_notices,
    rollback,
)
from tests.factories import BACKEND, FRONTEND, NOW, VERSION, at, make_good, make_progress, make_run

START = NOW + timedelta(days=20)
BOTH = set(RecipientKind)


def member(slug: str = "acme-corp", state: MemberState = MemberState.PENDING, **changes: object) -> Member:
    return replace(Member("r1", slug, "enterprise", 1, state, NOW), **changes)  # type: ignore[arg-type]


def plan(*members: MemberPlan) -> ReleasePlan:
    phase = PhasePlan(
        "enterprise", 22, 51, "individual", 0.0, 1, True, True, Budget(), DeployRules(), members or (of("acme-corp"),)
    )
    return ReleasePlan(VERSION, "c" * 40, "phases", (phase,), Endpoints())


def of(slug: str, days: tuple[int, ...] = (14, 7, 3, 0), **changes: object) -> MemberPlan:
    made = MemberPlan(slug, slug.title(), "enterprise", 1, (), GateRules(), notice_days=days)
    return replace(made, **changes)  # type: ignore[arg-type]


def told(now: datetime, *members: Member, start: datetime | None = START) -> list[tuple[str, datetime]]:
    """The events for the customer, with their instants."""
    found = advance_notices(plan(), members or (member(),), slots={"acme-corp": start}, now=now)
    assert {one.recipient for one in found} in (BOTH, set())
    return [(one.event, one.due_at) for one in found if one.recipient is RecipientKind.CUSTOMER]


def event(days: int) -> tuple[str, datetime]:
    return f"advance:{VERSION}:r1:acme-corp:{days}", START - timedelta(days=days)


def test_a_customer_is_told_14_7_and_3_days_ahead() -> None:
    assert told(NOW) == [event(14), event(7), event(3)]


@pytest.mark.parametrize(
    ("days_ahead", "wanted"), [(14, [14, 7, 3]), (10, [14, 7, 3]), (7, [7, 3]), (2, [3]), (0, [3]), (-1, [3])]
)
def test_of_several_late_notices_only_the_most_urgent_is_told(days_ahead: int, wanted: list[int]) -> None:
    assert told(START - timedelta(days=days_ahead)) == [event(days) for days in wanted]


def test_a_customer_without_an_expected_start_is_told_nothing() -> None:
    assert told(NOW, start=None) == []


def test_that_it_is_today_is_told_when_the_deploy_has_begun() -> None:
    running = member(state=MemberState.RUNNING, started_at=START)

    assert told(START, running, start=None) == told(NOW, running) == [event(0)]


@pytest.mark.parametrize("state", [one for one in MemberState if one.is_over])
def test_who_is_through_is_told_nothing_ahead(state: MemberState) -> None:
    assert told(NOW, member(state=state)) == []


def test_who_is_left_out_is_told_nothing_and_who_joined_is_told_by_its_own_plan() -> None:
    members = (member("out"), member("new", joined=of("new", (1,))))
    slots = {"out": START, "new": START}

    found = advance_notices(plan(of("out", left_out="not allowed")), members, slots=slots, now=NOW)

    assert {(one.slug, one.due_at) for one in found} == {("new", START - timedelta(days=1))}


def moved(start: datetime | None, told: tuple[Notice, ...], **changes: object) -> tuple[Notice, ...]:
    """What is told where the customer is expected at `start` after those notices."""
    return moved_notices(plan(), [member(**changes)], told, slots={"acme-corp": start}, now=NOW)  # type: ignore[arg-type]


def ahead(start: datetime = START) -> tuple[Notice, ...]:
    """The first notice, as it was told for that start."""
    return advance_notices(plan(), [member()], slots={"acme-corp": start}, now=NOW)[:2]


def test_a_turn_that_moves_to_another_day_is_told_to_both_with_the_day_it_was_told_for() -> None:
    found = moved(START + timedelta(days=7), ahead())

    assert {one.recipient for one in found} == BOTH
    assert {(one.event, one.kind, one.due_at) for one in found} == {
        (f"moved:{VERSION}:r1:acme-corp:14", NoticeKind.MOVED, NOW)
    }
    assert {one.facts.at for one in found} == {START + timedelta(days=7)}
    assert {one.facts.reason for one in found} == {f"{START:%A}, {START.day} {START:%B %Y}"}


@pytest.mark.parametrize(
    ("start", "told_before", "state"),
    [
        (START, ahead(), MemberState.PENDING),
        (START + timedelta(minutes=5), ahead(), MemberState.PENDING),
        (None, ahead(), MemberState.PENDING),
        (START + timedelta(days=7), (), MemberState.PENDING),
        (START + timedelta(days=7), ahead(), MemberState.RUNNING),
        (START + timedelta(days=9), (*ahead(), *moved(START + timedelta(days=7), ahead())), MemberState.PENDING),
        (START + timedelta(days=7), (*ahead(), *ahead(START + timedelta(days=7))), MemberState.PENDING),
    ],
)
def test_who_was_told_nothing_wrong_or_was_told_of_the_move_hears_nothing(
    start: datetime | None, told_before: tuple[Notice, ...], state: MemberState
) -> None:
    assert moved(start, told_before, state=state) == ()


def test_a_verified_deploy_is_told_to_both_with_the_version_before() -> None:
    run = make_run(stage=Stage.WATCHING, verified_at=at(5))

    found = confirmation(run)

    assert [(one.event, one.recipient) for one in found] == [(f"live:{run.id}", one) for one in RecipientKind]
    assert all((one.due_at, one.facts.at, one.facts.previous_version) == (at(5), at(5), "v1.0.0") for one in found)


@pytest.mark.parametrize(
    "run",
    [
        make_run(stage=Stage.VERIFYING),
        make_run(stage=Stage.WATCHING, verified_at=at(5), kind=RunKind.ENV),
        make_run(stage=Stage.DONE, verified_at=at(5), finished_at=at(9)),
    ],
)
def test_nothing_else_is_told_as_live(run: object) -> None:
    assert confirmation(run) == ()  # type: ignore[arg-type]


def test_a_version_that_was_taken_back_is_told_to_both_in_plain_words() -> None:
    run = make_run(stage=Stage.ROLLED_BACK, went_live=True, finished_at=at(9), trigger="error_rate", detail="5 of 9")

    found = rollback(run, run.version)

    assert {(one.event, one.recipient) for one in found} == {(f"back:{run.id}", one) for one in RecipientKind}
    assert {one.facts.reason for one in found} == {"too many requests failed"}


def test_a_held_customer_is_told_to_the_team_alone_with_the_whole_detail() -> None:
    run = make_run(stage=Stage.HELD, went_live=True, finished_at=at(9), detail="srv-1: autodeploy is on")

    (found,) = rollback(run, run.version)

    assert found == replace(found, kind=NoticeKind.HELD, recipient=RecipientKind.TEAM, event=f"held:{run.id}")
    assert found.facts.reason == "srv-1: autodeploy is on"


def test_a_rollback_that_is_a_run_of_its_own_names_the_version_that_it_took_back() -> None:
    progress = (make_progress(BACKEND, back_deploy_id="dep-1"), make_progress(FRONTEND))
    good = (make_good(BACKEND, version=None), make_good(FRONTEND))
    run = make_run(kind=RunKind.ROLLBACK, version="", stage=Stage.ROLLED_BACK, finished_at=at(9), progress=progress)

    found: tuple[Notice, ...] = rollback(replace(run, good=good), "v1.1.0")

    assert {(one.version, one.facts.previous_version) for one in found} == {("v1.1.0", "v1.0.0")}


@pytest.mark.parametrize("stage", [Stage.ROLLED_BACK, Stage.HELD, Stage.FAILED])
def test_what_never_went_live_is_not_told_as_taken_back(stage: Stage) -> None:
    assert rollback(make_run(stage=stage, finished_at=at(9)), VERSION) == ()
