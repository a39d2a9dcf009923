"""What migrations would break, by squawk, the linter for PostgreSQL: expand first, contract in a later release.

While a release comes to a customer, the old version runs on the new database; after a rollback it does so for good. So
what takes away or narrows something needs the mark `irreversible`, and what cannot be undone by a transaction is
refused. The only file that starts the linter.
"""

import asyncio
import json
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securewatch.core.errors import ConfigError, Refused
from securewatch.migration.files import Migration

TIMEOUT_SECONDS = 30.0
_CONTRACTS = frozenset(
    {
        *("ban-drop-column", "ban-drop-table", "ban-drop-view", "ban-drop-schema", "ban-truncate-cascade"),
        *("renaming-column", "renaming-table", "renaming-object", "changing-column-type"),
        *("adding-required-field", "adding-not-nullable-field"),
    }
)
"""The linter's rules (https://squawkhq.com/docs/rules) about what a version that knows nothing of it cannot bear."""
_IMPOSSIBLE = frozenset(
    {
        *("syntax-error", "transaction-nesting", "ban-drop-database"),
        "ban-concurrent-index-creation-in-transaction",
    }
)
"""Those about what no transaction can hold, so that a failure would leave half of it."""

_ANOTHER = b"SELECT 1; "
"""Before every text, on its first line: a statement that stands alone the linter takes to run in no transaction."""


@dataclass(frozen=True)
class Finding:
    """Something wrong in a migration; `line` counts from 1."""

    migration: str
    line: int
    rule: str
    message: str


async def check_migrations(migrations: Iterable[Migration], *, server_major: int) -> None:
    """Check them for a server of that version.

    Raises Refused (SW424) with all that is wrong, ConfigError (SW111) where the linter is not installed.
    """
    found = [finding for one in migrations for finding in await _findings(one, server_major)]
    if found:
        told = "; ".join(f"{one.migration}:{one.line} {one.message} ({one.rule})" for one in found[:5])
        raise Refused(
            "SW424",
            f"{len(found)} {'step' if len(found) == 1 else 'steps'} of the migrations must not be run like that",
            why=told + (f"; and {len(found) - 5} more" if len(found) > 5 else ""),
            fix="add first and take away in a later release; a file that must take away begins with `-- irreversible`",
        )


async def _findings(migration: Migration, server_major: int) -> list[Finding]:
    wanted = _IMPOSSIBLE if migration.is_irreversible else _IMPOSSIBLE | _CONTRACTS
    said = await _ask(migration.sql, server_major)
    return [
        Finding(migration.id, int(one["line"]) + 1, str(one["rule_name"]), str(one["message"]))
        for one in said
        if one["rule_name"] in wanted
    ]


async def _ask(text: str, server_major: int) -> list[dict[str, Any]]:
    """What the linter says of a text. Its own configuration is left aside: which rules count is decided here."""
    program = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    if program is None:
        raise _missing("it is not installed")
    flags = ("--config", "/dev/null", "--assume-in-transaction", "--pg-version", str(server_major))
    try:
        process = await asyncio.create_subprocess_exec(
            program, *flags, "--reporter", "json", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/"
        )
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                out, _ = await process.communicate(_ANOTHER + text.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        said: list[dict[str, Any]] = json.loads(out)
    except (OSError, TimeoutError, ValueError) as error:
        raise _missing(f"it gave no answer ({type(error).__name__})") from error
    return said


def _missing(why: str) -> ConfigError:
    return ConfigError(
        "SW111",
        "squawk, the linter for migrations, cannot be used",
        why=why,
        fix="install `securewatch-render[postgres]` where this command runs",
    )
