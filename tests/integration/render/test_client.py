"""The client against real connections that break, trickle, lie about their length or answer something else."""

import socket
import time

import pytest

from securewatch.core.clock import RealClock
from securewatch.core.errors import SecurewatchError
from securewatch.render.budget import Priority, RateBudget
from securewatch.render.client import ClientOptions, RenderClient
from securewatch.render.errors import NotTheAPI, OutcomeUnknown, RenderUnreachable
from tests.fakes.clock import ManualClock
from tests.integration.render.server import Script, answering, raw, reset, serving, silence, trickle

OPTIONS = ClientOptions(timeout_seconds=10, read_retries=1, body_bytes_max=64 * 1024)
HASTY = ClientOptions(timeout_seconds=2, read_retries=0)
LONG_BODY = b'"' + b"x" * (100 * 1024) + b'"'
ENDLESS_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 0x1000 + b"\r\n"


def client_of(base_url: str, options: ClientOptions = OPTIONS) -> RenderClient:
    clock = ManualClock()
    return RenderClient(base_url, "rnd_key", clock=clock, budget=RateBudget(clock), options=options)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def post(client: RenderClient, path: str = "/services/srv-1/deploys") -> object:
    return await client.write("POST", path, body={"commitId": "9c1e2ab"}, priority=Priority.DEPLOY, guard=lambda: None)


BROKEN: list[tuple[str, Script, type[SecurewatchError]]] = [
    ("reset", reset, RenderUnreachable),
    ("closed", raw(b""), RenderUnreachable),
    ("truncated", raw(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"id": "dep'), RenderUnreachable),
    ("truncated and closed", raw(b'HTTP/1.1 200 OK\r\n\r\n{"id": "dep'), NotTheAPI),
    ("oversized", answering("200 OK", LONG_BODY), NotTheAPI),
    ("oversized chunks", raw(ENDLESS_CHUNKS + ENDLESS_CHUNKS.partition(b"\r\n\r\n")[2] * 20), NotTheAPI),
    ("no HTTP", raw(b"SSH-2.0-OpenSSH_9.9\r\n"), RenderUnreachable),
    ("HTML", answering("200 OK", b"<html>login</html>", "Content-Type: text/html"), NotTheAPI),
    ("bad gzip", answering("200 OK", b"no gzip", "Content-Encoding: gzip"), NotTheAPI),
]


@pytest.mark.parametrize(("script", "expected"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN])
async def test_a_read_is_tried_again_and_then_says_what_is_wrong(
    script: Script, expected: type[SecurewatchError]
) -> None:
    async with serving(script) as server, client_of(server.base_url) as client:
        with pytest.raises(SecurewatchError) as caught:
            await client.get("/owners", priority=Priority.CLI)

    assert type(caught.value) is expected
    assert len(server.requests) == 2


@pytest.mark.parametrize("script", [one[1] for one in BROKEN], ids=[one[0] for one in BROKEN])
async def test_a_write_is_sent_once_and_its_outcome_is_unknown(script: Script) -> None:
    async with serving(script) as server, client_of(server.base_url) as client:
        with pytest.raises(OutcomeUnknown):
            await post(client)

    assert len(server.requests) == 1


@pytest.mark.parametrize("script", [trickle, silence])
async def test_a_request_as_a_whole_is_bound_in_time(script: Script) -> None:
    async with serving(script) as server, client_of(server.base_url, HASTY) as client:
        began = time.monotonic()
        with pytest.raises(RenderUnreachable):
            await client.get("/owners", priority=Priority.CLI)
        with pytest.raises(OutcomeUnknown):
            await post(client)

    assert len(server.requests) == 2
    assert time.monotonic() - began < 10


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with client_of(f"http://127.0.0.1:{free_port()}/v1") as client:
        with pytest.raises(RenderUnreachable):
            await post(client)
        with pytest.raises(RenderUnreachable):
            await client.get("/owners", priority=Priority.CLI)


async def test_a_platform_on_loopback_is_asked_directly_whatever_proxy_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    async with serving(answering("200 OK", b"[]")) as server, client_of(server.base_url) as client:
        assert await client.get("/owners", priority=Priority.CLI) == []


async def test_reads_share_a_connection_and_every_write_opens_its_own() -> None:
    async with (
        serving(answering("200 OK", b"{}"), keeps_open=True) as server,
        client_of(server.base_url) as client,
    ):
        for _ in range(3):
            await client.get("/owners", priority=Priority.CLI)
        after_reads = server.connections
        for _ in range(3):
            await post(client)

    assert (after_reads, server.connections) == (1, 4)


async def test_what_is_sent_is_what_render_reads() -> None:
    async with serving(answering("201 Created", b'{"id":"dep-1"}')) as server, client_of(server.base_url) as client:
        await post(client)

    head, _, body = server.requests[0].partition("\r\n\r\n")
    assert head.startswith("POST /v1/services/srv-1/deploys HTTP/1.1\r\n")
    assert "authorization: bearer rnd_key" in head.lower()
    assert "content-type: application/json" in head.lower()
    assert body == '{"commitId":"9c1e2ab"}'


async def test_it_runs_on_the_machines_clock_too() -> None:
    clock = RealClock()
    async with (
        serving(answering("200 OK", b"[]")) as server,
        RenderClient(server.base_url, "rnd_key", clock=clock, budget=RateBudget(clock)) as client,
    ):
        assert await client.get("/owners", priority=Priority.CLI) == []
