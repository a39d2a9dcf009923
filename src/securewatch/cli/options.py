"""The flags that several commands share, each said once."""

from typing import Annotated

import typer

from securewatch.cli.complete import (
    complete_customers,
    complete_outputs,
    complete_service_types,
    complete_untils,
    complete_versions,
)

Customer = Annotated[
    str, typer.Option("--customer", help="Slug or full name of the customer.", autocompletion=complete_customers)
]
AnyCustomer = Annotated[
    str | None, typer.Option("--customer", help="Only this customer.", autocompletion=complete_customers)
]
Slug = Annotated[str, typer.Argument(help="Slug or full name of the customer.", autocompletion=complete_customers)]
Version = Annotated[str, typer.Option("--version", help="The git tag, like v1.1.0.", autocompletion=complete_versions)]
ServiceType = Annotated[
    str,
    typer.Option(
        "--service-type",
        metavar="backend|frontend|both",
        help="Which half of the pair.",
        autocompletion=complete_service_types,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan that would be carried out; write nothing.")]
Detailed = Annotated[
    bool, typer.Option("--detailed-exitcode", help="With --dry-run: exit code 3 where something would change.")
]
Force = Annotated[bool, typer.Option("--force", help="Skip soft checks (window, approval, policy); it is recorded.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in your words; kept in the audit log.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait at shut gates too (window, approval).")]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="text|json",
        help="How results are printed.",
        autocompletion=complete_outputs,
    ),
]
Until = Annotated[
    str,
    typer.Option(
        "--until",
        metavar="verified|watched",
        help="Follow until verified, or to the end of the watch.",
        autocompletion=complete_untils,
    ),
]
Detach = Annotated[bool, typer.Option("--detach", help="Commit the work and return; `securewatch serve` does it.")]
Timeout = Annotated[str | None, typer.Option("--timeout", help="How long each deploy may take, like 15m.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many to show.")]
