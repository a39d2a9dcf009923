"""The rate budget: windows, priorities, headers, 429, and what is kept between processes."""

from datetime import UTC, datetime, timedelta

import pytest

from securewatch.render.budget import READ, WRITE, Group, Priority, RateBudget, groups_of, service_group
from securewatch.render.errors import RateLimited
from tests.fakes.clock import START, ManualClock
from tests.unit.render.given import no_jitter

SMALL = Group("small", 10)
HOURLY = Group("hourly", 20, 3600)
SERVICE = service_group("srv-1")


def budget_at(clock: ManualClock, *, patience_seconds: float = 90) -> RateBudget:
    return RateBudget(clock, patience=timedelta(seconds=patience_seconds), jitter=no_jitter)


async def spend(budget: RateBudget, group: Group, count: int, priority: Priority = Priority.ROLLBACK) -> None:
    for _ in range(count):
        await budget.acquire(group, priority=priority)


async def spendable(budget: RateBudget, group: Group, priority: Priority) -> int:
    """How many more requests go out at once."""
    for count in range(1000):
        try:
            await budget.acquire(group, priority=priority, patience=timedelta(0))
        except RateLimited:
            return count
    raise AssertionError("the budget has no end")


async def test_a_rollback_may_use_the_last_token() -> None:
    budget = budget_at(ManualClock())

    assert await spendable(budget, SMALL, Priority.ROLLBACK) == 10


@pytest.mark.parametrize(("priority", "expected"), [(Priority.DEPLOY, 380), (Priority.POLL, 368), (Priority.CLI, 360)])
async def test_lower_priorities_leave_a_part_free(priority: Priority, expected: int) -> None:
    budget = budget_at(ManualClock())

    assert await spendable(budget, READ, priority) == expected


async def test_a_rollback_still_gets_through_when_polling_has_spent_its_part() -> None:
    budget = budget_at(ManualClock())
    await spendable(budget, READ, Priority.POLL)

    assert await spendable(budget, READ, Priority.ROLLBACK) == 32


async def test_windows_are_aligned_to_the_clock_and_refill_at_once() -> None:
    clock = ManualClock(START + timedelta(seconds=50))
    budget = budget_at(clock)
    await spend(budget, SMALL, 10)

    await budget.acquire(SMALL, priority=Priority.ROLLBACK)

    assert clock.now() == START + timedelta(seconds=60)
    assert await spendable(budget, SMALL, Priority.ROLLBACK) == 9


async def test_hourly_windows_turn_on_the_hour() -> None:
    clock = ManualClock(START + timedelta(minutes=59, seconds=30))
    budget = budget_at(clock)
    await spend(budget, HOURLY, 20)

    await budget.acquire(HOURLY, priority=Priority.ROLLBACK)

    assert clock.now() == START + timedelta(hours=1)


async def test_a_wait_beyond_the_patience_is_an_error_that_says_until_when() -> None:
    clock = ManualClock(START + timedelta(minutes=10))
    budget = budget_at(clock)
    await spend(budget, HOURLY, 20)

    with pytest.raises(RateLimited) as caught:
        await budget.acquire(HOURLY, priority=Priority.ROLLBACK)

    assert caught.value.retry_at == START + timedelta(hours=1)
    assert clock.waits == []


async def test_after_a_turn_rollbacks_go_before_deploys_and_those_before_polls() -> None:
    clock = ManualClock()
    budget = budget_at(clock)
    await spend(budget, SMALL, 10)
    turns = []

    for priority in Priority:
        with pytest.raises(RateLimited) as caught:
            await budget.acquire(SMALL, priority=priority, patience=timedelta(0))
        turns.append((caught.value.retry_at - START).total_seconds())

    assert turns == [60.0, 60.5, 61.0, 61.5]


async def test_the_resumption_is_jittered() -> None:
    clock = ManualClock()
    budget = RateBudget(clock, jitter=lambda: 0.6)
    await spend(budget, SMALL, 10)

    with pytest.raises(RateLimited) as caught:
        await budget.acquire(SMALL, priority=Priority.ROLLBACK, patience=timedelta(0))

    assert caught.value.retry_at == START + timedelta(seconds=60.3)


async def test_two_groups_are_taken_together_or_not_at_all() -> None:
    budget = budget_at(ManualClock())
    await spend(budget, WRITE, 30)

    with pytest.raises(RateLimited):
        await budget.acquire(SERVICE, WRITE, priority=Priority.ROLLBACK, patience=timedelta(0))

    assert await spendable(budget, SERVICE, Priority.ROLLBACK) == 10


async def test_headers_raise_the_documented_limit() -> None:
    budget = budget_at(ManualClock())
    await spend(budget, WRITE, 1)

    budget.learn(WRITE, limit=100, remaining=99, reset=60)

    assert await spendable(budget, WRITE, Priority.ROLLBACK) == 99


async def test_what_others_spent_shows_in_the_headers() -> None:
    budget = budget_at(ManualClock())

    budget.learn(READ, limit=400, remaining=3, reset=60)

    assert await spendable(budget, READ, Priority.ROLLBACK) == 3


async def test_headers_that_lag_behind_our_own_count_give_nothing_back() -> None:
    budget = budget_at(ManualClock())
    await spend(budget, SMALL, 8)

    budget.learn(SMALL, limit=10, remaining=9, reset=60)

    assert await spendable(budget, SMALL, Priority.ROLLBACK) == 2


async def test_an_answer_of_the_window_before_changes_nothing_in_this_one() -> None:
    clock = ManualClock(START + timedelta(seconds=59))
    budget = budget_at(clock)
    await spend(budget, SMALL, 1)
    clock.advance(2)
    await spend(budget, SMALL, 4)

    budget.learn(SMALL, limit=10, remaining=0, reset=0)

    assert await spendable(budget, SMALL, Priority.ROLLBACK) == 6


