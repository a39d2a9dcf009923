"""Which gates bind a run now, and until when: freeze, window and approval. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from securewatch.deploy.model import FreezeSpec, GateRules, Run, Stage, WindowSpec
from securewatch.deploy.view import Gate
from securewatch.rollout.windows import Window, is_open, next_open, window_from

_CONFIGURATION = "whoever keeps the configuration"
"""Who can open a gate that no time and no answer opens."""


@dataclass(frozen=True)
class Grant:
    """One person's answer to an approval request for a plan and customer: a yes (`granted`) or a no.

    A yes counts until `expires_at` and for one run only, `used_by`, once that run went ahead on it.
    """

    plan_hash: str
    slug: str
    actor: str
    at: datetime
    expires_at: datetime
    granted: bool
    used_by: str | None = None


def gates_of(rules: GateRules, run: Run, grants: Sequence[Grant], now: datetime) -> tuple[Gate, ...]:
    """Every gate that the rules name, open or shut; `grants` are the answers given, oldest first.

    `--force` opens them: all are soft checks.
    """
    gates = []
    if rules.freezes:
        gates.append(_freeze_gate(rules.freezes, run, now))
    if rules.window is not None:
        gates.append(_window_gate(rules.window, run, now))
    if rules.needs_approval:
        gates.append(_approval_gate(rules, run, grants, now))
    return tuple(gates)


def freeze_at(freezes: Sequence[FreezeSpec], now: datetime) -> FreezeSpec | None:
    """The freeze that holds now; of several the one that ends last."""
    return max((one for one in freezes if one.start <= now < one.end), key=lambda one: one.end, default=None)


@lru_cache(maxsize=4096)
def window_of(spec: WindowSpec) -> Window:
    """The window that a plan's text stands for. Raises ValueError when it stands for none."""
    return window_from(spec.day, start=spec.start, end=spec.end, timezone=spec.timezone)


def window_words(window: WindowSpec) -> str:
    """A maintenance window in words: `Sunday 02:00-06:00 America/New_York`."""
    hours = f"{window.start}-{window.end}" if window.start else "at any time"
    return f"{window.day.capitalize() if window.day != 'any' else 'any day'} {hours} {window.timezone}"


def valid_grants(rules: GateRules, run: Run, grants: Sequence[Grant], now: datetime) -> tuple[Grant, ...]:
    """The approvals that count, newest first: of this plan and customer, by people who may, unexpired, unused (I9).

    Of each person it is the newest. A rejection, whoever gives it, revokes every approval before it; an approval by
    somebody who may not give one changes nothing.
    """
    found: dict[str, Grant] = {}
    for answer in reversed(_answers(run, grants)):
        if not answer.granted:
            break
        is_unused = answer.used_by in (None, run.id)
        may_approve = not objection_to(answer.actor, rules, requested_by=run.requested_by)
        if may_approve and is_unused and now < answer.expires_at:
            found.setdefault(answer.actor, answer)
    return tuple(found.values())


def objection_to(actor: str, rules: GateRules, *, requested_by: str) -> str:
    """Why the actor cannot approve what `requested_by` asked for; empty when they can."""
    if actor == requested_by:
        return f"{actor} asked for it, and nobody approves their own request"
    if rules.approvers and actor not in rules.approvers:
        return f"{actor} is not among the approvers ({', '.join(rules.approvers)})"
    return ""


def _answers(run: Run, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    return tuple(one for one in grants if one.plan_hash == run.approval_hash and one.slug == run.slug)


def _freeze_gate(freezes: Sequence[FreezeSpec], run: Run, now: datetime) -> Gate:
    holding = freeze_at(freezes, now)
    if run.force or holding is None:
        return Gate("freeze", is_open=True)
    return Gate("freeze", False, f"the end of the freeze {holding.name!r}", "SW401", until=holding.end)


def _window_gate(spec: WindowSpec, run: Run, now: datetime) -> Gate:
    if run.force:
        return Gate("window", is_open=True)
    try:
        window = window_of(spec)
    except ValueError as error:
        return Gate("window", False, f"the maintenance window cannot be read: {error}", "SW401", person=_CONFIGURATION)
    if is_open(window, now):
        return Gate("window", is_open=True)
    return Gate("window", False, "the maintenance window", "SW401", until=next_open(window, now))


def _approval_gate(rules: GateRules, run: Run, grants: Sequence[Grant], now: datetime) -> Gate:
    """Open with enough approvals that count. Once used they expire no more, unless the run waits in the queue again."""
    answers, needed = _answers(run, grants), rules.approvals_needed
    rejected = answers[-1] if answers and not answers[-1].granted else None
    went_ahead = len(run.approved_by) >= needed and run.stage is not Stage.QUEUED and rejected is None
    given = tuple(grant.actor for grant in valid_grants(rules, run, grants, now))
    if run.force or went_ahead or len(given) >= needed:
        return Gate("approval", is_open=True)
    who = _who_may_approve(rules, (run.requested_by, *reversed(given)))
    count = "an approval" if needed == 1 else f"{needed - len(given)} of {needed} approvals"
    said = f" ({rejected.actor} rejected it)" if rejected else ""
    return Gate("approval", False, f"{count} by {who}{said}", "SW402", person=who)


def _who_may_approve(rules: GateRules, others: Sequence[str]) -> str:
    """Whose approval would count, but for that of `others`: the requester first, then those who gave theirs."""
    eligible = [one for one in rules.approvers if one not in others]
    if rules.approvers and not eligible:
        return f"an approver other than {' and '.join(others)}, and none is configured"
    return " or ".join(eligible) or f"anyone but {' and '.join(others)}"
