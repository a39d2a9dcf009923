"""Say yes or no to the plan of one customer's deploy. Whether an answer counts is decided where the gates are."""

from dataclasses import dataclass
from datetime import timedelta

from securewatch.core.errors import NotFound, UsageError
from securewatch.deploy.model import Run, RunKind, Stage
from securewatch.deps import Deps
from securewatch.operations.start import bind, note
from securewatch.rollout.gates import objection_to
from securewatch.store import approvals, plans, runs
from securewatch.store.approvals import Approval


@dataclass(frozen=True)
class Answer:
    """One person's answer, as they give it. `plan` is a prefix of the plan's hash, empty for the open plan."""

    slug: str
    version: str
    granted: bool
    comment: str = ""
    plan: str = ""


async def answer_request(deps: Deps, answer: Answer) -> tuple[Approval, Run]:
    """Record the answer of this process's actor to the customer's open deploy.

    Raises NotFound (SW206) where nothing asks for an approval, UsageError (SW413) where this actor's would not count.
    """
    customer = deps.fleet.find_customer(answer.slug)
    database = await deps.existing_database()
    if database is None:
        raise _nothing_open(customer.slug, answer.version)
    now, actor = deps.clock.now(), deps.settings.actor
    async with database.write("answer") as tx:
        await bind(deps, tx, None)
        run = await runs.latest_run(tx, customer.slug, kinds=(RunKind.DEPLOY,))
        if run is None or run.stage is not Stage.QUEUED or run.version != answer.version:
            raise _nothing_open(customer.slug, answer.version)
        if not run.plan_hash.startswith(answer.plan):
            raise _nothing_open(customer.slug, answer.version, f"{answer.plan}; the open plan is {run.plan_hash[:8]}")
        plan = await plans.load_plan(tx, run.plan_hash)
        rules = plan.customer(customer.slug).gates if plan is not None else None
        if rules is None or not rules.needs_approval:
            raise UsageError(
                "SW413",
                f"a deploy to {customer.slug} needs no approval",
                why="its policy asks for none",
                fix=_deploy(customer.slug, run.version),
            )
        objection = objection_to(actor, rules, requested_by=run.requested_by)
        if objection:
            raise UsageError(
                "SW413",
                f"{actor} cannot answer for this deploy",
                why=objection,
                fix=_by_another(answer, next((one for one in rules.approvers if one != run.requested_by), "NAME")),
            )
        given = await approvals.add(
            tx,
            Approval(
                plan_hash=run.plan_hash,
                slug=customer.slug,
                actor=actor,
                at=now,
                expires_at=now + timedelta(seconds=rules.approval_expires_seconds),
                comment=answer.comment,
                granted=answer.granted,
            ),
        )
        action = "approval.granted" if answer.granted else "approval.refused"
        await note(deps, tx, run, action, {"comment": answer.comment, "version": run.version})
    return given, run


def _by_another(answer: Answer, actor: str) -> str:
    verb = "approve" if answer.granted else "reject"
    return f"SECUREWATCH_ACTOR={actor} securewatch {verb} --version {answer.version} --customer {answer.slug}"


def _deploy(slug: str, version: str) -> str:
    return f"securewatch deploy-customer --version {version} --customer {slug}"


def _nothing_open(slug: str, version: str, plan: str = "") -> NotFound:
    return NotFound(
        "SW206",
        f"no deploy of {version} to {slug}{f' with the plan {plan}' if plan else ''} waits for an approval",
        why="approvals are bound to a plan, which is made when the deploy is asked for",
        fix=_deploy(slug, version),
    )
