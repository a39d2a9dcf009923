"""What the platform asks of whatever runs the customers' applications; the hosts themselves live in `apps.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class BuildFailed(Exception):
    """The application could not be built; the message is safe to show."""


class StartFailed(Exception):
    """The new instance did not come up or failed Render's own health check; the message is safe to show."""


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """One commit of the vendor's repository: full sha, the whole message, and when it was made (aware, UTC)."""

    id: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Built:
    """What a build left behind: the service, the full sha, and the folder to start it from (None in-process)."""

    service_id: str
    commit: str
    folder: Path | None


class AppHost(Protocol):
    """Builds, starts and serves customers' applications on loopback, one stable port a service."""

    def resolve(self, ref: str) -> CommitInfo | None:
        """Give the commit of a full or short sha or a tag of the vendor's repository; None if unknown."""

    def head(self) -> CommitInfo:
        """Give the tip of the default branch."""

    async def build(self, service_id: str, kind: str, commit: str, env: Mapping[str, str]) -> Built:
        """Build a commit; `kind` is "backend" or "frontend".

        Raises:
            BuildFailed: the commit does not build.
        """

    async def start(self, built: Built, env: Mapping[str, str]) -> None:
        """Start a new instance beside the old one and check Render's own health check path.

        The path is /api/health for backends and / for sites.

        Raises:
            StartFailed: it did not come up; the old instance goes on serving.
        """

    async def switch(self, service_id: str) -> None:
        """Let the stable port serve the instance started last, and end the old one."""

    async def discard(self, service_id: str) -> None:
        """End an instance that was started and not switched to."""

    def url(self, service_id: str) -> str:
        """Give `http://127.0.0.1:<stable port>`, assigned at once and the same until `close`."""

    async def suspend(self, service_id: str, suspended: bool) -> None:
        """Stop or resume serving."""

    async def maintain(self, service_id: str, maintained: bool) -> None:
        """Answer every request with a maintenance page and status 503, or serve again."""

    async def misbehave(self, service_id: str, fault: Mapping[str, object] | None) -> None:
        """Make answers bad at the forwarder; None heals.

        Faults: `{"status": 500}`, `{"latency_ms": 6000}`, `{"error_rate": 0.2}`, `{"body": "<html>"}`.
        """

    async def close(self) -> None:
        """End every process."""
