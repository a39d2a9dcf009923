"""/admin/postgres: what a test asks of a database: a snapshot, another plan, no connections, and what happened."""

from collections.abc import Awaitable
from typing import Literal, TypeVar

from fastapi import APIRouter, Request, Response

from localrender.answers import APIError, answer, no_content
from localrender.backups import BackupRefused
from localrender.model import Postgres
from localrender.routes.admin import Strict
from localrender.routes.context import database_of, platform_of

router = APIRouter(prefix="/admin/postgres/{postgres_id}")

T = TypeVar("T")


class PostgresBody(Strict):
    """`PATCH /admin/postgres/{id}`."""

    plan: Literal["free", "basic_256mb", "basic_1gb", "basic_4gb", "pro_4gb"]


@router.get("")
async def show(request: Request, postgres_id: str) -> Response:
    """The database, when its snapshots were taken, its exports, and its events."""
    platform_of(request).advance()
    return answer(_show(request, database_of(request, postgres_id)))


@router.patch("")
async def change(request: Request, postgres_id: str, body: PostgresBody) -> Response:
    """Change the plan; a free one has no backups."""
    database = database_of(request, postgres_id)
    database.plan = body.plan
    return answer(_show(request, database))


@router.post("/snapshot")
async def take_snapshot(request: Request, postgres_id: str) -> Response:
    """Take a snapshot now, which recoveries can begin from once it is ten minutes old; 201 when it is taken."""
    database = database_of(request, postgres_id)
    snapshot = await _done(platform_of(request).backups.take_snapshot(database))
    return answer({"at": snapshot.at.isoformat()}, 201)


@router.put("/refuse")
async def refuse(request: Request, postgres_id: str) -> Response:
    """Let the database end all connections and take no new ones."""
    await _done(platform_of(request).backups.refuse(database_of(request, postgres_id), True))
    return no_content(204)


@router.delete("/refuse")
async def admit(request: Request, postgres_id: str) -> Response:
    """Let the database take connections again."""
    await _done(platform_of(request).backups.refuse(database_of(request, postgres_id), False))
    return no_content(204)


async def _done(work: Awaitable[T]) -> T:
    try:
        return await work
    except BackupRefused as error:
        raise APIError(400, str(error)) from error


def _show(request: Request, database: Postgres) -> dict[str, object]:
    platform = platform_of(request)
    events = [one for one in platform.state.events if one.service_id == database.id]
    return {
        "name": database.name,
        "database": database.database,
        "plan": database.plan,
        "status": database.status.value,
        "recovered_from": database.recovered_from or None,
        "snapshots": [one.at.isoformat() for one in database.snapshots],
        "exports": [{"id": one.id, "ready": one.ready} for one in platform.backups.exports(database)],
        "events": [{"type": one.type, "at": one.at.isoformat()} for one in events],
    }
