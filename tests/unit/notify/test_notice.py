"""The wording: the files' templates, our own where they have none, dates on the customer's wall."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from securewatch.config.fleet import Contact, Customer, MaintenanceWindow
from securewatch.config.load import load_fleet
from securewatch.config.policy import MessageTemplate
from securewatch.notify.notice import OWN_WORDING, compose, unknown_words
from securewatch.rollout.notices import Facts, Notice, NoticeKind, RecipientKind

CONFIG = Path(__file__).resolve().parents[3] / "config"
AT = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
"""In New York the clocks go back half an hour before."""
NOW = datetime(2026, 10, 25, 12, tzinfo=UTC)
CUSTOMER = Customer(
    "acme-corp",
    "ACME Corporation",
    "enterprise",
    "enterprise_rollout",
    "srv-1",
    "srv-2",
    contact=Contact("ops@acme.example", "Dana Lee"),
    window=MaintenanceWindow(day="sunday", start_text="02:00", end_text="06:00", timezone="America/New_York"),
)


def notice(kind: NoticeKind = NoticeKind.ADVANCE, recipient: RecipientKind = RecipientKind.CUSTOMER) -> Notice:
    return Notice("e", kind, "acme-corp", "v1.1.0", recipient, AT, Facts(AT, "v1.0.0", "health checks failed"))


def test_the_files_templates_rule() -> None:
    letter = compose(notice(), CUSTOMER, load_fleet(CONFIG).messages, now=NOW)

    assert letter.subject == "SecureWatch v1.1.0 comes to ACME Corporation"
    assert letter.body.splitlines() == [
        "We will deploy SecureWatch v1.1.0 to ACME Corporation on Sunday, 1 November 2026, 01:30 (America/New_York).",
        "",
        "Release notes: SecureWatch v1.1.0",
        "Maintenance window: sunday 02:00-06:00 America/New_York",
    ]


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_our_own_wording_fills_every_field(kind: NoticeKind) -> None:
    letter = compose(notice(kind), CUSTOMER, {}, now=NOW)

    assert unknown_words({kind: OWN_WORDING[kind]}) == ()
    assert "{" not in letter.subject + letter.body
    assert "v1.1.0" in letter.subject


def test_a_template_without_subject_or_content_takes_ours_and_keeps_its_own_lines() -> None:
    template = MessageTemplate("", "", ("contact", "reason"))

    letter = compose(notice(NoticeKind.ROLLBACK), CUSTOMER, {"rollback_notification": template}, now=NOW)

    assert letter.subject == "SecureWatch v1.1.0 was taken back for ACME Corporation"
    assert letter.body.splitlines()[-2:] == ["Contact: Dana Lee", "Reason: health checks failed"]


def test_an_unknown_field_stays_readable_and_is_named() -> None:
    template = MessageTemplate("{version} {downtime}", "{0} {} {customer!r} {days} days, {window", ("rollback_plan",))
    messages = {"advance_notification": template}

    letter = compose(notice(), CUSTOMER, messages, now=NOW)

    assert letter.subject == "v1.1.0 {downtime}"
    assert letter.body == "{0} {} {customer!r} 7 days, {window\n"
    assert unknown_words(messages) == (
        "advance_notification: {downtime}",
        "advance_notification: {0}",
        "advance_notification: include rollback_plan",
    )


def test_a_value_is_never_taken_for_a_template_nor_breaks_the_subject() -> None:
    odd = replace(CUSTOMER, name="A {version}\r\nBcc: x@y.example")

    letter = compose(notice(), odd, {}, now=NOW)

    assert letter.subject == "SecureWatch v1.1.0 comes to A {version} Bcc: x@y.example"


@pytest.mark.parametrize(
    ("contact", "kind", "told"),
    [
        (Contact("ops@acme.example"), NoticeKind.ADVANCE, "the customer's contact is told"),
        (Contact(), NoticeKind.ADVANCE, "the customer has no contact e-mail"),
        (Contact("ops@acme.example"), NoticeKind.HELD, "the customer is not told of this"),
    ],
)
def test_the_team_reads_the_same_and_whether_the_customer_is_told(
    contact: Contact, kind: NoticeKind, told: str
) -> None:
    letter = compose(notice(kind, RecipientKind.TEAM), replace(CUSTOMER, contact=contact), {}, now=NOW)

    assert letter.body.splitlines()[-1] == f"For the team: acme-corp, policy enterprise; {told}"
    assert "ops@acme.example" not in letter.body
