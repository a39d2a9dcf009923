"""/postgres: the customers' databases, read only (reference, section 6)."""

from fastapi import APIRouter, Request, Response

from localrender.answers import APIError, answer, listed, page
from localrender.model import Postgres
from localrender.routes.context import platform_of
from localrender.views import show_connection, show_postgres

router = APIRouter(prefix="/v1/postgres")


@router.get("")
async def list_postgres(request: Request) -> Response:
    """Databases by name and owner."""
    state = platform_of(request).state
    names, owners = listed(request, "name"), listed(request, "ownerId")
    rows = [
        one
        for one in state.databases.values()
        if (names is None or one.name in names) and (owners is None or one.owner_id in owners)
    ]
    return page(
        request,
        "postgres",
        rows,
        row=lambda one: one.id,
        show=lambda one: show_postgres(one, state.owners[one.owner_id]),
    )


@router.get("/{postgres_id}")
async def get_postgres(request: Request, postgres_id: str) -> Response:
    """One database, without its secrets."""
    database = _database_of(request, postgres_id)
    return answer(show_postgres(database, platform_of(request).state.owners[database.owner_id]))


@router.get("/{postgres_id}/connection-info")
async def get_connection_info(request: Request, postgres_id: str) -> Response:
    """How to connect, password in clear."""
    return answer(show_connection(_database_of(request, postgres_id)))


def _database_of(request: Request, postgres_id: str) -> Postgres:
    database = platform_of(request).state.databases.get(postgres_id)
    if database is None:
        raise APIError(404, f"not found: {postgres_id}")
    return database
