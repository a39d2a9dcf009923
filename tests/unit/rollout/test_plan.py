"""The plan of a release: batches, gates and rules, who is left out, and a hash over what is done and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from securewatch.config.extras import ApprovalRule, FailureBudget, Freeze, ReleaseCalendar
from securewatch.config.fleet import Fleet
from securewatch.config.load import load_fleet
from securewatch.config.policy import Lifecycle
from securewatch.config.quantity import parse_batch_size
from securewatch.deploy.model import FreezeSpec, WindowSpec
from securewatch.rollout.model import Budget, MemberPlan, ReleasePlan
from securewatch.rollout.plan import ReleaseTarget, hash_of_release, notice_days, plan_release
from securewatch.versions.version import parse_version
from tests.factories import BACKEND, COMMIT, FRONTEND
from tests.unit.config.given import CUSTOMERS, make_fleet, put

EXAMPLE = Path(__file__).resolve().parents[3] / "config"
TAGS = tuple(parse_version(tag) for tag in ("v1.0.0", "v1.0.1", "v1.1.0", "v1.2.0"))


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return load_fleet(EXAMPLE)


def plan(fleet: Fleet, version: str = "v1.1.0", **current: str) -> ReleasePlan:
    runs = {slug.replace("_", "-"): tag for slug, tag in current.items()}
    return plan_release(fleet, ReleaseTarget(version, COMMIT, TAGS), runs)


def member(found: ReleasePlan, slug: str) -> MemberPlan:
    return next(one for phase in found.phases for one in phase.members if one.slug == slug)


def with_extras(fleet: Fleet, **changes: Any) -> Fleet:
    return replace(fleet, extra=replace(fleet.extra, **changes))


def with_policy(fleet: Fleet, word: str, **changes: Any) -> Fleet:
    return replace(fleet, policies={**fleet.policies, word: replace(fleet.policies[word], **changes)})


def with_customers(fleet: Fleet, *slugs: str, like: str) -> Fleet:
    """The fleet with copies of a customer."""
    copies = {slug: replace(fleet.customers[like], slug=slug, name=slug) for slug in slugs}
    return replace(fleet, customers={**fleet.customers, **copies})


# --- phases and batches -----------------------------------------------------------------------------------------------


def test_the_phases_stand_in_their_order_with_the_days_of_the_calendar(fleet: Fleet) -> None:
    found = [(one.name, one.first_day, one.last_day) for one in plan(fleet).phases]

    assert found == [("demo", 0, 0), ("startup", 1, 7), ("standard", 8, 21), ("enterprise", 22, 51)]


def test_a_share_of_the_phase_goes_at_a_time_by_slug(fleet: Fleet) -> None:
    many = with_customers(fleet, *(f"s{place}" for place in range(9)), like="acme-corp")

    phase = plan(many).phase("standard")

    assert [one.slug for one in phase.members] == sorted(one.slug for one in phase.members)
    assert [one.batch for one in phase.members] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    assert (phase.batch_count, phase.batch_size, phase.batch_delay_seconds) == (4, "25 % at a time", 6 * 3600)


def test_individual_customers_are_a_batch_each_in_lanes(fleet: Fleet) -> None:
    phase = plan(with_extras(fleet, lanes={"enterprise": 3, "standard": 3})).phase("enterprise")

    assert [(one.slug, one.batch) for one in phase.members] == [("financefirst", 1), ("medhealth", 2)]
    assert (phase.lanes, phase.batch_size, phase.needs_window, phase.needs_approval) == (3, "one by one", True, True)


def test_lanes_mean_nothing_where_batches_go(fleet: Fleet) -> None:
    assert plan(with_extras(fleet, lanes={"standard": 3})).phase("standard").lanes == 0


def test_a_phase_without_customers_stays_in_the_plan_for_those_who_join(fleet: Fleet) -> None:
    others = {slug: one for slug, one in fleet.customers.items() if one.policy != "startup"}

    phase = plan(replace(fleet, customers=others)).phase("startup")

    assert (phase.members, phase.batch_count) == ((), 0)


def test_the_failure_budget_is_five_percent_in_standard_and_nothing_elsewhere(fleet: Fleet) -> None:
    found = plan(fleet)

    assert {one.name: one.budget for one in found.phases} == {
        "demo": Budget(),
        "startup": Budget(),
        "standard": Budget(share=0.05),
        "enterprise": Budget(),
    }
    assert "default: failure budget demo 0, startup 0, standard 5 % of a batch, enterprise 0" in found.notes


def test_a_budget_that_the_file_gives_is_no_default(fleet: Fleet) -> None:
    found = plan(with_extras(fleet, failure_budget={"standard": FailureBudget(count=2)}))

    assert found.phase("standard").budget == Budget(count=2)
    assert not any("standard 5" in note for note in found.notes)


def test_the_words_of_the_files_say_when_a_phase_is_well_done(fleet: Fleet) -> None:
    words = ("batch_success_rate_90_percent", "success_rate: 97%", "no_rollbacks", "minimal_support_tickets")

    found = plan(replace(fleet, exit_criteria={"standard_rollout": words}))

    phase = found.phase("standard")
    assert (phase.success_rate, phase.allows_rollbacks) == (0.97, False)
    assert "standard: nothing measures minimal_support_tickets: shown only" in found.notes


def test_the_gate_criteria_of_the_lifecycle_count_too(fleet: Fleet) -> None:
    found = plan(fleet)

    assert found.phase("demo").success_rate == 1.0
    assert [one.name for one in found.phases if not one.allows_rollbacks] == ["startup"]
    assert not any("nothing measures" in note for note in found.notes)


# --- the calendar -----------------------------------------------------------------------------------------------------


def test_the_notes_say_which_dates_rule_and_how_far_the_others_lie(fleet: Fleet) -> None:
    found = [note for note in plan(fleet).notes if note.startswith("calendar")]

    assert found == [
        "calendar: the days of the phases rule (release_calendar: phases)",
        "calendar: standard begins on day 8; rollout_delay says day 30, 22 days later",
        "calendar: enterprise begins on day 22; rollout_delay says day 60, 38 days later",
    ]


def test_with_policy_delay_a_phase_begins_on_its_policys_day_and_keeps_its_length(fleet: Fleet) -> None:
    found = plan(with_extras(fleet, release_calendar=ReleaseCalendar.POLICY_DELAY))

    days = [(one.first_day, one.last_day) for one in found.phases]
    assert days == [(0, 0), (1, 7), (30, 43), (60, 89)]
    assert member(found, "acme-corp").earliest_seconds == 30 * 86400
    assert "calendar: standard begins on day 30; the calendar of the phases says day 8, 22 days earlier" in found.notes


def test_with_policy_delay_no_phase_begins_before_the_one_before_it_is_over(fleet: Fleet) -> None:
    early = with_policy(fleet, "standard", rollout_delay=timedelta(days=2))

    found = plan(with_extras(early, release_calendar=ReleaseCalendar.POLICY_DELAY))

    assert found.phase("standard").first_day == 8


def test_under_the_phases_calendar_no_policy_has_an_earliest_day(fleet: Fleet) -> None:
    assert {one.earliest_seconds for phase in plan(fleet).phases for one in phase.members} == {0.0}


def test_the_policys_batch_size_is_said_where_the_phase_has_another(fleet: Fleet) -> None:
    told = with_policy(fleet, "standard", batch_size=parse_batch_size("50_percent_groups"))

    assert (
        "standard: 25 % at a time, as the phase says; its policy's batch_size says 50 % at a time" in plan(told).notes
    )


# --- customers --------------------------------------------------------------------------------------------------------


def test_each_customer_takes_its_gates_services_and_notices_with_it(fleet: Fleet) -> None:
    freeze = Freeze("audit", datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 5, tzinfo=UTC), ("enterprise",))

    one = member(plan(with_extras(fleet, freezes=(freeze,))), "medhealth")

    assert one.services == ((BACKEND, "srv-medhealth-backend-stu901"), (FRONTEND, "srv-medhealth-frontend-vwx234"))
    assert one.gates.window == WindowSpec("sunday", "02:00", "06:00", "America/New_York")
    assert one.gates.freezes == (FreezeSpec("audit", freeze.start, freeze.end),)
    assert (one.notice_days, one.needs_notice) == ((14, 7, 3, 0), True)


def test_an_approval_holds_to_the_end_of_its_phase_where_no_file_says_otherwise(fleet: Fleet) -> None:
    given = with_extras(fleet, approvals={"enterprise": ApprovalRule(2, timedelta(days=3))})

    assert member(plan(fleet), "medhealth").gates.approval_expires_seconds == 0
    assert member(plan(given), "medhealth").gates.approval_expires_seconds == 3 * 86400
    assert member(plan(given), "medhealth").gates.approvals_needed == 2


def test_the_testing_period_binds_all_but_demo(fleet: Fleet) -> None:
    tested = fleet
    for word in ("demo", "standard"):
        tested = with_policy(tested, word, minimum_testing_period=timedelta(days=3))

    found = plan(tested)

    assert member(found, "acme-corp").testing_seconds == 3 * 86400
    assert member(found, "demo").testing_seconds == 0


@pytest.mark.parametrize(
    ("advance", "expected"),
    [(None, ()), (0, (0,)), (1, (1, 0)), (1.5, (2, 0)), (3, (3, 0)), (7, (7, 3, 0)), (14, (14, 7, 3, 0))],
)
def test_reminders_follow_the_first_notice(advance: float | None, expected: tuple[int, ...]) -> None:
    assert notice_days(None if advance is None else timedelta(days=advance)) == expected


def test_only_the_names_of_the_release_keys_are_planned(fleet: Fleet) -> None:
    assert plan(fleet).env_keys == ((BACKEND, ("VERSION_TAG",)), (FRONTEND, ("VITE_VERSION_TAG",)))


# --- who is left out --------------------------------------------------------------------------------------------------


def test_a_held_customer_is_left_out_with_the_reason_of_the_files(tmp_path: Path) -> None:
    held = make_fleet(tmp_path, {CUSTOMERS: put("customers/2/render_services/backend", "srv-other")})

    one = member(plan(held), "acme-corp")

    assert one.left_out.startswith("held: configuration: config/customers.json: customers[2].render_services.backend")
    assert (one.code, one.batch) == ("SW105", 0)


def test_who_is_left_out_takes_no_place_in_a_batch(fleet: Fleet) -> None:
    many = with_customers(fleet, "a", "b", "c", "d", like="acme-corp")

    found = plan(many, a="v1.2.0").phase("standard")

    assert [(one.slug, one.batch) for one in found.members] == [
        ("a", 0),
        ("acme-corp", 1),
        ("b", 2),
        ("c", 3),
        ("d", 4),
    ]
    assert [one.slug for one in found.due] == ["acme-corp", "b", "c", "d"]


def test_a_downgrade_is_left_out(fleet: Fleet) -> None:
    one = member(plan(fleet, acme_corp="v1.2.0"), "acme-corp")

    assert (one.left_out, one.code) == ("the customer runs v1.2.0, which is newer than v1.1.0", "SW406")


def test_a_deprecated_version_comes_to_nobody(fleet: Fleet) -> None:
    versions = replace(fleet.versions, lifecycle={"v1.1.0": Lifecycle(status="deprecated")})

    found = plan(replace(fleet, versions=versions))

    assert {one.code for phase in found.phases for one in phase.members} == {"SW405"}
    assert not any(phase.due for phase in found.phases)


def test_a_version_that_a_policy_does_not_support_is_left_out_for_its_customers_alone(fleet: Fleet) -> None:
    found = plan(with_policy(fleet, "enterprise", supported_versions=("v1.0.x",)))

    assert [one.slug for phase in found.phases for one in phase.members if one.left_out] == [
        "financefirst",
        "medhealth",
    ]


def test_a_candidate_comes_to_those_alone_who_take_the_main_branch(fleet: Fleet) -> None:
    found = plan(fleet, "v1.2.0-rc.1")

    assert [one.slug for phase in found.phases for one in phase.due] == ["demo"]


def test_a_step_that_the_files_do_not_allow_is_left_out(fleet: Fleet) -> None:
    strict = replace(fleet, version_compatibility={"v1.2.0": {"compatible_with": ["v1.1.x"]}})

    found = plan(strict, "v1.2.0", acme_corp="v1.0.0", techstart="v1.1.0")

    one = member(found, "acme-corp")
    assert (one.left_out, one.code) == ("v1.2.0 may follow v1.1.x only, and the customer runs v1.0.0", "SW405")
    assert member(found, "techstart").left_out == ""


def test_a_step_past_a_minor_version_is_said_where_no_file_forbids_it(fleet: Fleet) -> None:
    assert "acme-corp: from v1.0.0 to v1.2.0, past v1.1.0" in plan(fleet, "v1.2.0", acme_corp="v1.0.0").notes


def test_who_has_the_version_stays_in_its_batch_and_is_noted(fleet: Fleet) -> None:
    found = plan(fleet, demo="v1.1.0", acme_corp="v1.1.0")

    assert member(found, "demo").batch == 1
    assert "demo, acme-corp have v1.1.0 already and are skipped" in found.notes


# --- the hash ---------------------------------------------------------------------------------------------------------


def test_the_same_input_makes_the_same_plan(fleet: Fleet) -> None:
    assert plan(fleet, demo="v1.0.0") == plan(fleet, demo="v1.0.0")


def test_the_order_of_the_files_does_not_matter(fleet: Fleet) -> None:
    turned = replace(
        fleet,
        customers=dict(reversed(fleet.customers.items())),
        templates=replace(fleet.templates, backend=dict(reversed(fleet.templates.backend.items()))),
    )

    assert plan(turned) == plan(fleet)


def test_the_hash_covers_everything_but_the_notes(fleet: Fleet) -> None:
    found = plan(fleet)

    assert hash_of_release(replace(found, notes=("other",), hash="")) == found.hash
    assert hash_of_release(replace(found, commit="d" * 40)) != found.hash
    assert plan(fleet, demo="v1.1.0").hash == found.hash
    assert plan(with_policy(fleet, "standard", approvers=("dana",))).hash != found.hash


def test_a_customer_named_in_no_file_is_in_no_plan(fleet: Fleet) -> None:
    found = plan(fleet, gone="v1.0.0")
    every = [one.slug for phase in found.phases for one in phase.members]

    assert sorted(every) == sorted(fleet.customers)
