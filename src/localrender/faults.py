"""Faults on request: what they match, how often they strike, and what they do to an answer. Not for sick apps."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

HTML = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"


class FaultKind(StrEnum):
    """What happens to a matching request.

    `drop_after`, `truncate`, `slow` (the answer is late) and `late` (the request itself is) let it take effect. `fails`
    spoils no answer: what an export or a recovery of a database began ends in failure.
    """

    STATUS = "status"
    HTML = "html"
    EMPTY = "empty"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    SLOW = "slow"
    LATE = "late"
    TRUNCATE = "truncate"
    FAILS = "fails"


_ACTING = frozenset({FaultKind.DROP_AFTER, FaultKind.SLOW, FaultKind.LATE, FaultKind.TRUNCATE, FaultKind.FAILS})


class ConnectionDropped(Exception):
    """The connection is cut without an answer; raised where there is no socket to cut (ASGI in-process)."""


@dataclass(slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: what happens.
        method: regular expression for the whole method.
        path: regular expression searched in the path (with /v1).
        count: how often it strikes; None for ever.
        after: how many matching requests pass first.
        status: for `status`, `html` and `empty`.
        message: for `status`.
        retry_after: the Retry-After header in seconds, None for no header.
        seconds: for `slow` and `late`, real seconds.
        acts: whether the request takes effect before its answer is spoilt; None for the kind's own way.
    """

    kind: FaultKind
    method: str = ".*"
    path: str = ".*"
    count: int | None = 1
    after: int = 0
    status: int = 500
    message: str = "internal server error"
    retry_after: int | None = None
    seconds: float = 0.0
    acts: bool | None = None
    struck: int = field(default=0)

    @property
    def takes_effect(self) -> bool:
        """Whether the request is carried out."""
        return self.kind in _ACTING if self.acts is None else self.acts

    def matches(self, method: str, path: str) -> bool:
        """Whether the request is meant; says nothing of counts."""
        return bool(re.fullmatch(self.method, method)) and bool(re.search(self.path, path))


class Faults:
    """The faults that are armed, oldest first."""

    def __init__(self) -> None:
        self.armed: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        """Add a fault."""
        self.armed.append(fault)

    def clear(self) -> None:
        """Remove every fault."""
        self.armed.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """Give the fault for a request and count it; None where none strikes."""
        for fault in self.armed:
            if not fault.matches(method, path) or (fault.count is not None and fault.struck >= fault.count):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.struck += 1
            return fault
        return None
