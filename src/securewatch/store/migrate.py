"""Brings the schema to the newest revision and says which one there is. Alembic is imported only when it must run.

Runs once at the start, on a connection of its own, without asyncio.
"""

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from securewatch.core.errors import Conflict
from securewatch.store.codec import to_text
from securewatch.store.connections import BUSY_SECONDS, PRAGMAS
from securewatch.store.failures import translated, unusable

REVISION = "0003"
"""The schema that this version of the tool knows; revisions are numbers that only grow."""
MIN_TOOL_VERSION = "0.1.0"
"""The lowest version of the tool that may write to that schema; recorded in the database."""
_FOLDER = Path(__file__).parent / "migrations"
_HAS_REVISION = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
_SET_META = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"


def bring_up(path: Path, *, now: datetime | None, tool_version: str) -> None:
    """Check that this tool may use the database, and migrate it where its schema is missing or older.

    Raises Refused (SW702) for an unusable database, Conflict (SW703) where only a newer tool may use it.
    """
    with translated(str(path)), closing(_connect(path)) as connection:
        if _is_ready(connection, path, tool_version):
            return
        for pragma in PRAGMAS:
            connection.execute(pragma)
        engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=sa.StaticPool)
        with engine.connect() as wrapped, wrapped.begin():
            wrapped.exec_driver_sql("BEGIN IMMEDIATE")
            if not _is_ready(connection, path, tool_version):
                _upgrade(wrapped)
                _seed(connection, now)


def is_made(path: Path) -> bool:
    """Whether there is a database at the path that was ever used. Raises like `bring_up`."""
    with translated(str(path)):
        if not path.exists() or path.stat().st_size == 0:
            return False
        with closing(_connect(path)) as connection:
            return _revision(connection) is not None


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)


def _is_ready(connection: sqlite3.Connection, path: Path, tool_version: str) -> bool:
    revision = _revision(connection)
    if revision is None:
        return False
    _check_version(str(path), revision, _min_tool_version(connection), tool_version)
    return int(revision) >= int(REVISION)


def _revision(connection: sqlite3.Connection) -> str | None:
    if connection.execute(_HAS_REVISION).fetchone() is None:
        return None
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


def _min_tool_version(connection: sqlite3.Connection) -> str:
    found = connection.execute("SELECT value FROM meta WHERE key = 'min_tool_version'").fetchone()
    return "" if found is None else str(found[0])


def _check_version(name: str, revision: str, needed: str, tool_version: str) -> None:
    """A newer schema alone is no reason to refuse: migrations expand first, and contract when no older tool is left."""
    if not revision.isdecimal():
        raise unusable(name, f"its schema {revision!r} is not one of this tool", "point at another file")
    if _numbers(needed) <= _numbers(tool_version):
        return
    raise Conflict(
        "SW703",
        f"the state database {name} was written by a newer version",
        why=f"it asks for version {needed or '(unreadable)'} or newer, this is {tool_version}",
        fix=f"install version {needed} or newer" if needed else "install the newest version",
    )


def _numbers(version: str) -> tuple[int, ...]:
    """`1.2.3` as numbers; text that is no version stands above every version, so that it is refused."""
    parts = version.removeprefix("v").split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else (2**31,)


def _upgrade(connection: sa.Connection) -> None:
    """Run the missing migrations inside the transaction under way, which holds the write lock."""
    from alembic import command  # noqa: PLC0415 - takes 0.2 s, and runs once in a database's life
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _seed(connection: sqlite3.Connection, now: datetime | None) -> None:
    connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('change_counter', '0')")
    if now is not None:
        connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('created_at', ?)", (to_text(now),))
    connection.execute(_SET_META, ("min_tool_version", MIN_TOOL_VERSION))
