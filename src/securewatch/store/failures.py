"""What goes wrong in a database, told in our own errors: none of SQLite or SQLAlchemy leaves this package."""

import sqlite3
from dataclasses import dataclass
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from securewatch.core.errors import InternalError, Refused

_CAUSES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: ("another process kept it locked for longer than 10 s", "end that process, then try again"),
    sqlite3.SQLITE_LOCKED: ("another process kept it locked", "end that process, then try again"),
    sqlite3.SQLITE_READONLY: ("it is read-only", "make the file and its folder writable for this user"),
    sqlite3.SQLITE_PERM: ("access is not permitted", "make the file and its folder writable for this user"),
    sqlite3.SQLITE_IOERR: ("the disk failed to read or write it", "check the disk and the free space"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "restore it from its backup"),
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space, then run the command again"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check the path, and that its folder is writable for this user"),
    sqlite3.SQLITE_NOTADB: ("the file is not a database", "restore it from its backup, or point at another file"),
}
"""By primary result code of SQLite (https://sqlite.org/rescode.html): why, and what to do."""


class Duplicate(InternalError):
    """A row that must be unique is there already; whoever expects it turns it into a conflict."""


@dataclass(frozen=True, slots=True)
class translated:
    """Turn every error of the database called `name` into ours: `with translated(name)` is around every statement.

    Raises Refused (SW702) where it cannot be used, Duplicate where a constraint forbids the change, InternalError where
    the statement itself is wrong.
    """

    name: str

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, SQLAlchemyError):
            raise _ours(self.name, getattr(error, "orig", None) or error) from error
        if isinstance(error, sqlite3.Error | OSError):
            raise _ours(self.name, error) from error


def unusable(name: str, why: str, fix: str) -> Refused:
    """The error for a database that cannot be used."""
    return Refused("SW702", f"the state database {name} cannot be used", why=why, fix=fix)


def _ours(name: str, error: BaseException) -> Refused | InternalError:
    if isinstance(error, sqlite3.IntegrityError):
        is_duplicate = error.sqlite_errorcode in (
            sqlite3.SQLITE_CONSTRAINT_UNIQUE,
            sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        )
        kind = Duplicate if is_duplicate else InternalError
        return kind("SW901", "the state database refused a row", why=str(error))
    if isinstance(error, OSError):
        return unusable(name, error.strerror or type(error).__name__, "check the path, its rights and the free space")
    code = getattr(error, "sqlite_errorcode", None)
    why, fix = _CAUSES.get(code & 0xFF if code else 0, ("", ""))
    if why:
        return unusable(name, why, fix)
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return InternalError("SW901", "a statement for the state database is wrong", why=str(error))
    return unusable(
        name, f"{type(error).__name__}: {error}", "run `securewatch doctor`; restore it from its backup if damaged"
    )
