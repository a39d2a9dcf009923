"""What a release costs at Render: counted as one deploy does it, against the limits that the client keeps."""

from dataclasses import replace

from securewatch.render.budget import READ, WRITE
from securewatch.rollout.calls import READS_PER_MINUTE, WRITES_PER_MINUTE, count_calls, starts_per_minute
from tests.factories import BACKEND, FRONTEND
from tests.unit.rollout.release import PLAN, part, phase

KEYS = ((BACKEND, ("VERSION_TAG",)), (FRONTEND, ("VITE_VERSION_TAG",)))
ONE = replace(PLAN, env_keys=KEYS, phases=(phase("demo", 0, 0, part("demo")),))


def test_the_limits_are_those_of_the_client() -> None:
    assert (READ.limit, WRITE.limit) == (READS_PER_MINUTE, WRITES_PER_MINUTE)


def test_one_deploy_writes_its_keys_and_polls_while_it_builds() -> None:
    found = count_calls(ONE, build_seconds=50.0)

    assert (found.env_writes, found.deploys) == (2, 2)
    assert found.reads == 1 + 2 * (10 + 10) + 2 * (1 + 1)


def test_who_is_left_out_costs_nothing() -> None:
    out = replace(ONE, phases=(phase("demo", 0, 0, part("demo"), part("out", 0, left_out="a downgrade")),))

    assert count_calls(out) == count_calls(ONE)


def test_the_least_time_is_what_the_scarcer_limit_asks_for() -> None:
    found = count_calls(replace(ONE, env_keys=((BACKEND, tuple("ABCDEFGHIJ")),)), build_seconds=5.0)

    assert found.least_seconds == 60 * 10 / WRITES_PER_MINUTE


def test_customers_begin_as_fast_as_their_writes_allow() -> None:
    assert starts_per_minute(ONE) == 15
    assert starts_per_minute(replace(ONE, env_keys=((BACKEND, tuple(f"K{n}" for n in range(99))),))) == 1
    assert starts_per_minute(replace(ONE, env_keys=())) == 19
