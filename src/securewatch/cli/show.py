"""Values as text for people: plans, states, health. Asks nobody and decides nothing."""

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.text import Text

from securewatch.cli.tables import show_table
from securewatch.cli.words import COLOURS, show_duration, show_instant, show_ms, show_status, show_until
from securewatch.core.errors import ExitCode
from securewatch.deploy.model import CustomerPlan, EnvChange, Plan, RunKind, ServiceKind, ServicePlan, Stage, Status
from securewatch.rollout.gates import window_words

if TYPE_CHECKING:
    from securewatch.deploy.readiness import WayBack
    from securewatch.operations.health import CustomerHealth, ServiceHealth
    from securewatch.operations.history import CustomerCard, Standing
    from securewatch.operations.plan import Planned
    from securewatch.operations.status import CustomerStatus


def status_text(word: str) -> Text:
    """A status word with its glyph and colour."""
    return Text(show_status(word), style=COLOURS.get(word, ""))


# --- plans ------------------------------------------------------------------------------------------------------------


def plan_lines(planned: "Planned") -> list[str]:
    """The plan as people read it before anything happens."""
    plan, customer = planned.plan, planned.plan.customers[0]
    lines = [_headline(planned, plan, customer)]
    for check in planned.checks:
        glyph = {"ok": "✔", "warning": "!", "forced": "‼"}[check.state]
        lines.append(f"  {glyph} {check.name:<15} {check.detail}")
    lines += [f"  ! note            {note}" for note in plan.notes]
    for service in customer.services:
        lines += _service_lines(plan, service)
    if planned.is_there:
        return [*lines, "  ✔ nothing to do: it is there already"]
    return [*lines, *_rule_lines(plan, customer, is_forced=planned.request.force)]


def _headline(planned: "Planned", plan: Plan, customer: CustomerPlan) -> str:
    before = planned.from_version or "version not known"
    words = {
        RunKind.DEPLOY: f"{before} → {plan.version}",
        RunKind.ENV: f"env vars for {plan.version}",
        RunKind.RESTORE: f"{before} back to {plan.version}, with its database",
    }
    what = words.get(plan.kind, plan.kind.value)
    commit = f" ({plan.commit[:7]})" if plan.commit else ""
    return f"{customer.slug} ({customer.name}, {customer.policy})  {what}{commit}  plan {plan.hash[:8]}"


def _service_lines(plan: Plan, service: ServicePlan) -> list[str]:
    changes = [f"{one.key} ({_change_word(one)})" for one in service.env_changes]
    lines = [f"  {service.kind:<10} {service.service_id}"]
    lines.append(f"    env vars     {', '.join(changes) if changes else 'none to write'}")
    if service.drift:
        keys = ", ".join(one.key for one in service.drift)
        lines.append(f"    drift        {keys}: not as in the template, left alone (update-env-vars --all writes it)")
    if plan.kind in (RunKind.DEPLOY, RunKind.RESTORE):
        lines.append(f"    deploy       commit {plan.commit[:12]} ({_live_until_then(service)})")
    return lines


def _change_word(change: EnvChange) -> str:
    if change.before is None:
        return "new"
    return "changed" if change.after else "removed"


def _live_until_then(service: ServicePlan) -> str:
    if service.live_deploy_id is None:
        return "nothing is live until then"
    at = f" at {service.live_commit[:12]}" if service.live_commit else ""
    return f"live until then: {service.live_deploy_id}{at}"


