"""Where the platform's answers leave Render's description, each with its ground: a recorded exchange, or a fault."""

from dataclasses import dataclass

from tests.conformance.contract import Finding

Recording = tuple[str, str, int]
"""Method, path and status of a recorded exchange that leaves the description in the same place and way."""


@dataclass(frozen=True)
class Deviation:
    """One difference that is meant.

    Attributes:
        operation: method and documented path.
        status: of the answer.
        finding: where and which rule.
        recorded: the exchange that shows it.
        fault: or the fault that is injected.
        document: or the words of the description itself.
        recorded_finding: where the recording has it, if its body is wrapped differently.
    """

    operation: str
    status: int
    finding: Finding
    recorded: Recording | None = None
    fault: str | None = None
    document: str | None = None
    recorded_finding: Finding | None = None


_DETAILS = ("$.serviceDetails", "oneOf: several fit")
_DEPLOY = ("POST", "/v1/services/srv-ct6vn35j0q5s700ckga0/deploys", 201)
_POSTGRES = ("GET", "/v1/postgres/dpg-d7shajjrjlhs73bukk0g-a", 200)
_POSTGRES_PATCH = ("PATCH", "/v1/postgres/dpg-csr7o43v2p9s739qqq2g-a", 200)
_SERVICE = ("GET", "/v1/services/srv-ct6vmvdj0q5s700ckfv0", 200)
_LIMIT = "limitParam: minimum 1, maximum 100; the answer to another number is not described"
_EVENT_UNION = "details: oneOf forty, of which many are bare objects that every object fits"
_EVENT_UNION_IN_UNION = "details: oneOf three, of which the first is the union of forty, which never fits"
_NULL_COMMIT = ("$.commit", "type")
_NULL_FINISH = ("$.finishedAt", "type")

DEVIATIONS = (
    Deviation("POST /services/{serviceId}/deploys", 201, _NULL_COMMIT, recorded=_DEPLOY),
    Deviation("POST /services/{serviceId}/deploys", 201, _NULL_FINISH, recorded=_DEPLOY),
    Deviation("GET /services/{serviceId}/deploys/{deployId}", 200, _NULL_COMMIT, recorded=_DEPLOY),
    Deviation("GET /services/{serviceId}/deploys/{deployId}", 200, _NULL_FINISH, recorded=_DEPLOY),
    Deviation("POST /services/{serviceId}/rollback", 201, _NULL_COMMIT, recorded=_DEPLOY),
    Deviation("POST /services/{serviceId}/rollback", 201, _NULL_FINISH, recorded=_DEPLOY),
    Deviation("POST /services/{serviceId}/deploys/{deployId}/cancel", 200, _NULL_COMMIT, recorded=_DEPLOY),
    Deviation(
        "GET /services/{serviceId}/deploys",
        200,
        ("$.*.deploy.commit", "type"),
        recorded=_DEPLOY,
        recorded_finding=_NULL_COMMIT,
    ),
    Deviation(
        "GET /services/{serviceId}/deploys",
        200,
        ("$.*.deploy.finishedAt", "type"),
        recorded=_DEPLOY,
        recorded_finding=_NULL_FINISH,
    ),
    Deviation("GET /services/{serviceId}", 200, _DETAILS, recorded=_SERVICE),
    Deviation("PATCH /services/{serviceId}", 200, _DETAILS, recorded=_SERVICE),
    Deviation(
        "GET /services",
        200,
        ("$.*.service.serviceDetails", "oneOf: several fit"),
        recorded=_SERVICE,
        recorded_finding=_DETAILS,
    ),
    Deviation("GET /postgres/{postgresId}", 200, ("$", "required project"), recorded=_POSTGRES),
    Deviation("GET /postgres/{postgresId}", 200, ("$.ipAllowList", "type"), recorded=_POSTGRES),
    Deviation("POST /postgres/{postgresId}/recovery", 200, ("$", "required project"), recorded=_POSTGRES),
    Deviation("POST /postgres/{postgresId}/recovery", 200, ("$.ipAllowList", "type"), recorded=_POSTGRES),
    Deviation(
        "GET /postgres",
        200,
        ("$.*.postgres.ipAllowList", "type"),
        recorded=_POSTGRES_PATCH,
        recorded_finding=("$.ipAllowList", "type"),
    ),
    Deviation("GET /events/{eventId}", 200, ("$.details", "oneOf: none fits"), document=_EVENT_UNION_IN_UNION),
    Deviation(
        "GET /services/{serviceId}/events", 200, ("$.*.event.details", "oneOf: several fit"), document=_EVENT_UNION
    ),
    Deviation("GET /services/{serviceId}/deploys", 400, ("status", "undocumented"), document=_LIMIT),
    Deviation("GET /services/{serviceId}/env-vars", 400, ("status", "undocumented"), document=_LIMIT),
    Deviation("GET /users", 502, ("status", "undocumented"), fault="html"),
    Deviation("GET /users", 503, ("content-type", "text/html; charset=utf-8"), fault="html"),
    Deviation("GET /users", 429, ("content-type", ""), fault="empty"),
    Deviation("GET /users", 200, ("body", "no JSON"), fault="truncate"),
)
