"""Customers merged from both files: who is held and why, what is only warned of, and what is never shown."""

from datetime import time
from pathlib import Path

import pytest

from securewatch.config.fleet import Fleet
from tests.unit.config.given import CUSTOMERS, RENDER, Change, both, drop, make_fleet, problems_of, put

MAPPING = "customer_environment_mapping"
URL = "postgres://acme:hunter2-canary@db.example/acme"


def held(fleet: Fleet) -> dict[str, str]:
    """The codes for which customers are held, by slug."""
    return {
        slug: " ".join(sorted({text[:5] for text in one.held})) for slug, one in fleet.customers.items() if one.held
    }


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (CUSTOMERS, put("customers/2/render_services/backend", "srv-other")),
        (CUSTOMERS, put("customers/2/render_services/frontend", "srv-other")),
        (CUSTOMERS, put("customers/2/deployment_policy", "startup")),
        (CUSTOMERS, drop("customers/2")),
        (RENDER, drop(f"{MAPPING}/acme-corp")),
    ],
)
def test_a_customer_whose_files_disagree_is_held_and_the_others_go_on(
    tmp_path: Path, name: str, change: Change
) -> None:
    fleet = make_fleet(tmp_path, {name: change})

    assert held(fleet) == {"acme-corp": "SW105"}
    assert len(fleet.customers) == 5


def test_a_disagreement_names_both_files_and_both_values(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, {CUSTOMERS: put("customers/2/render_services/backend", "srv-other")})

    (problem,) = fleet.problems
    assert (problem.slug, problem.code) == ("acme-corp", "SW105")
    assert (problem.file, problem.path) == ("config/customers.json", "customers[2].render_services.backend")
    assert problem.found == '"srv-other"'
    assert "config/render-deployment.json" in problem.accepted
    assert "srv-acme-backend-abc123" in problem.accepted


def test_one_file_alone_may_name_the_services_and_the_policy(tmp_path: Path) -> None:
    fleet = make_fleet(
        tmp_path,
        {
            RENDER: drop(f"{MAPPING}/acme-corp/deployment_policy"),
            CUSTOMERS: both(drop("customers/2/render_services"), drop("customers/4/deployment_policy")),
        },
    )

    assert held(fleet) == {}
    assert [fleet.customers[slug].policy for slug in ("acme-corp", "financefirst")] == ["standard", "enterprise"]


def test_a_customer_without_a_policy_is_refused(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        {
            RENDER: drop(f"{MAPPING}/acme-corp/deployment_policy"),
            CUSTOMERS: drop("customers/2/deployment_policy"),
        },
    )

    assert list(problems) == ["customers[2].deployment_policy"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("backend_service_id", "srv-demo-backend-mno345"),
        ("backend_service_id", "srv-demo-frontend-pqr678"),
        ("database_id", "dpg-demo0000000000000000-a"),
        ("custom_domain", "DEMO.securewatch.app."),
    ],
)
def test_two_customers_that_share_something_are_both_held(tmp_path: Path, key: str, value: str) -> None:
    fleet = make_fleet(
        tmp_path,
        {
            RENDER: put(f"{MAPPING}/acme-corp/{key}", value),
            CUSTOMERS: drop("customers/2/render_services"),
        },
    )

    assert held(fleet) == {"demo": "SW104", "acme-corp": "SW104"}


def test_two_customers_that_share_a_database_url_are_held_and_it_is_not_shown(tmp_path: Path) -> None:
    fleet = make_fleet(
        tmp_path,
        {RENDER: both(*(put(f"{MAPPING}/{slug}/database_url", URL) for slug in ("acme-corp", "demo")))},
    )

    assert held(fleet) == {"demo": "SW104", "acme-corp": "SW104"}
    assert "hunter2-canary" not in f"{fleet!r}{fleet.problems}{[str(one) for one in fleet.warnings]}"


def test_the_same_placeholder_for_all_is_no_shared_database(tmp_path: Path) -> None:
    url = "${CUSTOMER_DATABASE_URL}"
    fleet = make_fleet(
        tmp_path, {RENDER: both(*(put(f"{MAPPING}/{slug}/database_url", url) for slug in ("acme-corp", "demo")))}
    )

    assert held(fleet) == {}


def test_one_service_for_both_kinds_is_held(tmp_path: Path) -> None:
    change = put(f"{MAPPING}/acme-corp/frontend_service_id", "srv-acme-backend-abc123")
    fleet = make_fleet(tmp_path, {RENDER: change, CUSTOMERS: drop("customers/2/render_services")})

    assert held(fleet) == {"acme-corp": "SW104"}


