"""The real apprise to a chat on this machine: what each answer comes to, and that no secret gets out."""

import io
import logging

import pytest
from apprise import Apprise

from securewatch.notify.apprise_sender import AppriseSender
from securewatch.notify.channels import Channel, addressed
from securewatch.notify.notice import Letter
from securewatch.notify.sending import Outcome, Sending
from tests.integration.notify.given import NOTICE, PASSWORD, running_chat

LETTER = Letter("v1.1.0 is live", "for *ACME* <Corp> & \\n others :smile:\n")


async def test_a_letter_arrives_as_it_was_written() -> None:
    async with running_chat() as chat:
        found = await AppriseSender().send(Channel("json", chat.url()), LETTER, NOTICE)

    assert found == Sending(Outcome.SENT)
    assert [(one["title"], one["message"]) for one in chat.got] == [(LETTER.subject, LETTER.body.rstrip())]


@pytest.mark.parametrize("status", [401, 404, 500, 503])
async def test_a_refusal_is_told_with_its_status(status: int) -> None:
    async with running_chat() as chat:
        chat.status = status

        found = await AppriseSender().send(Channel("json", chat.url()), LETTER, NOTICE)

    assert found == Sending(Outcome.REFUSED, f"json answered {status}")
    assert len(chat.got) == 1


async def test_nobody_there_is_a_refusal() -> None:
    found = await AppriseSender().send(Channel("json", "json://127.0.0.1:1/x"), LETTER, NOTICE)

    assert found == Sending(Outcome.REFUSED, "json cannot be reached")


async def test_a_lost_answer_is_unknown_since_the_letter_may_have_arrived() -> None:
    async with running_chat() as chat:
        chat.status = 0

        found = await AppriseSender(timeout_seconds=0.2).send(Channel("json", chat.url()), LETTER, NOTICE)

    assert found == Sending(Outcome.UNKNOWN, "json did not answer within 0.2 s")


async def test_a_url_that_apprise_does_not_know_is_a_refusal() -> None:
    found = await AppriseSender().send(Channel("nonsense", f"nonsense://{PASSWORD}"), LETTER, NOTICE)

    assert found == Sending(Outcome.REFUSED, "the nonsense:// URL is not one that apprise can use")


async def test_no_secret_is_logged_or_printed_though_everything_is(capfd: pytest.CaptureFixture[str]) -> None:
    kept = io.StringIO()
    root, theirs, handler = logging.getLogger(), logging.getLogger("apprise"), logging.StreamHandler(kept)
    levels = root.level, theirs.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    theirs.setLevel(logging.DEBUG)
    try:
        async with running_chat() as chat:
            chat.status = 500
            urls = (chat.url(), f"nonsense://{PASSWORD}", f"slack://{PASSWORD}", f"mailto://u:{PASSWORD}@127.0.0.1:1")
            found = [await AppriseSender().send(Channel("x", url), LETTER, NOTICE) for url in urls]
    finally:
        root.removeHandler(handler)
        root.setLevel(levels[0])
        theirs.setLevel(levels[1])

    printed = capfd.readouterr()
    assert [one.outcome for one in found] == [Outcome.REFUSED] * 4
    assert PASSWORD not in f"{found} {kept.getvalue()} {printed.out} {printed.err}"


def test_apprise_reads_one_recipient_out_of_the_addressed_url() -> None:
    url = "mailtos://user:p%40ss@vendor.example/x@y.example?to=z@y.example&from=rel@vendor.example"

    service = Apprise.instantiate(addressed(url, "dana+ops@acme.example"))

    assert service is not None
    assert service.targets == [(False, "dana+ops@acme.example")]
    assert (service.password, service.from_addr[1]) == ("p@ss", "rel@vendor.example")
