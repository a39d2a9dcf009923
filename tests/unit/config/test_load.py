"""Loading the fleet's files: what a good folder gives, and every way in which one is refused."""

import json
from pathlib import Path

import pytest

from securewatch.config.fleet import DayRange
from securewatch.config.load import FleetReader, find_config_dir, load_fleet
from securewatch.core.errors import ConfigError, NotFound
from tests.unit.config.given import (
    CUSTOMERS,
    EXAMPLE,
    RELEASES,
    RENDER,
    both,
    make_files,
    make_fleet,
    problems_of,
    put,
    refusal_of,
)

TRIGGERS = "rollback_procedures/automatic_triggers"


def test_the_example_loads_without_problems_warnings_or_defaults() -> None:
    fleet = load_fleet(EXAMPLE)

    assert (fleet.problems, fleet.warnings, fleet.defaults_used) == ((), (), ())
    assert [one.policy for one in fleet.customers.values()] == [
        "demo",
        "startup",
        "standard",
        "enterprise",
        "enterprise",
    ]


def test_the_example_keeps_the_calendar_that_the_releases_promise() -> None:
    calendar = load_fleet(EXAMPLE).calendar

    assert calendar == {
        "demo": DayRange(0, 0),
        "startup_early_access": DayRange(1, 7),
        "standard_rollout": DayRange(8, 21),
        "enterprise_rollout": DayRange(22, 51),
    }


def test_acme_is_a_standard_customer_with_no_window_and_no_approval() -> None:
    fleet = load_fleet(EXAMPLE)
    acme = fleet.find_customer("ACME Corporation")

    assert (acme.slug, acme.policy, acme.custom_domain) == ("acme-corp", "standard", "acme.securewatch.app")
    assert (fleet.gates_of(acme).needs_window, fleet.gates_of(acme).needs_approval) == (False, False)
    assert fleet.service_name(acme, "backend") == "securewatch-acme-corp-backend"


def test_enterprise_customers_need_a_window_and_an_approval() -> None:
    fleet = load_fleet(EXAMPLE)
    bank = fleet.find_customer("financefirst")

    assert (fleet.gates_of(bank).needs_window, fleet.gates_of(bank).needs_approval) == (True, True)
    assert str(bank.window) == "saturday 22:00-04:00 Europe/London"
    assert bank.window.day == "saturday"


def test_the_bar_is_read_from_the_success_criteria() -> None:
    bar = load_fleet(EXAMPLE).bar

    assert (bar.response_ms_max, bar.error_rate_max, bar.availability_min) == (2000, 0.01, 0.999)


def test_an_unknown_customer_is_told_the_nearest_names() -> None:
    with pytest.raises(NotFound) as caught:
        load_fleet(EXAMPLE).find_customer("acme-crop")

    assert caught.value.code == "SW202"
    assert "acme-corp" in caught.value.fix


def test_the_folder_is_found_from_a_folder_below(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    (tmp_path / "a/b").mkdir(parents=True)

    assert find_config_dir(tmp_path / "a/b") == config
    assert find_config_dir(config) == config


@pytest.mark.parametrize("explicit", [None, Path("nowhere")])
def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, explicit: Path | None) -> None:
    with pytest.raises(ConfigError) as caught:
        find_config_dir(tmp_path, explicit)

    assert caught.value.code == "SW101"


def test_broken_json_is_told_with_line_and_column(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    (config / CUSTOMERS).write_text('{\n  "customers": [,]\n}')

    error = refusal_of(config)

    assert error.code == "SW103"
    assert (error.problems[0].file, error.problems[0].path) == ("config/customers.json", "line 2, column 17")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b'{"customers": ['])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    config = make_files(tmp_path)
    (config / CUSTOMERS).write_bytes(content)

    assert refusal_of(config).code == "SW103"


