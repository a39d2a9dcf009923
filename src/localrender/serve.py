"""Runs a platform as a server on loopback: makes the hosts, databases, clock and key, and ends them all again."""

import asyncio
import contextlib
import secrets
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from localrender.app import create_app
from localrender.apps import ProcessHost
from localrender.clock import Clock, FileClock, RealClock, write_clock_file
from localrender.database import EmbeddedPostgres
from localrender.fleet import write_config
from localrender.hosting import AppHost
from localrender.inprocess import InProcessHost
from localrender.model import Options
from localrender.platform import Platform
from localrender.seed import World, read_world, synthetic_customers
from localrender.storage import Storage
from localrender.vendor import MIGRATION_TAGS, add_migration_releases, create_vendor_repo, read_commit, read_snapshot

LOOPBACK = "127.0.0.1"
KEEP_ALIVE_SECONDS = 75
"""Idle connections stay open so long that no client meets one that is just being closed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `localrender up` was asked for.

    Attributes:
        port: 0 for a free one.
        key: the API key; None makes one.
        rate: how fast the clock file that is written runs; None writes none.
        clock_file: the clock file to write (with a rate) or to follow (without).
        config_folder: whose customers to seed; None for the five.
        extra_customers: synthetic customers to add.
        processes: whether applications are processes.
        databases: whether customers have real databases.
        data: where everything is kept; None for a temporary folder that is removed.
        migrations: whether the vendor's repository has the releases with migrations too.
    """

    port: int = 0
    key: str | None = None
    rate: float | None = None
    clock_file: Path | None = None
    config_folder: Path | None = None
    extra_customers: int = 0
    processes: bool = True
    databases: bool = True
    data: Path | None = None
    options: Options | None = None
    migrations: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """Where the platform is: what a client needs to reach it."""

    base_url: str
    key: str
    repo: Path
    clock_file: Path | None
    config_folder: Path | None
    mail_folder: Path

    def environment(self) -> dict[str, str]:
        """The env vars that point the product at this platform."""
        env = {"RENDER_HOST": self.base_url, "RENDER_API_KEY": self.key, "SECUREWATCH_REPO": str(self.repo)}
        if self.clock_file is not None:
            env["SECUREWATCH_CLOCK_FILE"] = str(self.clock_file)
        if self.config_folder is not None:
            env["SECUREWATCH_CONFIG_DIR"] = str(self.config_folder)
        return env | {"SECUREWATCH_MAIL_FOLDER": str(self.mail_folder)}


class Server(uvicorn.Server):
    """A server that leaves the signals to `serve`, so that everything is cleaned up before the program ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


async def serve(wanted: Wanted, ready: Callable[[Running], None]) -> None:
    """Run the platform until SIGINT or SIGTERM, then end every child and remove what was temporary.

    Args:
        wanted: how.
        ready: called once, when it answers.

    Raises:
        SeedUnreadable, ClockFileUnreadable, DatabaseFailed, GitFailed, BuildFailed, StartFailed, OSError.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    serving_all = loop.create_task(_run(wanted, ready))
    stopping = loop.create_task(stop.wait())
    await asyncio.wait({serving_all, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    serving_all.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving_all


async def _run(wanted: Wanted, ready: Callable[[Running], None]) -> None:
    async with running(wanted) as found:
        ready(found)
        await asyncio.get_running_loop().create_future()


@contextlib.asynccontextmanager
async def running(wanted: Wanted) -> AsyncIterator[Running]:
    """A platform that answers while the block runs; at its end every child is ended and what was temporary removed.

    Raises:
        What `serve` raises.
    """
    async with contextlib.AsyncExitStack() as stack:
        data = wanted.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="localrender-")))
        data.mkdir(parents=True, exist_ok=True)
        clock, clock_file = _clock(wanted, data)
        key = wanted.key or f"rnd_{secrets.token_urlsafe(24)}"
        world = read_world(wanted.config_folder, key, extra_customers=wanted.extra_customers)
        # The repository is made while the database server comes up.
        making_repo = asyncio.create_task(asyncio.to_thread(_vendor_repo, wanted, data))
        stack.push_async_callback(asyncio.wait, [making_repo])
        storage = None
        if wanted.databases:
            world, storage = await stack.enter_async_context(_databases(world, data / "dumps"))
        repo = await making_repo
        host: AppHost = ProcessHost(repo, data / "apps") if wanted.processes else InProcessHost(read_snapshot(repo))
        platform = Platform(host, clock, world, wanted.options, storage=storage)
        stack.push_async_callback(platform.close)
        await platform.start()
        origin = await stack.enter_async_context(serving(create_app(platform), wanted.port))
        yield Running(f"{origin}/v1", key, repo, clock_file, _config_folder(wanted, data), data / "mail")


@contextlib.asynccontextmanager
async def serving(app: FastAPI, port: int = 0) -> AsyncIterator[str]:
    """Serve an application on loopback; gives its origin, such as `http://127.0.0.1:41234`.

    Raises:
        OSError: the port is taken.
    """
    # With the protocol named, asyncio sends without delay; otherwise each answer waits 40 ms for an acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        server = Server(config)
        listener.listen(config.backlog)
        task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def _vendor_repo(wanted: Wanted, data: Path) -> Path:
    repo = data / "vendor"
    if not (repo / ".git").exists():
        create_vendor_repo(repo)
    if wanted.migrations and read_commit(repo, f"refs/tags/{MIGRATION_TAGS[0].tag}") is None:
        add_migration_releases(repo)
    return repo


def _config_folder(wanted: Wanted, data: Path) -> Path | None:
    if wanted.config_folder is None or not wanted.extra_customers:
        return wanted.config_folder
    return write_config(wanted.config_folder, data / "config", synthetic_customers(wanted.extra_customers))


def _clock(wanted: Wanted, data: Path) -> tuple[Clock, Path | None]:
    path = wanted.clock_file
    if wanted.rate is not None:
        path = path or data / "clock.json"
        write_clock_file(path, wanted.rate)
    return (RealClock(), None) if path is None else (FileClock(path), path)


@contextlib.asynccontextmanager
async def _databases(world: World, dumps: Path) -> AsyncIterator[tuple[World, Storage]]:
    cluster = EmbeddedPostgres()
    await cluster.start()
    try:
        urls = {one.slug: await cluster.create_database(one.slug.replace("-", "_")) for one in world.customers}
        yield replace(world, database_urls=urls), Storage(cluster, dumps)
    finally:
        await cluster.stop()
