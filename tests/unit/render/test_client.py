"""The client over a transport of the test's own: retries, pages, guards, hooks, rates, and what errors may say."""

from datetime import timedelta

import httpx2
import pytest

from securewatch.core.errors import (
    SecurewatchError,
)
from securewatch.render.budget import READ, WRITE, Priority, RateBudget
from securewatch.render.client import ClientOptions
from securewatch.render.errors import (
    KeyRefused,
    NotTheAPI,
    OutcomeUnknown,
    RateLimited,
    RenderUnreachable,
    RequestRejected,
    ServiceMissing,
)
from tests.fakes.clock import START, ManualClock
from tests.fakes.replay import Exchange, exchange
from tests.unit.render.given import (
    HTML,
    KEY,
    VALUE,
    Handler,
    always,
    client_over,
    failing,
    handled_by,
    no_guard,
    no_jitter,
    put_value,
    replaying,
)

# --- reads ------------------------------------------------------------------------------------------------------------


async def test_a_read_carries_the_key_and_gives_the_body() -> None:
    client, transport = replaying([exchange("GET", "/services/srv-1?a=b&c=1&c=2", body={"id": "srv-1"})])

    body = await client.get("/services/srv-1", {"a": "b", "c": ["1", "2"]}, priority=Priority.CLI)

    assert body == {"id": "srv-1"}
    assert transport.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert transport.is_used_up


@pytest.mark.parametrize(
    "first",
    [
        exchange("GET", "/owners", 500, {"message": "internal"}),
        exchange("GET", "/owners", 503),
        exchange("GET", "/owners", 429, retry_after="3"),
        Exchange("GET", "/owners", 200, HTML),
    ],
    ids=["500", "503 empty", "429", "HTML"],
)
async def test_reads_are_tried_again_where_that_may_help(first: Exchange) -> None:
    client, transport = replaying([first, exchange("GET", "/owners", body=[])])

    assert await client.get("/owners", priority=Priority.CLI) == []
    assert transport.is_used_up


async def test_reads_give_up_after_their_retries_with_ever_longer_pauses() -> None:
    clock = ManualClock()
    handle, seen = failing(httpx2.ConnectError("refused"))

    with pytest.raises(RenderUnreachable):
        await handled_by(handle, clock=clock).get("/owners", priority=Priority.CLI)

    assert len(seen) == 4
    assert [wait.total_seconds() for wait in clock.waits] == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 410])
async def test_a_clear_no_is_not_asked_again(status: int) -> None:
    client, transport = replaying([exchange("GET", "/services/srv-1", status, {"message": "no"})])

    with pytest.raises(SecurewatchError):
        await client.get("/services/srv-1", priority=Priority.CLI)

    assert transport.is_used_up


async def test_a_429_is_waited_out_as_render_says() -> None:
    clock = ManualClock()
    limited = httpx2.Response(429, text=HTML, headers={"Retry-After": "20"})
    answers = [limited, httpx2.Response(200, json=[])]

    await handled_by(lambda _: answers.pop(0), clock=clock).get("/owners", priority=Priority.ROLLBACK)

    assert START + timedelta(seconds=20) == clock.now()


async def test_a_429_beyond_the_patience_says_when_to_try_again() -> None:
    clock = ManualClock()

    with pytest.raises(RateLimited) as caught:
        await handled_by(always(429, retry_after="600"), clock=clock).get("/owners", priority=Priority.ROLLBACK)

    assert START + timedelta(seconds=600) <= caught.value.retry_at < START + timedelta(seconds=602)


async def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.host)
        return httpx2.Response(302, headers={"location": "https://elsewhere.example/v1/owners"})

    with pytest.raises(NotTheAPI):
        await handled_by(handle).get("/owners", priority=Priority.CLI)

    assert set(seen) == {"api.render.com"}


@pytest.mark.parametrize("body", [HTML, '{"a": ', "[" * 100_000])
async def test_an_answer_that_is_not_json_is_not_the_api(body: str) -> None:
    with pytest.raises(NotTheAPI) as caught:
        await handled_by(always(200, text=body)).get("/owners", priority=Priority.CLI)

    assert caught.value.code == "SW304"
    assert "RENDER_HOST" in caught.value.fix


