"""How a route finds the platform and the things that its path names."""

from fastapi import Request

from localrender.answers import APIError
from localrender.model import Deploy, Postgres, Service
from localrender.platform import Platform


def platform_of(request: Request) -> Platform:
    """The platform that `create_app` was given."""
    platform = request.app.state.platform
    assert isinstance(platform, Platform)
    return platform


def service_of(request: Request, service_id: str) -> Service:
    """The service of that id. Raises APIError 404 in the recorded words."""
    service = platform_of(request).state.services.get(service_id)
    if service is None:
        raise APIError(404, f"not found: {service_id}")
    return service


def database_of(request: Request, postgres_id: str) -> Postgres:
    """The database of that id. Raises APIError 404."""
    database = platform_of(request).state.databases.get(postgres_id)
    if database is None:
        raise APIError(404, f"not found: {postgres_id}")
    return database


def deploy_of(service: Service, deploy_id: str) -> Deploy:
    """The service's deploy of that id. Raises APIError 404."""
    deploy = next((one for one in service.deploys if one.id == deploy_id), None)
    if deploy is None:
        raise APIError(404, f"not found: {deploy_id}")
    return deploy
