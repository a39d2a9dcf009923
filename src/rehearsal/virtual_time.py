"""An event loop on which time passes only when nothing else is left to do, and the product's clock on it.

No real waiting and no sockets: what real code sleeps or times out on is a timer here, and the loop jumps to the next.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class NothingLeft(RuntimeError):
    """Everything waits for something that never comes."""


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for a socket it lets the loop's time go by."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time` begins at zero and counts whole microseconds; work for threads is done where it is asked for."""

    def __init__(self) -> None:
        self._microseconds = 0
        self._idlers: list[asyncio.Future[None]] = []
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._microseconds / 1e6

    async def idle(self) -> None:
        """Wait until all that can be done at this instant is done."""
        waiting: asyncio.Future[None] = self.create_future()
        self._idlers.append(waiting)
        await waiting

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """Do it now, in the loop."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the future
            done.set_exception(error)
        return done

    def _jump(self, seconds: float | None) -> None:
        if self._idlers:
            waiting, self._idlers = self._idlers, []
            for one in waiting:
                if not one.done():
                    one.set_result(None)
        elif seconds is None:
            raise NothingLeft("everything waits for something that never comes")
        else:
            self._microseconds += math.ceil(seconds * 1e6)


class VirtualClock:
    """Both packages' clock. Its `now` may be stepped, as when a machine's clock is put right; `monotonic` may not."""

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        self._loop = loop
        self._start = start
        self._stepped = timedelta(0)

    def now(self) -> datetime:
        """Product time."""
        return self._start + timedelta(microseconds=round(self._loop.time() * 1e6)) + self._stepped

    def monotonic(self) -> float:
        """Seconds that no step touches."""
        return self._loop.time()

    def step(self, seconds: float) -> None:
        """Put the clock forward, or back."""
        self._stepped += timedelta(seconds=seconds)

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        """Wait until the clock shows `instant` or `wake` is set."""
        while not wake.is_set():
            remaining = (instant - self.now()).total_seconds()
            if remaining <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await wake.wait()


def run_virtually(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on a loop of its own; gives what it returns."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
