"""The checks on one service: who it must be, what stops a deploy whatever is forced, and what is only warned of."""

from dataclasses import replace
from typing import Any

import pytest

from securewatch.deploy.facts import Expected, Finding, ServiceFacts, check_service, hard
from tests.factories import BACKEND, FRONTEND

NAME = "securewatch-acme-corp-backend"
SOUND = ServiceFacts(
    kind=BACKEND,
    service_id="srv-1",
    name=NAME,
    type="web_service",
    owner_id="tea-1",
    url="http://backend.test",
    is_suspended=False,
    autodeploy_is_off=True,
    health_check_path="/api/health",
    has_disk=False,
    live=None,
    env={"JWT_SECRET": "s3cret"},
)


def check(**changes: Any) -> list[Finding]:
    return check_service(Expected(BACKEND, "srv-1", NAME), replace(SOUND, **changes), "tea-1", "acme-corp")


def test_the_customers_own_service_with_autodeploy_off_passes() -> None:
    assert check() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "securewatch-medhealth-backend"}, "SW408"),
        ({"type": "static_site"}, "SW408"),
        ({"owner_id": "tea-2"}, "SW408"),
        ({"autodeploy_is_off": False}, "SW407"),
        ({"is_suspended": True}, "SW415"),
    ],
)
def test_a_wrong_service_stops_the_deploy_whatever_is_forced(changes: dict[str, Any], code: str) -> None:
    found = check(**changes)

    assert [one.code for one in found] == [code]
    assert hard(found) == found


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({"name": "securewatch-medhealth-backend"}, "service_names in config/securewatch.json"),
        ({"type": "static_site"}, "backend_service_id in config/render-deployment.json"),
        ({"owner_id": "tea-2"}, "backend_service_id in config/render-deployment.json"),
    ],
)
def test_the_fix_of_a_wrong_service_fits_what_is_wrong_with_it(changes: dict[str, Any], fix: str) -> None:
    (found,) = check(**changes)

    assert fix in found.fix
    assert "acme-corp" in found.what
    assert found.why


def test_autodeploy_is_never_switched_silently_and_the_error_names_the_command() -> None:
    assert check(autodeploy_is_off=False)[0].fix == "securewatch customer autodeploy-off acme-corp"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unverified_domains": ("acme.example",)}, "acme.example is not verified"),
        ({"health_check_path": ""}, "no health-check path"),
        ({"has_disk": True}, "not free of downtime"),
    ],
)
def test_what_only_deserves_a_warning_stops_nothing(changes: dict[str, Any], words: str) -> None:
    (found,) = check(**changes)

    assert found.is_warning
    assert words in found.what
    assert hard([found]) == []


def test_a_static_site_needs_no_health_check_path() -> None:
    site = replace(SOUND, kind=FRONTEND, type="static_site", health_check_path="")

    assert check_service(Expected(FRONTEND, "srv-1", NAME), site, "tea-1", "acme-corp") == []


def test_env_values_never_show_in_the_facts() -> None:
    assert "s3cret" not in repr(SOUND)
