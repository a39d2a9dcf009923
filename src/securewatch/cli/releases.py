"""Commands about a release before it begins: plan it, and compare plans."""

from pathlib import Path
from typing import Annotated

import typer

from securewatch.cli import options, rollout_outlook, rollouts, simulate, tags
from securewatch.cli.parse import parse_instant
from securewatch.cli.session import say, session_of

StartAt = Annotated[
    str | None, typer.Option("--start-at", metavar="TIME", help="Where day 0 begins, like 2026-12-01T09:00Z.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the plan to a file too, as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Show a plan that is not feasible all the same.")]
Detailed = Annotated[bool, typer.Option("--detailed-exitcode", help="Exit code 3 where the plans differ.")]
A_PLAN = "A file that `plan-release --out FILE` wrote, or the beginning of a plan's hash."


def plan_release(
    context: typer.Context,
    version: options.Version,
    start_at: StartAt = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Plan a version for all customers. Shows who gets it when, and what is needed; writes nothing.

    securewatch plan-release --version v1.1.0

    securewatch plan-release --version v1.1.0 --start-at 2026-12-01T09:00Z --out plan.json
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.release_show import release_plan_data, show_release_plan
    from securewatch.operations.release_plan import make_release_plan, save_plan_file

    session = session_of(context)
    day_zero = parse_instant("--start-at", start_at, "UTC") if start_at is not None else None
    planned = session.run(lambda deps: make_release_plan(deps, version, day_zero=day_zero, force=force))
    if out is not None:
        save_plan_file(planned.plan, out)
        say(f"the plan {planned.plan.hash[:8]} is in {out}")
    if session.is_json:
        print_json(release_plan_data(planned))
    else:
        show_release_plan(planned)


def plan_diff(
    context: typer.Context,
    before: Annotated[str, typer.Argument(metavar="A", help=A_PLAN)],
    after: Annotated[str, typer.Argument(metavar="B", help=A_PLAN)],
    detailed_exitcode: Detailed = False,
) -> None:
    """Compare two plans of a release. By phase and customer.

    securewatch plan diff plan.json new-plan.json

    securewatch plan diff 8e842a42 plan.json --detailed-exitcode
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.tables import show_table
    from securewatch.core.errors import ExitCode
    from securewatch.operations.release_plan import compare_plans

    session = session_of(context)
    found = session.run(lambda deps: compare_plans(deps, before, after))
    if session.is_json:
        print_json(found)
    elif found:
        rows = ((one.phase or "plan", one.slug, one.name.replace("_", " "), one.before, one.after) for one in found)
        show_table(("phase", "customer", "what", "before", "after"), rows, prose=("before", "after"))
    else:
        print("the plans are the same")
    raise typer.Exit(int(ExitCode.CHANGES) if found and detailed_exitcode else 0)


app = typer.Typer(help="A release over all customers: plan, rehearse.")
app.command("plan")(plan_release)
app.command("status")(rollouts.check_status)
app.command("watch")(tags.release_watch)
app.command("simulate")(simulate.release_simulate)
app.command("why")(rollout_outlook.why)
app.command("eta")(rollout_outlook.eta)
plans = typer.Typer(help="Plans of releases: compare them.")
plans.command("diff")(plan_diff)
