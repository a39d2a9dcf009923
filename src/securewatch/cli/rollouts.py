"""Commands about a version on its way through the fleet: start, ask for customers, look, pause, halt, undo."""

from typing import TYPE_CHECKING, Annotated

import typer

from securewatch.cli import options, rollout_outlook
from securewatch.cli.complete import complete_versions
from securewatch.cli.parse import parse_instant, refuse_contradictions
from securewatch.cli.session import Session, session_of

if TYPE_CHECKING:
    from datetime import datetime

    from securewatch.cli.rollout_flow import Pick
    from securewatch.rollout.model import Rollout

app = typer.Typer(help="A release over all customers: start, status, pause.")
AnyVersion = Annotated[
    str | None,
    typer.Option(
        "--version", help="The git tag; not needed where one rollout is open.", autocompletion=complete_versions
    ),
]
Phase = Annotated[str, typer.Option("--phase", help="demo, startup, standard or enterprise.")]
Force = Annotated[
    bool, typer.Option("--force", help="Go ahead of the calendar, window and approval; needs --reason, is recorded.")
]
StartAt = Annotated[
    str | None, typer.Option("--start-at", metavar="TIME", help="Where day 0 begins, like 2026-12-01T09:00Z.")
]


@app.command("start")
def start(
    context: typer.Context,
    version: options.Version,
    start_at: StartAt = None,
    dry_run: options.DryRun = False,
    force: Force = False,
    reason: options.Reason = "",
    wait: options.Wait = False,
    until: options.Until = "verified",
    detach: options.Detach = False,
) -> None:
    """Bring a version to all. Phase by phase, by each customer's policy.

    securewatch rollout start --version v1.1.0 --dry-run

    securewatch rollout start --version v1.1.0 --detach

    securewatch rollout start --version v1.1.0 --wait
    """
    from securewatch.cli.parse import parse_until
    from securewatch.cli.rollout_flow import RolloutHow, run_rollout

    session = session_of(context)
    refuse_contradictions(is_dry=dry_run, is_detailed=False, is_detached=detach, waits=wait)
    following = parse_until(until, waits=wait)
    how = RolloutHow(version, None, _start_at(start_at), force, reason, dry_run, detach, following)
    raise typer.Exit(session.run(lambda deps: run_rollout(deps, session, how)))


def _start_at(text: str | None) -> "datetime | None":
    return parse_instant("--start-at", text, "UTC") if text is not None else None


def start_phase(
    context: typer.Context,
    version: options.Version,
    phase: Phase,
    dry_run: options.DryRun = False,
    force: Force = False,
    reason: options.Reason = "",
    wait: options.Wait = False,
    until: options.Until = "verified",
    detach: options.Detach = False,
) -> None:
    """Open one phase of a release. Its day and the phases before it are waited for.

    securewatch start-phase --version v1.1.0 --phase demo

    securewatch start-phase --version v1.1.0 --phase startup --force --reason "customers ask for it"
    """
    from securewatch.operations.release.scope import customers_of_phase, find_phase

    name = find_phase(phase)
    _bring(
        context,
        version,
        lambda _, plan: customers_of_phase(plan, name),
        words=(force, reason, dry_run, wait, until, detach),
    )


def deploy_customers(
    context: typer.Context,
    version: options.Version,
    customers: Annotated[
        str, typer.Option("--customers", help="A policy (startup), or slugs and full names, with commas between.")
    ],
    dry_run: options.DryRun = False,
    force: Force = False,
    reason: options.Reason = "",
    wait: options.Wait = False,
    until: options.Until = "verified",
    detach: options.Detach = False,
) -> None:
    """Bring a version to some. In their phases and batches, as part of the release.

    securewatch deploy-customers --version v1.1.0 --customers startup

    securewatch deploy-customers --version v1.1.0 --customers techstart,acme-corp --dry-run
    """
    from securewatch.operations.release.scope import find_customers, split_words

    words = split_words(customers)
    _bring(
        context,
        version,
        lambda deps, plan: find_customers(deps.fleet, plan, words),
        words=(force, reason, dry_run, wait, until, detach),
    )


def deploy_batch(
    context: typer.Context,
    version: options.Version,
    phase: Phase,
    batch: Annotated[int, typer.Option("--batch", min=1, help="The batch's number in its phase, from 1.")],
    dry_run: options.DryRun = False,
    force: Force = False,
    reason: options.Reason = "",
    wait: options.Wait = False,
    until: options.Until = "verified",
    detach: options.Detach = False,
) -> None:
    """Bring a version to one batch of a phase.

    securewatch deploy-batch --version v1.1.0 --phase startup --batch 1
    """
    from securewatch.operations.release.scope import customers_of_batch, find_phase

    name = find_phase(phase)
    _bring(
        context,
        version,
        lambda _, plan: customers_of_batch(plan, name, batch),
        words=(force, reason, dry_run, wait, until, detach),
    )


def _bring(
    context: typer.Context, version: str, pick: "Pick", *, words: tuple[bool, str, bool, bool, str, bool]
) -> None:
    from securewatch.cli.parse import parse_until
    from securewatch.cli.rollout_flow import RolloutHow, run_rollout

    force, reason, is_dry, waits, until, is_detached = words
    session = session_of(context)
    refuse_contradictions(is_dry=is_dry, is_detailed=False, is_detached=is_detached, waits=waits)
    following = parse_until(until, waits=waits)
    how = RolloutHow(version, pick, None, force, reason, is_dry, is_detached, following)
    raise typer.Exit(session.run(lambda deps: run_rollout(deps, session, how)))


