"""Another process on the same database, for the tests: `append NAME COUNT`, or `die EVENT` to be killed at that event."""

import asyncio
import os
import signal
import sys

from securewatch.store import audit
from securewatch.store.box import SecretBox
from securewatch.store.database import Database
from tests.integration.store.given import KEY, NOW


async def append(url: str, name: str, count: int) -> None:
    database = await Database.open(url, now=NOW)
    for number in range(count):
        async with database.write("append") as tx:
            await audit.append(tx, SecretBox(KEY), at=NOW, actor=name, action="x", detail={"n": number})
    await database.close()


async def die(url: str, event: str) -> None:
    def kill(told: str) -> None:
        if told == event:
            os.kill(os.getpid(), signal.SIGKILL)

    database = await Database.open(url, now=NOW, io_hook=kill)
    async with database.write("last") as tx:
        await audit.append(tx, SecretBox(KEY), at=NOW, actor="x", action="last")


if __name__ == "__main__":
    _, url, verb, *rest = sys.argv
    asyncio.run(append(url, rest[0], int(rest[1])) if verb == "append" else die(url, rest[0]))