async def test_the_windows_follow_renders_clock_where_it_is_another() -> None:
    clock = ManualClock(START + timedelta(seconds=10))
    budget = budget_at(clock)

    budget.learn(SMALL, limit=10, remaining=0, reset=20)
    await budget.acquire(SMALL, priority=Priority.ROLLBACK)

    assert clock.now() == START + timedelta(seconds=31)


@pytest.mark.parametrize("reset", [45, int(START.timestamp()) + 45])
async def test_a_reset_is_read_as_seconds_or_as_an_epoch(reset: int) -> None:
    clock = ManualClock(START + timedelta(seconds=0))
    budget = budget_at(clock)

    budget.learn(SMALL, limit=10, remaining=0, reset=reset)
    await budget.acquire(SMALL, priority=Priority.ROLLBACK)

    assert clock.now() == START + timedelta(seconds=46)


@pytest.mark.parametrize(
    ("limit", "remaining", "reset"), [(0, 0, 30), (10, 11, 30), (10, -1, 30), (10, 0, 86_400), (10, 0, 999_999)]
)
async def test_headers_that_cannot_be_true_are_not_believed(limit: int, remaining: int, reset: int) -> None:
    budget = budget_at(ManualClock())

    budget.learn(SMALL, limit=limit, remaining=remaining, reset=reset)

    assert await spendable(budget, SMALL, Priority.ROLLBACK) == 10


@pytest.mark.parametrize(
    ("retry_after", "reset", "expected_seconds"), [(7, 40, 7), (None, 40, 40), (None, None, 60), (0, None, 1)]
)
async def test_after_a_429_nothing_goes_out_until_it_may(
    retry_after: int | None, reset: int | None, expected_seconds: int
) -> None:
    clock = ManualClock()
    budget = budget_at(clock)

    retry_at = budget.refused(SMALL, retry_after=retry_after, reset=reset)
    await budget.acquire(SMALL, priority=Priority.ROLLBACK)

    assert retry_at == START + timedelta(seconds=expected_seconds)
    assert clock.now() == retry_at


async def test_the_next_process_knows_what_was_spent() -> None:
    clock = ManualClock()
    before = budget_at(clock)
    before.learn(WRITE, limit=100, remaining=100, reset=60)
    await spend(before, WRITE, 98)
    after = budget_at(clock)

    after.restore(before.snapshot())

    assert await spendable(after, WRITE, Priority.ROLLBACK) == 2


async def test_what_was_spent_in_a_window_that_is_over_does_not_count() -> None:
    clock = ManualClock()
    before = budget_at(clock)
    await spend(before, SMALL, 10)
    clock.advance(61)
    after = budget_at(clock)

    after.restore(before.snapshot())

    assert await spendable(after, SMALL, Priority.ROLLBACK) == 10


async def test_restoring_never_lowers_our_own_count() -> None:
    clock = ManualClock()
    other, own = budget_at(clock), budget_at(clock)
    await spend(other, SMALL, 2)
    await spend(own, SMALL, 7)

    own.restore(other.snapshot())

    assert await spendable(own, SMALL, Priority.ROLLBACK) == 3


async def test_a_ban_is_kept_between_processes() -> None:
    clock = ManualClock()
    before = budget_at(clock)
    before.refused(SMALL, retry_after=30, reset=None)
    after = budget_at(clock)

    after.restore(before.snapshot())
    await after.acquire(SMALL, priority=Priority.ROLLBACK)

    assert clock.now() == START + timedelta(seconds=30)


async def test_restoring_never_lifts_our_own_ban() -> None:
    clock = ManualClock()
    other, own = budget_at(clock), budget_at(clock)
    await spend(other, SMALL, 1)
    own.refused(SMALL, retry_after=30, reset=None)

    own.restore(other.snapshot())
    await own.acquire(SMALL, priority=Priority.ROLLBACK)

    assert clock.now() == START + timedelta(seconds=30)


@pytest.mark.parametrize("row", [{}, {"spent": 3}, {"window_start": float("nan"), "spent": 1, "limit": 1}])
async def test_rows_that_are_not_whole_are_ignored(row: dict[str, float | int]) -> None:
    budget = budget_at(ManualClock())

    budget.restore({"small": row})

    assert await spendable(budget, SMALL, Priority.ROLLBACK) == 10


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/services/srv-1/deploys", (READ,)),
        ("PATCH", "/services/srv-1", (SERVICE,)),
        ("POST", "/services/srv-1/deploys", (SERVICE,)),
        ("POST", "/services/srv-1/rollback", (SERVICE, WRITE)),
        ("POST", "/services/srv-1/deploys/dep-1/cancel", (SERVICE, WRITE)),
        ("PUT", "/services/srv-1/env-vars/KEY", (WRITE,)),
        ("DELETE", "/services/srv-1/env-vars/KEY", (WRITE,)),
    ],
)
def test_each_request_counts_in_the_groups_of_renders_table(
    method: str, path: str, expected: tuple[Group, ...]
) -> None:
    assert groups_of(method, path) == expected


async def test_it_never_sends_more_than_the_limit_in_a_window_of_the_clock() -> None:
    clock = ManualClock(START + timedelta(seconds=17))
    budget = budget_at(clock)
    sent: dict[datetime, int] = {}

    for _ in range(200):
        await budget.acquire(SMALL, priority=Priority.DEPLOY)
        minute = clock.now().astimezone(UTC).replace(second=0, microsecond=0)
        sent[minute] = sent.get(minute, 0) + 1
        clock.advance(0.2)

    assert max(sent.values()) == 9
