"""Commands about one customer's deploy: bring, take back, look, ask why, approve."""

from typing import Annotated

import typer

from securewatch.cli import options
from securewatch.cli.parse import parse_kinds, parse_timeout, refuse_blank, refuse_contradictions
from securewatch.cli.session import session_of

PlanHash = Annotated[str, typer.Option("--plan", help="The plan's hash, or its beginning.")]
To = Annotated[
    list[str] | None, typer.Option("--to", metavar="DEPLOY", help="A deploy to go to, where none is recorded.")
]
Comment = Annotated[str, typer.Option("--comment", help="Why; kept in the audit log.")]


def deploy_customer(
    context: typer.Context,
    version: options.Version,
    customer: options.Customer,
    service_type: options.ServiceType = "both",
    dry_run: options.DryRun = False,
    detailed_exitcode: options.Detailed = False,
    force: options.Force = False,
    reason: options.Reason = "",
    wait: options.Wait = False,
    until: options.Until = "verified",
    detach: options.Detach = False,
    timeout: options.Timeout = None,
    redeploy: Annotated[bool, typer.Option("--redeploy", help="Build again even where the version is there.")] = False,
) -> None:
    """Bring a version to one customer and prove it. A version that fails is taken back by itself.

    securewatch deploy-customer --version v1.1.0 --customer acme-corp --dry-run

    securewatch deploy-customer --version v1.1.0 --customer acme-corp

    securewatch deploy-customer --version v1.1.0 --customer financefirst --wait
    """
    from securewatch.cli.flow import How, run_plan
    from securewatch.cli.parse import parse_until
    from securewatch.operations.plan import DeployRequest

    session = session_of(context)
    refuse_contradictions(is_dry=dry_run, is_detailed=detailed_exitcode, is_detached=detach, waits=wait)
    request = DeployRequest(
        slug=customer,
        version=version,
        kinds=parse_kinds(service_type),
        force=force,
        reason=reason,
        timeout_seconds=parse_timeout(timeout),
        redeploy=redeploy,
    )
    how = How(dry_run, session.is_sure, detach, detailed_exitcode, parse_until(until, waits=wait))
    raise typer.Exit(session.run(lambda deps: run_plan(deps, session, request, how)))


def rollback_customer(
    context: typer.Context,
    customer: options.Customer,
    service_type: options.ServiceType = "both",
    to: To = None,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    reason: options.Reason = "",
    detach: options.Detach = False,
) -> None:
    """Take a customer back. It goes to the pair that was live and healthy before, with its env vars.

    securewatch rollback-customer --customer acme-corp

    securewatch rollback-customer --customer acme-corp --reason customer-request
    """
    from securewatch.cli.flow import How, run_rollback
    from securewatch.operations.rollback import RollbackRequest

    session = session_of(context)
    refuse_blank("--to", to or (), "the id of a deploy, like dep-dc2oo63bgqp77vo06np0; list-deployments shows them")
    request = RollbackRequest(customer, parse_kinds(service_type), reason, force, tuple(to or ()))
    how = How(dry_run, session.is_sure or force, detach)
    raise typer.Exit(session.run(lambda deps: run_rollback(deps, session, request, how)))


def update_env_vars(
    context: typer.Context,
    version: options.Version,
    customer: options.Customer,
    service_type: options.ServiceType = "both",
    all_: Annotated[bool, typer.Option("--all", help="Write also keys that drifted from their templates.")] = False,
    dry_run: options.DryRun = False,
    detailed_exitcode: options.Detailed = False,
    force: options.Force = False,
    reason: options.Reason = "",
    detach: options.Detach = False,
) -> None:
    """Write a version's env vars; nothing is deployed. Keys are written one at a time.

    securewatch update-env-vars --version v1.1.0 --customer acme-corp --dry-run

    securewatch update-env-vars --version v1.1.0 --customer acme-corp
    """
    from securewatch.cli.flow import How, run_plan
    from securewatch.deploy.model import RunKind
    from securewatch.operations.plan import DeployRequest

    session = session_of(context)
    refuse_contradictions(is_dry=dry_run, is_detailed=detailed_exitcode, is_detached=detach)
    kinds = parse_kinds(service_type)
    request = DeployRequest(customer, version, kinds, kind=RunKind.ENV, force=force, reason=reason, all_env=all_)
    how = How(dry_run, session.is_sure, detach, detailed_exitcode)
    raise typer.Exit(session.run(lambda deps: run_plan(deps, session, request, how)))


