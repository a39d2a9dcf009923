"""Sends notices by apprise, to e-mail and chat. The only module that knows apprise; what it logs is dropped.

Apprise works in threads of its own, which cannot be ended: after the time-out a letter may still arrive, so the outcome
is then unknown. Its log may name a URL with its token, so nothing of it is kept: reasons are in our own words.
"""

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor

from apprise import Apprise, AppriseAsset, AppriseResult, NotifyFormat
from apprise.result import AppriseResultStatus

from securewatch.notify.channels import Channel
from securewatch.notify.notice import Letter
from securewatch.notify.sending import Outcome, Sending
from securewatch.rollout.notices import Notice

TIMEOUT_SECONDS = 10.0
"""Real seconds for one try."""
_READ_SECONDS = 15.0
"""Longer than the time-out: a lost answer is then told from a refusal, and is not sent again."""
_THREADS_MAX = 10
_STATUS = re.compile(r"error=(\d{3})\b")
_ASSET = AppriseAsset(app_id="SecureWatch", app_desc="SecureWatch releases", app_url="")

for _name in ("apprise", "urllib3"):
    _logger = logging.getLogger(_name)
    _logger.addHandler(logging.NullHandler())
    _logger.propagate = False


class AppriseSender:
    """The sender of real installations. `timeout_seconds` is for tests."""

    def __init__(self, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="notify")

    async def send(self, channel: Channel, letter: Letter, notice: Notice) -> Sending:
        """Try once, in a thread: the first try loads apprise's plugins, and instantiating one may block."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, _send, channel, letter, self._timeout_seconds)
        return await work


def _send(channel: Channel, letter: Letter, timeout_seconds: float) -> Sending:
    try:
        service = Apprise.instantiate(channel.target, asset=_ASSET)
        if service is None:
            return Sending(Outcome.REFUSED, f"the {channel.name}:// URL is not one that apprise can use")
        service.socket_read_timeout = _READ_SECONDS
        found = Apprise(service, asset=_ASSET).notify(
            body=letter.body, title=letter.subject, body_format=NotifyFormat.TEXT.value, timeout=timeout_seconds
        )
    except Exception as error:  # noqa: BLE001 - a plugin of apprise may raise anything, with the URL in its words
        return Sending(Outcome.UNKNOWN, f"{channel.name} broke: {type(error).__name__}")
    if found.status is AppriseResultStatus.SUCCESS:
        return Sending(Outcome.SENT)
    if found.status is AppriseResultStatus.TIMEOUT:
        return Sending(Outcome.UNKNOWN, f"{channel.name} did not answer within {timeout_seconds:g} s")
    return Sending(Outcome.REFUSED, f"{channel.name} {_why(found)}")


def _why(result: AppriseResult) -> str:
    text = " ".join(str(one.message) for one in result.logs())
    status = _STATUS.search(text)
    if status is not None:
        return f"answered {status[1]}"
    return "cannot be reached" if "onnection error" in text else "did not take it"
