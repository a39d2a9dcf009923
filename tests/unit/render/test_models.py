"""The tolerant models."""

from datetime import UTC, datetime

import pytest

from securewatch.render.errors import NotTheAPI
from securewatch.render.models import (
    CustomDomain,
    Deploy,
    DeployStatus,
    EnvVar,
    Event,
    Export,
    Maintenance,
    Postgres,
    PostgresStatus,
    RecoveryStatus,
    RecoveryWindow,
    Service,
    decode,
)

SOURCE = "GET /x"
IN_FLIGHT = {"created", "queued", "build_in_progress", "pre_deploy_in_progress", "update_in_progress"}
ENDED = {"live", "deactivated", "build_failed", "pre_deploy_failed", "update_failed", "canceled"}
FAILED = {"build_failed", "pre_deploy_failed", "update_failed"}


def test_every_state_is_in_flight_or_ended_and_unknown_is_neither() -> None:
    assert {one for one in DeployStatus if one.is_in_flight} == IN_FLIGHT
    assert {one for one in DeployStatus if one.is_terminal} == ENDED
    assert {one for one in DeployStatus if one.is_failure} == FAILED


@pytest.mark.parametrize("status", ["teleporting", None, 7, ["live"], {}, ""])
def test_a_state_that_is_new_to_us_is_unknown(status: object) -> None:
    assert DeployStatus.UNKNOWN is decode(Deploy, {"id": "dep-1", "status": status}, SOURCE).status


def test_a_deploy_needs_nothing_but_its_id() -> None:
    nulls = dict.fromkeys(["commit", "status", "trigger", "createdAt", "updatedAt", "startedAt", "finishedAt", "image"])

    assert decode(Deploy, {"id": "dep-1"}, SOURCE) == decode(Deploy, {"id": "dep-1", **nulls, "novel": [1]}, SOURCE)


@pytest.mark.parametrize("commit", [None, {}, {"id": None}, {"message": "no id"}])
def test_a_commit_without_an_id_is_none(commit: object) -> None:
    assert decode(Deploy, {"id": "dep-1", "commit": commit}, SOURCE).commit is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-01-13T16:41:46Z", datetime(2025, 1, 13, 16, 41, 46, tzinfo=UTC)),
        ("2025-01-13T16:41:46.50874Z", datetime(2025, 1, 13, 16, 41, 46, 508740, tzinfo=UTC)),
        ("2025-01-13T16:41:46.508749123Z", datetime(2025, 1, 13, 16, 41, 46, 508749, tzinfo=UTC)),
        ("2025-01-13T18:41:46+02:00", datetime(2025, 1, 13, 16, 41, 46, tzinfo=UTC)),
        ("2025-01-13T16:41:46", datetime(2025, 1, 13, 16, 41, 46, tzinfo=UTC)),
    ],
)
def test_stamps_are_read_as_utc(text: str, expected: datetime) -> None:
    found = decode(Deploy, {"id": "dep-1", "createdAt": text}, SOURCE).created_at

    assert expected == found
    assert found is not None
    assert UTC is found.tzinfo or found.utcoffset() == expected.utcoffset()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"autoDeployTrigger": "off"}, True),
        ({"autoDeployTrigger": "off", "autoDeploy": "yes"}, True),
        ({"autoDeployTrigger": "commit", "autoDeploy": "no"}, False),
        ({"autoDeployTrigger": "checksPass", "autoDeploy": "no"}, False),
        ({"autoDeployTrigger": "novel"}, False),
        ({"autoDeployTrigger": None, "autoDeploy": "no"}, True),
        ({"autoDeploy": "no"}, True),
        ({"autoDeploy": "yes"}, False),
        ({}, False),
    ],
)
def test_autodeploy_is_off_only_when_render_says_so(keys: dict[str, object], expected: bool) -> None:
    assert expected is decode(Service, {"id": "srv-1", **keys}, SOURCE).autodeploy_is_off


@pytest.mark.parametrize(
    ("word", "expected"), [("suspended", True), ("not_suspended", False), (None, False), ("novel", True)]
)
def test_a_service_is_suspended_unless_render_says_that_it_is_not(word: object, expected: bool) -> None:
    assert expected is decode(Service, {"id": "srv-1", "suspended": word}, SOURCE).suspended


def test_a_static_site_has_a_url_and_little_else() -> None:
    body = {
        "id": "srv-1",
        "type": "static_site",
        "serviceDetails": {"url": "https://x.onrender.com", "buildPlan": "starter"},
    }

    found = decode(Service, body, SOURCE)

    assert (found.url, found.health_check_path, found.has_disk) == ("https://x.onrender.com", "", False)


def test_a_web_service_tells_its_health_path_and_its_disk() -> None:
    details = {"url": None, "healthCheckPath": "/api/health", "disk": {"id": "dsk-1", "sizeGB": 10}}

    found = decode(Service, {"id": "srv-1", "serviceDetails": details}, SOURCE)

    assert (found.url, found.health_check_path, found.has_disk) == (None, "/api/health", True)


def test_a_service_without_owner_name_or_type_matches_no_customer() -> None:
    found = decode(Service, {"id": "srv-1", "ownerId": None}, SOURCE)

    assert (found.name, found.type, found.owner_id) == ("", "", "")


