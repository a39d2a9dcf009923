"""/owners and /users: the check of a key, and the workspace that everything belongs to."""

from fastapi import APIRouter, Request, Response

from localrender.answers import APIError, answer, listed, page
from localrender.routes.context import platform_of
from localrender.views import show_owner

router = APIRouter(prefix="/v1")


@router.get("/owners")
async def list_owners(request: Request) -> Response:
    """Workspaces by exact name and email."""
    names, emails = listed(request, "name"), listed(request, "email")
    rows = [
        one
        for one in platform_of(request).state.owners.values()
        if (names is None or one.name in names) and (emails is None or one.email in emails)
    ]
    return page(request, "owner", rows, row=lambda one: one.id, show=show_owner)


@router.get("/owners/{owner_id}")
async def get_owner(request: Request, owner_id: str) -> Response:
    """One workspace."""
    owner = platform_of(request).state.owners.get(owner_id)
    if owner is None:
        raise APIError(404, f"not found: {owner_id}")
    return answer(show_owner(owner))


@router.get("/users")
async def get_user(request: Request) -> Response:
    """The user whose key it is."""
    owner = next(iter(platform_of(request).state.owners.values()))
    return answer({"email": owner.email, "name": "SecureWatch Operator"})