def _rule_lines(plan: Plan, customer: CustomerPlan, *, is_forced: bool) -> list[str]:
    if plan.kind not in (RunKind.DEPLOY, RunKind.RESTORE):
        return []
    rules, gates = customer.rules, customer.gates
    lines = [
        f"  checks       settle {show_duration(rules.settle_seconds)}, then {rules.verification_samples} samples; "
        f"watched for {show_duration(rules.monitoring_seconds)}; "
        f"time-out {show_duration(rules.deploy_timeout_seconds)}",
        f"  rolls back   {rules.thresholds.consecutive_failures} failures in a row, over "
        f"{rules.thresholds.response_ms:.0f} ms, over {rules.thresholds.error_rate:.0%} errors, or on request",
    ]
    skipped = " (not waited for: --force)" if is_forced else ""
    if gates.window is not None:
        lines.append(f"  window       {window_words(gates.window)}{skipped}")
    if gates.needs_approval:
        who = " or ".join(gates.approvers) or "anyone but the one who asks for it"
        lines.append(f"  approval     by {who}{skipped}")
    return lines


# --- states -----------------------------------------------------------------------------------------------------------


def waiting_line(status: "CustomerStatus", now: datetime, zone: str | None = None) -> str:
    """What it waits for and until when; nothing where it moves by itself."""
    waiting = status.waiting_on
    if waiting is None:
        return ""
    if waiting.until is None:
        return f"waits for: {waiting.what}"
    until = show_until(waiting.until, now, ZoneInfo(zone) if zone else None)
    return f"waits for: {waiting.what}" + (f", until {until}" if waiting.is_gate else f" ({until})")


def summary_lines(status: "CustomerStatus", code: ExitCode) -> list[str]:
    """The end of a followed command: how it went, per service and with the response times before and after."""
    lines = [f"{show_status(status.status)}  {status.slug}  {_outcome(status)}"]
    for one in status.services:
        parts = [f"  {one.kind:<10} {show_status(one.status):<14} {one.deploy_id or 'no deploy'}"]
        if one.seconds is not None:
            is_under_way = one.status in (Status.BUILDING, Status.UNKNOWN)
            parts.append(f"{'under way for' if is_under_way else 'live after'} {show_duration(one.seconds)}")
        if one.version_note:
            parts.append(f"reports {one.version_note.replace('not reported', 'no version')}")
        if one.comparison is not None:
            before, after = one.comparison.before, one.comparison.after
            parts.append(
                f"median {show_ms(before.median_ms)} → {show_ms(after.median_ms)}, "
                f"p95 {show_ms(before.p95_ms)} → {show_ms(after.p95_ms)}"
                + (" (over twice the baseline)" if one.comparison.is_regression else "")
            )
        lines.append("  ".join(parts))
    if status.code:
        lines.append(f"  {status.code}      {status.detail} (docs/runbooks/{status.code}.md)")
    elif status.detail:
        lines.append(f"  {status.detail}")
    lines.append(f"  run {status.run.id}, exit code {int(code)}")
    return lines


def _outcome(status: "CustomerStatus") -> str:
    run = status.run
    word = status.status.value.replace("_", " ")
    if run.stage.value == "watching":
        return f"{status.version} is verified"
    if word == "rolled back":
        back = next((good.version for good in run.good if good.version), None) or "the recorded deploys"
        why = f" ({run.trigger.replace('_', ' ')})" if run.trigger else ""
        return f"{status.version or 'what was live'} was taken back to {back}{why}"
    if status.kind is RunKind.ENV:
        return f"env vars for {status.version}: {word if word != 'live' else 'written'}"
    if run.stage.value in ("failed", "refused"):
        before = status.from_version or "the old version"
        return f"{status.version} {run.stage.value}; {before} goes on serving, with its env vars"
    return f"{status.version} is planned and waits" if word == "waiting" else f"{status.version} {word}"


def explain_lines(status: "CustomerStatus", now: datetime, zone: str | None, *, holder: str | None = None) -> list[str]:
    """Why a customer stands where it stands; `holder` is the controller that runs now, if any."""
    since = show_duration((now - status.run.since).total_seconds())
    lines = [
        f"{status.slug}  {show_status(status.status)}  {status.kind} {status.version} (run {status.run.id}, "
        f"asked for by {status.run.requested_by})",
        f"  stage      {status.run.stage.value.replace('_', ' ')}, for {since}",
    ]
    lines += [f"  {one.kind:<10} {show_status(one.status):<14} {one.stage}" for one in status.services]
    waiting = waiting_line(status, now, zone)
    if waiting:
        lines.append(f"  {waiting}")
    if status.detail:
        lines.append(f"  {status.code or 'detail':<10} {status.detail}")
    if not waiting and not status.run.stage.is_terminal:
        lines.append(f"  {_mover(status, holder)}")
    return lines


