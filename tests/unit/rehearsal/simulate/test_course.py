"""Courses of a rehearsal: the same seed gives the same, everybody is served in order, and a broken engine is seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rehearsal.simulate import course, fate, simulate
from rehearsal.simulate.checks import in_window
from rehearsal.simulate.fate import Fate, Trouble
from securewatch.config.load import load_fleet
from securewatch.core.errors import InternalError, UsageError
from securewatch.deploy.model import ServiceKind, WindowSpec
from securewatch.operations.release import simulate as simulate_verb
from securewatch.operations.release.simulate import CourseOutcome, Setting, Wish, enlarged, refuse_broken
from securewatch.rollout import conduct
from securewatch.rollout.gates import window_of
from securewatch.rollout.model import ReleasePlan
from securewatch.rollout.plan import ReleaseTarget, plan_release
from securewatch.rollout.windows import is_open
from securewatch.versions.version import parse_version

EXAMPLE = load_fleet(Path(__file__).resolve().parents[4] / "config")
DAY_ZERO = datetime(2026, 12, 1, 9, tzinfo=UTC)
TARGET = ReleaseTarget("v1.1.0", "b" * 40, tuple(parse_version(tag) for tag in ("v1.0.0", "v1.1.0")))


def plan_of(count: int = 10, **rules: Any) -> ReleasePlan:
    plan = plan_release(enlarged(EXAMPLE, count), TARGET, {})
    phases = tuple(replace(phase, rules=replace(phase.rules, **rules)) for phase in plan.phases)
    return replace(plan, phases=phases)


def played(plan: ReleasePlan | None = None, **wish: Any) -> CourseOutcome:
    build = dict.fromkeys(ServiceKind, 180.0)
    (found,) = simulate(Setting(plan or plan_of(), DAY_ZERO, Wish("v1.1.0", **wish), build))
    return found


def one_fate(monkeypatch: pytest.MonkeyPatch, slug: str, trouble: Trouble, **more: Any) -> None:
    """Only that customer is met by the trouble."""

    def draw(seed: int, other: str, rate: float) -> Fate:
        found = replace(fate.draw(seed, other, rate), trouble=Trouble.NONE, **more)
        return replace(found, trouble=trouble) if other == slug else found

    monkeypatch.setattr(course, "draw", draw)


def test_everybody_is_served_phase_by_phase_and_no_invariant_is_broken() -> None:
    found = played()

    assert found.state == "done"
    assert found.violations == ()
    assert [phase.deploys for phase in found.phases] == [2 * phase.customers for phase in found.phases]
    ends = [phase.ended_at for phase in found.phases]
    assert None not in ends
    assert ends == sorted(end for end in ends if end is not None)
    assert found.approvals == found.phases[-1].customers


def test_the_same_seed_gives_the_same_course_and_another_seed_another() -> None:
    assert played(seed=7, failure_rate=0.2) == played(seed=7, failure_rate=0.2)
    assert played(seed=7).journal != played(seed=8).journal


def test_every_single_probe_leads_to_the_same_ends_as_those_that_decide_something() -> None:
    plan = plan_of(5, monitoring_seconds=7200.0)

    few, every = played(plan), played(plan, probes="full")

    assert every.violations == ()
    assert every.changes == few.changes
    for one, other in zip(few.phases, every.phases, strict=True):
        assert one.ended_at is not None
        assert other.ended_at is not None
        assert abs(one.ended_at - other.ended_at) < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("trouble", "rollbacks", "deploys"),
    [(Trouble.BUILD, 0, 1), (Trouble.HANGS, 0, 1), (Trouble.SICK, 1, 1), (Trouble.SICK_LATER, 1, 2)],
)
def test_a_bad_version_halts_its_phase_and_nobody_after_it_gets_it(
    monkeypatch: pytest.MonkeyPatch, trouble: Trouble, rollbacks: int, deploys: int
) -> None:
    one_fate(monkeypatch, "techstart", trouble, stays_sick=False, sick_after=0.1)

    found = played(plan_of(5))

    startup = found.phases[1]
    assert found.state == "halted"
    assert "techstart" in found.detail
    assert (startup.rollbacks, startup.deploys, startup.failed) == (rollbacks, deploys, 1)
    assert sum(phase.deploys for phase in found.phases[2:]) == 0
    assert found.violations == ()


def test_a_customer_whom_going_back_does_not_heal_is_held_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    one_fate(monkeypatch, "demo", Trouble.SICK, stays_sick=True)

    found = played(plan_of(5))

    assert found.held == ("demo",)
    assert found.exposed == 1


@pytest.mark.parametrize(
    ("name", "broken", "invariant"),
    [
        ("gates_of_member", lambda *_: (), "I4"),
        ("_phase_gates", lambda *_: (), "I4"),
        ("_turn", lambda *_: None, "I5"),
    ],
)
def test_a_broken_engine_is_seen(monkeypatch: pytest.MonkeyPatch, name: str, broken: Any, invariant: str) -> None:
    monkeypatch.setattr(conduct, name, broken)

    found = played(plan_of(20))

    assert any(text.startswith(invariant) for text in found.violations), found.violations
    with pytest.raises(InternalError, match="broke"):
        refuse_broken([found])


@pytest.mark.parametrize("day", ["any", "sunday", "saturday"])
@pytest.mark.parametrize(("start", "end"), [("02:00", "06:00"), ("22:00", "04:00"), (None, None)])
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe"])
def test_the_checks_know_windows_as_the_gates_do(day: str, start: str | None, end: str | None, zone: str) -> None:
    spec = WindowSpec(day, start, end, zone)
    begin = datetime(2026, 3, 20, 0, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    instants = [begin + timedelta(minutes=37 * number) for number in range(700)]

    assert [in_window(spec, at) for at in instants] == [is_open(window_of(spec), at) for at in instants]


def test_an_enlarged_fleet_has_so_many_customers_like_those_of_the_files() -> None:
    fleet = enlarged(EXAMPLE, 12)

    assert len(fleet.customers) == 12
    assert set(EXAMPLE.customers) <= set(fleet.customers)
    assert all(slug == one.slug for slug, one in fleet.customers.items())


def test_unusable_numbers_are_refused_before_anything_is_planned() -> None:
    for wish in (Wish("v1.1.0", failure_rate=1.5), Wish("v1.1.0", runs=0), Wish("v1.1.0", probes="some")):
        with pytest.raises(UsageError, match="cannot be"):
            simulate_verb._check(wish)
