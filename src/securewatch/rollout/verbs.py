"""What people ask of a rollout, as pure transitions: pause, resume, abort, retry, skip, ask for customers.

Each gives the rows as they are to be, or raises; who may ask and the audit log are the operation's business.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from securewatch.core.errors import Conflict
from securewatch.rollout.model import Member, MemberState, Rollout, RolloutState

_MOVES = (RolloutState.PLANNED, RolloutState.RUNNING)


def pause(rollout: Rollout, now: datetime, *, reason: str) -> Rollout:
    """Start nothing new; what is in flight, watches and rollbacks go on. A halted rollout stays halted.

    Raises Conflict (SW421) where it is over.
    """
    _refuse_over(rollout, "paused")
    if rollout.state not in _MOVES:
        return rollout
    return replace(rollout, state=RolloutState.PAUSED, since=now, code="", detail=reason)


def resume(rollout: Rollout, members: Iterable[Member], now: datetime) -> tuple[Rollout, tuple[Member, ...]]:
    """Go on. After a halt the failures there are count as seen, and no more against the budget.

    Raises Conflict (SW421) where the rollout is over.
    """
    _refuse_over(rollout, "resumed")
    if rollout.state in _MOVES:
        return rollout, ()
    state = RolloutState.PLANNED if now < rollout.day_zero else RolloutState.RUNNING
    was_halted = rollout.state is RolloutState.HALTED
    seen = [replace(one, accepted=True) for one in members if was_halted and one.state.is_failure and not one.accepted]
    return replace(rollout, state=state, since=now, code="", detail=""), tuple(seen)


def halt(rollout: Rollout, now: datetime, *, code: str, detail: str) -> Rollout:
    """Start nothing new until a person resumes; unchanged where nothing would start anyway."""
    if rollout.state not in _MOVES:
        return rollout
    return replace(rollout, state=RolloutState.HALTED, since=now, code=code, detail=detail)


def abort(
    rollout: Rollout, members: Iterable[Member], now: datetime, *, reason: str
) -> tuple[Rollout, tuple[Member, ...]]:
    """Never start anything more. Who waits is skipped; who is under way goes on, is watched, and keeps the version.

    Raises Conflict (SW421) where the rollout is over.
    """
    _refuse_over(rollout, "aborted")
    detail = f"aborted: {reason}" if reason else "aborted"
    left = [
        replace(one, state=MemberState.SKIPPED, since=now, detail=detail)
        for one in members
        if one.state is MemberState.PENDING
    ]
    ended = replace(rollout, state=RolloutState.ABORTED, since=now, detail=reason, finished_at=now)
    return ended, tuple(left)


def retry(rollout: Rollout, member: Member, now: datetime) -> Member:
    """Try a customer again that failed, was taken back, held or skipped. Raises Conflict (SW421) where it did not."""
    _refuse_over(rollout, f"asked to try {member.slug} again")
    if not (member.state.is_failure or member.state is MemberState.SKIPPED):
        raise _wrong(f"{member.slug} is {member.state.value}", "only a customer that failed or was skipped is retried")
    return replace(
        member,
        state=MemberState.PENDING,
        since=now,
        asked=True,
        code="",
        detail="",
        accepted=False,
        attempt=member.attempt + 1,
    )


def skip(rollout: Rollout, member: Member, now: datetime, *, reason: str) -> Member:
    """Leave a customer out that waits or failed. Raises Conflict (SW421) where it has the version or is under way."""
    _refuse_over(rollout, f"asked to skip {member.slug}")
    if member.state in (MemberState.RUNNING, MemberState.VERIFIED, MemberState.DONE):
        why = "a deploy that has begun is taken back with rollback-customer, not skipped"
        raise _wrong(f"{member.slug} is {member.state.value}", why)
    return replace(member, state=MemberState.SKIPPED, since=now, detail=f"skipped: {reason}")


def ask(members: Iterable[Member], slugs: Collection[str], *, forced: bool) -> tuple[Member, ...]:
    """Ask for customers, so that they start when their gates open; gives those that change."""
    changed = []
    for one in members:
        asked = replace(one, asked=True, forced=one.forced or forced)
        if one.slug in slugs and one.state is MemberState.PENDING and asked != one:
            changed.append(asked)
    return tuple(changed)


def _refuse_over(rollout: Rollout, verb: str) -> None:
    if rollout.state.is_over:
        raise _wrong(f"the rollout {rollout.id} is {rollout.state.value} and cannot be {verb}", "it is over")


def _wrong(what: str, why: str) -> Conflict:
    return Conflict("SW421", what, why=why, fix="securewatch rollout status")
