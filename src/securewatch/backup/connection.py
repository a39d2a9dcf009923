"""Where a database is: libpq's URLs and connection strings, taken apart, compared and opened. Starts no program.

A connection string holds a password. What is shown of it is host, port and name alone.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import LiteralString

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from securewatch.backup.reason import safe_reason
from securewatch.core.address import is_loopback
from securewatch.core.errors import ConfigError, Retryable

CONNECT_SECONDS_MAX = 20
KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "6"}
"""So that a server that is gone without a word is noticed within 90 seconds."""
_DEFAULT_PORT = "5432"
_SESSION: LiteralString = """
    SELECT set_config(name, CASE name WHEN 'search_path' THEN '' ELSE '0' END, false) FROM pg_catalog.pg_settings
    WHERE name IN ('search_path', 'statement_timeout', 'transaction_timeout', 'idle_session_timeout',
        'idle_in_transaction_session_timeout')
"""


class DatabaseAddress:
    """A database by its URL (`postgresql://…`) or connection string of libpq.

    Raises ConfigError (SW109) for a text that is neither, and never shows it.
    """

    def __init__(self, url: str) -> None:
        try:
            options = pq.Conninfo.parse(url.encode())
        except (psycopg.Error, UnicodeError) as error:
            raise ConfigError(
                "SW109",
                "the address of a database has an unusable value",
                why="accepted: postgresql://user:password@host:port/name, or a connection string of libpq",
                fix="correct it; it is not shown here, since it may hold a password",
            ) from error
        self._url = url
        self._given = {one.keyword.decode(): (one.val or b"").decode() for one in options if one.val}
        self._variables = {
            one.envvar.decode(): one.val.decode()
            for one in options
            if one.envvar and one.val and one.keyword != b"password"
        }

    def __repr__(self) -> str:
        return f"DatabaseAddress({self.shown!r})"

    @property
    def shown(self) -> str:
        """Host, port and name: `db.example.com:5432/acme`."""
        return f"{self._given.get('host', 'localhost')}:{self._given.get('port', _DEFAULT_PORT)}/{self.name}"

    @property
    def name(self) -> str:
        """The name of the database; by libpq's rule that of the user where none is given."""
        return self._given.get("dbname") or self._given.get("user", "")

    @property
    def password(self) -> str:
        """The password; empty where there is none."""
        return self._given.get("password", "")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that tell all of it but the password to a program of PostgreSQL."""
        return dict(self._variables)

    def beside(self, name: str, *, user: str | None = None) -> "DatabaseAddress":
        """The database of that name on the same server, for the same user or another one."""
        return DatabaseAddress(make_conninfo(self._url, dbname=name, user=user or self._given.get("user")))

    def is_same(self, other: "DatabaseAddress") -> bool:
        """Whether both lead to one database, as far as the texts tell: by host, port and name."""
        return self.name == other.name and bool(self._places() & other._places())

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection without time-outs of the server's, each statement on its own; every name must have its schema.

        Raises Retryable (SW609) where the server cannot be reached or goes away, or a statement fails.
        """
        try:
            async with await psycopg.AsyncConnection.connect(
                make_conninfo(self._url, **KEEPALIVES, connect_timeout=CONNECT_SECONDS_MAX),
                autocommit=True,
                application_name="securewatch",
            ) as connection:
                await connection.execute(_SESSION)
                yield connection
        except psycopg.Error as error:
            # psycopg's own text may hold rows; its chain is cut for the same reason.
            raise self.failed(error.diag.message_primary or str(error)) from None

    def failed(self, complaint: str) -> Retryable:
        """The error (SW609) of this database, with what PostgreSQL complained of."""
        return Retryable(
            "SW609",
            f"the database {self.shown} did not do its part",
            why=safe_reason(complaint, [self.password]),
            fix="see that it is up and may be reached from here with the rights of its owner, then try again",
        )

    def _places(self) -> frozenset[tuple[str, str]]:
        hosts = [*self._given.get("host", "localhost").split(","), *filter(None, [self._given.get("hostaddr")])]
        ports = self._given.get("port", _DEFAULT_PORT).split(",")
        ports *= len(hosts) if len(ports) == 1 else 1
        return frozenset((_one_name(host), port or _DEFAULT_PORT) for host, port in zip(hosts, ports, strict=False))


def is_among(address: DatabaseAddress, others: Iterable[DatabaseAddress]) -> bool:
    """Whether the database is one of the others."""
    return any(address.is_same(other) for other in others)


def _one_name(host: str) -> str:
    """One name for each machine: loopback has many, and Render's databases have one inside and one outside."""
    lowered = host.strip().lower().rstrip(".")
    if not lowered or is_loopback(lowered):
        return "localhost"
    return lowered.partition(".")[0] if lowered.startswith("dpg-") else lowered
