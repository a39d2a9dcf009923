"""Customers who come into the files or go while a rollout runs: who joins where, who leaves, who is back. Pure.

The rule is the one that every plan states (`plan.JOINING`). What else the files say meanwhile changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from securewatch.rollout.model import Member, MemberState, PhasePlan, ReleasePlan, Rollout

LEFT = "left: not in the files any more"
"""The detail of a customer that went; while it begins so, the customer comes back by being in the files again."""


def with_joined(plan: ReleasePlan, members: Iterable[Member]) -> ReleasePlan:
    """The plan with the parts of those who joined at the end of their phases; its hash stays the one that was made."""
    joined: dict[str, list[Member]] = {}
    for one in members:
        if one.joined is not None:
            joined.setdefault(one.phase, []).append(one)
    if not joined:
        return plan
    phases = (
        replace(phase, members=(*phase.members, *(one.joined for one in joined.get(phase.name, ()) if one.joined)))
        for phase in plan.phases
    )
    return replace(plan, phases=tuple(phases))


def join(
    rollout: Rollout, plan: ReleasePlan, members: Mapping[str, Member], *, latest: ReleasePlan, now: datetime
) -> tuple[Member, ...]:
    """The members that a rollout gets: of `latest`, the same version planned by the files as they are, who is new.

    They come in a batch after the last one of their phase. Where the phase has ended they are skipped, with the reason.
    Nobody joins a phase that the plan has not.
    """
    ours = {phase.name: phase for phase in plan.phases}
    found: list[Member] = []
    for phase in latest.phases:
        for one in phase.members:
            if one.slug in members or phase.name not in ours:
                continue
            part = replace(one, batch=0 if one.left_out else ours[phase.name].batch_count + 1)
            joined = Member(
                rollout_id=rollout.id,
                slug=one.slug,
                phase=phase.name,
                batch=part.batch,
                state=MemberState.SKIPPED if one.left_out else MemberState.PENDING,
                since=now,
                asked=_is_asked(members, phase.name),
                code=one.code,
                detail=one.left_out,
                joined=part,
            )
            is_late = not one.left_out and has_ended(rollout, ours[phase.name], members, now)
            found.append(_too_late(joined) if is_late else joined)
    return tuple(found)


def leave(
    rollout: Rollout, plan: ReleasePlan, members: Mapping[str, Member], slugs: Collection[str], *, now: datetime
) -> tuple[Member, ...]:
    """The members that change because the files have only the customers `slugs` now: who waits and went is skipped.

    Who is back waits again, unless its phase has ended. What is under way finishes.
    """
    phases, changed = {phase.name: phase for phase in plan.phases}, []
    for one in members.values():
        if one.state is MemberState.PENDING and one.slug not in slugs:
            changed.append(replace(one, state=MemberState.SKIPPED, since=now, code="", detail=LEFT))
        elif one.state is MemberState.SKIPPED and one.detail == LEFT and one.slug in slugs:
            back = replace(one, state=MemberState.PENDING, since=now, detail="")
            ended = has_ended(rollout, phases[one.phase], members, now)
            changed.append(replace(_too_late(back), since=now) if ended else back)
    return tuple(changed)


def has_ended(rollout: Rollout, phase: PhasePlan, members: Mapping[str, Member], now: datetime) -> bool:
    """Whether a phase takes nobody in any more: its days are over, and nobody in it waits or is under way."""
    ours = (one for one in members.values() if one.phase == phase.name)
    return now >= phase.ends(rollout.day_zero) and all(one.state.is_over for one in ours)


def _is_asked(members: Mapping[str, Member], phase: str) -> bool:
    """A customer that joins is asked for where everybody of its phase was; of an empty phase, everybody at all."""
    due = [one for one in members.values() if one.asked or one.state is not MemberState.SKIPPED]
    ours = [one for one in due if one.phase == phase] or due
    return bool(ours) and all(one.asked for one in ours)


def _too_late(member: Member) -> Member:
    detail = f"came after {member.phase} had ended: gets the next release"
    return replace(member, state=MemberState.SKIPPED, detail=detail)
