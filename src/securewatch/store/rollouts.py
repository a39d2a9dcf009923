"""Rollouts and their members: rows moved under an epoch so that two movers cannot both win."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from securewatch.core.errors import Conflict
from securewatch.rollout.model import Member, MemberState, Rollout
from securewatch.store.codec import dump, load, safe_text
from securewatch.store.failures import Duplicate
from securewatch.store.tables import OPEN_ROLLOUT
from securewatch.store.tables import member as members
from securewatch.store.tables import rollout as rollouts
from securewatch.store.tx import Prepared, Row, Tx

_ID: sa.BindParameter[str] = sa.bindparam("p_id")
_SLUG: sa.BindParameter[str] = sa.bindparam("p_slug")
_SELECT = sa.select(rollouts.c.id, rollouts.c.document)
_INSERT = Prepared(sa.insert(rollouts), [column.name for column in rollouts.columns])
_UPDATE = Prepared(
    sa.update(rollouts)
    .where(rollouts.c.id == _ID, rollouts.c.epoch == sa.bindparam("p_epoch"))
    .returning(rollouts.c.id),
    ("state", "epoch", "document"),
)
_LOAD = Prepared(_SELECT.where(rollouts.c.id == _ID))
_UNDER_WAY = (MemberState.RUNNING, MemberState.VERIFIED)
_HAS_WORK = (
    sa.select(members.c.slug)
    .where(
        members.c.rollout_id == rollouts.c.id,
        members.c.state.in_([sa.literal_column(f"'{one}'") for one in _UNDER_WAY]),
    )
    .exists()
)
_OPEN = Prepared(_SELECT.where(sa.or_(sa.text(OPEN_ROLLOUT), _HAS_WORK)).order_by(rollouts.c.id))
_OF = Prepared(_SELECT.where(rollouts.c.version == sa.bindparam("p_version")))
_ALL = Prepared(_SELECT.order_by(rollouts.c.id))
_INSERT_MEMBER = Prepared(sa.insert(members), [column.name for column in members.columns])
_UPDATE_MEMBER = Prepared(
    sa.update(members)
    .where(members.c.rollout_id == _ID, members.c.slug == _SLUG, members.c.epoch == sa.bindparam("p_epoch"))
    .returning(members.c.slug),
    ("state", "run_id", "epoch", "document"),
)
_MEMBERS = Prepared(
    sa.select(members.c.slug, members.c.epoch, members.c.document)
    .where(members.c.rollout_id == _ID)
    .order_by(members.c.slug)
)
_EPOCHS = Prepared(sa.select(members.c.slug, members.c.epoch).where(members.c.rollout_id == _ID))
_MEMBER = Prepared(
    sa.select(members.c.slug, members.c.epoch, members.c.document).where(
        members.c.rollout_id == _ID, members.c.slug == _SLUG
    )
)
_LIVE = (MemberState.VERIFIED, MemberState.DONE)
_MEMBERS_OF = Prepared(
    sa.select(members.c.slug, members.c.epoch, members.c.document).where(
        members.c.slug == _SLUG, members.c.state.in_([sa.literal_column(f"'{state}'") for state in _LIVE])
    )
)


async def add_rollout(tx: Tx, rollout: Rollout, joining: Iterable[Member]) -> Rollout:
    """Add a rollout with its members. Raises Conflict (SW420) where one of that version is open already."""
    try:
        await tx.change(_INSERT, _columns(rollout))
    except Duplicate as error:
        raise _exists(rollout.version) from error
    for one in joining:
        await add_member(tx, one)
    return rollout


async def add_member(tx: Tx, member: Member) -> None:
    """Add one customer to its rollout."""
    await tx.change(_INSERT_MEMBER, _member_columns(member))


async def update_rollout(tx: Tx, rollout: Rollout, *, expected_epoch: int) -> Rollout:
    """Store a rollout as it is now, with the next epoch. Raises Conflict (SW410) where it has moved on meanwhile."""
    moved = replace(rollout, epoch=expected_epoch + 1)
    if not await tx.change(_UPDATE, {**_columns(moved), "p_id": rollout.id, "p_epoch": expected_epoch}):
        raise _changed(f"the rollout {rollout.id}")
    return moved


async def update_member(tx: Tx, member: Member, *, expected_epoch: int) -> Member:
    """Store a member as it is now, with the next epoch. Raises Conflict (SW410) where it has moved on meanwhile."""
    moved = replace(member, epoch=expected_epoch + 1)
    row = {**_member_columns(moved), "p_id": member.rollout_id, "p_slug": member.slug, "p_epoch": expected_epoch}
    if not await tx.change(_UPDATE_MEMBER, row):
        raise _changed(f"{member.slug} in the rollout {member.rollout_id}")
    return moved


async def load_rollout(tx: Tx, rollout_id: str) -> Rollout | None:
    """The rollout of that id. Raises NeedsHuman (SW703), as all reads here, for a state this version does not know."""
    found = await tx.first(_LOAD, {"p_id": rollout_id})
    return None if found is None else _rollout(found)


async def open_rollouts(tx: Tx) -> Sequence[Rollout]:
    """Every rollout that may still start something, or whose customers are under way or watched."""
    return [_rollout(row) for row in await tx.rows(_OPEN)]


async def all_rollouts(tx: Tx) -> Sequence[Rollout]:
    """Every rollout there ever was, oldest first."""
    return sorted(map(_rollout, await tx.rows(_ALL)), key=lambda one: one.requested_at)


async def rollouts_of(tx: Tx, version: str) -> Sequence[Rollout]:
    """The rollouts of a version, newest first."""
    found = [_rollout(row) for row in await tx.rows(_OF, {"p_version": version})]
    return sorted(found, key=lambda one: one.generation, reverse=True)


async def members_of(tx: Tx, rollout_id: str, known: Mapping[str, Member] | None = None) -> Mapping[str, Member]:
    """The members of a rollout by slug; those in `known` that have not moved on are taken from there, and `known` is
    given again where none has.
    """
    if not known:
        return {row[0]: _member(row) for row in await tx.rows(_MEMBERS, {"p_id": rollout_id})}
    epochs: dict[str, int] = {str(row[0]): int(row[1]) for row in await tx.rows(_EPOCHS, {"p_id": rollout_id})}
    found = {slug: known[slug] for slug, epoch in epochs.items() if slug in known and known[slug].epoch == epoch}
    if len(found) == len(epochs) == len(known):
        return known
    for slug in sorted(epochs.keys() - found.keys()):
        one = await load_member(tx, rollout_id, slug)
        if one is not None:
            found[slug] = one
    return found


async def load_member(tx: Tx, rollout_id: str, slug: str) -> Member | None:
    """One customer of a rollout."""
    found = await tx.first(_MEMBER, {"p_id": rollout_id, "p_slug": slug})
    return None if found is None else _member(found)


async def live_members(tx: Tx, slug: str) -> Sequence[Member]:
    """The customer's rows, in whatever rollouts, that say it has the version."""
    return [_member(row) for row in await tx.rows(_MEMBERS_OF, {"p_slug": slug})]


def _columns(rollout: Rollout) -> dict[str, object]:
    return {
        "id": rollout.id,
        "version": safe_text(rollout.version),
        "state": rollout.state.value,
        "plan_hash": rollout.plan_hash,
        "epoch": rollout.epoch,
        "document": dump(rollout),
    }


def _member_columns(member: Member) -> dict[str, object]:
    return {
        "rollout_id": member.rollout_id,
        "slug": member.slug,
        "state": member.state.value,
        "run_id": member.run_id,
        "epoch": member.epoch,
        "document": dump(member),
    }


def _rollout(row: Row) -> Rollout:
    rollout_id, document = row
    return load(Rollout, document, f"the rollout {rollout_id}")


def _member(row: Row) -> Member:
    slug, _epoch, document = row
    return load(Member, document, f"{slug}'s place in a rollout")


def _exists(version: str) -> Conflict:
    return Conflict(
        "SW420",
        f"a rollout of {version} is open already",
        why="a version has one rollout at a time",
        fix=f"securewatch rollout status --version {version}",
    )


def _changed(what: str) -> Conflict:
    return Conflict(
        "SW410", f"{what} has moved on meanwhile", why="somebody else changed it first", fix="give the command again"
    )
