"""The world of one rehearsal: virtual time, the platform in-process, and processes of the product that can die."""

import base64
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from localrender.app import create_app
from localrender.hosting import CommitInfo
from localrender.inprocess import InProcessHost
from localrender.model import EnvVar, Options
from localrender.platform import Platform
from localrender.sample.app.release import Release
from localrender.vendor import Snapshot
from rehearsal.fleet import CANARY, KEY, MadeUp, write_config
from rehearsal.virtual_time import VirtualClock, VirtualLoop
from rehearsal.wires import Ask, Bend, Life, SiteWire, Ways, Wire
from securewatch.config.fleet import Fleet
from securewatch.config.settings import load_settings
from securewatch.core.errors import NotFound
from securewatch.deps import Deps
from securewatch.health.probe import Prober
from securewatch.render.budget import RateBudget
from securewatch.render.client import ClientOptions, RenderClient
from securewatch.versions.git import VendorRepository
from securewatch.versions.tag import Tag
from securewatch.versions.version import find_version

OLD, NEW = "v1.0.0", "v1.1.0"
_SECRET_KEY = base64.b64encode(bytes(range(32))).decode()
_COMMITS = {OLD: "1" * 40, NEW: "2" * 40}
MOVED_TO = "3" * 40
"""The commit that a moved tag leads to."""


@dataclass(frozen=True)
class Hooks:
    """Who is told of what a rehearsal does: of each write before and after it, and of each boundary."""

    before: Callable[[Ask], None]
    after: Callable[[Ask], None]


class StagedRepository:
    """The vendor's repository as the platform sees it; answers like the real one, and starts no git."""

    def __init__(self, host: InProcessHost) -> None:
        self._host = host

    async def resolve(self, tag: str) -> Tag:
        """The tag as it is now. Raises NotFound (SW203)."""
        found = next((one for one in await self.list_tags() if one.name == tag), None)
        if found is None:
            raise NotFound("SW203", f"there is no tag {tag}")
        return found

    async def list_tags(self) -> list[Tag]:
        """Every tag."""
        return [Tag(name, commit, True, find_version(name)) for name, commit in self._host.snapshot.tags.items()]

    async def read_files(self, _commit: str, _folder: str) -> Mapping[str, bytes]:
        """A release that carries no migrations."""
        return {}

    def move(self, tag: str, commit: str) -> None:
        """Point a tag at another commit."""
        snapshot = self._host.snapshot
        self._host.snapshot = replace(snapshot, tags={**snapshot.tags, tag: commit})


class StagedDeps(Deps):
    """The parts of one process on the stage: its own state connections, client and budget; shared time and world."""

    def __init__(self, stage: "Stage", actor: str, life: Life) -> None:
        environ = {
            "RENDER_HOST": "http://127.0.0.1:1/v1",
            "RENDER_API_KEY": KEY,
            "SECUREWATCH_CONFIG_DIR": str(stage.folder / "config"),
            "SECUREWATCH_REPO": str(stage.folder),
            "SECUREWATCH_DATABASE_URL": f"sqlite+pysqlite:///{stage.state_path}",
            "SECUREWATCH_ACTOR": actor,
            "SECUREWATCH_SECRET_KEY": _SECRET_KEY,
            "SECUREWATCH_MAIL_FOLDER": str(stage.folder / "mail"),
        }
        settings = load_settings({}, stage.folder, environ)
        super().__init__(settings, clock=stage.clock, io_hook=life.boundary)
        self._stage = stage
        self._life = life
        self._jitter = random.Random(f"jitter:{stage.made.seed}").random  # noqa: S311 - the same seed, the same waits

    def share_fleet(self, stage: "Stage") -> None:
        """Take the configuration as it was read once, where the files are as they were."""
        if stage.fleet is None:
            stage.fleet = self.fleet
        self._fleet = stage.fleet

    @property
    def repository(self) -> VendorRepository:
        """The vendor's repository on the stage."""
        return cast("VendorRepository", self._stage.repository)

    @property
    def budget(self) -> RateBudget:
        """A budget whose jitter follows from the seed."""
        if self._budget is None:
            self._budget = RateBudget(self.clock, jitter=self._jitter)
        return self._budget

    async def client(self) -> RenderClient:
        """The real client over the stage's wire."""
        if self._client is None:
            hooks = self._stage.hooks
            client = RenderClient(
                self.settings.render_host,
                KEY,
                clock=self.clock,
                budget=self.budget,
                options=ClientOptions(
                    timeout_seconds=self.settings.http_timeout_seconds, io_hook=self._life.boundary, jitter=self._jitter
                ),
                transport=Wire(self._stage.app, self._life, Ways(hooks.before, hooks.after, self._stage.bends)),
            )
            self._client = await self._open.enter_async_context(client)
        return self._client

    async def prober(self) -> Prober:
        """The real prober over the stage's wire."""
        if self._prober is None:
            wire = SiteWire(self._stage.host, self._life)
            self._prober = await self._open.enter_async_context(Prober(wire, clock=self.clock))
        return self._prober


