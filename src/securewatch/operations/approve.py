"""Say yes or no to the plan of one customer's deploy. Whether an answer counts is decided where the gates are."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from securewatch.core.errors import Conflict, NotFound, UsageError
from securewatch.deploy.model import GateRules, RunKind, Stage
from securewatch.deploy.plan import APPROVAL_EXPIRES_SECONDS
from securewatch.deps import Deps
from securewatch.operations.start import bind
from securewatch.rollout.gates import objection_to
from securewatch.rollout.model import Member, MemberState, PhasePlan, Rollout
from securewatch.store import approvals, audit, plans, release_plans, rollouts, runs
from securewatch.store.approvals import Approval
from securewatch.store.database import Tx


@dataclass(frozen=True)
class Answer:
    """One person's answer, as they give it. `plan` is a prefix of the plan's hash, empty for the open plan."""

    slug: str
    version: str
    granted: bool
    comment: str = ""
    plan: str = ""


@dataclass(frozen=True)
class Open:
    """What asks for an approval: a deploy in the queue, or a customer of an open rollout.

    `plan_hash` is what the answer is bound to; `expires_at` when an approval given now expires.
    """

    slug: str
    version: str
    plan_hash: str
    rules: GateRules
    requested_by: str
    expires_at: datetime
    run_id: str | None = None


async def answer_request(deps: Deps, answer: Answer) -> tuple[Approval, Open]:
    """Record the answer of this process's actor to what asks for it at the customer.

    Raises NotFound (SW206) where nothing asks for an approval, Conflict (SW413) for another plan than that one,
    UsageError (SW413) where this actor's would not count.
    """
    customer = deps.fleet.find_customer(answer.slug)
    database = await deps.existing_database()
    if database is None:
        raise _nothing_open(customer.slug, answer.version)
    now, actor = deps.clock.now(), deps.settings.actor
    async with database.write("answer") as tx:
        await bind(deps, tx, None)
        asking = await _direct(tx, customer.slug, answer, now) or await _in_rollout(tx, customer.slug, answer, now)
        if asking is None:
            raise _nothing_open(customer.slug, answer.version)
        if not asking.plan_hash.startswith(answer.plan):
            raise _stale(answer, asking)
        _refuse_useless(asking, answer, actor)
        given = await approvals.add(
            tx,
            Approval(
                plan_hash=asking.plan_hash,
                slug=customer.slug,
                actor=actor,
                at=now,
                expires_at=asking.expires_at,
                comment=answer.comment,
                granted=answer.granted,
            ),
        )
        await audit.append(
            tx,
            deps.box(create=True),
            at=now,
            actor=actor,
            action="approval.granted" if answer.granted else "approval.refused",
            slug=customer.slug,
            run_id=asking.run_id,
            plan_hash=asking.plan_hash,
            detail={"comment": answer.comment, "version": answer.version},
        )
    return given, asking


async def _direct(tx: Tx, slug: str, answer: Answer, now: datetime) -> Open | None:
    """The customer's deploy that a direct command left in the queue."""
    run = await runs.latest_run(tx, slug, kinds=(RunKind.DEPLOY, RunKind.RESTORE))
    if run is None or run.rollout_id or run.stage is not Stage.QUEUED or run.version != answer.version:
        return None
    plan = await plans.load_plan(tx, run.plan_hash)
    if plan is None:
        return None
    rules = plan.customer(slug).gates
    expires_at = now + timedelta(seconds=rules.approval_expires_seconds)
    return Open(slug, run.version, run.plan_hash, rules, run.requested_by, expires_at, run.id)


async def _in_rollout(tx: Tx, slug: str, answer: Answer, now: datetime) -> Open | None:
    """The customer in the open rollout of the version, as long as its deploy has not begun to write."""
    for rollout in await rollouts.rollouts_of(tx, answer.version):
        plan = await release_plans.load_release_plan(tx, rollout.plan_hash)
        member = await rollouts.load_member(tx, rollout.id, slug)
        if rollout.state.is_over or plan is None or member is None or not await _may_wait(tx, member):
            continue
        phase = plan.phase(member.phase)
        part = member.joined or next(one for one in phase.members if one.slug == slug)
        expires_at = _expiry(rollout, phase, part.gates, now)
        return Open(slug, rollout.version, rollout.plan_hash, part.gates, rollout.requested_by, expires_at)
    return None


async def _may_wait(tx: Tx, member: Member) -> bool:
    run = await runs.load_run(tx, member.run_id) if member.state is MemberState.RUNNING else None
    return member.state is MemberState.PENDING or (run is not None and run.stage is Stage.QUEUED)


def _expiry(rollout: Rollout, phase: PhasePlan, rules: GateRules, now: datetime) -> datetime:
    """By the files, else at the end of the phase; of a customer that is late already, as for a direct deploy."""
    if rules.approval_expires_seconds:
        return now + timedelta(seconds=rules.approval_expires_seconds)
    ends = phase.ends(rollout.day_zero)
    return ends if now < ends else now + timedelta(seconds=APPROVAL_EXPIRES_SECONDS)


def _refuse_useless(asking: Open, answer: Answer, actor: str) -> None:
    """Raise UsageError (SW413) for an answer that nobody needs, or that would not count."""
    rules = asking.rules
    if not rules.needs_approval:
        raise UsageError(
            "SW413",
            f"a deploy to {asking.slug} needs no approval",
            why="its policy asks for none",
            fix=_deploy(asking.slug, asking.version),
        )
    objection = objection_to(actor, rules, requested_by=asking.requested_by)
    if objection:
        raise UsageError(
            "SW413",
            f"{actor} cannot answer for this deploy",
            why=objection,
            fix=_by_another(answer, next((one for one in rules.approvers if one != asking.requested_by), "NAME")),
        )


def _by_another(answer: Answer, actor: str) -> str:
    verb = "approve" if answer.granted else "reject"
    return f"SECUREWATCH_ACTOR={actor} securewatch {verb} --version {answer.version} --customer {answer.slug}"


def _deploy(slug: str, version: str) -> str:
    return f"securewatch deploy-customer --version {version} --customer {slug}"


def _stale(answer: Answer, asking: Open) -> Conflict:
    verb = "approve" if answer.granted else "reject"
    return Conflict(
        "SW413",
        f"the plan {answer.plan} is not the one that waits for an approval",
        why=f"{asking.version} comes to {asking.slug} by the plan {asking.plan_hash[:8]}, which answers are bound to",
        fix=f"look at it, then securewatch {verb} --version {asking.version} --customer {asking.slug} "
        f"--plan {asking.plan_hash[:8]}",
    )


def _nothing_open(slug: str, version: str) -> NotFound:
    return NotFound(
        "SW206",
        f"no deploy of {version} to {slug} waits for an approval",
        why="approvals are bound to a plan, which is made when the deploy is asked for",
        fix=_deploy(slug, version),
    )
