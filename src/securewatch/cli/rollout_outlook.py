"""Commands about what comes of a rollout: why each customer waits, and when all of it is expected to end."""

from typing import TYPE_CHECKING, Annotated

import typer

from securewatch.cli.complete import complete_customers, complete_versions
from securewatch.cli.session import session_of

if TYPE_CHECKING:
    from securewatch.deps import Deps

AnyVersion = Annotated[
    str | None,
    typer.Option(
        "--version", help="The git tag; not needed where one rollout is open.", autocompletion=complete_versions
    ),
]
AnySlug = Annotated[
    str | None, typer.Argument(help="Slug or full name of the customer.", autocompletion=complete_customers)
]


def why(context: typer.Context, customer: AnySlug = None, version: AnyVersion = None) -> None:
    """Tell what customers wait for, until when, and for whom. Of one, or of all without the version.

    securewatch rollout why

    securewatch rollout why medhealth --version v1.1.0
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.outlook_show import show_why, why_data
    from securewatch.operations.release.outlook import find_rows, load_outlook

    session = session_of(context)

    async def work(deps: "Deps") -> None:
        outlook = await load_outlook(deps, version)
        rows = find_rows(deps, outlook, customer)
        if session.is_json:
            print_json(why_data(outlook, rows, deps.clock.now()))
        else:
            show_why(outlook, rows, deps.clock.now(), is_one=customer is not None)

    session.run(work)


def eta(context: typer.Context, version: AnyVersion = None) -> None:
    """Tell when a release is expected to end. By phase and customer, from the earliest to the latest.

    securewatch rollout eta --version v1.1.0
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.outlook_show import eta_data, show_eta
    from securewatch.operations.release.outlook import load_outlook

    session = session_of(context)

    async def work(deps: "Deps") -> None:
        outlook = await load_outlook(deps, version)
        if session.is_json:
            print_json(eta_data(outlook))
        else:
            show_eta(outlook, deps.clock.now())

    session.run(work)