@app.command("status")
def check_status(
    context: typer.Context,
    version: AnyVersion = None,
    watch: Annotated[bool, typer.Option("--watch", help="Redraw it as a tree until Ctrl-C.")] = False,
) -> None:
    """Show where a release is. Phases, batches, customers, what comes next and who is waited for.

    securewatch check-status --version v1.1.0

    securewatch rollout status --watch
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.outlook_show import outlook_data, outlook_lines
    from securewatch.cli.rollout_flow import watch_release
    from securewatch.cli.rollout_show import show_release
    from securewatch.deps import Deps
    from securewatch.operations.release.outlook import load_outlook

    session = session_of(context)

    async def work(deps: Deps) -> None:
        if watch and not session.is_json:
            await watch_release(deps, session, version)
            return
        found = await load_outlook(deps, version)
        if session.is_json:
            print_json(outlook_data(found))
        else:
            show_release(found.status, deps.clock.now(), outlook_lines(found, deps.clock.now()), found.ways_back)

    session.run(work)


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the rollouts there are and were.

    securewatch rollout list
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.tables import show_table
    from securewatch.cli.words import show_instant
    from securewatch.operations.release.change import list_rollouts

    session = session_of(context)
    found = session.run(list_rollouts)
    if session.is_json:
        print_json(found)
        return
    rows = (
        (one.id, one.version, one.state.value, show_instant(one.day_zero), one.requested_by, one.detail or "")
        for one in found
    )
    show_table(("rollout", "version", "state", "day 0", "asked for by", "detail"), rows, prose=("detail",))


@app.command("pause")
def pause(context: typer.Context, version: AnyVersion = None, reason: options.Reason = "") -> None:
    """Start nothing new. What is under way, watches and rollbacks go on.

    securewatch rollout pause --reason "waiting for a fix"
    """
    from securewatch.operations.release.change import pause_rollout

    session = session_of(context)
    _said(session, session.run(lambda deps: pause_rollout(deps, version, reason=reason)))


@app.command("resume")
def resume(context: typer.Context, version: AnyVersion = None) -> None:
    """Go on after a pause or a halt. The failures so far count as seen.

    securewatch rollout resume
    """
    from securewatch.operations.release.change import resume_rollout

    session = session_of(context)
    _said(session, session.run(lambda deps: resume_rollout(deps, version)))


@app.command("abort")
def abort(context: typer.Context, version: AnyVersion = None, reason: options.Reason = "") -> None:
    """End a rollout. Who waits gets no version; who has it keeps it and is watched on.

    securewatch rollout abort --version v1.1.0 --reason "replaced by v1.2.0" --yes
    """
    from securewatch.cli.session import confirm
    from securewatch.operations.release.change import abort_rollout

    session = session_of(context)
    if not confirm(session, f"End the rollout {version or ''} for good?".replace("  ", " ")):
        return
    _said(session, session.run(lambda deps: abort_rollout(deps, version, reason=reason)))


@app.command("retry")
def retry(context: typer.Context, customer: options.Slug, version: AnyVersion = None) -> None:
    """Try a customer again. One that failed, was taken back or was skipped.

    securewatch rollout retry techstart
    """
    from securewatch.operations.release.change import retry_customer

    session = session_of(context)
    _said(session, session.run(lambda deps: retry_customer(deps, version, customer)), customer)


@app.command("skip")
def skip(
    context: typer.Context, customer: options.Slug, version: AnyVersion = None, reason: options.Reason = ""
) -> None:
    """Leave a customer out of a release.

    securewatch rollout skip techstart --reason "is migrating"
    """
    from securewatch.operations.release.change import skip_customer

    session = session_of(context)
    _said(session, session.run(lambda deps: skip_customer(deps, version, customer, reason=reason)), customer)


def rollback_phase(
    context: typer.Context,
    version: options.Version,
    phase: Phase,
    dry_run: options.DryRun = False,
    reason: options.Reason = "",
) -> None:
    """Take a phase back. Every customer that has the version, the last one first, each verified.

    securewatch rollback-phase --version v1.1.0 --phase startup --dry-run

    securewatch rollback-phase --version v1.1.0 --phase startup --reason "log-ins fail" --yes
    """
    from securewatch.cli.rollback_flow import run_rollback_phase
    from securewatch.operations.release.scope import find_phase

    session, name = session_of(context), find_phase(phase)
    raise typer.Exit(
        session.run(lambda deps: run_rollback_phase(deps, session, (version, name), is_dry=dry_run, reason=reason))
    )


def _said(session: Session, rollout: "Rollout", customer: str = "") -> None:
    from securewatch.cli.data import print_json

    if session.is_json:
        print_json(rollout)
        return
    about = f"; {customer} is set" if customer else ""
    detail = f" ({rollout.detail})" if rollout.detail else ""
    print(f"{rollout.id} is {rollout.state}{detail}{about}", flush=True)


app.command("why")(rollout_outlook.why)
app.command("eta")(rollout_outlook.eta)
