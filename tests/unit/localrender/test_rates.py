"""Rate limits: fixed windows aligned to the clock, one bucket a group and key."""

from datetime import UTC, datetime, timedelta

import pytest

from localrender.model import Options
from localrender.rates import CREATES, READS, SERVICE, WRITES, Group, RateLimits, buckets_of

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("method", "path", "buckets"),
    [
        ("GET", "/v1/services/srv-1/deploys", [(READS, "")]),
        ("POST", "/v1/services/srv-1/deploys", [(SERVICE, "srv-1")]),
        ("PATCH", "/v1/services/srv-1", [(SERVICE, "srv-1")]),
        ("POST", "/v1/services/srv-1/rollback", [(SERVICE, "srv-1"), (WRITES, "")]),
        ("POST", "/v1/services/srv-1/deploys/dep-1/cancel", [(SERVICE, "srv-1"), (WRITES, "")]),
        ("PUT", "/v1/services/srv-1/env-vars/KEY", [(WRITES, "")]),
        ("DELETE", "/v1/services/srv-1", [(WRITES, "")]),
        ("POST", "/v1/services", [(CREATES, "")]),
    ],
)
def test_each_request_spends_from_the_recorded_bucket(method: str, path: str, buckets: list[tuple[Group, str]]) -> None:
    assert buckets_of(method, path) == buckets


def test_two_services_of_one_minute_each_start_at_nine_remaining() -> None:
    rates = RateLimits(Options())

    first = rates.spend("POST", "/v1/services/srv-1/deploys", NOON)
    second = rates.spend("POST", "/v1/services/srv-2/deploys", NOON)

    assert [first.remaining, second.remaining] == [9, 9]


def test_the_eleventh_deploy_of_a_minute_is_refused_and_the_next_minute_is_fresh() -> None:
    rates = RateLimits(Options())
    late = NOON + timedelta(seconds=59)

    quotas = [rates.spend("POST", "/v1/services/srv-1/deploys", late) for _ in range(11)]
    next_minute = rates.spend("POST", "/v1/services/srv-1/deploys", late + timedelta(seconds=1))

    assert [quota.refused for quota in quotas] == [False] * 10 + [True]
    assert (next_minute.refused, next_minute.remaining) == (False, 9)


def test_the_reset_is_the_seconds_to_the_next_full_minute_and_can_be_zero() -> None:
    rates = RateLimits(Options())

    resets = [rates.spend("GET", "/v1/users", NOON + timedelta(seconds=second)).reset for second in (0, 15, 59)]

    assert resets == [59, 44, 0]


def test_an_hourly_group_resets_at_the_full_hour() -> None:
    quota = RateLimits(Options()).spend("POST", "/v1/services", NOON + timedelta(minutes=10))

    assert (quota.limit, quota.reset) == (20, 50 * 60 - 1)


def test_a_rollback_is_refused_when_the_user_has_no_writes_left_and_costs_the_service_nothing() -> None:
    rates = RateLimits(Options(limits={"writes": 1}))
    rates.spend("PUT", "/v1/services/srv-1/env-vars/KEY", NOON)

    refused = rates.spend("POST", "/v1/services/srv-1/rollback", NOON)

    assert refused.refused
    assert rates.look("POST", "/v1/services/srv-1/deploys", NOON).remaining == 10