def test_a_file_that_is_nested_deeply_is_refused_and_breaks_nothing(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    (config / CUSTOMERS).write_text('{"a":' * 900 + "1" + "}" * 900)

    assert refusal_of(config).problems[0].file == "config/customers.json"


@pytest.mark.parametrize("content", ["[]", "null", '"text"', "3"])
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    config = make_files(tmp_path)
    (config / CUSTOMERS).write_text(content)

    assert refusal_of(config).code == "SW102"


@pytest.mark.parametrize("name", [RENDER, CUSTOMERS, RELEASES])
def test_each_of_the_three_files_must_be_there(tmp_path: Path, name: str) -> None:
    config = make_files(tmp_path)
    (config / name).unlink()

    problem = refusal_of(config).problems[0]

    assert (problem.file, problem.found) == (f"config/{name}", "that it is missing")


def test_a_key_written_twice_is_refused_with_its_path(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    text = (config / RENDER).read_text()
    (config / RENDER).write_text(text.replace('"database_id"', '"custom_domain": "x.app", "database_id"', 1))

    problem = refusal_of(config).problems[0]

    assert problem.path == "customer_environment_mapping.demo.custom_domain"
    assert problem.found == "the same key twice"


def test_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        {
            RENDER: both(
                put(f"{TRIGGERS}/error_rate_threshold", "lots"), put(f"{TRIGGERS}/health_check_failures", "3")
            ),
            CUSTOMERS: both(put("customers/3/slug", 7), put("customers/4/maintenance_window/time", "2am")),
            RELEASES: put("minor_release_lifecycle/phases/1/duration", "36_hours"),
        },
    )

    assert set(problems) == {
        "rollback_procedures.automatic_triggers.error_rate_threshold",
        "rollback_procedures.automatic_triggers.health_check_failures",
        "customers[3].slug",
        "customers[4].maintenance_window.time",
        "minor_release_lifecycle.phases[1].duration",
    }
    assert problems["customers[3].slug"].found == "7"
    assert problems["customers[4].maintenance_window.time"].accepted.startswith("HH:MM-HH:MM")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("deployment_phases/standard_rollout/deployment_method", "manual"),
        ("deployment_phases/standard_rollout/deployment_method", None),
        ("deployment_phases/standard_rollout/monitoring_duration", ""),
        ("deployment_phases/standard_rollout/monitoring_duration", "24"),
        ("deployment_phases/standard_rollout/batch_configuration", []),
        ("deployment_phases/standard_rollout/batch_configuration/batch_size", "0_percent"),
        ("deployment_phases/standard_rollout/batch_configuration/batch_delay", "later"),
        ("rollback_procedures/automatic_triggers/health_check_failures", 0),
        ("rollback_procedures/automatic_triggers/health_check_failures", True),
        ("rollback_procedures/automatic_triggers/response_time_threshold", 5000),
        ("rollback_procedures/notification_channels/slack_webhook", "always"),
        ("health_monitoring/endpoints/backend_health", "api/health"),
        ("health_monitoring/success_criteria/response_time", "< 1%"),
        ("health_monitoring/success_criteria/error_rate", "> 1%"),
        ("health_monitoring/success_criteria/availability", 99.9),
        ("render_configuration/api_endpoint", "https://user:pass@api.render.com/v1"),
        ("customer_environment_mapping/acme-corp/backend_service_id", "srv/../x"),
        ("customer_environment_mapping/acme-corp/database_id", "srv-1"),
        ("customer_environment_mapping/acme-corp/deployment_policy", "platinum"),
    ],
)
def test_an_unusable_value_is_refused_at_its_path(tmp_path: Path, path: str, value: object) -> None:
    problems = problems_of(tmp_path, {RENDER: put(path, value)})

    assert list(problems) == [path.replace("/", ".")]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (f"{TRIGGERS}/error_rate_treshold", "error_rate_threshold"),
        (f"{TRIGGERS}/health_check_failure", "health_check_failures"),
        ("rollback_procedures/automatic_trigers", "automatic_triggers"),
        ("rollback_procedures/notification_channels/slack_webhok", "slack_webhook"),
        ("deployment_phases/demo/batch_configuration/batch_siz", "batch_size"),
    ],
)
def test_a_misspelt_safety_key_is_an_error_that_names_the_right_one(tmp_path: Path, path: str, known: str) -> None:
    problem = problems_of(tmp_path, {RENDER: put(path, "x")})[path.replace("/", ".")]

    assert known in problem.accepted


def test_misspelt_keys_of_the_policies_are_errors(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        {RELEASES: put("minor_release_policies/demo/rollback_policy/windw", "1_day")},
        policies={"deployment_rules": {"production": {"require_backup": True}, "prodction": {}}},
    )

    assert set(problems) == {
        "minor_release_policies.demo.rollback_policy.windw",
        "deployment_rules.production.require_backup",
        "deployment_rules.prodction",
    }


def test_other_unknown_keys_are_kept_and_named_in_a_warning(tmp_path: Path) -> None:
    fleet = make_fleet(
        tmp_path,
        {
            RENDER: both(
                put("rollback_procedures/escalation", "x"), put("deployment_phases/demo/monitoring_duraton", "x")
            ),
            CUSTOMERS: put("customers/1/account_manager", "sk-secret"),
        },
    )

    warnings = {one.path: one.message for one in fleet.warnings}
    assert set(warnings) == {
        "rollback_procedures.escalation",
        "deployment_phases.demo.monitoring_duraton",
        "customers[1].account_manager",
    }
    assert "monitoring_duration" in warnings["deployment_phases.demo.monitoring_duraton"]
    assert "sk-secret" not in str(fleet.warnings)


def test_a_secret_in_a_problem_is_never_shown(tmp_path: Path) -> None:
    canary = "hunter2-canary"
    config = make_files(
        tmp_path,
        {
            RENDER: both(
                put("customer_environment_mapping/demo/database_url", [f"postgres://u:{canary}@db/x"]),
                put("customer_environment_mapping/acme-corp/backend_service_id", f"postgres://u:{canary}@db/x"),
                put("environment_variable_templates/backend_env_vars/JWT_SECRET", {"value": canary}),
                put("render_configuration/api_endpoint", f"https://u:{canary}@host/v1"),
                put("rollback_procedures/automatic_triger", canary),
                put("environment_variable_templates/frontend_env_vars", canary),
            )
        },
    )

    error = refusal_of(config)

    assert len(error.problems) == 6
    assert canary not in f"{error}{error.why}{error.fix}{error.problems}"


def test_what_the_tool_does_not_write_stays_as_it_was(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    before = {path.name: path.read_bytes() for path in config.iterdir()}

    load_fleet(config)

    assert before == {path.name: path.read_bytes() for path in config.iterdir()}


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    text = (config / CUSTOMERS).read_text()
    (config / CUSTOMERS).write_text(text, encoding="utf-8-sig")

    assert json.loads(text)["customers"][0]["slug"] in load_fleet(config).customers


def test_a_reader_reads_anew_only_what_changed(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    reader = FleetReader(config)

    first, again = reader(), reader()
    (config / CUSTOMERS).write_text((config / CUSTOMERS).read_text().replace("ACME Corporation", "ACME Limited"))

    assert first is again
    assert reader().customers["acme-corp"].name == "ACME Limited"
