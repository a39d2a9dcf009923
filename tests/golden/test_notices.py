"""What customers and the team read, and what an operator reads of it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.cli.show_notices import HEADINGS, draft_lines, entry_row
from securewatch.cli.tables import show_table
from securewatch.config.load import load_fleet
from securewatch.notify.notice import compose
from securewatch.operations.notices import Draft
from securewatch.rollout.notices import Facts, Notice, NoticeKind, RecipientKind
from securewatch.store.outbox import Delivery, Entry, NoticeState
from tests.factories import NOW, VERSION
from tests.golden.conftest import Golden

FLEET = load_fleet(Path(__file__).resolve().parents[2] / "config")
START = NOW + timedelta(days=7)


def notice(kind: NoticeKind, recipient: RecipientKind = RecipientKind.CUSTOMER) -> Notice:
    facts = Facts(START if kind is NoticeKind.ADVANCE else NOW, "v1.0.0", "health checks failed")
    return Notice(f"{kind}:1", kind, "acme-corp", VERSION, recipient, NOW, facts)


def entry(number: int, state: NoticeState, kind: NoticeKind = NoticeKind.ADVANCE, reason: str = "") -> Entry:
    is_waiting, sent_at = state is NoticeState.WAITING, NOW if state is NoticeState.SENT else None
    again = NOW + timedelta(minutes=4) if is_waiting else None
    tries = 0 if state is NoticeState.NOT_CONFIGURED else 3
    return Entry(number, notice(kind), state, again, tries, Delivery(reason=reason, sent_at=sent_at))


@pytest.mark.parametrize("kind", list(NoticeKind))
@pytest.mark.parametrize("source", ["files", "own"])
def test_the_letters(kind: NoticeKind, source: str, golden: Golden) -> None:
    messages = FLEET.messages if source == "files" else {}
    customer = FLEET.customers["acme-corp"]
    drafts = [
        Draft(one, compose(one, customer, messages, now=NOW), f"{one.recipient} by mailto")
        for one in (notice(kind, recipient) for recipient in RecipientKind)
    ]

    golden(
        f"letter-{kind.removesuffix('_notification')}-{source}",
        "\n\n".join("\n".join(draft_lines(one)) for one in drafts),
    )


def test_the_list_of_notices(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    today = replace(notice(NoticeKind.ADVANCE), facts=Facts(NOW))
    entries = (
        entry(1, NoticeState.SENT),
        replace(entry(2, NoticeState.SENT), notice=today),
        entry(3, NoticeState.WAITING, NoticeKind.CONFIRMATION, "slack answered 503"),
        entry(4, NoticeState.UNKNOWN, NoticeKind.ROLLBACK, "mailto did not answer within 10 s"),
        entry(5, NoticeState.FAILED, NoticeKind.HELD, "slack cannot be reached"),
        entry(6, NoticeState.NOT_CONFIGURED, reason="the customer has no contact e-mail"),
    )

    show_table(HEADINGS, (entry_row(one) for one in entries), prose=("detail",), times=("due", "sent"))

    golden("notice-list", capsys.readouterr().out)