# --- lists ------------------------------------------------------------------------------------------------------------


def page(first: int, count: int) -> list[dict[str, object]]:
    return [{"deploy": {"id": f"dep-{n}"}, "cursor": f"c{n}"} for n in range(first, first + count)]


async def test_a_list_is_read_to_its_end() -> None:
    client, transport = replaying(
        [
            exchange("GET", "/d?limit=100", body=page(0, 100)),
            exchange("GET", "/d?limit=100&cursor=c99", body=page(100, 5)),
        ]
    )

    items = await client.get_all("/d", "deploy", priority=Priority.POLL)

    assert [{"id": f"dep-{n}"} for n in range(105)] == items
    assert transport.is_used_up


async def test_a_server_that_gives_smaller_pages_loses_nothing() -> None:
    pages = [
        exchange("GET", "/d", body=page(0, 20)),
        exchange("GET", "/d", body=page(20, 20)),
        exchange("GET", "/d", body=[]),
    ]
    client, transport = replaying(pages)

    assert len(await client.get_all("/d", "deploy", priority=Priority.POLL)) == 40
    assert transport.is_used_up


async def test_no_more_pages_are_read_than_wanted() -> None:
    client, transport = replaying([exchange("GET", "/d", body=page(0, 100))])

    assert len(await client.get_all("/d", "deploy", priority=Priority.POLL, max_items=3)) == 3
    assert transport.is_used_up


@pytest.mark.parametrize(
    "body",
    [
        page(0, 100),
        [{"deploy": {"id": "dep-1"}}] * 100,
        {"deploy": {"id": "dep-1"}},
        None,
        [{"service": {"id": "srv-1"}}],
        ["dep-1"],
    ],
    ids=["cursor stands still", "no cursor", "no list", "nothing", "another wrapper", "no wrapper"],
)
async def test_a_part_of_a_list_is_never_taken_for_the_whole(body: object) -> None:
    with pytest.raises(NotTheAPI):
        await handled_by(lambda _: httpx2.Response(200, json=body)).get_all("/d", "deploy", priority=Priority.POLL)


# --- writes -----------------------------------------------------------------------------------------------------------


async def test_a_write_gives_status_body_and_request_id() -> None:
    answer = exchange("PUT", "/services/srv-1/env-vars/K", body={"key": "K"}, render_request_id="req-7")
    client, transport = replaying([answer])

    found = await client.write(
        "PUT", "/services/srv-1/env-vars/K", body={"value": VALUE}, priority=Priority.DEPLOY, guard=no_guard
    )

    assert (found.status, found.body, found.request_id) == (200, {"key": "K"}, "req-7")
    assert transport.requests[0].content == b'{"value":"' + VALUE.encode() + b'"}'


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        (failing(httpx2.ConnectError("refused"))[0], RenderUnreachable),
        (failing(httpx2.ConnectTimeout("slow"))[0], RenderUnreachable),
        (failing(httpx2.PoolTimeout("busy"))[0], RenderUnreachable),
        (failing(httpx2.ProxyError("no tunnel"))[0], RenderUnreachable),
        (failing(httpx2.ReadTimeout("slow"))[0], OutcomeUnknown),
        (failing(httpx2.WriteError("reset"))[0], OutcomeUnknown),
        (failing(httpx2.ReadError("reset"))[0], OutcomeUnknown),
        (failing(httpx2.RemoteProtocolError("closed"))[0], OutcomeUnknown),
        (failing(TimeoutError())[0], OutcomeUnknown),
        (always(500, text='{"message":"internal"}'), OutcomeUnknown),
        (always(502, text=HTML), OutcomeUnknown),
        (always(520), OutcomeUnknown),
        (always(408), OutcomeUnknown),
        (always(404, text=HTML), OutcomeUnknown),
        (always(200, text=HTML), OutcomeUnknown),
        (always(201, text='{"id": "dep'), OutcomeUnknown),
        (always(301), OutcomeUnknown),
        (always(429), RateLimited),
        (always(429, text=HTML), RateLimited),
        (always(400, text='{"message":"bad"}'), RequestRejected),
        (always(409), RequestRejected),
        (always(401, text='{"message":"unauthorized"}'), KeyRefused),
        (always(403), KeyRefused),
        (always(404, text='{"message":"not found: srv-1"}\n'), ServiceMissing),
        (always(410), ServiceMissing),
    ],
)
async def test_what_became_of_a_write_is_certain_or_said_to_be_unknown(
    handle: Handler, expected: type[SecurewatchError]
) -> None:
    sent = 0

    def counted(request: httpx2.Request) -> httpx2.Response:
        nonlocal sent
        sent += 1
        return handle(request)

    clock = ManualClock()
    with pytest.raises(SecurewatchError) as caught:
        await put_value(handled_by(counted, clock=clock))

    assert expected is type(caught.value)
    assert sent == 1, "a write is never sent again"
    assert clock.waits == []


