"""Hosts the customers' applications as real processes on loopback, from real checkouts of the vendor's repository.

An application is a package `app` at the top of a commit: `python -m app build FOLDER` builds it, its site into the
folder, and `python -m app` serves the backend on PORT. It gets the env vars of that moment and nothing of our own.
Starts Python and nothing else; the repository is read by `vendor.py`.
"""

import asyncio
import io
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path

from localrender import launch
from localrender.forwarder import LOOPBACK, Answer, Request, ask
from localrender.hosting import BuildFailed, Built, CommitInfo, StartFailed
from localrender.sites import Sites, StaticSite
from localrender.vendor import read_archive, read_commit

BUILD_SECONDS_MAX = 60.0
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 5.0
"""How long a build, a start and an end may take, in real seconds."""

_PORT_TRIES = 5
_LISTEN_POLL_SECONDS = 0.01
_SHA = re.compile(r"[0-9a-f]{7,40}")


class ProcessHost(Sites):
    """An `AppHost` of processes. `folder` is made when missing; `close` empties it of what was put there."""

    def __init__(self, repo: Path, folder: Path) -> None:
        super().__init__()
        self._repo = repo
        self._checkouts = folder / "checkouts"
        self._sites = folder / "sites"
        self._site_numbers = count(1)
        self._checking_out = asyncio.Lock()
        self._processes: list[asyncio.subprocess.Process] = []

    @property
    def pids(self) -> frozenset[int]:
        """The processes that run now."""
        return frozenset(process.pid for process in self._processes if process.returncode is None)

    def resolve(self, ref: str) -> CommitInfo | None:
        """The commit of a tag, or of a full or short sha (7 characters or more) that fits exactly one; else None."""
        found = read_commit(self._repo, f"refs/tags/{ref}")
        if found is None and _SHA.fullmatch(ref):
            found = read_commit(self._repo, ref)
        return found

    def head(self) -> CommitInfo:
        """The tip of the default branch. Raises LookupError when the repository has no commit."""
        found = read_commit(self._repo, "HEAD")
        if found is None:
            raise LookupError("the vendor's repository has no commit")
        return found

    async def build(self, service_id: str, kind: str, commit: str, env: Mapping[str, str]) -> Built:
        """Check the commit out and run its build with the env vars. Raises BuildFailed."""
        found = self.resolve(commit)
        if found is None:
            raise BuildFailed("the commit is unknown")
        checkout = await self._check_out(found.id)
        site = self._sites / str(next(self._site_numbers))
        process = await self._launch(checkout, "build", str(site), env=self._env(service_id, found.id, env))
        try:
            async with asyncio.timeout(BUILD_SECONDS_MAX):
                exit_code = await process.wait()
        except TimeoutError as error:
            raise BuildFailed(f"the build took over {BUILD_SECONDS_MAX:g} s") from error
        finally:
            await asyncio.shield(_end(process))
        if exit_code:
            raise BuildFailed(f"the build command ended with {exit_code}")
        return Built(service_id, found.id, site if kind == "frontend" else checkout)

    async def start(self, built: Built, env: Mapping[str, str]) -> None:
        """Start an instance on a port of its own, or read a site's files, and check its health. Raises StartFailed."""
        if built.folder is None or not built.folder.is_dir():
            raise StartFailed("there is no such build")
        if built.folder.parent == self._sites:
            files = {file.name: file.read_bytes() for file in built.folder.iterdir()}
            await self._admit(built.service_id, StaticSite(files), "frontend")
            return
        instance = await self._start_instance(built, built.folder, env)
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await self._admit(built.service_id, instance, "backend")
        except TimeoutError as error:
            await asyncio.shield(instance.end())
            raise StartFailed(f"the health check got no answer in {START_SECONDS_MAX:g} s") from error
        except asyncio.CancelledError:
            await asyncio.shield(instance.end())
            raise

    async def close(self) -> None:
        """End every process, give every port back and remove checkouts and sites."""
        await super().close()
        await asyncio.gather(*(_end(process) for process in self._processes))
        for folder in (self._checkouts, self._sites):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _start_instance(self, built: Built, checkout: Path, env: Mapping[str, str]) -> "Instance":
        for _ in range(_PORT_TRIES):
            port = _free_port()
            full_env = {**self._env(built.service_id, built.commit, env), "PORT": str(port)}
            instance = Instance(await self._launch(checkout, env=full_env), port)
            exit_code = await instance.wait_until_listening()
            if exit_code is None:
                return instance
            if exit_code != launch.PORT_TAKEN:
                raise StartFailed(f"the application ended with {exit_code} while it was starting")
        raise StartFailed("no free port was found")

    async def _launch(self, checkout: Path, *arguments: str, env: Mapping[str, str]) -> asyncio.subprocess.Process:
        """Start the application with nothing of our environment, in a session of its own, bound to our life."""
        self._processes = [process for process in self._processes if process.returncode is None]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            launch.__file__,
            str(checkout),
            *arguments,
            cwd=checkout,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    async def _check_out(self, commit: str) -> Path:
        folder = self._checkouts / commit
        async with self._checking_out:
            if not folder.exists():
                archive = await asyncio.to_thread(read_archive, self._repo, commit)
                await asyncio.to_thread(_unpack, archive, folder)
        if not (folder / "app" / "__main__.py").is_file():
            raise BuildFailed("the commit holds no application")
        return folder

    def _env(self, service_id: str, commit: str, env: Mapping[str, str]) -> dict[str, str]:
        """The service's env vars with those that Render gives itself (reference: render-api, 4)."""
        given = {"RENDER": "true", "RENDER_SERVICE_ID": service_id, "RENDER_GIT_COMMIT": commit}
        return {**env, **given, "RENDER_EXTERNAL_URL": self.url(service_id)}


class Instance:
    """One running backend on a port of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._port = port

    async def wait_until_listening(self) -> int | None:
        """Wait until the port is open: None then, and the exit code of a process that ended before.

        Raises:
            StartFailed: neither happened in time; the process is ended.
        """
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                while self._process.returncode is None:
                    if await _is_open(self._port):
                        return None
                    await asyncio.sleep(_LISTEN_POLL_SECONDS)
        except TimeoutError as error:
            await asyncio.shield(self.end())
            raise StartFailed(f"the application opened no port in {START_SECONDS_MAX:g} s") from error
        except asyncio.CancelledError:
            await asyncio.shield(self.end())
            raise
        return self._process.returncode

    async def answer(self, request: Request) -> Answer:
        """The process's answer. Raises OSError when it ended or does not answer."""
        if self._process.returncode is not None:
            raise ConnectionError("the instance ended")
        return await ask(self._port, request)

    async def end(self) -> None:
        """Ask the process to end, and make it."""
        await _end(self._process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    for stop in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _unpack(archive: bytes, folder: Path) -> None:
    """Unpack beside the folder and rename, so that a folder that is there is whole."""
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(partial)
    partial.rename(folder)
