"""What can go wrong between us and Render's API: leaves of the one tree in `core/errors.py`, with Render's request id.

    RenderUnreachable  SW303  Retryable     no connection, or no whole answer to a read: nothing was changed there
    NotTheAPI          SW304  Retryable     something answers, but not Render's API (HTML, broken or oversized JSON)
    RateLimited        SW307  Retryable     the rate budget is spent; says when to try again
    RenderFailed       SW308  Retryable     Render failed on its side (5xx) on a read
    RequestRejected    SW306  Rejected      Render said no, or we did before sending (`status` is None)
    `- PlaceholderLeft SW106                an unexpanded `${...}` was about to be sent
    OutcomeUnknown     SW504  GatewayError  a write was or may have been sent, and its answer is unknown
    KeyRefused         SW302  SignInNeeded  Render does not accept the key for this
    ServiceMissing     SW305  NotFound      Render does not have it (404, 410)

Messages hold no key, no env value and no body of an answer but Render's own short `message`, cleaned by `answers.py`.
"""

from datetime import datetime
from typing import ClassVar

from securewatch.core.errors import (
    ExitCode,
    GatewayError,
    NotFound,
    Rejected,
    Retryable,
    SecurewatchError,
    SignInNeeded,
)


class RenderError(SecurewatchError):
    """What all of them share: a fixed code, a usual remedy, and `request_id`, Render's name of the exchange or None."""

    stable_code: ClassVar[str]
    remedy: ClassVar[str] = ""

    def __init__(self, what: str, *, why: str = "", fix: str = "", request_id: str | None = None) -> None:
        super().__init__(self.stable_code, what, why=why, fix=fix or self.remedy)
        self.request_id = request_id


class RenderUnreachable(RenderError, Retryable):
    """Render cannot be reached; nothing was changed there."""

    stable_code = "SW303"
    remedy = "check the network and RENDER_HOST; https://status.render.com tells of outages"


class NotTheAPI(RenderError, Retryable):
    """Something answered that is not Render's API."""

    stable_code = "SW304"
    remedy = "check RENDER_HOST (a full base URL such as https://api.render.com/v1) and any proxy in between"


class RenderFailed(RenderError, Retryable):
    """Render failed on its side."""

    stable_code = "SW308"
    remedy = "try again later; https://status.render.com tells of outages"


class RateLimited(RenderError, Retryable):
    """The rate budget is spent until `retry_at` (product time, UTC)."""

    stable_code = "SW307"
    remedy = "wait; limits are per minute and shared by everything that uses this Render user"

    def __init__(
        self, what: str, *, retry_at: datetime, why: str = "", fix: str = "", request_id: str | None = None
    ) -> None:
        super().__init__(what, why=why, fix=fix, request_id=request_id)
        self.retry_at = retry_at


class RequestRejected(RenderError, Rejected):
    """The request was rejected with `status`; None when it was refused here, before anything was sent."""

    stable_code = "SW306"

    def __init__(
        self, what: str, *, status: int | None, why: str = "", fix: str = "", request_id: str | None = None
    ) -> None:
        super().__init__(what, why=why, fix=fix, request_id=request_id)
        self.status = status


class PlaceholderLeft(RequestRejected):
    """An unexpanded placeholder was about to be sent as an env value; nothing was sent."""

    stable_code = "SW106"
    remedy = "give the tool the secret, or leave the key as it is on Render"


class OutcomeUnknown(RenderError, GatewayError):
    """A write was or may have been sent, and what became of it is unknown: look at Render before anything else."""

    exit_code = ExitCode.NEEDS_HUMAN
    stable_code = "SW504"
    remedy = "run the same command again: it looks at Render first and never sends twice"


class KeyRefused(RenderError, SignInNeeded):
    """Render does not accept the API key, or not for this."""

    stable_code = "SW302"
    remedy = "set RENDER_API_KEY to a key of a user who belongs to the workspace (dashboard: Account Settings)"


class ServiceMissing(RenderError, NotFound):
    """Render does not have it."""

    stable_code = "SW305"
    remedy = "check the ids in config/render-deployment.json"
