"""What the tests of backups, migrations and restores share: a scratch server, and acme-corp's database with rows."""

import asyncio
import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from localrender.database import EmbeddedPostgres, find_package
from tests.crash.given import SERVICES, SLUG, Stand

ROWS = 40
SCHEMA = """
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    amount numeric(12, 2) NOT NULL,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
)
"""
FILL = f"INSERT INTO orders (amount, note) SELECT i, 'n' || i FROM generate_series(1, {ROWS}) AS i"


def need_a_backup(config: Path) -> None:
    """Let acme-corp's phase ask for a backup before each deploy."""
    path = config / "render-deployment.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for phase in document["deployment_phases"].values():
        phase["rollback_method"] = "snapshot_restore"
    path.write_text(json.dumps(document), encoding="utf-8")


def be_alone(config: Path) -> None:
    """Let acme-corp be the only customer, so that the platform is quickly reset, and its deploys need a backup."""
    need_a_backup(config)
    path = config / "render-deployment.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    mapping = document["customer_environment_mapping"]
    document["customer_environment_mapping"] = {SLUG: mapping[SLUG]}
    path.write_text(json.dumps(document), encoding="utf-8")
    path = config / "customers.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["customers"] = [one for one in document["customers"] if one["slug"] == SLUG]
    path.write_text(json.dumps(document), encoding="utf-8")


@contextmanager
def scratch_server() -> Iterator[str]:
    """The URL of a database on a server on which scratch databases may be made."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder))
        runner.run(server.start())
        try:
            yield runner.run(server.create_database("scratch"))
        finally:
            runner.run(server.stop())


def url_of(stand: Stand, part: str = "env") -> str:
    """The address of acme-corp's database as its backend is to have it; with `live_env`, as what serves has it."""
    url: str = stand.services()[SERVICES[0]][part]["DATABASE_URL"]
    return url


def ask_at(url: str, statement: str) -> list[tuple[Any, ...]]:
    """What a database answers."""
    with psycopg.connect(url, autocommit=True) as connection:
        answer = connection.execute(statement.encode())
        return answer.fetchall() if answer.description else []


def ask(stand: Stand, statement: str) -> list[tuple[Any, ...]]:
    """What acme-corp's database answers."""
    return ask_at(url_of(stand), statement)


def tell(stand: Stand, path: str, body: Mapping[str, Any] | None = None, *, method: str = "POST") -> None:
    """Tell the platform something outside Render's API."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{stand.admin}/{path}", data, headers, method=method)
    urllib.request.urlopen(request, timeout=10).close()


def dump_of(url: str) -> str:
    """A database as the statements that make it anew in an empty one."""
    program = find_package() / "pginstall" / "bin" / "pg_dump"
    parts = urlsplit(url)
    shown = parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()
    done = subprocess.run(
        [str(program), "--inserts", "--no-owner", "--no-privileges", f"--dbname={shown}"],
        env={"PGPASSWORD": unquote(parts.password or ""), "LC_ALL": "C"},
        check=True,
        capture_output=True,
        text=True,
    )
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("\\"))
