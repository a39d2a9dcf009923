"""What a backup says of itself, and how two states of a database are compared. Pure; reads and writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

KEY_BYTES = 32


@dataclass(frozen=True)
class ArchiveKey:
    """A key of 32 bytes and its public name. Raises ValueError for another length."""

    key_id: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"the key has {len(self.key)} bytes, not {KEY_BYTES}")


@dataclass(frozen=True)
class Header:
    """What may be read of a backup without its key. `version` is what the customer ran when it was taken.

    `taken_at` is product time, `server_at` the database server's own: rows carry that one. `extensions` are those of
    the schema public.
    """

    key_id: str
    customer: str
    version: str
    taken_at: datetime
    server_at: datetime
    server_version: str
    server_major: int
    encoding: str
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableFacts:
    """What stands in one table: its rows, and a checksum that does not depend on their order.

    `checksum` is None where there can be none; `why` says so.
    """

    name: str
    rows: int
    checksum: str | None
    why: str = ""


@dataclass(frozen=True)
class Trailer:
    """What the dump must be: its length and SHA-256, and what stood in each table when it was taken.

    `unchecked` says what a comparison after a restore does not cover.
    """

    dump_bytes: int
    dump_sha256: str
    database_bytes: int
    tables: tuple[TableFacts, ...]
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewDatabase:
    """The database to make: its name, and whose it is; no `owner` for the role that connects."""

    name: str
    owner: str = ""


@dataclass(frozen=True)
class TableDifference:
    """One table that is not as it was; rows are None where there is no such table."""

    name: str
    rows_expected: int | None
    rows_found: int | None

    def __str__(self) -> str:
        if self.rows_expected == self.rows_found:
            return f"{self.name}: {self.rows_found} rows, but not the same ones"
        expected, found = (
            "no such table" if rows is None else f"{rows} rows" for rows in (self.rows_expected, self.rows_found)
        )
        return f"{self.name}: {found}, but {expected} expected"


def compare_tables(expected: Sequence[TableFacts], found: Sequence[TableFacts]) -> tuple[TableDifference, ...]:
    """Every table in which the two states differ, by name. A missing checksum on either side is no difference."""
    left, right = ({one.name: one for one in side} for side in (expected, found))
    differences = []
    for name in sorted(left.keys() | right.keys()):
        one, other = left.get(name), right.get(name)
        if one is None or other is None or not _is_same(one, other):
            differences.append(TableDifference(name, one.rows if one else None, other.rows if other else None))
    return tuple(differences)


def _is_same(one: TableFacts, other: TableFacts) -> bool:
    return one.rows == other.rows and (one.checksum == other.checksum or None in (one.checksum, other.checksum))
