"""Runs what takes real time (builds, starts, switches) beside the deploy state machine, one at a time per service."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from localrender.clock import Clock
from localrender.hosting import AppHost, BuildFailed, Built, StartFailed

Work = Callable[[], Coroutine[None, None, Built | None]]


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended: what it built, or why it failed; `at` is product time."""

    at: datetime
    built: Built | None
    error: str | None


class Jobs:
    """The work of deploys.

    Args:
        host: asked to discard whatever an ended deploy had started.
        clock: stamps the results.
        wake: set when a job has ended.
    """

    def __init__(self, host: AppHost, clock: Clock, wake: asyncio.Event) -> None:
        self._host = host
        self._clock = clock
        self._wake = wake
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: dict[str, asyncio.Task[JobResult]] = {}
        self._discards: set[asyncio.Task[None]] = set()

    def begin(self, service_id: str, deploy_id: str, work: Work) -> None:
        """Start the work of a deploy's stage after whatever the service is still busy with."""
        task = asyncio.get_running_loop().create_task(self._run(service_id, work))
        task.add_done_callback(lambda _: self._wake.set())
        self._tasks[deploy_id] = task

    def result(self, deploy_id: str) -> JobResult | None:
        """How the stage's work ended; None while it runs. A cancelled or broken job is a failure."""
        task = self._tasks.get(deploy_id)
        if task is None or not task.done():
            return None
        if task.cancelled():
            return JobResult(self._clock.now(), None, "canceled")
        broken = task.exception()
        if broken is not None:
            return JobResult(self._clock.now(), None, f"internal error: {type(broken).__name__}: {broken}")
        return task.result()

    def end(self, service_id: str, deploy_id: str) -> None:
        """Stop a deploy's work and discard the instance it may have started."""
        task = self._tasks.pop(deploy_id, None)
        if task is not None and not task.done():
            task.cancel()
        discard = asyncio.get_running_loop().create_task(self._discard(service_id))
        self._discards.add(discard)
        discard.add_done_callback(self._discards.discard)

    def forget(self, deploy_id: str) -> None:
        """Drop the result of a stage that was dealt with."""
        self._tasks.pop(deploy_id, None)

    async def idle(self) -> None:
        """Wait until no job runs."""
        while pending := [task for task in [*self._tasks.values(), *self._discards] if not task.done()]:
            await asyncio.wait(pending)

    async def stop(self) -> None:
        """Cancel every job and wait until all have ended; instances that were not switched to are discarded."""
        for task in self._tasks.values():
            task.cancel()
        await self.idle()
        self._tasks.clear()

    async def _run(self, service_id: str, work: Work) -> JobResult:
        async with self._locks[service_id]:
            try:
                built = await work()
            except (BuildFailed, StartFailed) as error:
                return JobResult(self._clock.now(), None, str(error))
            except asyncio.CancelledError:
                with suppress(BuildFailed, StartFailed):
                    await self._host.discard(service_id)
                raise
            return JobResult(self._clock.now(), built, None)

    async def _discard(self, service_id: str) -> None:
        async with self._locks[service_id]:
            await self._host.discard(service_id)
