"""Backups of customers' databases as rows: what each holds, where it is kept, and whether a restore of it was tried."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from securewatch.store.codec import dump, dump_canonical, from_text, load, to_text, to_text_or_none
from securewatch.store.tables import database_backup as table
from securewatch.store.tx import Prepared, Row, Tx

_SLUG = sa.bindparam("p_slug", type_=sa.Text)
_SELECT = sa.select(table.c.name, table.c.document)
_OF = Prepared(
    _SELECT.where(sa.or_(_SLUG.is_(None), table.c.slug == _SLUG)).order_by(table.c.taken_at.desc(), table.c.name)
)
_ONE = Prepared(_SELECT.where(table.c.name == sa.bindparam("p_name")))
_OF_RUN = Prepared(
    _SELECT.where(table.c.run_id == sa.bindparam("p_run_id"), table.c.removed_at.is_(None)).order_by(
        table.c.taken_at.desc()
    )
)
_INSERT = Prepared(sa.insert(table), [column.name for column in table.columns])
_UPDATE = Prepared(
    sa.update(table).where(table.c.name == sa.bindparam("p_name")).returning(table.c.name), ("removed_at", "document")
)
_SLUGS = sa.select(sa.func.json_each(sa.bindparam("p_slugs", type_=sa.Text)).table_valued("value").c.value)
_VERSION = sa.func.json_extract(table.c.document, "$.version")
_VERIFIED = Prepared(
    sa.select(table.c.slug, _VERSION, table.c.name, table.c.taken_at)
    .where(
        table.c.removed_at.is_(None),
        table.c.slug.in_(_SLUGS),
        sa.func.json_extract(table.c.document, "$.verified_at").is_not(None),
    )
    .order_by(table.c.taken_at.desc(), table.c.name)
)


@dataclass(frozen=True)
class TableRows:
    """One table of a backup and how many rows it had."""

    name: str
    rows: int


@dataclass(frozen=True)
class Backup:
    """One backup. `version` is what the customer ran; `run_id` the deploy before which it was taken, empty for none.

    It counts once `verified_at` is set: then a restore of it gave the same rows, in `restore_seconds`. `problem` says
    why the last try did not. `removed_at` is when its archive was deleted.
    """

    name: str
    slug: str
    version: str
    place: str
    taken_at: datetime
    actor: str
    run_id: str
    key_id: str
    server_version: str
    database_bytes: int
    dump_bytes: int
    stored_bytes: int
    dump_sha256: str
    seconds: float
    tables: tuple[TableRows, ...]
    verified_at: datetime | None = None
    restore_seconds: float | None = None
    problem: str = ""
    removed_at: datetime | None = None

    @property
    def rows(self) -> int:
        """The rows of all its tables."""
        return sum(one.rows for one in self.tables)


@dataclass(frozen=True)
class VerifiedBackup:
    """A backup that counts and is still there, as far as a way back asks for it."""

    name: str
    taken_at: datetime


async def add_backup(tx: Tx, backup: Backup) -> None:
    """Keep a new one."""
    row = {"name": backup.name, "slug": backup.slug, "run_id": backup.run_id, "taken_at": to_text(backup.taken_at)}
    await tx.change(_INSERT, {**row, **_changing(backup)})


async def update_backup(tx: Tx, backup: Backup) -> None:
    """Keep it as it is now."""
    await tx.change(_UPDATE, {"p_name": backup.name, **_changing(backup)})


async def load_backup(tx: Tx, name: str) -> Backup | None:
    """The one of that name. Raises NeedsHuman (SW703), as all reads here, for one that this version cannot read."""
    found = await tx.first(_ONE, {"p_name": name})
    return None if found is None else _backup(found)


async def backups_of(tx: Tx, slug: str | None = None) -> Sequence[Backup]:
    """Every backup of a customer, or of all, the newest first; those that were removed too."""
    return [_backup(row) for row in await tx.rows(_OF, {"p_slug": slug})]


async def backups_of_run(tx: Tx, run_id: str) -> Sequence[Backup]:
    """Those that were taken for a run and are still there, the newest first."""
    return [_backup(row) for row in await tx.rows(_OF_RUN, {"p_run_id": run_id})]


async def verified_backups(tx: Tx, slugs: Collection[str]) -> Mapping[tuple[str, str], VerifiedBackup]:
    """By slug and version the newest of the customers' backups that count and are still there."""
    found: dict[tuple[str, str], VerifiedBackup] = {}
    for slug, version, name, taken_at in await tx.rows(_VERIFIED, {"p_slugs": dump_canonical(list(slugs))}):
        found.setdefault((slug, version), VerifiedBackup(name, from_text(taken_at)))
    return found


def _changing(backup: Backup) -> dict[str, object]:
    return {"removed_at": to_text_or_none(backup.removed_at), "document": dump(backup)}


def _backup(row: Row) -> Backup:
    name, document = row
    return load(Backup, document, f"the backup {name}")
