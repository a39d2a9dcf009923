"""One transaction, and statements compiled once. Only for the modules of this package: others pass a Tx on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.expression import ClauseElement

from securewatch.core.errors import InternalError
from securewatch.deploy.model import Plan
from securewatch.rollout.model import ReleasePlan
from securewatch.store.connections import Connection
from securewatch.store.failures import translated
from securewatch.store.head import Head

Row = tuple[Any, ...]
_DIALECT = sqlite.dialect(paramstyle="qmark")


class Prepared:
    """A Core statement, compiled at its first use and kept.

    `columns` names what an insert or update sets, each from the parameter of that name; other parameters of an update
    are `bindparam`s whose names start with `p_`.
    """

    def __init__(self, statement: ClauseElement, columns: Iterable[str] = ()) -> None:
        self._statement = statement
        self._columns = tuple(columns)

    @cached_property
    def compiled(self) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
        """The SQL text, the names of its parameters in order, and the values of those that are constants."""
        made = self._statement.compile(dialect=_DIALECT, column_keys=list(self._columns) or None)
        constants = {name: bind.value for name, bind in made.binds.items() if not bind.required}  # type: ignore[attr-defined]
        return str(made), tuple(made.positiontup or ()), constants  # type: ignore[attr-defined]


@dataclass
class KnownPlans:
    """Plans by their hash, as this process has read them."""

    plans: dict[str, Plan] = field(default_factory=dict)
    release_plans: dict[str, ReleasePlan] = field(default_factory=dict)


class Tx:
    """A transaction under way. `head` is set by the audit log and written beside the database after the commit.

    `known` are the plans that this process has read before; a stored plan never changes.
    """

    def __init__(self, connection: Connection, name: str, *, is_write: bool, known: KnownPlans) -> None:
        self.plans = known.plans
        self.release_plans = known.release_plans
        self._connection = connection
        self._name = name
        self._is_write = is_write
        self.has_written = False
        self.head: Head | None = None
        self.about: set[str] | None = None

    def concerns(self, *subjects: str) -> None:
        """Add to what the transaction says it is about; one that said nothing at its begin may be about anything."""
        if self.about is not None:
            self.about.update(subjects)

    async def rows(self, statement: Prepared, parameters: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """All rows of a query. Raises what `failures.translated` raises, as does every method here."""
        text, names, constants = statement.compiled
        given = parameters or {}
        values = [given[name] if name in given else constants[name] for name in names]
        return await self.run(text, values)

    async def first(self, statement: Prepared, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """The first row of a query, or None."""
        found = await self.rows(statement, parameters)
        return found[0] if found else None

    async def change(self, statement: Prepared, parameters: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """Run an insert, update or delete; gives the rows of its RETURNING clause."""
        if not self._is_write:
            raise InternalError("SW901", "a change was attempted in a transaction that only reads")
        self.has_written = True
        return await self.rows(statement, parameters)

    async def run(self, text: str, values: Sequence[Any] = ()) -> Sequence[Row]:
        """Run SQL text in one step of the connection's thread: a quarter of the cost of a cursor's four."""
        with translated(self._name):
            return list(await self._connection.execute_fetchall(text, values))
