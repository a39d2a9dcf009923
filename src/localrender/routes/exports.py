"""/exports: the finished exports of databases, for whoever knows the address; no key."""

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from localrender.answers import APIError
from localrender.routes.context import platform_of

router = APIRouter(prefix="/exports")


@router.get("/{token}/{name}")
async def download(request: Request, token: str, name: str) -> FileResponse:
    """The file of an export."""
    platform = platform_of(request)
    platform.advance()
    export = platform.backups.find_export(token)
    if export is None or export.file.name != name:
        raise APIError(404, "not found")
    return FileResponse(export.file, media_type="application/gzip", filename=name)
