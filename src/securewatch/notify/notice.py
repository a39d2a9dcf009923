"""The wording of notices: the files' templates, or our own where they have none. Pure; knows no way to send."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from securewatch.config.fleet import Customer
from securewatch.config.policy import MessageTemplate
from securewatch.rollout.notices import Notice, NoticeKind, RecipientKind

OWN_WORDING = {
    NoticeKind.ADVANCE: MessageTemplate(
        "SecureWatch {version} comes to {customer}",
        "We plan to bring SecureWatch {version} to {customer} on {date}.",
        ("maintenance_window",),
    ),
    NoticeKind.CONFIRMATION: MessageTemplate(
        "SecureWatch {version} is live for {customer}",
        "SecureWatch {version} is live for {customer} and was verified on {date}.",
    ),
    NoticeKind.ROLLBACK: MessageTemplate(
        "SecureWatch {version} was taken back for {customer}",
        "{customer} runs {previous_version} again since {date}, in place of {version}: {reason}.",
    ),
    NoticeKind.HELD: MessageTemplate(
        "SecureWatch {version} at {customer} needs a person",
        "{customer} is held since {date}, after {version} had gone live: {reason}\n\n"
        "What to do next: securewatch why --customer {slug}",
    ),
    NoticeKind.MOVED: MessageTemplate(
        "SecureWatch {version} comes to {customer} on another day",
        "We plan to bring SecureWatch {version} to {customer} on {date} now, and not on {reason} as we wrote before.",
        ("maintenance_window",),
    ),
}
"""What is said where the files have no template, or one without a subject or content."""

_FIELD = re.compile(r"\{(\w+)\}")
_INCLUDES = {
    "release_notes": "Release notes: SecureWatch {version}",
    "maintenance_window": "Maintenance window: {window}",
    "contact": "Contact: {contact}",
    "version": "Version: {version}",
    "previous_version": "Version before: {previous_version}",
    "date": "Date: {date}",
    "reason": "Reason: {reason}",
}
FIELDS = frozenset(
    {"version", "customer", "slug", "policy", "window", "contact", "date", "days", "previous_version", "reason"}
)
"""What may stand in braces in a template."""


@dataclass(frozen=True)
class Letter:
    """What one recipient reads; the subject is one line."""

    subject: str
    body: str


def compose(notice: Notice, customer: Customer, templates: Mapping[str, MessageTemplate], *, now: datetime) -> Letter:
    """The letter of a notice; dates are in the customer's time zone. A field that nobody knows stays as it stands."""
    own = OWN_WORDING[notice.kind]
    given = templates.get(notice.kind, own)
    fields = _fields(notice, customer, now)
    lines = [_fill(_INCLUDES[word], fields) for word in given.include if word in _INCLUDES]
    if notice.recipient is RecipientKind.TEAM:
        lines.append(_for_the_team(notice, customer))
    content = _fill(given.content or own.content, fields)
    subject = " ".join(_fill(given.subject or own.subject, fields).split())
    return Letter(subject, "\n".join([content.strip(), *(["", *lines] if lines else [])]) + "\n")


def unknown_words(templates: Mapping[str, MessageTemplate]) -> tuple[str, ...]:
    """What the templates ask for and nobody can give, each as `advance_notification: {word}`."""
    found = []
    for name, one in templates.items():
        fields = _FIELD.findall(f"{one.subject} {one.content}")
        found += [f"{name}: {{{word}}}" for word in fields if word not in FIELDS]
        found += [f"{name}: include {word}" for word in one.include if word not in _INCLUDES]
    return tuple(dict.fromkeys(found))


def _fields(notice: Notice, customer: Customer, now: datetime) -> Mapping[str, str]:
    zone = ZoneInfo(customer.window.timezone)
    at = notice.facts.at.astimezone(zone)
    days = (at.date() - now.astimezone(zone).date()).days
    return {
        "version": notice.version or "a newer version",
        "customer": customer.name,
        "slug": customer.slug,
        "policy": customer.policy,
        "window": str(customer.window),
        "contact": customer.contact.name or "not named",
        "date": f"{at:%A}, {at.day} {at:%B %Y}, {at:%H:%M} ({customer.window.timezone})",
        "days": str(max(days, 0)),
        "previous_version": notice.facts.previous_version or "the version before",
        "reason": notice.facts.reason or "no reason was noted",
    }


def _fill(text: str, fields: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda found: fields.get(found[1], found[0]), text)


def _for_the_team(notice: Notice, customer: Customer) -> str:
    """What only the team reads, below the customer's text."""
    if notice.kind is NoticeKind.HELD:
        told = "the customer is not told of this"
    else:
        told = "the customer's contact is told" if customer.contact.email else "the customer has no contact e-mail"
    return f"For the team: {customer.slug}, policy {customer.policy}; {told}"
