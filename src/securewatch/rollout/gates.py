"""Which gates bind a run now, and until when: window, approval, testing period, hold. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from securewatch.deploy.model import CustomerPlan, Gate, Run, WindowSpec
from securewatch.rollout.windows import Window, is_open, next_open, window_from


@dataclass(frozen=True)
class Grant:
    """One person's answer to an approval request for a plan and customer."""

    plan_hash: str
    slug: str
    actor: str
    at: datetime
    expires_at: datetime
    granted: bool
    used_by: str | None = None


def gates_of(customer: CustomerPlan, run: Run, grants: Sequence[Grant], now: datetime) -> tuple[Gate, ...]:
    """Every gate of the customer's plan, open or shut. `--force` opens the soft ones: window, approval, testing period."""
    rules = customer.gates
    gates = [Gate("hold", not rules.held, "; ".join(rules.held), "SW404", person="whoever keeps the configuration")]
    if rules.testing_period_until is not None:
        is_over = run.force or now >= rules.testing_period_until
        gates.append(
            Gate("testing period", is_over, "the testing period runs", "SW416", until=rules.testing_period_until)
        )
    if rules.window is not None:
        gates.append(_window_gate(rules.window, run, now))
    if rules.needs_approval:
        gates.append(_approval_gate(customer, run, grants, now))
    return tuple(gates)


def window_of(spec: WindowSpec) -> Window:
    """The window that a plan's text stands for."""
    text = f"{spec.start}-{spec.end}" if spec.start and spec.end else "any"
    return window_from(spec.day, text, spec.timezone)


def _window_gate(spec: WindowSpec, run: Run, now: datetime) -> Gate:
    window = window_of(spec)
    if run.force or is_open(window, now):
        return Gate("window", is_open=True)
    return Gate("window", False, "the maintenance window opens", "SW401", until=next_open(window, now))


def _approval_gate(customer: CustomerPlan, run: Run, grants: Sequence[Grant], now: datetime) -> Gate:
    valid = valid_grant(customer, run, grants, now)
    if run.force or valid is not None or run.approved_by:
        return Gate("approval", is_open=True)
    rejected = next((one for one in reversed(grants) if not one.granted and one.plan_hash == run.plan_hash), None)
    who = " or ".join(customer.gates.approvers) or f"anyone but {run.requested_by}"
    reason = f"an approval by {who}" + (f" ({rejected.actor} rejected it)" if rejected else "")
    return Gate("approval", False, reason, "SW402", person=who)


def valid_grant(customer: CustomerPlan, run: Run, grants: Sequence[Grant], now: datetime) -> Grant | None:
    """The newest answer, if it is an approval that counts: authorised, not by the requester, unexpired, unused (I9)."""
    ours = [one for one in grants if one.plan_hash == run.plan_hash and one.slug == run.slug]
    if not ours or not ours[-1].granted:
        return None
    newest = ours[-1]
    is_authorised = not customer.gates.approvers or newest.actor in customer.gates.approvers
    is_unused = newest.used_by in (None, run.id)
    if is_authorised and is_unused and newest.actor != run.requested_by and now < newest.expires_at:
        return newest
    return None
