"""/services/{id}/events and /events/{id} (reference, section 7.3)."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from localrender.answers import APIError, answer, instant, page
from localrender.routes.context import platform_of, service_of
from localrender.views import show_event

router = APIRouter(prefix="/v1")

DEFAULT_SPAN = timedelta(hours=1)


@router.get("/services/{service_id}/events")
async def list_events(request: Request, service_id: str) -> Response:
    """A service's events, newest first; only the last hour's unless `startTime` says otherwise."""
    service = service_of(request, service_id)
    platform = platform_of(request)
    kind = request.query_params.get("type")
    start = instant(request, "startTime") or platform.now() - DEFAULT_SPAN
    end = instant(request, "endTime") or platform.now()
    rows = [
        one
        for one in reversed(platform.state.events)
        if one.service_id == service.id and (kind is None or one.type == kind) and start <= one.at <= end
    ]
    return page(request, "event", rows, row=lambda one: one.id, show=show_event)


@router.get("/events/{event_id}")
async def get_event(request: Request, event_id: str) -> Response:
    """One event."""
    found = next((one for one in platform_of(request).state.events if one.id == event_id), None)
    if found is None:
        raise APIError(404, f"not found: {event_id}")
    return answer(show_event(found))