def test_a_slug_given_twice_is_refused(tmp_path: Path) -> None:
    assert list(problems_of(tmp_path, {CUSTOMERS: put("customers/3/slug", "acme-corp")})) == ["customers[3].slug"]


def test_slugs_that_would_share_their_secrets_are_refused(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, {CUSTOMERS: put("customers/3/slug", "ACME_corp")})

    assert list(problems) == ["slug ACME_corp"]


def test_database_url_and_domain_of_the_mapping_win_with_a_warning(tmp_path: Path) -> None:
    fleet = make_fleet(
        tmp_path,
        {
            CUSTOMERS: both(
                put("customers/2/database_url", "${OTHER}"), put("customers/2/custom_domain", "other.securewatch.app")
            )
        },
    )

    acme = fleet.customers["acme-corp"]
    assert acme.database_url is not None
    assert (acme.database_url.get_secret_value(), acme.custom_domain) == (
        "${ACME_CORP_DATABASE_URL}",
        "acme.securewatch.app",
    )
    assert [one.path for one in fleet.warnings] == ["customers[2].database_url", "customers[2].custom_domain"]
    assert held(fleet) == {}


def test_secrets_in_the_files_are_warned_of_and_never_shown(tmp_path: Path) -> None:
    fleet = make_fleet(
        tmp_path,
        {
            RENDER: both(
                put(f"{MAPPING}/acme-corp/database_url", URL),
                put("environment_variable_templates/backend_env_vars/JWT_SECRET", "hunter2-canary"),
            ),
            CUSTOMERS: both(
                put("customers/2/database_url", URL), put("customers/2/render", {"api_key": "rnd_hunter2-canary"})
            ),
        },
    )

    assert {(one.file, one.path) for one in fleet.warnings} == {
        ("config/render-deployment.json", "customer_environment_mapping.acme-corp.database_url"),
        ("config/render-deployment.json", "environment_variable_templates.backend_env_vars.JWT_SECRET"),
        ("config/customers.json", "customers[2].database_url"),
        ("config/customers.json", "customers[2].render.api_key"),
    }
    assert "hunter2-canary" not in f"{fleet!r}{[str(one) for one in fleet.warnings]}"


def test_a_window_that_ends_at_midnight_and_one_of_the_customers_choice(tmp_path: Path) -> None:
    windows = (
        {"day": "Sunday", "time": "22:00-24:00", "timezone": "Europe/Berlin"},
        {"day": "any", "time": "flexible", "timezone": "customer_preference"},
    )
    fleet = make_fleet(
        tmp_path,
        {
            CUSTOMERS: both(
                *(put(f"customers/{3 + index}/maintenance_window", one) for index, one in enumerate(windows))
            )
        },
    )

    first, second = fleet.customers["medhealth"].window, fleet.customers["financefirst"].window
    assert (first.day, first.start, first.end, first.end_text) == ("sunday", time(22), time(0), "24:00")
    assert (second.any_time, second.timezone) == (True, "UTC")


def test_the_main_branch_is_for_demo_customers_only(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, {CUSTOMERS: put("customers/2/deployment_source", "main_branch")})

    assert [one.path for one in fleet.warnings] == ["customers[2].deployment_source"]


@pytest.mark.parametrize(
    ("url", "is_warned_of"),
    [
        ("${ACME_DATABASE_URL}", False),
        ("postgres://acme:${PASSWORD}@db/acme", False),
        ("postgres://acme:hunter2@${HOST}/acme", True),
        ("postgres://db/acme", True),
        ("", False),
    ],
)
def test_a_database_url_that_is_more_than_placeholders_is_warned_of(
    tmp_path: Path, url: str, is_warned_of: bool
) -> None:
    fleet = make_fleet(
        tmp_path, {RENDER: put(f"{MAPPING}/acme-corp/database_url", url), CUSTOMERS: drop("customers/2/database_url")}
    )

    assert bool(fleet.warnings) is is_warned_of


def test_a_held_customer_without_a_window_does_not_stop_the_others(tmp_path: Path) -> None:
    change = both(put("customers/2/deployment_policy", "enterprise"), drop("customers/2/maintenance_window"))

    assert held(make_fleet(tmp_path, {CUSTOMERS: change})) == {"acme-corp": "SW105"}


def test_an_unknown_key_that_looks_like_a_secret_is_to_be_removed(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, {RENDER: put("render_configuration/api_key", "rnd_hunter2")})

    assert "revoke" in fleet.warnings[0].message
    assert "hunter2" not in str(fleet.warnings[0])


def test_a_name_with_control_characters_is_refused(tmp_path: Path) -> None:
    assert list(problems_of(tmp_path, {CUSTOMERS: put("customers/2/name", "acme\x1b[31m")})) == ["customers[2].name"]
