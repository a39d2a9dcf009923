"""/postgres: the customers' databases, their exports and recoveries (reference, section 6)."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from localrender.answers import APIError, answer, listed, no_content, object_of, page, stamp
from localrender.backups import BackupRefused, Recovery
from localrender.model import Postgres
from localrender.routes.context import database_of, platform_of
from localrender.views import show_connection, show_export, show_postgres

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
    database = database_of(request, postgres_id)
    return answer(show_postgres(database, platform_of(request).state.owners[database.owner_id]))


@router.get("/{postgres_id}/connection-info")
async def get_connection_info(request: Request, postgres_id: str) -> Response:
    """How to connect, password in clear."""
    return answer(show_connection(database_of(request, postgres_id)))


@router.get("/{postgres_id}/export")
async def list_exports(request: Request, postgres_id: str) -> Response:
    """The exports of the last seven days, newest first, in no wrapper."""
    exports = platform_of(request).backups.exports(database_of(request, postgres_id))
    urls = {one.id: f"{request.base_url}exports/{one.token}/{one.file.name}" for one in exports if one.ready}
    return answer([show_export(one, urls.get(one.id)) for one in exports])


@router.post("/{postgres_id}/export")
async def create_export(request: Request, postgres_id: str) -> Response:
    """Begin an export: 202 without a body; 400 while another is under way."""
    database = database_of(request, postgres_id)
    try:
        platform_of(request).backups.start_export(database, fails=request.state.fails)
    except BackupRefused as error:
        raise APIError(400, str(error)) from error
    return no_content(202)


@router.get("/{postgres_id}/recovery")
async def get_recovery(request: Request, postgres_id: str) -> Response:
    """Whether a recovery is possible, and from when on."""
    try:
        starts_at = platform_of(request).backups.starts_at(database_of(request, postgres_id))
    except BackupRefused:
        return answer({"recoveryStatus": "NOT_AVAILABLE"})
    if starts_at is None:
        return answer({"recoveryStatus": "BACKUP_NOT_READY"})
    return answer({"recoveryStatus": "AVAILABLE", "startsAt": stamp(starts_at)})


@router.post("/{postgres_id}/recovery")
async def recover(request: Request, postgres_id: str) -> Response:
    """Begin a recovery to a time: 200 with the new instance, which is not available yet; the old one stays."""
    database = database_of(request, postgres_id)
    asked = _recovery_of(database, await object_of(request, ["restoreTime"]), fails=request.state.fails)
    platform = platform_of(request)
    try:
        made = await platform.backups.recover(database, asked)
    except BackupRefused as error:
        raise APIError(400, str(error)) from error
    return answer(show_postgres(made, platform.state.owners[made.owner_id]))


def _recovery_of(database: Postgres, body: dict[str, object], *, fails: bool) -> Recovery:
    name, plan = body.get("restoreName", f"{database.name}-recovery"), body.get("plan", database.plan)
    if not isinstance(name, str) or not name or not isinstance(plan, str):
        raise APIError(400, "restoreName and plan must be strings")
    try:
        at = datetime.fromisoformat(str(body["restoreTime"]))
    except ValueError as error:
        raise APIError(400, "invalid restoreTime") from error
    return Recovery(at if at.tzinfo else at.replace(tzinfo=UTC), name, plan, fails)
