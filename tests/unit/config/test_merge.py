"""The files put together: defaults, gates, our own settings, and what is wrong only beside each other."""

from pathlib import Path

import pytest

from tests.unit.config.given import CUSTOMERS, OWN, RELEASES, RENDER, both, drop, make_fleet, problems_of, put


def test_absent_safety_keys_take_their_defaults_and_say_so(tmp_path: Path) -> None:
    phase = "deployment_phases/standard_rollout"
    fleet = make_fleet(
        tmp_path,
        {
            RENDER: both(
                drop("rollback_procedures"), drop(f"{phase}/batch_configuration"), drop(f"{phase}/rollback_method")
            )
        },
    )

    assert dict(fleet.defaults_used) == {
        "deployment_phases.standard_rollout.rollback_method": "previous_deployment",
        "deployment_phases.standard_rollout.batch_configuration.batch_size": "25%",
        "deployment_phases.standard_rollout.batch_configuration.batch_delay": "6_hours",
        "deployment_phases.standard_rollout.batch_configuration.health_check_delay": "10_minutes",
        "rollback_procedures.automatic_triggers.health_check_failures": "3",
        "rollback_procedures.automatic_triggers.error_rate_threshold": "5%",
        "rollback_procedures.automatic_triggers.response_time_threshold": "5000ms",
    }
    assert (fleet.triggers.consecutive_failures, fleet.triggers.error_rate, fleet.triggers.response_ms) == (
        3,
        0.05,
        5000,
    )


def test_a_phase_that_a_customer_belongs_to_must_be_there(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, {RENDER: drop("deployment_phases/standard_rollout")})

    assert problems["deployment_phases.standard_rollout"].accepted == "the phase of acme-corp"


def test_a_customer_whose_phase_waits_for_windows_needs_one(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, {CUSTOMERS: drop("customers/3/maintenance_window")})

    assert list(problems) == ["customers[3].maintenance_window"]


def test_rules_of_production_bind_every_paying_customer(tmp_path: Path) -> None:
    rules = {"production": {"requires_approval": True, "allowed_time_windows": ["maintenance_window"]}}
    fleet = make_fleet(tmp_path, policies={"deployment_rules": rules})

    acme, demo = fleet.gates_of(fleet.customers["acme-corp"]), fleet.gates_of(fleet.customers["demo"])
    assert (acme.needs_window, acme.needs_approval) == (True, True)
    assert (demo.needs_window, demo.needs_approval) == (False, False)


def test_our_own_settings_are_read(tmp_path: Path) -> None:
    own = {
        "deploy_timeout": "15_minutes",
        "probe": {"dense_interval": "10_seconds", "timeout": "3_seconds"},
        "failure_budget": {"standard_rollout": "10_percent"},
        "approvals": {"enterprise": {"count": 2}},
        "require_reason": ["enterprise"],
        "service_names": {"acme-corp": {"backend": "acme-api"}, "srv-acme-frontend-def456": "acme-web"},
        "p95_may_fail": True,
    }
    fleet = make_fleet(tmp_path, own=own)
    acme = fleet.customers["acme-corp"]

    assert fleet.extra.deploy_timeout.total_seconds() == 900
    assert (fleet.extra.probe.dense_interval.total_seconds(), fleet.extra.probe.timeout_seconds) == (10, 3)
    assert fleet.extra.failure_budget_of("standard").allowed(20) == 2
    assert fleet.extra.approval_of("enterprise").count == 2
    assert fleet.needs_reason(fleet.customers["medhealth"])
    assert not fleet.needs_reason(acme)
    assert [fleet.service_name(acme, kind) for kind in ("backend", "frontend")] == ["acme-api", "acme-web"]
    assert (fleet.extra.p95_may_fail, fleet.warnings) == (True, ())


@pytest.mark.parametrize(
    ("own", "path"),
    [
        ({"deploy_timeout": "0_minutes"}, "deploy_timeout"),
        ({"deploy_timeout": None}, "deploy_timeout"),
        ({"probe": {"verification_samples": 19}}, "probe.verification_samples"),
        ({"release_calendar": "lunar"}, "release_calendar"),
        ({"lanes": {"platinum": 1}}, "lanes.platinum"),
        ({"approvals": {"enterprise": {"count": 0}}}, "approvals.enterprise.count"),
        ({"require_reason": ["enterprize"]}, "require_reason"),
        ({"freezes": [{"name": "x", "start": "2026-12-20", "end": "2026-12-27T00:00:00Z"}]}, "freezes[0].start"),
    ],
)
def test_an_unusable_setting_of_ours_is_refused(tmp_path: Path, own: dict[str, object], path: str) -> None:
    assert list(problems_of(tmp_path, own=own)) == [path]


def test_a_freeze_must_end_after_its_start_and_name_customers_of_the_fleet(tmp_path: Path) -> None:
    freeze = {
        "name": "holidays",
        "start": "2026-12-27T00:00:00+00:00",
        "end": "2026-12-20T00:00:00+00:00",
        "customers": ["acme"],
    }
    problems = problems_of(tmp_path, own={"freezes": [freeze]})

    assert set(problems) == {"freezes[0].end", "freezes[0].customers[0]"}


def test_more_approvals_than_approvers_are_refused(tmp_path: Path) -> None:
    approvers = {RELEASES: put("minor_release_policies/enterprise/approvers", ["ann"])}

    problems = problems_of(tmp_path, approvers, own={"approvals": {"enterprise": {"count": 2}}})

    assert list(problems) == ["approvals.enterprise.count"]


def test_a_service_name_for_nobody_is_warned_of(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, own={"service_names": {"acme.backend": "x"}})

    assert [one.path for one in fleet.warnings] == ["service_names.acme.backend"]
    assert fleet.warnings[0].file == f"config/{OWN}"
