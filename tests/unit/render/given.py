"""What the gateway's tests share: a client over a transport of the test's own, on a clock that waits for nobody."""

from collections.abc import Callable, Iterable

import httpx2

from securewatch.render.budget import Priority, RateBudget
from securewatch.render.client import ClientOptions, RenderClient
from tests.fakes.clock import ManualClock
from tests.fakes.replay import Exchange, ReplayTransport

KEY = "rnd_canaryKey0123456789"
VALUE = "postgres://canary:hunter2@db/app"
HTML = "<html><body>Bad gateway</body></html>"
Handler = Callable[[httpx2.Request], httpx2.Response]


def no_jitter() -> float:
    return 0.0


def no_guard() -> None:
    return None


def client_over(
    transport: httpx2.AsyncBaseTransport,
    *,
    clock: ManualClock | None = None,
    options: ClientOptions | None = None,
    budget: RateBudget | None = None,
) -> RenderClient:
    """A client that sends everything to `transport`."""
    clock = clock or ManualClock()
    return RenderClient(
        "https://api.render.com/v1",
        KEY,
        clock=clock,
        budget=budget or RateBudget(clock, jitter=no_jitter),
        options=options or ClientOptions(jitter=no_jitter),
        transport=transport,
    )


def replaying(exchanges: Iterable[Exchange]) -> tuple[RenderClient, ReplayTransport]:
    """A client that gets these answers, and the transport that keeps what it asked."""
    transport = ReplayTransport(exchanges)
    return client_over(transport), transport


def handled_by(handler: Handler, *, clock: ManualClock | None = None) -> RenderClient:
    """A client whose requests a function answers."""
    return client_over(httpx2.MockTransport(handler), clock=clock)


def always(status: int, *, text: str = "", **headers: str) -> Handler:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx2.Response(status, text=text, headers=named)


def failing(error: Exception) -> tuple[Handler, list[str]]:
    """A handler that fails each time, and the requests that it saw."""
    seen: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        raise error

    return handle, seen


async def put_value(client: RenderClient, value: str = VALUE) -> object:
    return await client.write(
        "PUT", "/services/srv-1/env-vars/K", body={"value": value}, priority=Priority.DEPLOY, guard=no_guard
    )
