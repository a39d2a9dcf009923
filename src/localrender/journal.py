"""Writes down what happened: Render's events for the API, and every request for tests. Not an audit log."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from localrender.ids import IDMint
from localrender.model import Deploy, Event, Postgres, Service, State, Status, Trigger

REQUESTS_MAX = 20_000
_DEPRECATED_STATUS = {"succeeded": 2, "failed": 3, "canceled": 4}


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One request: the keys of its body alone, never a value. `status` is 0 where the connection was cut."""

    number: int
    request_id: str
    method: str
    path: str
    query: str
    body_keys: tuple[str, ...]
    at: datetime
    status: int
    fault: str | None

    def as_json(self) -> dict[str, object]:
        """The line as `GET /admin/journal` shows it."""
        return {
            "number": self.number,
            "request_id": self.request_id,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "body_keys": list(self.body_keys),
            "at": self.at.isoformat(),
            "status": self.status,
            "fault": self.fault,
        }


class Journal:
    """The requests since the last reset, the last 20,000 of them, numbered in the order of their answers."""

    def __init__(self) -> None:
        self.lines: deque[RequestLine] = deque(maxlen=REQUESTS_MAX)
        self.count = 0

    def clear(self) -> None:
        """Forget everything and count from one again."""
        self.lines.clear()
        self.count = 0


class EventBook:
    """Adds Render's events to the state, details as in the OpenAPI document (serviceEventWithCursor)."""

    def __init__(self, state: State, mint: IDMint) -> None:
        self._state = state
        self._mint = mint

    def add(self, of: Service | Postgres, kind: str, at: datetime, details: dict[str, object]) -> None:
        """Add one event of type `kind`."""
        self._state.events.append(Event(self._mint.mint("evt", at), of.id, kind, at, details))

    def deploy_started(self, service: Service, deploy: Deploy, at: datetime) -> None:
        """Add `deploy_started` for a deploy that began."""
        self.add(service, "deploy_started", at, {"deployId": deploy.id, "trigger": _trigger(service, deploy)})

    def build_started(self, service: Service, deploy: Deploy, at: datetime) -> None:
        """Add `build_started`."""
        self.add(service, "build_started", at, {"buildId": deploy.build_id, "trigger": _trigger(service, deploy)})

    def build_ended(self, service: Service, deploy: Deploy, at: datetime, outcome: str) -> None:
        """Add `build_ended`; outcome is succeeded, failed or canceled."""
        reason = {"buildFailed": {"id": deploy.build_id}} if outcome == "failed" else {}
        status = _DEPRECATED_STATUS[outcome]
        details = {"buildId": deploy.build_id, "buildStatus": outcome, "status": status, "reason": reason}
        self.add(service, "build_ended", at, details)

    def deploy_ended(self, service: Service, deploy: Deploy, at: datetime, newer: str | None) -> None:
        """Add `deploy_ended`; `newer` is the deploy that superseded this one, if that is why it ended."""
        outcome = _outcome(deploy.status)
        reason: dict[str, object] = {}
        if newer is not None:
            reason = {"newDeploy": {"id": newer}}
        elif deploy.status is Status.BUILD_FAILED:
            reason = {"buildFailed": {"id": deploy.build_id}}
        elif outcome == "failed":
            reason = {"failure": {"evicted": False, "unhealthy": "the new instance did not become healthy"}}
        status = _DEPRECATED_STATUS[outcome]
        details = {"deployId": deploy.id, "deployStatus": outcome, "status": status, "reason": reason}
        self.add(service, "deploy_ended", at, details)


def _outcome(status: Status) -> str:
    if status is Status.CANCELED:
        return "canceled"
    return "succeeded" if status in (Status.LIVE, Status.DEACTIVATED) else "failed"


def _trigger(service: Service, deploy: Deploy) -> dict[str, object]:
    trigger: dict[str, object] = {
        "firstBuild": service.deploys[0] is deploy,
        "envUpdated": deploy.trigger is Trigger.SERVICE_UPDATED,
        "manual": deploy.trigger is Trigger.MANUAL,
        "deployedByRender": deploy.trigger is Trigger.DEPLOYED_BY_RENDER,
        "clearCache": False,
        "rollback": deploy.trigger is Trigger.ROLLBACK,
    }
    if deploy.trigger is Trigger.NEW_COMMIT and deploy.commit is not None:
        trigger["newCommit"] = deploy.commit.id
    if deploy.rollback_of is not None:
        trigger["rollbackTargetDeployId"] = deploy.rollback_of
    return trigger
