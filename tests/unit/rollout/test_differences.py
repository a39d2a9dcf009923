"""What differs between two plans: values of the plan, of phases and of customers, and who came or left."""

from dataclasses import replace

from securewatch.deploy.model import GateRules
from securewatch.rollout.differences import Difference, diff_plans
from securewatch.rollout.model import Budget, PhasePlan, ReleasePlan
from tests.unit.rollout.release import PLAN, SUNDAY_NIGHT, part


def with_phase(name: str, **changes: object) -> ReleasePlan:
    def change(one: PhasePlan) -> PhasePlan:
        return replace(one, **changes) if one.name == name else one  # type: ignore[arg-type]  # names are the test's

    return replace(PLAN, phases=tuple(change(one) for one in PLAN.phases))


def test_equal_plans_do_not_differ_whatever_their_notes_say() -> None:
    assert diff_plans(PLAN, replace(PLAN, notes=("other",), hash="other")) == ()


def test_a_value_of_the_whole_plan() -> None:
    assert diff_plans(PLAN, replace(PLAN, version="v1.2.0")) == (Difference("", "", "version", "v1.1.0", "v1.2.0"),)


def test_a_value_of_a_phase_and_of_what_is_in_it() -> None:
    found = diff_plans(PLAN, with_phase("standard", batch_delay_seconds=7200.0, budget=Budget(count=2)))

    assert found == (
        Difference("standard", "", "batch_delay_seconds", "0", "7200"),
        Difference("standard", "", "budget.count", "0", "2"),
        Difference("standard", "", "budget.share", "0.5", "0"),
    )


def test_a_value_of_a_customer() -> None:
    members = (part("demo", policy="demo", gates=GateRules(window=SUNDAY_NIGHT), notice_days=(7, 0)),)

    found = diff_plans(PLAN, with_phase("demo", members=members))

    assert {one.name: (one.before, one.after) for one in found} == {
        "gates.window": ("-", "sunday 02:00 06:00 UTC"),
        "notice_days": ("-", "7, 0"),
    }
    assert {one.slug for one in found} == {"demo"}


def test_a_customer_who_came_and_one_who_left() -> None:
    found = diff_plans(PLAN, with_phase("demo", members=(part("newco", policy="demo"),)))

    assert found == (
        Difference("demo", "demo", "", "in the plan", "-"),
        Difference("demo", "newco", "", "-", "in the plan"),
    )


def test_a_phase_that_one_plan_has_not() -> None:
    shorter = replace(PLAN, phases=PLAN.phases[:3])

    found = diff_plans(shorter, PLAN)

    assert {one.phase for one in found} == {"enterprise"}
    assert Difference("enterprise", "", "first_day", "-", "22") in found
    assert Difference("enterprise", "medhealth", "", "-", "in the plan") in found
