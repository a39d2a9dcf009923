"""When a rollout's customers are expected to have the version: from the usual to the longest that deploys take."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from securewatch.rollout.eta import CustomerEta, Eta, ReleaseEta, expect_end
from securewatch.rollout.freezes import FreezeKind, StandingFreeze
from securewatch.rollout.model import Member, MemberState, PhasePlan, ReleasePlan
from securewatch.rollout.usual import usual_duration
from securewatch.rollout.view import RolloutView
from tests.unit.rollout.release import DAY_ZERO, EVERYBODY, HOUR, PLAN, day, decided, members, rollout, verified

BUILD = 180.0
RULES = PLAN.phases[0].rules
USUAL = timedelta(seconds=usual_duration(RULES, BUILD))
LONGEST = timedelta(seconds=usual_duration(RULES, RULES.deploy_timeout_seconds))
DEMO_DONE = verified("demo", DAY_ZERO + HOUR)


def eta(now: datetime, rows: Mapping[str, Member], plan: ReleasePlan = PLAN, **view: object) -> ReleaseEta:
    """What is expected at an instant, with what the decision says that everybody waits for."""
    waiting = decided(now, rows, plan=plan, **view).waiting
    return expect_end(RolloutView(rollout(), plan, rows, **view), waiting, now, build_seconds=BUILD)  # type: ignore[arg-type]


def asked(**states: Member | MemberState) -> dict[str, Member]:
    return {slug: replace(one, asked=True) for slug, one in members(**states).items()}


def of(found: ReleaseEta, slug: str) -> CustomerEta:
    return next(one for one in found.customers if one.slug == slug)


def test_the_range_goes_from_what_deploys_usually_take_to_their_whole_time_out() -> None:
    found = eta(day(0), asked())

    demo = of(found, "demo")
    assert (demo.starts, demo.earliest, demo.latest) == (DAY_ZERO, DAY_ZERO + USUAL, DAY_ZERO + LONGEST)
    assert [one.slug for one in found.customers] == list(EVERYBODY)
    zulu, medhealth = of(found, "zulu"), of(found, "medhealth")
    assert found.earliest == max(zulu.earliest or day(0), medhealth.earliest or day(0))
    assert found.latest is not None
    assert found.earliest is not None
    assert found.earliest < found.latest < day(52)
    assert (found.phases or {})["demo"] == Eta(demo.earliest, demo.latest)


def test_a_batch_waits_for_the_delay_after_the_one_before() -> None:
    at = day(2)
    found = eta(at, asked(demo=DEMO_DONE, alfa=verified("alfa", at), bravo=verified("bravo", at)))

    assert of(found, "coco").starts == at + 2 * HOUR
    assert of(found, "coco").earliest == at + 2 * HOUR + USUAL
    assert {"demo", "alfa", "bravo"}.isdisjoint(one.slug for one in found.customers)


def test_who_is_under_way_is_expected_by_its_start_and_never_in_the_past() -> None:
    began = replace(members(demo=MemberState.RUNNING)["demo"], started_at=DAY_ZERO)

    early, late = eta(DAY_ZERO + HOUR / 12, asked(demo=began)), eta(day(1), asked(demo=began))

    assert (of(early, "demo").earliest, of(early, "demo").latest) == (DAY_ZERO + USUAL, DAY_ZERO + LONGEST)
    assert (of(late, "demo").earliest, of(late, "demo").latest) == (day(1), day(1))


def test_a_testing_period_counts_from_the_demo_deploy_that_is_under_way() -> None:
    demo = replace(members(demo=MemberState.RUNNING)["demo"], started_at=DAY_ZERO)
    phases = (PLAN.phases[0], *(_tested(one, days=3) for one in PLAN.phases[1:2]), *PLAN.phases[2:])

    found = eta(DAY_ZERO + timedelta(minutes=1), asked(demo=demo), plan=replace(PLAN, phases=phases))

    assert of(found, "alfa").starts == DAY_ZERO + USUAL + timedelta(days=3)


def test_who_is_held_is_expected_by_nobody_and_the_end_is_open() -> None:
    hold = StandingFreeze(FreezeKind.HOLD, "coco", DAY_ZERO, None, "ann", DAY_ZERO, customers=("coco",))

    found = eta(day(1), asked(demo=DEMO_DONE), freezes=(hold,))

    assert (of(found, "coco").earliest, of(found, "coco").latest) == (None, None)
    assert (found.phases or {})["startup"] == Eta() == Eta(found.earliest, found.latest)
    assert of(found, "alfa").earliest == day(1) + USUAL


def test_who_is_late_is_expected_after_the_days_of_its_phase_too() -> None:
    found = eta(day(30), asked(demo=DEMO_DONE))

    assert of(found, "alfa").starts == day(30)
    assert found.earliest is not None


def test_who_was_not_asked_for_and_who_is_through_is_not_expected() -> None:
    rows = {slug: replace(one, asked=slug == "alfa") for slug, one in members(demo=DEMO_DONE).items()}

    assert [one.slug for one in eta(day(1), rows).customers] == ["alfa"]


def _tested(phase: PhasePlan, *, days: float) -> PhasePlan:
    return replace(phase, members=tuple(replace(one, testing_seconds=days * 86400) for one in phase.members))
