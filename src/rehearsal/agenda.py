"""What is to happen at which instant of a rehearsal, in order. Knows not who does it."""

import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime

Action = Callable[[], Awaitable[None] | None]


class Agenda:
    """Actions by instant; two at one instant come in the order in which they were put down."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Action]] = []
        self._count = 0

    def at(self, instant: datetime, action: Action) -> None:
        """Put an action down."""
        self._count += 1
        heapq.heappush(self._heap, (instant, self._count, action))

    @property
    def next_at(self) -> datetime | None:
        """When the next one is due."""
        return self._heap[0][0] if self._heap else None

    async def do_due(self, now: datetime) -> int:
        """Do what is due by now; gives how many."""
        count = 0
        while self._heap and self._heap[0][0] <= now:
            done = heapq.heappop(self._heap)[2]()
            if done is not None:
                await done
            count += 1
        return count
