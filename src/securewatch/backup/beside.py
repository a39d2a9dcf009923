"""Restores a backup into a new database beside the one that serves, which is only read. Switches nothing over.

The new database says of itself whether it is whole, in its comment: so a restore that was killed is done anew, and one
that had come to its end is taken as it is. Nothing is ever dropped but what an unfinished restore of the same left.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.facts import is_empty
from securewatch.backup.losses import TableLoss, estimate_losses
from securewatch.backup.model import Header, NewDatabase
from securewatch.backup.place import Place
from securewatch.backup.reason import safe_reason
from securewatch.backup.restore import Target, read_header_of, restore_into
from securewatch.core.errors import Refused, Rejected, Retryable, SecurewatchError

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('securewatch restore', 0))"
_COMMENT = """
    SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database WHERE datname = %s
"""
_LOCALE = "SELECT row_to_json(d) FROM pg_catalog.pg_database d WHERE datname = current_database()"
_FORCE_SINCE = 130000
_BEGUN, _WHOLE = "securewatch: being restored from ", "securewatch: restored from "


@dataclass(frozen=True)
class Beside:
    """The new database and how many rows it has; `losses` are what the serving one had more than that by then.

    They are None where an earlier try had restored it already and could not tell any more.
    """

    database: DatabaseAddress
    rows: int
    losses: tuple[TableLoss, ...] | None = None


async def restore_beside(
    serving: DatabaseAddress, new: NewDatabase, name: str, place: Place, *, customer: str
) -> Beside:
    """Restore that backup of the customer into a new database on the server of the one that serves.

    Raises:
        Refused: `new` is there and is not ours (SW610), or the archive is damaged or foreign (SW606).
        Rejected: a restore does not give what was backed up (SW606), or cannot be done (SW609).
        Retryable: the server cannot be reached or goes away, or another process restores there now (SW609).
        NotFound, ConfigError: as `restore_into`.
    """
    target = serving.beside(new.name)
    async with _alone(serving) as connection:
        found = await connection.execute(_COMMENT, [new.name])
        row = await found.fetchone()
        if row is not None and str(row[0]).startswith(f"{_WHOLE}{name}, "):
            return Beside(target, int(str(row[0]).rpartition(" ")[2]))
        if row is not None:
            await _drop_unfinished(connection, target, name, row[0])
        losses = None
        header = await read_header_of(name, place, customer=customer)
        await _create(connection, new, name, header, serving)
        try:
            restored = await restore_into(Target(target, role=new.owner), name, place, customer=customer)
            if restored.differences:
                why = "; ".join(map(str, restored.differences[:5]))
                raise Rejected("SW606", f"the backup {name} does not give what was backed up", why=why)
            with suppress(SecurewatchError):  # that they cannot be told is no reason to undo what was restored
                losses = await estimate_losses(serving, restored.header, restored.trailer)
            rows = sum(one.rows for one in restored.trailer.tables)
            await _comment(connection, new.name, f"{_WHOLE}{name}, rows {rows}")
        except SecurewatchError as error:
            with suppress(psycopg.Error):
                await _drop(connection, new.name)
            if isinstance(error, Rejected) and connection.broken:  # the server went away, whatever the program said
                raise Retryable(error.code, error.what, why=error.why, fix=error.fix) from error
            raise
    return Beside(target, rows, losses)


@asynccontextmanager
async def _alone(serving: DatabaseAddress) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection that keeps other processes of ours from restoring there for as long as it is open."""
    async with serving.connect() as connection:
        row = await (await connection.execute(_LOCK)).fetchone()
        if row is None or not row[0]:
            raise Retryable("SW609", f"another process is restoring beside {serving.shown}")
        yield connection


async def _drop_unfinished(
    connection: psycopg.AsyncConnection, target: DatabaseAddress, name: str, comment: str | None
) -> None:
    """Drop what a killed restore left: marked as begun, or made and not yet marked, and then empty."""
    if not str(comment or "").startswith(f"{_BEGUN}{name}") and (comment is not None or not await is_empty(target)):
        raise Refused(
            "SW610",
            f"nothing can be restored into {target.shown}",
            why="a database of that name is there, and no restore of ours left it",
            fix="rename it, or drop it if nobody needs it, and give the same command again",
        )
    await _drop(connection, target.name)


async def _drop(connection: psycopg.AsyncConnection, name: str) -> None:
    """Drop it, whoever is connected; servers before version 13 refuse while somebody is."""
    forced = sql.SQL(" WITH (FORCE)" if connection.info.server_version >= _FORCE_SINCE else "")
    await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}{}").format(sql.Identifier(name), forced))


async def _create(
    connection: psycopg.AsyncConnection, new: NewDatabase, name: str, header: Header, serving: DatabaseAddress
) -> None:
    """An empty database that sorts and compares texts as the one that serves does, marked as begun."""
    row = await (await connection.execute(_LOCALE)).fetchone()
    like = row[0] if row is not None else {}
    made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
        sql.Identifier(new.name),
        sql.Literal(header.encoding),
        sql.Literal(like.get("datcollate", "C")),
        sql.Literal(like.get("datctype", "C")),
    )
    locale = like.get("datlocale") or like.get("daticulocale")
    provider = {"i": "icu", "b": "builtin"}.get(like.get("datlocprovider", "c"))
    if provider and locale:
        named = sql.SQL("ICU_LOCALE" if provider == "icu" else "BUILTIN_LOCALE")
        made += sql.SQL(" LOCALE_PROVIDER {} {} {}").format(sql.Identifier(provider), named, sql.Literal(locale))
    made += sql.SQL(" OWNER {}").format(sql.Identifier(new.owner)) if new.owner else sql.SQL("")
    try:
        await connection.execute(made)
    except psycopg.Error as error:
        raise Rejected(
            "SW609",
            f"no database can be made beside {serving.shown}",
            why=safe_reason(error.diag.message_primary or type(error).__name__, [serving.password]),
            fix="give the role the right to (CREATEDB) or the disk the space, then try again",
        ) from None
    await _comment(connection, new.name, f"{_BEGUN}{name}")


async def _comment(connection: psycopg.AsyncConnection, new: str, text: str) -> None:
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
    await connection.execute(statement.format(sql.Identifier(new), sql.Literal(text)))