def test_the_value_of_an_env_var_shows_nowhere() -> None:
    found = decode(EnvVar, {"key": "K", "value": "canary"}, SOURCE)

    assert found.value.get_secret_value() == "canary"
    assert "canary" not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


def test_an_env_var_without_a_value_is_empty() -> None:
    assert decode(EnvVar, {"key": "K", "value": None}, SOURCE).value.get_secret_value() == ""


@pytest.mark.parametrize(
    ("status", "expected"), [("verified", True), ("unverified", False), (None, False), ("novel", False)]
)
def test_a_domain_is_verified_only_when_render_says_so(status: object, expected: bool) -> None:
    assert expected is decode(CustomDomain, {"name": "a.io", "verificationStatus": status}, SOURCE).is_verified


def test_an_instance_and_an_event_take_nulls() -> None:
    nulls = dict.fromkeys(["ipAllowList", "owner", "status", "diskSizeGB", "createdAt"])

    assert PostgresStatus.UNKNOWN is decode(Postgres, {"id": "dpg-1-a", **nulls}, SOURCE).status
    assert decode(Event, {"id": "evt-1", "type": "deploy_ended", "details": {"x": 1}}, SOURCE).type == "deploy_ended"


@pytest.mark.parametrize("body", [None, [], "dep-1", {}, {"id": None}, {"id": "dep-1", "createdAt": "canary"}])
def test_what_cannot_be_read_is_not_the_api_and_is_not_quoted(body: object) -> None:
    with pytest.raises(NotTheAPI) as caught:
        decode(Deploy, body, SOURCE)

    assert SOURCE in caught.value.what
    assert "canary" not in f"{caught.value.what} {caught.value.why}"


def test_values_cannot_be_changed() -> None:
    found = decode(Deploy, {"id": "dep-1"}, SOURCE)

    with pytest.raises(ValueError, match="frozen"):
        found.id = "dep-2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"maintenanceMode": {"enabled": True, "uri": "https://x"}}, Maintenance(enabled=True, uri="https://x")),
        ({"maintenanceMode": {"enabled": False, "uri": None}}, Maintenance()),
        ({"maintenanceMode": None}, None),
        ({"url": "https://x.onrender.com"}, None),
        (None, None),
    ],
)
def test_a_service_tells_its_maintenance_mode_or_none(details: object, expected: Maintenance | None) -> None:
    assert expected == decode(Service, {"id": "srv-1", "serviceDetails": details}, SOURCE).maintenance


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("available", PostgresStatus.AVAILABLE),
        ("recovery_in_progress", PostgresStatus.RECOVERY_IN_PROGRESS),
        ("unknown", PostgresStatus.UNKNOWN),
        ("teleporting", PostgresStatus.UNKNOWN),
        (["available"], PostgresStatus.UNKNOWN),
    ],
)
def test_a_state_of_an_instance_that_is_new_to_us_is_unknown(word: object, expected: PostgresStatus) -> None:
    assert expected is decode(Postgres, {"id": "dpg-1-a", "status": word}, SOURCE).status


def test_an_instance_tells_its_disk_and_its_database() -> None:
    found = decode(Postgres, {"id": "dpg-1-a", "diskSizeGB": 15, "databaseName": "app_x"}, SOURCE)

    assert (found.disk_size_gb, found.database_name) == (15, "app_x")


@pytest.mark.parametrize(
    ("body", "status", "is_open"),
    [
        ({"recoveryStatus": "AVAILABLE", "startsAt": "2026-01-01T00:00:00Z"}, RecoveryStatus.AVAILABLE, True),
        ({"recoveryStatus": "BACKUP_NOT_READY", "startsAt": None}, RecoveryStatus.BACKUP_NOT_READY, False),
        ({"recoveryStatus": "NOT_AVAILABLE"}, RecoveryStatus.NOT_AVAILABLE, False),
        ({"recoveryStatus": "PERHAPS"}, RecoveryStatus.UNKNOWN, False),
        ({}, RecoveryStatus.UNKNOWN, False),
    ],
)
def test_a_recovery_window_is_open_only_when_render_says_so(
    body: dict[str, object], status: RecoveryStatus, is_open: bool
) -> None:
    found = decode(RecoveryWindow, body, SOURCE)

    assert (found.status, found.is_open) == (status, is_open)


def test_a_recovery_window_ends_ten_minutes_before_now() -> None:
    now = datetime(2026, 1, 2, 0, 5, tzinfo=UTC)

    assert RecoveryWindow().ends_at(now) == datetime(2026, 1, 1, 23, 55, tzinfo=UTC)


def test_the_address_of_an_export_shows_nowhere_and_says_that_it_is_ready() -> None:
    body = {"id": "exp-1", "createdAt": "2026-01-01T00:00:00Z", "url": "https://canary"}

    found = decode(Export, body, SOURCE)

    assert found.url is not None
    assert (found.url.get_secret_value(), found.is_ready) == ("https://canary", True)
    assert found.lapses_at == datetime(2026, 1, 8, tzinfo=UTC)
    assert "canary" not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


@pytest.mark.parametrize("more", [{}, {"url": None}, {"url": ""}])
def test_an_export_without_an_address_is_not_ready(more: dict[str, object]) -> None:
    assert decode(Export, {"id": "exp-1", "createdAt": "2026-01-01T00:00:00Z", **more}, SOURCE).is_ready is False
