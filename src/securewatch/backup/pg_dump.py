"""Runs pg_dump and pg_restore: a database as a stream of bytes, and such a stream as a database again.

One of the two files of this package that start programs (the other keeps the throw-away server). No shell; the child
sees an environment of our making; the password is in no argument, no environment and no file with a name. A killed
parent takes its pipes along, so the child ends at its next read or write, and pg_dump waits for no lock longer than a
minute.
"""

import asyncio
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo

from securewatch.backup.connection import CONNECT_SECONDS_MAX, KEEPALIVES, DatabaseAddress
from securewatch.backup.programs import Programs, find_programs, no_programs
from securewatch.backup.reason import safe_reason
from securewatch.core.errors import Rejected

DUMP_MAGIC = b"PGDMP"
"""How every dump in custom format begins."""
READ_BYTES = 1 << 20
LOCK_SECONDS_MAX = 60
_COMPRESSION = "gzip:1"
_STDERR_BYTES_MAX = 64 * 1024
_VERSION_SECONDS_MAX = 10.0
_MAJOR = re.compile(r"\(PostgreSQL\) (\d+)")
_DUMP = ("--format=custom", "--no-password", "--no-owner", "--no-privileges", "--no-subscriptions")
_RESTORE = ("--format=custom", "--no-password", "--no-owner", "--no-privileges", "--exit-on-error")

_FOR_SCRATCH = ("--no-comments", "--no-publications", "--no-security-labels")
"""What takes the rights of a superuser and holds no data."""


@dataclass(frozen=True)
class Need:
    """What the programs must be able to do: speak to a server of that major version, and over TLS."""

    server_major: int
    tls: bool


async def choose_programs(folder: Path | None, need: Need) -> Programs:
    """The first programs found (see `find_programs`) that are no older than the server and can speak to it.

    Raises ConfigError (SW110) where there are none; it says why each one would not do.
    """
    reasons = []
    for found in find_programs(folder):
        major = await _fetch_major(found)
        if major is None:
            reasons.append(f"those of {found.origin} do not run")
        elif major < need.server_major:
            reasons.append(f"those of {found.origin} are version {major}, older than the server's {need.server_major}")
        elif need.tls and not found.has_tls:
            reasons.append(f"those of {found.origin} have no TLS, which the server uses")
        else:
            return found
    raise no_programs("; ".join(reasons) or f"none found{f' in {folder}' if folder else ' on PATH, nor the extra'}")


async def dump_database(programs: Programs, address: DatabaseAddress, *, snapshot: str) -> AsyncGenerator[bytes]:
    """A compressed dump in custom format, as it comes, of what the exported `snapshot` sees.

    Raises Retryable (SW609) where the database or pg_dump does not bring it to its end; ConfigError (SW110).
    """
    command = [str(programs.pg_dump), *_DUMP, f"--compress={_COMPRESSION}"]
    command += [f"--lock-wait-timeout={LOCK_SECONDS_MAX * 1000}", f"--snapshot={snapshot}"]
    async with _running(command, address) as run:
        assert run.process.stdout is not None
        while piece := await run.process.stdout.read(READ_BYTES):
            yield piece
        complaint = await run.finish()
    if complaint is not None:
        raise address.failed(complaint)


async def restore_dump(
    programs: Programs,
    address: DatabaseAddress,
    dump: AsyncIterator[bytes],
    *,
    is_scratch: bool = False,
    role: str = "",
) -> None:
    """Restore a dump into the database, wholly or, by one transaction, not at all. What `dump` raises goes on.

    All of it belongs to `role`, where one is given. Into a scratch database goes no comment, publication or security
    label: they take more rights than its owner has.

    Raises Rejected (SW609) where pg_restore does not bring it to its end; ConfigError (SW110).
    """
    command = [str(programs.pg_restore), *_RESTORE, "--single-transaction"]
    command += _FOR_SCRATCH if is_scratch else ()
    command += (f"--role={role}",) if role else ()
    async with _running(command, address, is_fed=True) as run:
        await _feed(run.process, dump)
        complaint = await run.finish()
    if complaint is not None:
        raise Rejected(
            "SW609",
            f"the backup could not be restored into {address.shown}",
            why=safe_reason(complaint, [address.password]),
            fix="nothing of it was kept; see what is missing there (an extension, a right, space) and try again",
        )


async def _feed(process: Process, dump: AsyncIterator[bytes]) -> None:
    """Give the whole dump to the program; where that ends before, its exit code says why, the rest is still read."""
    stdin, is_open = process.stdin, True
    assert stdin is not None
    async for piece in dump:
        if is_open:
            try:
                stdin.write(piece)
                await stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                is_open = False
    stdin.close()


@dataclass(frozen=True)
class _Run:
    process: Process
    stderr: "asyncio.Task[bytes]"

    async def finish(self) -> str | None:
        """Wait for the end; what it complained of, None where all went well."""
        code = await self.process.wait()
        return (await self.stderr).decode("utf-8", "replace") or f"it ended with {code}" if code else None


@asynccontextmanager
async def _running(command: Sequence[str], address: DatabaseAddress, *, is_fed: bool = False) -> AsyncIterator[_Run]:
    """The program, connected to the database by its environment; killed where it still runs at the end."""
    secret = _password_file(address.password)
    environment = {**address.variables, "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS_MAX), "PGAPPNAME": "securewatch"}
    environment |= {"LC_ALL": "C", "TZ": "UTC"} | ({"PGPASSFILE": f"/dev/fd/{secret}"} if address.password else {})
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            f"--dbname={make_conninfo(dbname=address.name, **KEEPALIVES)}",
            env=environment,
            cwd="/",
            stdin=PIPE if is_fed else DEVNULL,
            stdout=DEVNULL if is_fed else PIPE,
            stderr=PIPE,
            limit=READ_BYTES,
            pass_fds=(secret,),
            start_new_session=True,
        )
    except OSError as error:
        raise no_programs(f"{command[0]} cannot be started ({type(error).__name__})") from error
    finally:
        os.close(secret)
    stderr = asyncio.create_task(_read_first(process))
    try:
        yield _Run(process, stderr)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
        stderr.cancel()


async def _read_first(process: Process) -> bytes:
    """The first of what it says on standard error; the rest is read too, so that it never waits for us."""
    kept = b""
    assert process.stderr is not None
    while piece := await process.stderr.read(_STDERR_BYTES_MAX):
        kept += piece[: _STDERR_BYTES_MAX - len(kept)]
    return kept


def _password_file(password: str) -> int:
    """A password file of libpq as a descriptor: in memory, closed to others, and without a name."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    descriptor = os.memfd_create("pgpass")
    os.fchmod(descriptor, 0o600)
    os.write(descriptor, f"*:*:*:*:{escaped}\n".encode())
    return descriptor


async def _fetch_major(programs: Programs) -> int | None:
    """The major version of the pair; None where they do not run, or are of two versions."""
    dump, restore = await asyncio.gather(_ask_version(programs.pg_dump), _ask_version(programs.pg_restore))
    return dump if dump == restore else None


async def _ask_version(program: Path) -> int | None:
    try:
        process = await asyncio.create_subprocess_exec(
            str(program), "--version", env={"LC_ALL": "C"}, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(_VERSION_SECONDS_MAX):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    found = _MAJOR.search(said.decode("utf-8", "replace"))
    return int(found[1]) if found else None
