"""Env vars, one key at a time."""

import inspect

import pytest

from securewatch.core.ids import ServiceID
from securewatch.render import env_vars
from securewatch.render.budget import Priority
from securewatch.render.errors import PlaceholderLeft, ServiceMissing
from tests.fakes.replay import exchange
from tests.unit.render.given import no_guard, replaying

SERVICE = ServiceID("srv-1")
VARS = "/services/srv-1/env-vars"


def item(number: int) -> dict[str, object]:
    return {"envVar": {"key": f"K{number}", "value": f"v{number}"}, "cursor": f"c{number}"}


async def test_env_vars_beyond_the_first_page_are_read_too() -> None:
    pages = [
        exchange("GET", f"{VARS}?limit=100", body=[item(n) for n in range(100)]),
        exchange("GET", f"{VARS}?limit=100&cursor=c99", body=[item(100)]),
    ]
    client, transport = replaying(pages)

    found = await env_vars.fetch_env_vars(client, SERVICE, priority=Priority.DEPLOY)

    assert {f"K{n}": f"v{n}" for n in range(101)} == {one.key: one.value.get_secret_value() for one in found}
    assert transport.is_used_up


async def test_a_key_that_the_service_lacks_is_none() -> None:
    answers = [
        exchange("GET", f"{VARS}/KEY", 404, {"message": "not found"}),
        exchange("GET", VARS, body=[{"envVar": {"key": "OTHER", "value": "v"}, "cursor": "c"}]),
    ]
    client, transport = replaying(answers)

    assert await env_vars.fetch_env_var(client, SERVICE, "KEY", priority=Priority.DEPLOY) is None
    assert transport.is_used_up


async def test_a_service_that_is_gone_is_not_taken_for_a_key_that_is() -> None:
    answers = [exchange("GET", f"{VARS}/KEY", 404), exchange("GET", VARS, 404)]
    client, _ = replaying(answers)

    with pytest.raises(ServiceMissing):
        await env_vars.fetch_env_var(client, SERVICE, "KEY", priority=Priority.DEPLOY)


async def test_a_platform_that_cannot_give_one_key_is_asked_for_the_list() -> None:
    answers = [
        exchange("GET", f"{VARS}/KEY", 404),
        exchange("GET", VARS, body=[{"envVar": {"key": "KEY", "value": "v"}, "cursor": "c"}]),
    ]
    client, _ = replaying(answers)

    found = await env_vars.fetch_env_var(client, SERVICE, "KEY", priority=Priority.DEPLOY)

    assert found is not None
    assert found.value.get_secret_value() == "v"


async def test_one_key_is_read() -> None:
    client, _ = replaying([exchange("GET", f"{VARS}/KEY", body={"key": "KEY", "value": "v"})])

    found = await env_vars.fetch_env_var(client, SERVICE, "KEY", priority=Priority.DEPLOY)

    assert found is not None
    assert found.value.get_secret_value() == "v"


async def test_one_key_is_written() -> None:
    client, transport = replaying([exchange("PUT", f"{VARS}/KEY", body={"key": "KEY", "value": "v"})])

    await env_vars.put_env_var(client, SERVICE, "KEY", value="v", priority=Priority.DEPLOY, guard=no_guard)

    assert transport.requests[0].content == b'{"value":"v"}'


@pytest.mark.parametrize("value", ["${CUSTOMER_DATABASE_URL}", "postgres://${USER}@db", "${"])
async def test_an_unexpanded_placeholder_never_reaches_render(value: str) -> None:
    client, transport = replaying([])

    with pytest.raises(PlaceholderLeft) as caught:
        await env_vars.put_env_var(client, SERVICE, "KEY", value=value, priority=Priority.DEPLOY, guard=no_guard)

    assert transport.requests == []
    assert value not in f"{caught.value.what} {caught.value.why}"
    assert (caught.value.code, caught.value.status) == ("SW106", None)


async def test_one_key_is_removed() -> None:
    client, transport = replaying([exchange("DELETE", f"{VARS}/KEY", 204)])

    answer = await env_vars.delete_env_var(client, SERVICE, "KEY", priority=Priority.ROLLBACK, guard=no_guard)

    assert (answer.status, answer.body) == (204, None)
    assert transport.is_used_up


def test_nothing_here_can_replace_the_whole_list() -> None:
    writers = [
        one for name, one in inspect.getmembers(env_vars, inspect.iscoroutinefunction) if not name.startswith("fetch_")
    ]

    assert [one.__name__ for one in writers] == ["delete_env_var", "put_env_var"]
    assert all("key" in inspect.signature(one).parameters for one in writers)
