"""Writes down what was decided about a rollout: its row, its members and the audit entries, in one transaction."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from securewatch.rollout.model import Member, Rollout
from securewatch.rollout.view import RolloutDecision, RolloutView
from securewatch.store import audit, rollouts
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, Tx
from securewatch.store.news import FLEET

_NOT_NEWS = ("epoch", "since", "joined")


@dataclass(frozen=True)
class RolloutCommitter:
    """Writes decisions about rollouts down on behalf of `actor`."""

    database: Database
    box: SecretBox
    actor: str

    async def commit(self, view: RolloutView, decision: RolloutDecision, now: datetime) -> bool:
        """Write one decision down; whether anything is new. Raises Conflict where a row moved on in the meantime."""
        changed = [
            one for slug, one in decision.members.items() if one is not view.members[slug] and one != view.members[slug]
        ]
        if not changed and decision.rollout == view.rollout:
            return False
        scribe = Scribe(self.box, self.actor, now)
        async with self.database.write("rollout", about=(FLEET,)) as tx:
            for one in changed:
                await scribe.save_member(tx, view.members[one.slug], one)
            if decision.rollout != view.rollout:
                await scribe.save_rollout(tx, view.rollout, decision.rollout)
        return True


@dataclass(frozen=True)
class Scribe:
    """Stores rows that changed, each with its audit entry: who changed it and when."""

    box: SecretBox
    actor: str
    at: datetime

    async def save_rollout(self, tx: Tx, before: Rollout, after: Rollout) -> Rollout:
        """Store a rollout. Raises Conflict (SW410) where it has moved on since `before` was read."""
        saved = await rollouts.update_rollout(tx, after, expected_epoch=before.epoch)
        detail = {"rollout": after.id, "version": after.version, "changes": _difference(before, after)}
        action = f"rollout.{after.state}"
        await audit.append(
            tx, self.box, at=self.at, actor=self.actor, action=action, plan_hash=after.plan_hash, detail=detail
        )
        return saved

    async def add_member(self, tx: Tx, member: Member) -> None:
        """Store a customer that joined a rollout."""
        await rollouts.add_member(tx, member)
        detail = {"rollout": member.rollout_id, "phase": member.phase, "batch": member.batch}
        if member.detail:
            detail["detail"] = member.detail
        await audit.append(
            tx, self.box, at=self.at, actor=self.actor, action="member.joined", slug=member.slug, detail=detail
        )

    async def save_member(self, tx: Tx, before: Member, after: Member) -> Member:
        """Store a member. Raises like `save_rollout`."""
        saved = await rollouts.update_member(tx, after, expected_epoch=before.epoch)
        await audit.append(
            tx,
            self.box,
            at=self.at,
            actor=self.actor,
            action=f"member.{after.state}",
            slug=after.slug,
            run_id=after.run_id or None,
            detail={"rollout": after.rollout_id, "changes": _difference(before, after)},
        )
        return saved


def _difference(before: Rollout | Member, after: Rollout | Member) -> Mapping[str, Any]:
    old, new = asdict(before), asdict(after)
    return {key: value for key, value in new.items() if value != old[key] and key not in _NOT_NEWS}