def check_health(
    context: typer.Context,
    customer: options.Customer,
    service_type: options.ServiceType = "both",
    samples: Annotated[int, typer.Option("--samples", min=1, max=120, help="Samples a service, a second apart.")] = 3,
) -> None:
    """Ask a customer's services how they are. Exit code 1 where one is not well.

    securewatch check-health --customer acme-corp
    """
    from securewatch.cli.data import health_data, print_json
    from securewatch.cli.show import show_health
    from securewatch.operations.health import check_health as check

    session, kinds = session_of(context), parse_kinds(service_type)
    health = session.run(lambda deps: check(deps, customer, kinds=kinds, sample_count=samples))
    if session.is_json:
        print_json(health_data(health))
    else:
        show_health(health)
    raise typer.Exit(0 if health.is_healthy else 1)


def list_deployments(
    context: typer.Context,
    customer: options.Customer,
    service_type: options.ServiceType = "both",
    limit: options.Limit = 10,
) -> None:
    """List a customer's latest deploys at Render. Tags, and the runs that made them, stand beside.

    securewatch list-deployments --customer acme-corp
    """
    from securewatch.cli.data import print_json, rows_data
    from securewatch.cli.show import instant_or_dash
    from securewatch.cli.tables import show_table
    from securewatch.operations.history import list_deployments as fetch

    session, kinds = session_of(context), parse_kinds(service_type)
    rows = session.run(lambda deps: fetch(deps, customer, kinds=kinds, limit=limit))
    if session.is_json:
        print_json(rows_data(rows))
        return
    show_table(
        ("service", "deploy", "status", "version", "commit", "trigger", "created", "finished", "run"),
        (
            (
                row.kind.value,
                row.deploy_id,
                row.status,
                row.tag or "-",
                row.commit[:12] or "-",
                row.trigger,
                instant_or_dash(row.created_at),
                instant_or_dash(row.finished_at),
                row.run_id or "-",
            )
            for row in rows
        ),
        spare=("finished", "trigger", "commit", "run"),
        times=("created", "finished"),
    )


def why(context: typer.Context, customer: options.Customer) -> None:
    """Tell what a customer waits for, and until when.

    securewatch why --customer acme-corp
    """
    from securewatch.cli.data import print_json, status_data
    from securewatch.cli.show import explain_lines
    from securewatch.deps import Deps
    from securewatch.operations.explain import explain

    session = session_of(context)

    async def work(deps: Deps) -> None:
        status = await explain(deps, customer)
        zone = deps.fleet.find_customer(customer).window.timezone
        if session.is_json:
            print_json(status_data(status))
        else:
            print("\n".join(explain_lines(status, deps.clock.now(), zone, holder=deps.lock.holder())))

    session.run(work)


def approve(
    context: typer.Context,
    version: options.Version,
    customer: options.Customer,
    comment: Comment = "",
    plan: PlanHash = "",
) -> None:
    """Approve a waiting deploy. Whoever asked for it cannot.

    SECUREWATCH_ACTOR=dana securewatch approve --version v1.1.0 --customer financefirst --comment "change 4711"
    """
    _answer(context, version, customer, granted=True, words=(comment, plan))


def reject(
    context: typer.Context,
    version: options.Version,
    customer: options.Customer,
    comment: Comment = "",
    plan: PlanHash = "",
) -> None:
    """Say no to a waiting deploy.

    SECUREWATCH_ACTOR=dana securewatch reject --version v1.1.0 --customer financefirst --comment "not this week"
    """
    _answer(context, version, customer, granted=False, words=(comment, plan))


def _answer(context: typer.Context, version: str, customer: str, *, granted: bool, words: tuple[str, str]) -> None:
    from securewatch.cli.data import print_json
    from securewatch.cli.words import show_instant
    from securewatch.operations.approve import Answer, answer_request

    session = session_of(context)
    answer = Answer(customer, version, granted, *words)
    given, asking = session.run(lambda deps: answer_request(deps, answer))
    if session.is_json:
        print_json({"slug": asking.slug, "version": asking.version, "plan": asking.plan_hash, "approval": given})
        return
    word = "approved" if granted else "rejected"
    print(f"{given.actor} {word} {asking.version} for {asking.slug}, plan {asking.plan_hash[:8]}", end="")
    print(f", good until {show_instant(given.expires_at)} (who acts is taken on trust here)" if granted else "")