@dataclass
class Stage:
    """What everybody in a rehearsal shares."""

    made: MadeUp
    folder: Path
    loop: VirtualLoop
    clock: VirtualClock
    host: InProcessHost
    platform: Platform
    app: Any
    hooks: Hooks
    repository: StagedRepository
    chance: random.Random
    stack: AsyncExitStack
    fleet: Fleet | None = None
    listeners: list[Callable[[Ask], None]] = field(default_factory=list)
    """Told of each write after it."""
    bends: list[Bend] = field(default_factory=list)
    """What the platform's answers to reads go through."""
    wake: Callable[[], None] = lambda: None
    """Tells the controller that another process has committed something."""
    log: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def state_path(self) -> Path:
        """The state database."""
        return self.folder / "state" / "state.db"

    async def deps(self, actor: str) -> StagedDeps:
        """The parts of a new process of that actor, which lives to the end."""
        return await self.stack.enter_async_context(StagedDeps(self, actor, self.new_life()))

    def new_life(self) -> Life:
        """The life of a new process."""
        return Life()

    def note(self, what: str) -> None:
        """Keep what happened, for whoever looks into a failure."""
        self.log.append((self.clock.now(), what))


@asynccontextmanager
async def set_stage(
    made: MadeUp, loop: VirtualLoop, hooks: Hooks, releases: dict[str, Release]
) -> AsyncIterator[Stage]:
    """The world of an installation from its first instant on; everything in it is gone afterwards."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder in memory where there is one
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-", dir=shared if shared.is_dir() else None))
    clock = VirtualClock(loop, made.start)
    host = InProcessHost(_snapshot(releases), listen=False)
    platform = Platform(host, clock, made.world, Options(build_seconds=9.0, update_seconds=4.0, static_seconds=4.0))
    try:
        write_config(made, folder)
        await platform.start()
        for service in platform.state.services.values():
            if "JWT_SECRET" in service.env:
                service.env["JWT_SECRET"] = EnvVar(f"{CANARY}-{service.id}", service.env["JWT_SECRET"].row)
        chance = random.Random(f"stage:{made.seed}")  # noqa: S311 - the same seed gives the same play
        async with AsyncExitStack() as stack:
            yield Stage(
                made,
                folder,
                loop,
                clock,
                host,
                platform,
                create_app(platform),
                hooks,
                StagedRepository(host),
                chance,
                stack,
            )
    finally:
        await platform.close()
        shutil.rmtree(folder, ignore_errors=True)


def _snapshot(releases: dict[str, Release]) -> Snapshot:
    """A repository with the two releases, and the commit that a tag may be moved to."""
    at = datetime(2025, 12, 1, tzinfo=UTC)
    commits = {_COMMITS[tag]: CommitInfo(_COMMITS[tag], f"Release {tag}", at) for tag in releases}
    commits[MOVED_TO] = CommitInfo(MOVED_TO, "Forced", at)
    shown = {_COMMITS[tag]: one for tag, one in releases.items()} | {MOVED_TO: Release("1.1.0")}
    return Snapshot(MOVED_TO, {tag: _COMMITS[tag] for tag in releases}, commits, shown)
