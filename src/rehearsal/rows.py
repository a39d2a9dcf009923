"""The store's rows as they stand in the file, read with SQL of its own. Knows nothing of what they lead to."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Rows:
    """One connection that only reads; each call sees what was committed by then."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        self._connection.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def all(self, sql: str, *values: object) -> Sequence[Row]:
        """The rows of a query by column names; `document` and the like are still text."""
        return [dict(row) for row in self._connection.execute(sql, values)]

    def documents(self, sql: str, *values: object) -> Sequence[Row]:
        """The JSON documents of a query for the column `document`, with what their columns say."""
        found = []
        for row in self.all(sql, *values):
            found.append(json.loads(row.pop("document")) | row)
        return found

    def version(self) -> int:
        """Changes whenever another connection has committed."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def paused_at(self) -> str | None:
        """Since when the kill switch is on."""
        found = self.all("SELECT value FROM meta WHERE key = 'pause'")
        return str(json.loads(found[0]["value"])["at"]) if found and found[0]["value"] else None
