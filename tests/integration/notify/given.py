"""What the tests of delivery begin with: a chat on this machine, which takes, refuses or loses what it is sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from securewatch.rollout.notices import Facts, Notice, NoticeKind, RecipientKind
from tests.factories import NOW

PASSWORD = "hunter2-canary"
NOTICE = Notice(
    "live:acme-corp-1", NoticeKind.CONFIRMATION, "acme-corp", "v1.1.0", RecipientKind.TEAM, NOW, Facts(NOW, "v1.0.0")
)


@dataclass
class Chat:
    """An HTTP server; `status` is what it answers, 0 for nothing at all. `got` are the messages that it was sent."""

    port: int = 0
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)
    hangs: list[asyncio.StreamWriter] = field(default_factory=list)

    def url(self, path: str = "") -> str:
        """Its apprise URL, with a password."""
        return f"json://bot:{PASSWORD}@127.0.0.1:{self.port}/{PASSWORD}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split()[0])
        self.got.append(json.loads(await reader.readexactly(length)))
        if not self.status:
            self.hangs.append(writer)
            return
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def running_chat() -> AsyncIterator[Chat]:
    """A chat on a free port of loopback; at the end those who still wait are let go."""
    chat = Chat()
    server = await asyncio.start_server(chat.answer, "127.0.0.1", 0)
    chat.port = server.sockets[0].getsockname()[1]
    try:
        yield chat
    finally:
        for writer in chat.hangs:
            writer.close()
        server.close()