async def test_a_write_does_not_grow_old_waiting_for_the_budget() -> None:
    clock = ManualClock()
    budget = RateBudget(clock, jitter=no_jitter)
    budget.learn(WRITE, limit=30, remaining=0, reset=60)
    handle, seen = failing(httpx2.ConnectError("never"))

    with pytest.raises(RateLimited) as caught:
        await put_value(client_over(httpx2.MockTransport(handle), clock=clock, budget=budget))

    assert START + timedelta(seconds=60) <= caught.value.retry_at
    assert (seen, clock.waits) == ([], [])


async def test_when_the_guard_refuses_nothing_is_sent() -> None:
    handle, seen = failing(httpx2.ConnectError("never"))

    class TooLate(Exception):
        pass

    def guard() -> None:
        raise TooLate

    with pytest.raises(TooLate):
        await handled_by(handle).write("POST", "/x", priority=Priority.DEPLOY, guard=guard)

    assert seen == []


async def test_the_guard_is_the_last_thing_before_a_write() -> None:
    order: list[str] = []

    def handle(_: httpx2.Request) -> httpx2.Response:
        order.append("sent")
        return httpx2.Response(200)

    options = ClientOptions(io_hook=order.append)
    client = client_over(httpx2.MockTransport(handle), options=options)

    await client.write(
        "POST", "/services/srv-1/rollback", priority=Priority.ROLLBACK, guard=lambda: order.append("guard")
    )

    before, after = "POST /services/srv-1/rollback before", "POST /services/srv-1/rollback after"
    assert [before, "guard", "sent", after] == order


async def test_every_read_is_announced_to_the_hook() -> None:
    order: list[str] = []
    client = client_over(httpx2.MockTransport(always(200, text="[]")), options=ClientOptions(io_hook=order.append))

    await client.get("/owners", {"limit": 1}, priority=Priority.CLI)

    assert order == ["GET /owners before", "GET /owners after"]


async def test_the_headers_of_every_answer_teach_the_budget() -> None:
    clock = ManualClock()
    budget = RateBudget(clock, jitter=no_jitter)
    headers = {"Ratelimit-Limit": "400", "Ratelimit-Remaining": "7", "Ratelimit-Reset": "60"}
    handle = httpx2.MockTransport(lambda _: httpx2.Response(404, headers=headers))

    with pytest.raises(ServiceMissing):
        await client_over(handle, clock=clock, budget=budget).get("/services/srv-1", priority=Priority.CLI)

    assert budget.snapshot()[READ.name]["spent"] == 393


async def test_headers_on_a_rollback_teach_the_group_that_they_speak_of() -> None:
    clock = ManualClock()
    budget = RateBudget(clock, jitter=no_jitter)
    headers = {"Ratelimit-Limit": "100", "Ratelimit-Remaining": "40", "Ratelimit-Reset": "60"}
    client = client_over(
        httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers)), clock=clock, budget=budget
    )

    await client.write("POST", "/services/srv-1/rollback", priority=Priority.ROLLBACK, guard=no_guard)

    spent = {name: (row["limit"], row["spent"]) for name, row in budget.snapshot().items()}
    assert spent == {"write": (100, 60), "service/srv-1": (10, 1)}
