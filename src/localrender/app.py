"""The platform as an ASGI application: Render's API under /v1, exports to download, the admin API under /admin."""

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from localrender.answers import APIError, error_answer
from localrender.gate import Gate
from localrender.platform import Platform
from localrender.routes import (
    admin,
    admin_postgres,
    admin_services,
    custom_domains,
    deploys,
    env_vars,
    events,
    exports,
    postgres,
    services,
    workspace,
)

ROUTERS = tuple(
    module.router
    for module in (
        services,
        deploys,
        env_vars,
        custom_domains,
        workspace,
        events,
        postgres,
        exports,
        admin,
        admin_services,
        admin_postgres,
    )
)
"""Every router of the application, those of Render's API first."""


def create_app(platform: Platform) -> FastAPI:
    """Make the application of a platform.

    Args:
        platform: started before the first request and closed after the last, by whoever made it.
    """
    app = FastAPI(title="localrender", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.platform = platform
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(APIError, _refuse)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_middleware(Gate, platform=platform)
    return app


async def _refuse(_: Request, error: Exception) -> Response:
    if isinstance(error, APIError):
        return error_answer(error.status, error.message)
    assert isinstance(error, HTTPException)
    return error_answer(error.status_code, str(error.detail).lower())
