"""The backend's data: small tables in the customer's database, and the answers that read and write them.

`orders` and `customers_events` say when their rows were made and changed, `settings` does not. Changes no table that is
there: that is what migrations are for. The library that speaks to the database is large, so it is loaded late.
"""

import importlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .backend import Reply, WrongSchema, json_reply
from .release import Release

CONNECT_SECONDS_MAX = 5
COUNTED = ("orders", "customers_events", "settings")
_LOCK = 5_318_008
_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    amount numeric(12, 2) NOT NULL,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS customers_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS settings (key text PRIMARY KEY, value text NOT NULL);
"""
_COLUMNS = """
SELECT relname || '.' || attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relkind = 'r' AND pg_table_is_visible(pg_class.oid) AND attnum > 0 AND NOT attisdropped
"""
_AT = "coalesce(%(at)s::timestamptz, now())"
_ADD_ORDER = "INSERT INTO orders ({columns}) VALUES ({values}) RETURNING id"
_ADD_EVENT = f"INSERT INTO customers_events (kind, created_at, updated_at) VALUES ('order placed', {_AT}, {_AT})"  # noqa: S608
_CHANGE_ORDER = f"UPDATE orders SET amount = %(amount)s, updated_at = {_AT} WHERE id = %(id)s"  # noqa: S608
_SET = "INSERT INTO settings VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_ORDER = re.compile(r"/api/orders/(\d{1,18})")
_SETTING = re.compile(r"/api/settings/([a-z_]{1,40})")


class Records:
    """The tables of one instance, whose `DATABASE_URL` is `url`."""

    def __init__(self, release: Release, url: str) -> None:
        self._release = release
        self._url = url
        self._making = threading.Lock()
        self._has_tables = False

    def make_tables_soon(self) -> None:
        """Make the missing tables beside the start, which needs no database; what needs them waits, or tries again."""
        threading.Thread(target=self._try_to_make_tables, daemon=True).start()

    def check(self) -> None:
        """Ask the database whether it has what the release needs.

        Raises:
            WrongSchema: it has not.
            Exception: whatever psycopg raises when the database does not answer.
        """
        with self._connect() as connection:
            found = {row[0] for row in connection.execute(_COLUMNS)}
        version = self._release.version
        if missing := sorted(set(self._release.columns) - found):
            raise WrongSchema(f"the schema is not of {version}: no {', '.join(missing)} (migrations/v{version})")

    def reply(self, method: str, path: str, body: bytes) -> Reply | None:
        """The answer to a request about records; None for any other request."""
        page = self._page(method, path.partition("?")[0])
        if page is None:
            return None
        try:
            return page(_document(body))
        except ValueError as error:
            return json_reply(400, {"error": str(error)})
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a database is an answer here
            return json_reply(503, {"error": f"the database does not answer ({type(error).__name__})"})

    def _page(self, method: str, path: str) -> Callable[[Mapping[str, Any]], Reply] | None:
        if (method, path) == ("POST", "/api/orders"):
            return self._add_order
        if (method, path) == ("GET", "/api/orders/count"):
            return lambda _: json_reply(200, {"count": self._count()["orders"]})
        if (method, path) == ("GET", "/api/counts"):
            return lambda _: json_reply(200, self._count())
        if method == "PATCH" and (order := _ORDER.fullmatch(path)):
            return lambda document: self._change_order(int(order[1]), document)
        if method == "PUT" and (setting := _SETTING.fullmatch(path)):
            return lambda document: self._set(setting[1], document)
        return None

    def _add_order(self, document: Mapping[str, Any]) -> Reply:
        amount = _amount(document)
        values: dict[str, object] = {"amount": amount, "at": _instant(document)}
        if "note" in document and "orders.note" in self._release.columns:
            values["note"] = str(document["note"])
        if "orders.amount_cents" in self._release.columns:
            values["amount_cents"] = round(amount * 100)
        named = [name for name in values if name != "at"]
        statement = _ADD_ORDER.format(
            columns=", ".join([*named, "created_at", "updated_at"]),
            values=", ".join([*(f"%({name})s" for name in named), _AT, _AT]),
        )
        with self._connect() as connection:
            made = connection.execute(statement, values).fetchone()[0]
            connection.execute(_ADD_EVENT, {"at": values["at"]})
        return json_reply(201, {"id": made})

    def _change_order(self, order: int, document: Mapping[str, Any]) -> Reply:
        values = {"amount": _amount(document), "id": order, "at": _instant(document)}
        with self._connect() as connection:
            changed = connection.execute(_CHANGE_ORDER, values).rowcount
        return json_reply(200, {"id": order}) if changed else json_reply(404, {"error": "no such order"})

    def _set(self, key: str, document: Mapping[str, Any]) -> Reply:
        with self._connect() as connection:
            connection.execute(_SET, (key, str(document.get("value", ""))))
        return json_reply(200, {"key": key})

    def _count(self) -> dict[str, int]:
        counted = ", ".join(f"(SELECT count(*) FROM {table})" for table in COUNTED)  # noqa: S608 - our own names
        with self._connect() as connection:
            row = connection.execute(f"SELECT {counted}").fetchone()
        return dict(zip(COUNTED, row, strict=True))

    def _connect(self) -> Any:
        """A connection to a database that has the tables; as a context it is one transaction."""
        connection = importlib.import_module("psycopg").connect(self._url, connect_timeout=CONNECT_SECONDS_MAX)
        try:
            self._make_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_tables(self, connection: Any) -> None:
        with self._making:
            if not self._has_tables:
                # The instance before this one may be making the same tables.
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                connection.execute(_TABLES)
                connection.commit()
                self._has_tables = True

    def _try_to_make_tables(self) -> None:
        try:
            self._connect().close()
        except Exception:  # noqa: BLE001 - an application without its database starts, and says so when it is asked
            return


def _document(body: bytes) -> dict[str, Any]:
    document = json.loads(body or b"{}")
    if not isinstance(document, dict):
        raise ValueError("the body is a JSON object")  # noqa: TRY004 - whoever asked sent a wrong value
    return document


def _amount(document: Mapping[str, Any]) -> float:
    return float(document.get("amount", 1))


def _instant(document: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(str(document["at"])) if "at" in document else None
