"""What the tests of restores begin with: a platform with databases, somebody who orders, and a look at every table."""

import json
import tempfile
import threading
import urllib.error
import urllib.request
from asyncio import Runner
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from localrender.database import EmbeddedPostgres
from tests.acceptance.given import Place, Platform, Ran, platform

BACKEND = "srv-acme-backend-abc123"
DATABASE = "dpg-acmecorp000000000000-a"
SCRATCH = "SECUREWATCH_SCRATCH_DATABASE_URL"
CUSTOMER = ("--customer", "acme-corp")
BACK = ("update-customer", "--rollback", "v1.0.0", *CUSTOMER)
AGREED = ("--confirm-customer", "acme-corp")
ROW_CANARY = "canary-in-a-row-7c31"
PAUSE_SECONDS = 0.02


@contextmanager
def platform_with_databases(folder: Path) -> Iterator[Platform]:
    """A platform whose customers have databases, with the release v1.3.0, whose migrations are irreversible.

    Its variables name a server on which backups are tried, so that not each of them starts its own.
    """
    with tempfile.TemporaryDirectory() as scratch, Runner() as runner:
        Path(scratch).chmod(0o711)
        server = EmbeddedPostgres(Path(scratch))
        runner.run(server.start())
        try:
            url = runner.run(server.create_database("scratch"))
            with platform(folder, "--apps", "process", "--migrations") as found:
                yield Platform({**found.env, SCRATCH: url})
        finally:
            runner.run(server.stop())


def url_of(place: Place, service_id: str = BACKEND) -> str:
    """The address of the database that the backend has in its env vars."""
    return str(place.platform.service(service_id)["env"]["DATABASE_URL"])


def password_of(url: str) -> str:
    return url.split(":")[2].split("@")[0]


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """What a database answers."""
    with psycopg.connect(url, autocommit=True) as connection:
        answer = connection.execute(statement.encode())
        return answer.fetchall() if answer.description else []


def orders_in(url: str) -> int:
    """How many orders there are in a database."""
    return int(ask(url, "SELECT count(*) FROM orders")[0][0])


def call(place: Place, method: str, path: str, body: object = None, *, service_id: str = BACKEND) -> tuple[int, Any]:
    """One request to the customer's site: the status, 0 for no answer, and the document."""
    url = f"{place.platform.service(service_id)['url']}{path}"
    return _send(method, url, body)


def _send(method: str, url: str, body: object) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None
    except OSError:
        return 0, None


def order(place: Place, count: int, *, service_id: str = BACKEND) -> None:
    """Place orders by the site, each with a note."""
    for number in range(count):
        body = {"amount": number + 1, "note": f"{ROW_CANARY}-{number}"}
        assert call(place, "POST", "/api/orders", body, service_id=service_id)[0] == 201


def is_open(place: Place) -> bool:
    """Whether the site answers with its orders, and no maintenance page is up."""
    return call(place, "GET", "/api/orders/count")[0] == 200 and not place.platform.service(BACKEND)["maintenance"]


@contextmanager
def orders_coming_in(place: Place) -> Iterator[list[int]]:
    """Somebody orders all the time; gives the statuses of the answers so far."""
    url, over, seen = f"{place.platform.service(BACKEND)['url']}/api/orders", threading.Event(), list[int]()

    def keep_ordering() -> None:
        while not over.wait(PAUSE_SECONDS):
            seen.append(_send("POST", url, {"amount": 1})[0])

    thread = threading.Thread(target=keep_ordering)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def at_the_release_that_no_code_leads_back_from(place: Place, *, orders: int) -> Ran:
    """acme-corp at v1.3.0, with that many orders from before, which are in its verified backup."""
    order(place, orders)
    return place.run("update-customer", "--version", "v1.3.0", *CUSTOMER, "-o", "json").ended(0)


def traces_of(place: Place, secret: str) -> list[str]:
    """The files of the state in which a secret stands."""
    files = (path for path in place.state.rglob("*") if path.is_file())
    return [path.name for path in files if secret.encode() in path.read_bytes()]
