"""What an answer means: which error, with which words, and with no secret in any of them."""

import traceback

import httpx2
import pytest
from pydantic import SecretStr

from securewatch.core.errors import (
    ExitCode,
    GatewayError,
    NotFound,
    Rejected,
    Retryable,
    SecurewatchError,
    SignInNeeded,
)
from securewatch.render.budget import Priority, RateBudget
from securewatch.render.client import RenderClient
from securewatch.render.errors import (
    OutcomeUnknown,
    RenderFailed,
    RequestRejected,
)
from tests.fakes.clock import ManualClock
from tests.unit.render.given import (
    HTML,
    KEY,
    VALUE,
    always,
    failing,
    handled_by,
    put_value,
)


@pytest.mark.parametrize(
    ("status", "kind", "code", "exit_code"),
    [
        (401, SignInNeeded, "SW302", ExitCode.SIGN_IN),
        (404, NotFound, "SW305", ExitCode.USAGE),
        (409, Rejected, "SW306", ExitCode.FAILED),
        (500, GatewayError, "SW504", ExitCode.NEEDS_HUMAN),
        (429, Retryable, "SW307", ExitCode.FAILED),
    ],
)
async def test_errors_stand_in_the_one_tree_and_carry_renders_request_id(
    status: int, kind: type[SecurewatchError], code: str, exit_code: ExitCode
) -> None:
    with pytest.raises(kind) as caught:
        await put_value(handled_by(always(status, render_request_id="req-9")))

    assert (code, exit_code, "req-9") == (caught.value.code, caught.value.exit_code, caught.value.request_id)  # type: ignore[attr-defined]


async def test_a_rejection_carries_its_status_and_renders_words() -> None:
    with pytest.raises(RequestRejected) as caught:
        await put_value(handled_by(always(409, text='{"message":"service is\\nsuspended"}')))

    assert caught.value.status == 409
    assert caught.value.what.endswith("service is suspended")


async def test_renders_words_are_cut() -> None:
    with pytest.raises(RequestRejected) as caught:
        await put_value(handled_by(always(400, text='{"message":"' + "m" * 5000 + '"}')))

    assert len(caught.value.what) < 300


@pytest.mark.parametrize("value", [VALUE, 'line\n"quoted"', "short"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 429, 500])
async def test_no_error_holds_a_secret_that_render_echoes(status: int, value: str) -> None:
    def echo(request: httpx2.Request) -> httpx2.Response:
        said = f"{request.headers['authorization']} may not set {value} or {request.content.decode()}"
        return httpx2.Response(status, json={"message": said, "value": value})

    with pytest.raises(SecurewatchError) as caught:
        await put_value(handled_by(echo), value)

    error = caught.value
    shown = "".join(traceback.format_exception(error)) + f"{error!r} {error.what} {error.why} {error.fix}"
    assert KEY not in shown
    assert value not in shown
    assert repr(value)[1:-1] not in shown


async def test_no_error_quotes_what_the_transport_says() -> None:
    handle, _ = failing(httpx2.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"))

    with pytest.raises(OutcomeUnknown) as caught:
        await put_value(handled_by(handle))

    assert KEY not in f"{caught.value!r} {caught.value.what} {caught.value.why} {caught.value.fix}"


def test_the_key_shows_in_no_repr() -> None:
    client = handled_by(always(200))

    assert KEY not in repr(client)
    assert KEY not in repr(vars(client))


async def test_a_key_may_be_given_as_a_secret() -> None:
    seen: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["authorization"])
        return httpx2.Response(200, json=[])

    clock = ManualClock()
    transport = httpx2.MockTransport(handle)
    async with RenderClient(
        "https://api.render.com", SecretStr(KEY), clock=clock, budget=RateBudget(clock), transport=transport
    ) as client:
        await client.get("/owners", priority=Priority.CLI)

    assert [f"Bearer {KEY}"] == seen


async def test_a_failure_of_renders_on_a_read_is_its_own_error() -> None:
    with pytest.raises(RenderFailed) as caught:
        await handled_by(always(503, text=HTML)).get("/owners", priority=Priority.CLI)

    assert caught.value.code == "SW308"