def _mover(status: "CustomerStatus", holder: str | None) -> str:
    if holder is not None:
        return f"moved by {holder}"
    if status.run.stage is Stage.WATCHING:
        return "nobody watches it now: `securewatch serve`, or the same command with `--until watched`"
    return "it moves when a controller runs: `securewatch serve`, or the same command again"


def card_lines(card: "CustomerCard", now: datetime, *, holder: str | None = None) -> list[str]:
    """One customer as a card: files, records, and where its last run stands; `holder` as for `explain_lines`."""
    row = card.row
    gates = [word for word, binds in (("the window", card.needs_window), ("an approval", card.needs_approval)) if binds]
    lines = [
        f"{row.slug} ({row.name})  policy {row.policy}, phase {row.phase}",
        f"  domain     {card.domain or '-'}",
        f"  window     {card.window}; a deploy waits for {' and '.join(gates) or 'neither it nor an approval'}",
    ]
    versions = {ServiceKind.BACKEND: row.backend, ServiceKind.FRONTEND: row.frontend}
    lines += [f"  {kind:<10} {service}  {versions[kind] or 'not recorded'}" for kind, service in card.services.items()]
    if row.held:
        lines.append(f"  held       {row.held}")
    lines += [f"  set by us  {standing_words(one)}" for one in row.standing]
    lines += way_back_lines(card.way_back)
    if card.last is None:
        return [*lines, "  nothing was ever deployed to it with this tool"]
    return [*lines, *explain_lines(card.last, now, None, holder=holder)]


def way_back_lines(way: "WayBack | None") -> list[str]:
    """Whether a customer can go back, to what and until when."""
    if way is None:
        return []
    if not way.is_possible:
        return [f"  way back   none{f' to {way.to}' if way.to else ''}: {way.why}"]
    until = f" until {show_instant(way.until)} UTC ({way.why})" if way.until else ", for as long as git has it"
    return [f"  way back   to {way.to}{until}", *([f"             ! {way.warning}"] if way.warning else [])]


# --- health -----------------------------------------------------------------------------------------------------------


def show_health(health: "CustomerHealth") -> None:
    """A customer's health as a table."""
    print(f"{health.slug} ({health.name}): {'healthy' if health.is_healthy else 'UNHEALTHY (docs/runbooks/SW603.md)'}")
    headings = ("service", "health", "version", "runs", "database", "median", "p95", "url")
    spare = ("url", "database", "p95")
    show_table(headings, (_health_row(one) for one in health.services), prose=("health",), spare=spare)
    for one in health.services:
        if one.domains:
            print(f"  {one.kind} domains: {', '.join(one.domains)}")
    if health.split:
        print(f"  ! {health.split} (docs/runbooks/SW507.md)")


def _health_row(one: "ServiceHealth") -> tuple[str | Text, ...]:
    word = Text("✔ healthy", style="green") if one.is_healthy else Text(f"✖ {one.reason}", style="red")
    runs = one.tag or one.live_commit[:12] or "nothing"
    response = one.response
    return (
        one.kind.value,
        word,
        one.version,
        runs,
        one.database,
        show_ms(response.median_ms),
        show_ms(response.p95_ms),
        one.url,
    )


def standing_words(one: "Standing") -> str:
    """A pin or a hold in a few words."""
    until = f" until {show_instant(one.until)}" if one.until is not None else ""
    return f"{one.kind}{until} by {one.actor}{f' ({one.reason})' if one.reason else ''}"


def instant_or_dash(at: datetime | None) -> str:
    """An instant, or a dash."""
    return show_instant(at) or "-"
