"""Every call of the gateway, with the operation of Render's API that it is."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from securewatch.core.ids import OwnerID, PostgresID, ServiceID
from securewatch.render import custom_domains, deploys, env_vars, events, owners, postgres, services
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.models import DeployStatus

DATABASE = PostgresID("dpg-cu2k4ijqf0us73fbv7s0-a")
SERVICE = ServiceID("srv-cu2k4ijqf0us73fbv7s0")
OWNER = OwnerID("tea-cu2k4ijqf0us73fbv7s0")
DEPLOY = "dep-cu2k4ijqf0us73fbv7s0"
COMMIT = "9c1e2ab0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6"
AFTER = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)
POLL, ACT = Priority.POLL, Priority.DEPLOY
_D, _E = "/services/{serviceId}/deploys", "/services/{serviceId}/env-vars"
_P = "/postgres/{postgresId}"


@dataclass(frozen=True)
class Call:
    """One call: what it is called here, the operation it is, and how to make it."""

    name: str
    method: str
    template: str
    send: Callable[[RenderClient], Awaitable[object]]


def go() -> None:
    """The guard of a request that may go."""


CALLS = (
    Call("list owners", "GET", "/owners", lambda c: owners.fetch_owners(c, priority=POLL)),
    Call("list services", "GET", "/services", lambda c: services.fetch_services(c, priority=POLL)),
    Call("get a service", "GET", "/services/{serviceId}", lambda c: services.fetch_service(c, SERVICE, priority=POLL)),
    Call(
        "switch autodeploy off",
        "PATCH",
        "/services/{serviceId}",
        lambda c: services.turn_autodeploy_off(c, SERVICE, priority=ACT, guard=go),
    ),
    Call(
        "switch maintenance mode",
        "PATCH",
        "/services/{serviceId}",
        lambda c: services.set_maintenance(c, SERVICE, enabled=True, uri="", priority=ACT, guard=go),
    ),
    Call("list deploys", "GET", _D, lambda c: deploys.fetch_deploys(c, SERVICE, priority=POLL)),
    Call("get a deploy", "GET", _D + "/{deployId}", lambda c: deploys.fetch_deploy(c, SERVICE, DEPLOY, priority=POLL)),
    Call(
        "create a deploy",
        "POST",
        _D,
        lambda c: deploys.create_deploy(c, SERVICE, commit=COMMIT, priority=ACT, guard=go),
    ),
    Call(
        "cancel a deploy",
        "POST",
        _D + "/{deployId}/cancel",
        lambda c: deploys.cancel_deploy(c, SERVICE, DEPLOY, priority=ACT, guard=go),
    ),
    Call(
        "roll back",
        "POST",
        "/services/{serviceId}/rollback",
        lambda c: deploys.roll_back(c, SERVICE, DEPLOY, priority=ACT, guard=go),
    ),
    Call("list env vars", "GET", _E, lambda c: env_vars.fetch_env_vars(c, SERVICE, priority=POLL)),
    Call(
        "get an env var", "GET", _E + "/{envVarKey}", lambda c: env_vars.fetch_env_var(c, SERVICE, "KEY", priority=POLL)
    ),
    Call(
        "put an env var",
        "PUT",
        _E + "/{envVarKey}",
        lambda c: env_vars.put_env_var(c, SERVICE, "KEY", value="v", priority=ACT, guard=go),
    ),
    Call(
        "delete an env var",
        "DELETE",
        _E + "/{envVarKey}",
        lambda c: env_vars.delete_env_var(c, SERVICE, "KEY", priority=ACT, guard=go),
    ),
    Call(
        "list events",
        "GET",
        "/services/{serviceId}/events",
        lambda c: events.fetch_events(c, SERVICE, since=AFTER, priority=POLL),
    ),
    Call(
        "list custom domains",
        "GET",
        "/services/{serviceId}/custom-domains",
        lambda c: custom_domains.fetch_custom_domains(c, SERVICE, priority=POLL),
    ),
    Call(
        "get a Postgres instance",
        "GET",
        _P,
        lambda c: postgres.fetch_postgres(c, DATABASE, priority=POLL),
    ),
    Call(
        "list Postgres instances of a name",
        "GET",
        "/postgres",
        lambda c: postgres.fetch_postgres_named(c, "acme", owner_id=OWNER, priority=POLL),
    ),
    Call(
        "get how to connect",
        "GET",
        _P + "/connection-info",
        lambda c: postgres.fetch_connection(c, DATABASE, priority=POLL),
    ),
    Call(
        "get a recovery window",
        "GET",
        _P + "/recovery",
        lambda c: postgres.fetch_recovery_window(c, DATABASE, priority=POLL),
    ),
    Call(
        "recover",
        "POST",
        _P + "/recovery",
        lambda c: postgres.recover(c, DATABASE, at=AFTER, name="acme-restored", priority=ACT, guard=go),
    ),
    Call("list exports", "GET", _P + "/export", lambda c: postgres.fetch_exports(c, DATABASE, priority=POLL)),
    Call(
        "create an export",
        "POST",
        _P + "/export",
        lambda c: postgres.create_export(c, DATABASE, priority=ACT, guard=go),
    ),
)

FILTERED = (
    Call(
        "list services of an owner by name",
        "GET",
        "/services",
        lambda c: services.fetch_services(c, owner_id=OWNER, name="securewatch-acme-backend", priority=POLL),
    ),
    Call(
        "list deploys after an instant, by status",
        "GET",
        _D,
        lambda c: deploys.fetch_deploys(c, SERVICE, created_after=AFTER, statuses=list(known()), priority=POLL),
    ),
)
"""Calls of the same operations with everything in their query."""


def known() -> Iterable[DeployStatus]:
    """The states that Render knows."""
    return (one for one in DeployStatus if one is not DeployStatus.UNKNOWN)
