"""Troubles between the tool and Render: answers that are lost, late, cut short, refused, or not of Render's API."""

import json
from datetime import datetime
from typing import Any, ClassVar

from localrender.faults import Fault, FaultKind
from rehearsal.trouble.base import Scene, Trouble
from rehearsal.virtual_time import VirtualClock


class WireFault(Trouble):
    """A fault that strikes a request somewhere in the release."""

    fault: ClassVar[dict[str, Any]]
    at_most = 12
    """Fitting requests that may pass before it strikes."""

    def prepare(self, scene: Scene) -> None:
        """Arm it for one of the next fitting requests."""
        fault = _Noticed(self, {"after": scene.chance.randrange(self.at_most), **self.fault})
        scene.stage.platform.faults.arm(fault)


class _Noticed(Fault):
    """A fault that tells its trouble when it strikes."""

    def __init__(self, trouble: WireFault, fault: dict[str, Any]) -> None:
        super().__init__(**fault)
        self._trouble = trouble

    @property
    def takes_effect(self) -> bool:
        """Asked only where it has struck."""
        self._trouble.has_fired = True
        return super().takes_effect


_DEPLOYS = r"/deploys$"
_BUT_OWNERS = r"/services/"


class ReplyLost(WireFault):
    """A deploy was created, and the answer never came."""

    fault: ClassVar[dict[str, Any]] = {"kind": FaultKind.DROP_AFTER, "method": "POST", "path": _DEPLOYS, "count": 2}


class RequestLost(WireFault):
    """The request for a deploy never arrived."""

    fault: ClassVar[dict[str, Any]] = {"kind": FaultKind.DROP_BEFORE, "method": "POST", "path": _DEPLOYS, "count": 2}


class EnvReplyLost(WireFault):
    """An env var was written, and the answer never came."""

    fault: ClassVar[dict[str, Any]] = {"kind": FaultKind.DROP_AFTER, "method": "PUT", "path": "/env-vars/", "count": 2}


class EmptyAccepted(WireFault):
    """202 without a body: a deploy was made, and nobody says which."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.EMPTY,
        "method": "POST",
        "path": _DEPLOYS,
        "status": 202,
        "acts": True,
        "count": 2,
    }


class AcceptedAndDropped(WireFault):
    """202 without a body, and no deploy."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.EMPTY,
        "method": "POST",
        "path": _DEPLOYS,
        "status": 202,
        "acts": False,
    }


class PageInsteadOfJSON(WireFault):
    """A page of a proxy in the place of the answer to a deploy that was made."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.HTML,
        "method": "POST",
        "path": _DEPLOYS,
        "status": 200,
        "acts": True,
    }


class PagesOnReads(WireFault):
    """A page of a proxy in the place of what was to be read."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.HTML,
        "method": "GET",
        "path": _BUT_OWNERS,
        "status": 502,
        "count": 6,
    }


class ServerErrors(WireFault):
    """A burst of 5xx on everything."""

    fault: ClassVar[dict[str, Any]] = {"kind": FaultKind.STATUS, "path": _BUT_OWNERS, "status": 503, "count": 15}
    at_most = 200


class ErrorAfterEffect(WireFault):
    """500 for deploys that were made."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.STATUS,
        "method": "POST",
        "path": _DEPLOYS,
        "status": 500,
        "acts": True,
        "count": 2,
    }


class TooManyRequests(WireFault):
    """429 with Retry-After."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.STATUS,
        "path": _BUT_OWNERS,
        "status": 429,
        "retry_after": 90,
        "count": 5,
    }
    at_most = 100


class TooManyWithoutHint(WireFault):
    """429 for writes, and nothing that says until when."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.STATUS,
        "method": "POST|PUT",
        "path": _BUT_OWNERS,
        "status": 429,
        "count": 4,
    }


class NotFoundForAMoment(WireFault):
    """404 for services that are there."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.STATUS,
        "method": "GET",
        "path": r"/services/[^/]+$",
        "status": 404,
    }


class ConflictOnDeploy(WireFault):
    """409 on a deploy."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.STATUS,
        "method": "POST",
        "path": _DEPLOYS,
        "status": 409,
        "message": "conflict",
    }


class GoneOnDeploy(WireFault):
    """410 on a deploy."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.STATUS,
        "method": "POST",
        "path": _DEPLOYS,
        "status": 410,
        "message": "gone",
    }


class TruncatedAnswers(WireFault):
    """Answers to reads that end in the middle."""

    fault: ClassVar[dict[str, Any]] = {"kind": FaultKind.TRUNCATE, "method": "GET", "path": _BUT_OWNERS, "count": 5}
    at_most = 200


class TruncatedReply(WireFault):
    """The answer to a deploy that was made ends in the middle."""

    fault: ClassVar[dict[str, Any]] = {"kind": FaultKind.TRUNCATE, "method": "POST", "path": _DEPLOYS}


class SlowReply(WireFault):
    """A deploy is made, and the answer comes after everybody has stopped waiting."""

    fault: ClassVar[dict[str, Any]] = {"kind": FaultKind.SLOW, "method": "POST", "path": _DEPLOYS, "seconds": 45.0}


class SlowReads(WireFault):
    """Reads that take longer than anybody waits."""

    fault: ClassVar[dict[str, Any]] = {
        "kind": FaultKind.SLOW,
        "method": "GET",
        "path": _BUT_OWNERS,
        "seconds": 45.0,
        "count": 4,
    }
    at_most = 150


class UnorderedLists(Trouble):
    """Lists of deploys in no order at all."""

    def prepare(self, scene: Scene) -> None:
        """From the start on."""
        scene.stage.platform.options.shuffle = True
        scene.stage.bends.append(self._notice)

    def _notice(self, path: str, body: bytes) -> bytes:
        self.has_fired = self.has_fired or (path.endswith("/deploys") and body.count(b'"cursor"') > 1)
        return body


class StaleLists(Trouble):
    """Some lists lack what was made in the last seconds."""

    def prepare(self, scene: Scene) -> None:
        """A third of the lists, half a minute behind."""
        clock, chance = scene.stage.clock, scene.chance

        def bend(path: str, body: bytes) -> bytes:
            if not path.endswith("/deploys") or chance.random() < 0.66:
                return body
            return self._without_newest(clock, body)

        scene.stage.bends.append(bend)

    def _without_newest(self, clock: VirtualClock, body: bytes) -> bytes:
        from_now = clock.now().timestamp() - 30
        found = json.loads(body)
        kept = [one for one in found if _seconds(one["deploy"]["createdAt"]) < from_now]
        self.has_fired = self.has_fired or len(kept) < len(found)
        return json.dumps(kept).encode()


class UnknownStatuses(Trouble):
    """Render has a new word for a deploy that is being built."""

    def prepare(self, scene: Scene) -> None:
        """From the start on."""
        scene.stage.bends.append(self._bend)

    def _bend(self, path: str, body: bytes) -> bytes:
        bent = body.replace(b'"status":"update_in_progress"', b'"status":"warming_up"')
        self.has_fired = self.has_fired or bent != body
        return bent


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
