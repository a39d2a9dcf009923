"""A host for the local platform that runs nothing: it writes down what it was asked and fails where it is told to."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from localrender.hosting import BuildFailed, Built, CommitInfo, StartFailed


def make_commit(number: int) -> CommitInfo:
    """The commit of release v1.<number>.0."""
    return CommitInfo(f"{number + 1:040x}", f"Release 1.{number}.0", datetime(2026, 1, 1 + number, tzinfo=UTC))


class FakeHost:
    """Implements AppHost. Tags v1.0.0, v1.1.0 and v1.2.0; `serving` and `waiting` are commit and env per service."""

    def __init__(self) -> None:
        self.tags = {f"v1.{number}.0": make_commit(number) for number in range(3)}
        self.calls: list[tuple[str, str]] = []
        self.serving: dict[str, tuple[str, dict[str, str]]] = {}
        self.waiting: dict[str, tuple[str, dict[str, str]]] = {}
        self.faults: dict[str, Mapping[str, object]] = {}
        self.suspended: set[str] = set()
        self.maintained: set[str] = set()
        self.broken_builds: set[str] = set()
        self.broken_starts: set[str] = set()
        self.held: asyncio.Event | None = None
        self.closed = False

    def resolve(self, ref: str) -> CommitInfo | None:
        if ref in self.tags:
            return self.tags[ref]
        fitting = [one for one in self.tags.values() if one.id.startswith(ref)]
        return fitting[0] if len(fitting) == 1 else None

    def head(self) -> CommitInfo:
        return self.tags["v1.2.0"]

    async def build(self, service_id: str, kind: str, commit: str, env: Mapping[str, str]) -> Built:
        self.calls.append(("build", service_id))
        if self.held is not None:
            await self.held.wait()
        if commit in self.broken_builds or self.resolve(commit) is None:
            raise BuildFailed("it does not compile")
        return Built(service_id, commit, None)

    async def start(self, built: Built, env: Mapping[str, str]) -> None:
        self.calls.append(("start", built.service_id))
        if built.commit in self.broken_starts:
            raise StartFailed("the health check answered 500")
        self.waiting[built.service_id] = (built.commit, dict(env))

    async def switch(self, service_id: str) -> None:
        self.calls.append(("switch", service_id))
        if service_id in self.waiting:
            self.serving[service_id] = self.waiting.pop(service_id)

    async def discard(self, service_id: str) -> None:
        self.calls.append(("discard", service_id))
        self.waiting.pop(service_id, None)

    async def version(self, service_id: str) -> str:
        """The commit that a service runs."""
        return self.serving[service_id][0]

    def url(self, service_id: str) -> str:
        return f"http://127.0.0.1:1/{service_id}"

    async def suspend(self, service_id: str, suspended: bool) -> None:
        if suspended:
            self.suspended.add(service_id)
        else:
            self.suspended.discard(service_id)

    async def maintain(self, service_id: str, maintained: bool) -> None:
        if maintained:
            self.maintained.add(service_id)
        else:
            self.maintained.discard(service_id)

    async def misbehave(self, service_id: str, fault: Mapping[str, object] | None) -> None:
        if fault is None:
            self.faults.pop(service_id, None)
        else:
            self.faults[service_id] = fault

    async def close(self) -> None:
        self.closed = True
