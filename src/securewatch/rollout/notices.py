"""Who is to be told what, and when: before a deploy, when it is verified or taken back. Pure; sends nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from securewatch.deploy.back import CUSTOMER_REQUEST
from securewatch.deploy.model import Run, RunKind, Stage
from securewatch.health.verdict import Trigger
from securewatch.rollout.model import Member, MemberPlan, MemberState, ReleasePlan


class NoticeKind(StrEnum):
    """What a notice is about; the files have a template of that name for all but the last."""

    ADVANCE = "advance_notification"
    CONFIRMATION = "deployment_confirmation"
    ROLLBACK = "rollback_notification"
    HELD = "held_notification"


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
    plan: ReleasePlan, members: Sequence[Member], *, slots: Mapping[str, datetime | None], now: datetime
) -> tuple[Notice, ...]:
    """Every advance notice that is due or will be, the earliest first; `slots` say when each customer is expected.

    Of several that are late only the most urgent one remains: nobody gets the letters of 14, 7 and 3 days ahead at
    once. Who is under way is told only that it is today; who is through, or left out, nothing.
    """
    plans = {one.slug: one for phase in plan.phases for one in phase.members}
    found: list[Notice] = []
    for member in members:
        member_plan = member.joined or plans.get(member.slug)
        start = slots.get(member.slug) or member.started_at
        if member_plan is not None and start is not None:
            found += _of_member(plan.version, member, member_plan, start, now)
    return tuple(sorted(found, key=lambda one: (one.due_at, one.slug)))


def _of_member(version: str, member: Member, plan: MemberPlan, start: datetime, now: datetime) -> Iterator[Notice]:
    if member.state.is_over or plan.left_out:
        return
    days = sorted({one for one in plan.notice_days if one == 0 or member.state is MemberState.PENDING})
    late = [one for one in days if start - timedelta(days=one) <= now]
    for one in days:
        if one in late[1:]:
            continue
        event = f"advance:{version}:{member.rollout_id}:{member.slug}:{one}"
        due_at = start - timedelta(days=one)
        yield from _to_both(event, NoticeKind.ADVANCE, (member.slug, version), due_at, Facts(start))


def confirmation(run: Run) -> tuple[Notice, ...]:
    """What is told when a deploy of both services is verified; nothing for anything else."""
    is_split = run.detail.startswith("split:")
    if run.kind is not RunKind.DEPLOY or run.stage is not Stage.WATCHING or run.verified_at is None or is_split:
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
