"""Work in real time whose end shows at a moment of product time: an export, a recovery. Deploys have `jobs.py`."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime

from localrender.database import DatabaseFailed

Finish = Callable[[datetime, str | None], None]
"""Is told when it was over, in product time, and why it failed, if it did."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One piece of work, not over before `due`."""

    task: asyncio.Task[None]
    due: datetime
    finish: Finish


class Errands:
    """The errands under way. `wake` is set when the work of one has ended."""

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self._open: list[Errand] = []

    def begin(self, work: Coroutine[None, None, None], due: datetime, finish: Finish) -> None:
        """Start work; `finish` is called by the `advance` that finds it done and `due` past."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda _: self._wake.set())
        self._open.append(Errand(task, due, finish))

    def advance(self, now: datetime) -> bool:
        """Finish what is over; True if anything was."""
        over = [one for one in self._open if one.task.done() and one.due <= now]
        self._open = [one for one in self._open if one not in over]
        for one in over:
            one.finish(now, _error(one.task))
        return bool(over)

    def next_due(self, now: datetime) -> datetime | None:
        """When an errand is over by time; None where only work is awaited (its end wakes)."""
        return min((one.due for one in self._open if one.due > now), default=None)

    async def idle(self) -> None:
        """Wait until no work runs."""
        while pending := [one.task for one in self._open if not one.task.done()]:
            await asyncio.wait(pending)

    async def stop(self) -> None:
        """Cancel all work, wait until it has ended, and forget it."""
        for one in self._open:
            one.task.cancel()
        await self.idle()
        self._open.clear()


def _error(task: asyncio.Task[None]) -> str | None:
    if task.cancelled():
        return "canceled"
    error = task.exception()
    if error is None or isinstance(error, DatabaseFailed | OSError):
        return str(error) if error else None
    return f"internal error: {type(error).__name__}: {error}"
