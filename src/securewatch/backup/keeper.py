"""A PostgreSQL server of our own for a while, from the extra `securewatch-render[postgres]`. Nothing in it is durable.

It is kept by a process of its own, this module run as a program: that makes the folder, starts the server, says where
it is, and waits for its standard input to close. However we end, killed or not, the keeper then stops the server and
removes the folder. The server has no network: its socket lies in that folder, which is closed to other users.
"""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from securewatch.backup.programs import find_embedded, no_programs

SUPERUSER = "postgres"
_START_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 20.0
_POLL_SECONDS = 0.02
_UNPRIVILEGED_USER = "nobody"
_SETTINGS = {
    "listen_addresses": "",
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "64MB",
    "io_method": "sync",
    "jit": "off",
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@asynccontextmanager
async def open_server() -> AsyncIterator[Path]:
    """A server; gives the folder of its socket, in which SUPERUSER needs no password. Raises ConfigError (SW110)."""
    keeper = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        __file__,
        env={"TMPDIR": tempfile.gettempdir()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS_MAX):
                said = json.loads(await keeper.stdout.readline() or '{"error": "its keeper ended"}')
        if "folder" not in said:
            raise no_programs(f"a throw-away server could not be started: {said['error']}")
        yield Path(said["folder"])
    finally:
        keeper.stdin.close()
        await asyncio.shield(_wait(keeper))


async def _wait(keeper: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(keeper.wait(), _STOP_SECONDS_MAX)
    except TimeoutError:
        with suppress(ProcessLookupError):
            keeper.kill()
        await keeper.wait()


# What follows runs in the keeper.


class _Failed(Exception):
    """The server could not be made; the message is safe to show."""


def keep_server() -> None:
    """Run a server until the standard input closes or SIGTERM comes; say on standard output where it is, as JSON."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        owner = pwd.getpwnam(_UNPRIVILEGED_USER) if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        with tempfile.TemporaryDirectory(prefix="securewatch-scratch-") as folder:
            _run(Path(folder), owner)
    except (_Failed, KeyError, OSError, shutil.Error) as error:
        _say({"error": str(error) if isinstance(error, _Failed) else type(error).__name__})


def _run(folder: Path, owner: pwd.struct_passwd | None) -> None:
    programs = _programs(folder, owner)
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = ("-D", str(folder / "data"))
    auth = ("--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
    initdb = _start([str(programs / "initdb"), *data, *auth], owner)
    try:
        if code := initdb.wait():
            raise _Failed(f"initdb ended with {code}")
    finally:
        _stop(initdb)
    settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "unix_socket_directories": str(folder)}.items()]
    server = _start([str(programs / "postgres"), *data, *settings], owner)
    try:
        _await_ready(server, folder / "data" / "postmaster.pid")
        _say({"folder": str(folder)})
        while os.read(0, 4096):
            continue
    finally:
        _stop(server)


def _await_ready(server: "subprocess.Popen[bytes]", pid_file: Path) -> None:
    while True:
        with suppress(subprocess.TimeoutExpired):
            raise _Failed(f"postgres ended with {server.wait(_POLL_SECONDS)}")
        with suppress(OSError):
            if "ready" in pid_file.read_text(encoding="utf-8").split():
                return


def _stop(program: "subprocess.Popen[bytes]") -> None:
    """Nothing is kept, so the quickest way down that still cleans up."""
    program.send_signal(signal.SIGQUIT)
    try:
        program.wait(_STOP_SECONDS_MAX / 2)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _start(command: list[str], owner: pwd.struct_passwd | None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        env={"TZ": "UTC", "LC_ALL": "C"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
        umask=0o077,
    )


def _programs(folder: Path, owner: pwd.struct_passwd | None) -> Path:
    """The folder of the programs: the package's own, or for another user a copy that this user can reach."""
    package = find_embedded()
    if package is None:
        raise _Failed("the extra is not installed")
    if owner is None:
        return package / "pginstall" / "bin"
    for part in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        # the programs find their libraries beside the package, relative to themselves
        if part.is_dir():
            shutil.copytree(part, folder / part.relative_to(package.parent), symlinks=True)
    return folder / package.name / "pginstall" / "bin"


def _say(what: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    keep_server()
