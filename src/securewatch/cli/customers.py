"""Commands about the customers: list, show one, its history, export their file, switch autodeploy off."""

import typer

from securewatch.cli import options
from securewatch.cli.session import session_of

app = typer.Typer(help="The customers: list, show, history, export.")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the customers: policy, versions, state on record.

    securewatch customer list
    """
    from securewatch.cli.data import print_json, rows_data
    from securewatch.cli.show import instant_or_dash, standing_words, status_text
    from securewatch.cli.tables import show_table
    from securewatch.operations.history import list_customers

    session = session_of(context)
    rows = session.run(list_customers)
    if session.is_json:
        print_json(rows_data(rows))
        return
    show_table(
        ("customer", "policy", "phase", "backend", "frontend", "status", "since", "note"),
        (
            (
                row.slug,
                row.policy,
                row.phase,
                row.backend or "-",
                row.frontend or "-",
                status_text(row.status) if row.status else "-",
                instant_or_dash(row.since),
                "; ".join([*([f"held: {row.held}"] if row.held else []), *map(standing_words, row.standing)]),
            )
            for row in rows
        ),
        prose=("note",),
        spare=("phase", "policy", "since"),
        times=("since",),
    )


@app.command()
def export(context: typer.Context) -> None:
    """Print customers.json with the versions on record. The file itself is never written; secrets are left out.

    securewatch customer export > customers.new.json
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.export import export_customers

    print_json(session_of(context).run(export_customers))


@app.command()
def show(context: typer.Context, slug: options.Slug) -> None:
    """Show one customer: its files, records and last run.

    securewatch customer show acme-corp
    """
    from securewatch.cli.data import card_data, print_json
    from securewatch.cli.show import card_lines
    from securewatch.deps import Deps
    from securewatch.operations.history import show_customer

    session = session_of(context)

    async def work(deps: Deps) -> None:
        card = await show_customer(deps, slug)
        if session.is_json:
            print_json(card_data(card))
        else:
            print("\n".join(card_lines(card, deps.clock.now(), holder=deps.lock.holder())))

    session.run(work)


@app.command()
def history(context: typer.Context, slug: options.Slug, limit: options.Limit = 20) -> None:
    """List what was done to a customer, the newest first.

    securewatch customer history acme-corp
    """
    from securewatch.cli.data import print_json, rows_data
    from securewatch.cli.show import status_text
    from securewatch.cli.tables import show_table
    from securewatch.cli.words import show_duration, show_instant
    from securewatch.deps import Deps
    from securewatch.operations.history import load_runs
    from securewatch.operations.status import status_word

    session = session_of(context)

    async def work(deps: Deps) -> None:
        runs = await load_runs(deps, deps.fleet.find_customer(slug).slug, limit=limit)
        if session.is_json:
            print_json(rows_data(runs))
            return
        show_table(
            ("run", "what", "version", "status", "stage", "asked for by", "at", "took", "detail"),
            (
                (
                    run.id,
                    run.kind.value,
                    run.version or "-",
                    status_text(status_word(run, None)),
                    run.stage.value.replace("_", " "),
                    run.requested_by,
                    show_instant(run.requested_at),
                    show_duration(
                        ((run.verified_at or run.finished_at or run.since) - run.requested_at).total_seconds()
                    ),
                    run.detail,
                )
                for run in runs
            ),
            prose=("detail",),
            spare=("asked for by", "took", "what", "stage"),
            times=("at",),
        )

    session.run(work)


@app.command("autodeploy-off")
def autodeploy_off(context: typer.Context, slug: options.Slug) -> None:
    """Switch autodeploy off on a customer's services. Then only this tool deploys to them.

    securewatch customer autodeploy-off acme-corp
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.autodeploy import turn_off

    session = session_of(context)
    changed = session.run(lambda deps: turn_off(deps, slug))
    if session.is_json:
        print_json({"slug": slug, "changed": changed})
    else:
        print(f"autodeploy is off now on {', '.join(changed)}" if changed else "autodeploy was off already")
