"""Words of the command line become values or are refused with what is accepted."""

import pytest

from securewatch.cli.parse import (
    parse_instant,
    parse_kinds,
    parse_one_of,
    parse_timeout,
    parse_until,
    refuse_contradictions,
)
from securewatch.core.errors import UsageError
from securewatch.deploy.model import ServiceKind
from securewatch.operations.follow import FollowOptions


def test_a_service_type_names_one_service_or_both() -> None:
    assert parse_kinds("backend") == (ServiceKind.BACKEND,)
    assert parse_kinds("frontend") == (ServiceKind.FRONTEND,)
    assert parse_kinds("both") == (ServiceKind.BACKEND, ServiceKind.FRONTEND)


@pytest.mark.parametrize("text", ["", "Backend", "back", "backend,frontend"])
def test_another_service_type_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_kinds(text)

    assert (caught.value.code, caught.value.fix) == ("SW201", "give backend, frontend or both")


@pytest.mark.parametrize(("text", "seconds"), [(None, None), ("90s", 90.0), ("15m", 900.0), ("1h", 3600.0)])
def test_a_timeout_has_a_unit(text: str | None, seconds: float | None) -> None:
    assert parse_timeout(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "0s", "-5m", "soon", "15 minutes of fame"])
def test_a_timeout_that_is_no_duration_above_zero_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        parse_timeout(text)


def test_following_ends_at_verified_or_with_the_watch() -> None:
    assert parse_until("verified", waits=False) == FollowOptions(until_watched=False, waits_at_gates=False)
    assert parse_until("watched", waits=True) == FollowOptions(until_watched=True, waits_at_gates=True)


def test_another_end_is_refused() -> None:
    with pytest.raises(UsageError, match="--until cannot be 'done'"):
        parse_until("done", waits=False)


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"is_dry": False, "is_detailed": True, "is_detached": False}, "add --dry-run"),
        ({"is_dry": False, "is_detailed": False, "is_detached": True, "waits": True}, "leave one of them out"),
    ],
)
def test_flags_that_say_nothing_together_are_refused(flags: dict[str, bool], wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_contradictions(**flags)

    assert (caught.value.code, caught.value.fix) == ("SW201", wanted)


def test_the_exit_code_of_a_dry_run_goes_with_a_dry_run() -> None:
    refuse_contradictions(is_dry=True, is_detailed=True, is_detached=False)
    refuse_contradictions(is_dry=False, is_detailed=False, is_detached=False, waits=True)


@pytest.mark.parametrize("given", [(None, None), ("v1.1.0", "v1.1.0")])
def test_a_version_is_given_once_as_a_word_or_a_flag(given: tuple[str | None, str | None]) -> None:
    assert parse_one_of("v1.1.0", None, "v1.1.0") == parse_one_of(None, "v1.1.0", "v1.1.0") == "v1.1.0"
    with pytest.raises(UsageError):
        parse_one_of(*given, "v1.1.0")


@pytest.mark.parametrize(
    ("text", "zone", "is_end", "expected"),
    [
        ("2026-12-20", "UTC", False, "2026-12-20T00:00:00+00:00"),
        ("2026-12-20", "Europe/Berlin", False, "2026-12-19T23:00:00+00:00"),
        ("2026-12-20T18:00", "America/New_York", False, "2026-12-20T23:00:00+00:00"),
        ("2026-12-20T18:00+05:30", "America/New_York", False, "2026-12-20T12:30:00+00:00"),
        ("2026-12-20T18:00Z", "America/New_York", False, "2026-12-20T18:00:00+00:00"),
        ("2026-10-25T02:30", "Europe/Berlin", False, "2026-10-25T00:30:00+00:00"),
        ("2026-10-25T02:30", "Europe/Berlin", True, "2026-10-25T01:30:00+00:00"),
    ],
)
def test_a_date_or_time_is_read_on_the_wall_of_its_zone(text: str, zone: str, is_end: bool, expected: str) -> None:
    assert parse_instant("--from", text, zone, is_end=is_end).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("tomorrow", "UTC"),
        ("", "UTC"),
        ("2026-02-30", "UTC"),
        ("2026-12-20", "Mars"),
        ("2026-03-29T02:30", "Europe/Berlin"),
    ],
)
def test_a_time_that_does_not_exist_is_refused(text: str, zone: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_instant("--from", text, zone)

    assert refused.value.code == "SW201"
