"""Commands about the vendor's versions: list them, check one, ask the policies."""

from typing import Annotated

import typer

from securewatch.cli import options, tags
from securewatch.cli.session import session_of

AnyVersion = Annotated[
    str | None, typer.Option("--version", help="The git tag.", autocompletion=options.complete_versions)
]

AnyTag = Annotated[str | None, typer.Argument(help="The git tag.", autocompletion=options.complete_versions)]


def list_versions(context: typer.Context) -> None:
    """List the vendor's tags, the newest version first.

    securewatch list-versions
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.show import instant_or_dash
    from securewatch.cli.tables import show_table
    from securewatch.operations.versions import list_versions as fetch

    session = session_of(context)
    rows = session.run(fetch)
    if session.is_json:
        print_json(
            [
                {
                    "tag": r.tag.name,
                    "commit": r.tag.commit,
                    "annotated": r.tag.annotated,
                    "is_version": r.tag.version is not None,
                    "created_at": r.tag.created_at,
                    "moved_from": r.moved_from or None,
                    "customers": r.customers,
                    "split": r.split,
                }
                for r in rows
            ]
        )
        return
    show_table(
        ("tag", "commit", "kind", "created", "customers", "note"),
        (
            (
                row.tag.name,
                row.tag.commit[:12],
                "annotated" if row.tag.annotated else "light",
                instant_or_dash(row.tag.created_at),
                ", ".join([*row.customers, *(f"{slug} ({kind} only)" for slug, kind in row.split.items())]) or "-",
                f"MOVED, was {row.moved_from[:12]}" if row.moved_from else "" if row.tag.version else "not a version",
            )
            for row in rows
        ),
        prose=("customers", "note"),
        spare=("kind",),
        times=("created",),
    )


def validate(context: typer.Context, tag: AnyTag = None, version: AnyVersion = None) -> None:
    """Check a version: well-formed, tagged, not moved.

    securewatch validate --version v1.1.0

    securewatch version validate v1.1.0
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.parse import parse_one_of
    from securewatch.operations.versions import validate as check

    session, wanted = session_of(context), parse_one_of(tag, version, "--version v1.1.0")
    found = session.run(lambda deps: check(deps, wanted))
    if session.is_json:
        print_json({"tag": found.name, "commit": found.commit, "annotated": found.annotated, "valid": True})
    else:
        print(f"{found.name} is valid: {'an annotated' if found.annotated else 'a light'} tag at {found.commit}")


def check_policy(
    context: typer.Context,
    version: options.Version,
    customer: options.AnyCustomer = None,
    policy: Annotated[str | None, typer.Option("--policy", help="Only the customers of this policy.")] = None,
) -> None:
    """Ask the policies whether they allow a version. Exit code 1 where one does not.

    securewatch check-policy --version v1.1.0 --customer acme-corp

    securewatch check-policy --version v1.1.0 --policy enterprise
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.tables import show_table
    from securewatch.operations.versions import check_policy as check

    session = session_of(context)
    answers = session.run(lambda deps: check(deps, version, customer=customer, policy=policy))
    if session.is_json:
        print_json(
            [
                {"slug": one.slug, "policy": one.policy, "allowed": one.is_allowed, "rules": one.findings}
                for one in answers
            ]
        )
    else:
        show_table(
            ("customer", "policy", "rule", "", "detail"),
            (
                (
                    one.slug,
                    one.policy,
                    found.rule,
                    "✔" if found.ok else "✖" if not found.soft else "✖ (soft)",
                    found.message,
                )
                for one in answers
                for found in one.findings
            ),
            prose=("detail",),
            spare=("policy",),
        )
    raise typer.Exit(0 if all(one.is_allowed for one in answers) else 1)


app = typer.Typer(help="The vendor's versions: list, validate, create.")
app.command("list")(list_versions)
app.command("validate")(validate)
app.command("create")(tags.create_tag)
