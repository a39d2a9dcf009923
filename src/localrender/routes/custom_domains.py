"""/services/{id}/custom-domains, read only."""

from fastapi import APIRouter, Request, Response

from localrender.answers import listed, page, within
from localrender.routes.context import service_of
from localrender.views import show_domain

router = APIRouter(prefix="/v1/services/{service_id}/custom-domains")


@router.get("")
async def list_custom_domains(request: Request, service_id: str) -> Response:
    """A service's domains by name, type, verification and creation time."""
    created = within(request, "created")
    wanted = {name: listed(request, name) for name in ("name", "domainType", "verificationStatus")}
    rows = [
        one
        for one in service_of(request, service_id).domains
        if created(one.created_at)
        and all(values is None or show_domain(one)[name] in values for name, values in wanted.items())
    ]
    return page(request, "customDomain", rows, row=lambda one: one.id, show=show_domain)
