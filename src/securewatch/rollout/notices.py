"""Who is to be told what, and when: before a deploy, when it is verified or taken back. Pure; sends nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from securewatch.deploy.back import CUSTOMER_REQUEST
from securewatch.deploy.model import Run, RunKind, Stage
from securewatch.health.verdict import Trigger
from securewatch.rollout.model import Member, MemberPlan, MemberState, ReleasePlan


class NoticeKind(StrEnum):
    """What a notice is about; the files have a template of that name for the first three."""

    ADVANCE = "advance_notification"
    CONFIRMATION = "deployment_confirmation"
    ROLLBACK = "rollback_notification"
    HELD = "held_notification"
    MOVED = "moved_notification"


class RecipientKind(StrEnum):
    """Whom a notice is for: the customer's contact, or the team that runs the releases."""

    CUSTOMER = "customer"
    TEAM = "team"


@dataclass(frozen=True)
class Facts:
    """What a notice tells. `at` is when the deploy is expected, was verified, or was taken back."""

    at: datetime
    previous_version: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Notice:
    """One thing to tell one recipient, once: `event` and `recipient` together are told a single time."""

    event: str
    kind: NoticeKind
    slug: str
    version: str
    recipient: RecipientKind
    due_at: datetime
    facts: Facts


_REASONS = {
    CUSTOMER_REQUEST: "it was asked for",
    Trigger.FAILURES_IN_A_ROW.value: "health checks failed",
    Trigger.ERROR_RATE.value: "too many requests failed",
    Trigger.SLOW.value: "answers took too long",
    "deploy failed": "a part of it could not be deployed",
    "deploy refused": "a part of it could not be deployed",
}
"""Why a version was taken back, in words for a customer; the team reads the whole detail."""


def advance_notices(
    plan: ReleasePlan, members: Iterable[Member], *, slots: Mapping[str, datetime | None], now: datetime
) -> tuple[Notice, ...]:
    """Every advance notice that is due or will be, the earliest first; `slots` say when each customer is expected.

    Of several that are late only the most urgent one remains: nobody gets the letters of 14, 7 and 3 days ahead at
    once. That it is today is told when the deploy has begun, since until then it is only expected.
    """
    plans = {one.slug: one for phase in plan.phases for one in phase.members}
    found: list[Notice] = []
    for member in members:
        part = member.joined or plans.get(member.slug)
        if part is None or part.left_out:
            continue
        if member.state is MemberState.PENDING:
            found += _ahead(plan.version, member, part, slots.get(member.slug), now)
        elif member.state is MemberState.RUNNING and member.started_at is not None and 0 in part.notice_days:
            found += _advance(plan.version, member, 0, member.started_at)
    return tuple(sorted(found, key=lambda one: (one.due_at, one.slug)))


def _ahead(version: str, member: Member, part: MemberPlan, start: datetime | None, now: datetime) -> Iterator[Notice]:
    if start is None:
        return
    days = sorted({one for one in part.notice_days if one > 0})
    late = [one for one in days if start - timedelta(days=one) <= now]
    for one in days:
        if one not in late[1:]:
            yield from _advance(version, member, one, start)


def _advance(version: str, member: Member, days: int, start: datetime) -> Iterator[Notice]:
    event = f"advance:{version}:{member.rollout_id}:{member.slug}:{days}"
    due_at = start - timedelta(days=days)
    return _to_both(event, NoticeKind.ADVANCE, (member.slug, version), due_at, Facts(start))


def moved_notices(
    plan: ReleasePlan,
    members: Iterable[Member],
    told: Iterable[Notice],
    *,
    slots: Mapping[str, datetime | None],
    now: datetime,
) -> tuple[Notice, ...]:
    """What is told to customers who were told a day ahead and are expected on another one now: each time once.

    `told` are the notices so far. Days are those of the customer's wall.
    """
    parts = {one.slug: one for phase in plan.phases for one in phase.members}
    last: dict[tuple[str, str], Notice] = {}
    for one in told:
        if one.kind in (NoticeKind.ADVANCE, NoticeKind.MOVED):
            last[one.slug, one.event.split(":")[2]] = one
    found: list[Notice] = []
    for member in members:
        before, start = last.get((member.slug, member.rollout_id)), slots.get(member.slug)
        part = member.joined or parts.get(member.slug)
        if member.state is not MemberState.PENDING or before is None or start is None or part is None:
            continue
        zone = ZoneInfo(part.gates.window.timezone if part.gates.window is not None else "UTC")
        was, will_be = before.facts.at.astimezone(zone), start.astimezone(zone)
        if before.kind is NoticeKind.ADVANCE and was.date() != will_be.date():
            event = f"moved:{before.event.removeprefix('advance:')}"
            facts = Facts(start, reason=f"{was:%A}, {was.day} {was:%B %Y}")
            found += _to_both(event, NoticeKind.MOVED, (member.slug, plan.version), now, facts)
    return tuple(found)


def confirmation(run: Run) -> tuple[Notice, ...]:
    """What is told when a deploy is verified; nothing for anything else."""
    if run.kind is not RunKind.DEPLOY or run.stage is not Stage.WATCHING or run.verified_at is None:
        return ()
    facts = Facts(run.verified_at, _version_before(run))
    subject = (run.slug, run.version)
    return tuple(_to_both(f"live:{run.id}", NoticeKind.CONFIRMATION, subject, run.verified_at, facts))


def rollback(run: Run, version: str) -> tuple[Notice, ...]:
    """What is told when a run ends after `version` had gone live: both hear that it was taken back.

    That the run is held only the team hears: what the customer has is not known.
    """
    was_live = run.went_live or (run.kind is RunKind.ROLLBACK and any(one.back_deploy_id for one in run.progress))
    if not was_live or run.finished_at is None or run.kind is RunKind.ENV:
        return ()
    subject, before = (run.slug, version), _version_before(run)
    if run.kind is RunKind.RESTORE and run.stage is Stage.DONE:
        facts = Facts(run.finished_at, run.version, "its database was restored to that of the version before")
        return tuple(_to_both(f"back:{run.id}", NoticeKind.ROLLBACK, (run.slug, before), run.finished_at, facts))
    if run.stage is Stage.ROLLED_BACK:
        facts = Facts(run.finished_at, before, _REASONS.get(run.trigger, "it did not pass its checks"))
        return tuple(_to_both(f"back:{run.id}", NoticeKind.ROLLBACK, subject, run.finished_at, facts))
    if run.stage is Stage.HELD:
        facts = Facts(run.finished_at, before, run.detail or run.code)
        return (Notice(f"held:{run.id}", NoticeKind.HELD, *subject, RecipientKind.TEAM, run.finished_at, facts),)
    return ()


def _version_before(run: Run) -> str:
    return next((one.version for one in run.good if one.version), "")


def _to_both(
    event: str, kind: NoticeKind, subject: tuple[str, str], due_at: datetime, facts: Facts
) -> Iterator[Notice]:
    for recipient in RecipientKind:
        yield Notice(event, kind, *subject, recipient, due_at, facts)
