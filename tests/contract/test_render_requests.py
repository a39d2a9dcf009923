"""Every request of the gateway is one that Render's description allows, and every answer built of it is understood."""

import json

import httpx2
import pytest

from tests.contract.render_calls import CALLS, FILTERED, Call
from tests.contract.render_data import description, matches, recordings, require_data
from tests.unit.render.given import client_over

require_data()

UNRECORDED = {
    "list owners",
    "list deploys",
    "get a deploy",
    "cancel a deploy",
    "roll back",
    "get an env var",
    "put an env var",
    "delete an env var",
    "list events",
    "list Postgres instances of a name",
    "get a recovery window",
    "recover",
    "list exports",
    "create an export",
}
"""Calls that no recording shows: their answers are built of Render's description alone."""


async def sent_by(call: Call, *, is_full: bool) -> list[httpx2.Request]:
    """What a call sends when it is answered as the description says."""
    status, schema = description().success(call.method, call.template)
    body = None if schema is None else description().example(schema, is_full=is_full)
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(status, content=b"" if body is None else json.dumps(body).encode())

    async with client_over(httpx2.MockTransport(answer)) as client:
        await call.send(client)
    return requests


@pytest.mark.parametrize("call", [*CALLS, *FILTERED], ids=lambda call: call.name)
async def test_a_request_is_as_the_description_says(call: Call) -> None:
    requests = await sent_by(call, is_full=True)

    assert len(requests) == 1
    assert requests[0].method == call.method
    assert matches(call.template, requests[0].url.path.removeprefix("/v1"))
    assert description().problems_of_request(call.template, requests[0]) == []


@pytest.mark.parametrize("is_full", [True, False], ids=["all that it may hold", "what it must hold"])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_an_answer_as_the_description_says_is_understood(call: Call, is_full: bool) -> None:
    _, schema = description().success(call.method, call.template)

    if schema is not None:
        assert description().problems_of(schema, description().example(schema, is_full=is_full)) == []
    assert len(await sent_by(call, is_full=is_full)) == 1


def test_the_calls_that_no_recording_shows_are_these() -> None:
    seen = {
        call.name
        for call in CALLS
        for one in recordings()
        if one.method == call.method and matches(call.template, one.target.split("?")[0])
    }
    unseen = {call.name for call in CALLS} - seen

    print("answered from Render's description alone:", ", ".join(sorted(unseen)))  # noqa: T201 - the suite lists them
    assert unseen == UNRECORDED


def test_the_description_finds_what_is_wrong_with_a_request() -> None:
    template = "/services/{serviceId}/rollback"
    url = "https://api.render.com/v1/services/srv-1/rollback"
    bad = [
        httpx2.Request("POST", url, json={}),
        httpx2.Request("POST", url, json={"deployId": 7}),
        httpx2.Request("POST", url, json={"deployId": "dep-1", "novel": 1}),
        httpx2.Request("POST", url, params={"novel": "1"}, json={"deployId": "dep-1"}),
    ]

    assert [len(description().problems_of_request(template, request)) for request in bad] == [1, 1, 1, 1]
