"""Which version each customer's services run, since when, and what they ran before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from securewatch.deploy.model import ServiceKind
from securewatch.store.codec import from_text, from_text_or_none, safe_text, to_text, to_text_or_none
from securewatch.store.tables import release as releases
from securewatch.store.tx import Prepared, Row, Tx

_COLUMNS = [column for column in releases.columns if column.name != "id"]
_NAMES = [column.name for column in _COLUMNS]
_SELECT = sa.select(*_COLUMNS)
_INSERT = Prepared(sa.insert(releases), _NAMES)
_LAST_ID = (
    sa.select(sa.func.max(releases.c.id))
    .where(releases.c.slug == sa.bindparam("p_slug"), releases.c.service_kind == sa.bindparam("p_service_kind"))
    .scalar_subquery()
)
_UPDATE = Prepared(
    sa.update(releases)
    .where(
        releases.c.id == _LAST_ID,
        releases.c.service_id == sa.bindparam("p_service_id"),
        releases.c.deploy_id == sa.bindparam("p_deploy_id"),
    )
    .returning(releases.c.id),
    ("version", "commit", "verified_at", "run_id"),
)
_LATEST = sa.select(sa.func.max(releases.c.id)).group_by(releases.c.slug, releases.c.service_kind)
_CURRENT = Prepared(_SELECT.where(releases.c.id.in_(_LATEST)).order_by(releases.c.slug, releases.c.service_kind))
_HISTORY = Prepared(_SELECT.where(releases.c.slug == sa.bindparam("p_slug")).order_by(releases.c.id.desc()))

_FIRST_VERIFIED = Prepared(
    sa.select(sa.func.min(releases.c.verified_at)).where(
        releases.c.version == sa.bindparam("p_version"), releases.c.slug == sa.bindparam("p_slug")
    )
)


@dataclass(frozen=True)
class Release:
    """A version on one service since an instant. `verified_at` is None until it proved healthy."""

    slug: str
    service_kind: ServiceKind
    service_id: str
    version: str
    commit: str | None
    deploy_id: str | None
    since: datetime
    verified_at: datetime | None = None
    run_id: str | None = None


async def record_release(tx: Tx, release: Release) -> None:
    """Note what a service runs now; the same deploy noted again brings its entry up to date and keeps its `since`."""
    row = {
        "slug": release.slug,
        "service_kind": release.service_kind.value,
        "service_id": release.service_id,
        "version": safe_text(release.version),
        "commit": release.commit,
        "deploy_id": release.deploy_id,
        "since": to_text(release.since),
        "verified_at": to_text_or_none(release.verified_at),
        "run_id": release.run_id,
    }
    is_known = await tx.change(_UPDATE, row | {f"p_{name}": value for name, value in row.items()})
    if not is_known:
        await tx.change(_INSERT, row)


async def current_releases(tx: Tx) -> Sequence[Release]:
    """What every service runs, as far as is known, by customer."""
    return [_release(row) for row in await tx.rows(_CURRENT)]


async def first_verified(tx: Tx, version: str, slugs: Iterable[str]) -> datetime | None:
    """When the first of these customers had the version and had proved it; None while none has."""
    found = [await tx.first(_FIRST_VERIFIED, {"p_version": version, "p_slug": slug}) for slug in slugs]
    return min((from_text(row[0]) for row in found if row and row[0]), default=None)


async def history(tx: Tx, slug: str) -> Sequence[Release]:
    """What the customer's services run and ran, newest first."""
    return [_release(row) for row in await tx.rows(_HISTORY, {"p_slug": slug})]


def _release(row: Row) -> Release:
    slug, kind, service_id, version, commit, deploy_id, since, verified_at, run_id = row
    return Release(
        slug,
        ServiceKind(kind),
        service_id,
        version,
        commit,
        deploy_id,
        from_text(since),
        verified_at=from_text_or_none(verified_at),
        run_id=run_id,
    )
