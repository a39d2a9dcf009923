"""The ways to people that the settings name: which there are, and which are missing. Sends nothing, imports no sender.

An apprise URL may hold a password or a token: it never shows in a repr, and only its scheme is ever named.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit, urlunsplit

from securewatch.config.address import split_urls
from securewatch.config.settings import Settings
from securewatch.config.variables import VARIABLES
from securewatch.rollout.notices import RecipientKind

MAIL_FOLDER = "mail folder"
NO_CONTACT = "the customer has no contact e-mail"
_MAIL_SCHEMES = ("mailto", "mailtos")
REQUIRED = "required"


@dataclass(frozen=True)
class Channel:
    """One way to one recipient. `name` is for people; `target` is an apprise URL or a folder; `address` is to whom."""

    name: str
    target: str = field(repr=False)
    address: str = field(default="", repr=False)


@dataclass(frozen=True)
class Channels:
    """All ways. With a mail folder every notice goes there, and nothing leaves the machine."""

    team: tuple[str, ...] = field(default=(), repr=False)
    email: str | None = field(default=None, repr=False)
    mail_folder: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The ways that the settings name."""
        team = split_urls(settings.notify_team.get_secret_value()) if settings.notify_team else ()
        email = settings.notify_email.get_secret_value() if settings.notify_email else None
        return cls(team, email, settings.mail_folder)

    @property
    def in_words(self) -> str:
        """Where notices go."""
        if self.mail_folder is not None:
            return f"all go to the mail folder {self.mail_folder}; nothing leaves this machine"
        team = ", ".join(_scheme(url) for url in self.team) or "not configured"
        return f"team: {team}; customers: {_scheme(self.email) if self.email else 'not configured'}"

    def to(self, recipient: RecipientKind, address: str | None) -> tuple[Channel, ...]:
        """The ways to the team, or to the customer's address; none where nothing is configured (see `why_not`)."""
        if recipient is RecipientKind.CUSTOMER and not address:
            return ()
        whom = (address or "") if recipient is RecipientKind.CUSTOMER else RecipientKind.TEAM.value
        if self.mail_folder is not None:
            return (Channel(MAIL_FOLDER, str(self.mail_folder), whom),)
        if recipient is RecipientKind.TEAM:
            return tuple(Channel(_scheme(url), url, whom) for url in self.team)
        return (Channel(_scheme(self.email), addressed(self.email, whom), whom),) if self.email else ()

    def why_not(self, recipient: RecipientKind, address: str | None) -> str:
        """Why there is no way to a recipient, in words."""
        if recipient is RecipientKind.CUSTOMER and not address:
            return NO_CONTACT
        name = "notify_team" if recipient is RecipientKind.TEAM else "notify_email"
        return f"neither {VARIABLES[name]} nor {VARIABLES['mail_folder']} is set"

    def missing(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        """What `rollback_procedures.notification_channels` requires and the settings do not have, in words."""
        if self.mail_folder is not None:
            return ()
        mails = [_scheme(url) in _MAIL_SCHEMES for url in self.team]
        ways = (
            ("slack_webhook", not all(mails), f"a chat's URL in {VARIABLES['notify_team']}"),
            ("email_alerts", any(mails), f"a mailto:// URL in {VARIABLES['notify_team']}"),
            ("customer_notification", self.email is not None, VARIABLES["notify_email"]),
        )
        return tuple(
            f"{name} is required, and {wanted} is missing"
            for name, is_there, wanted in ways
            if uses.get(name) == REQUIRED and not is_there
        )


def addressed(url: str, address: str) -> str:
    """The mail URL with this recipient in the place of those that it names."""
    parts = urlsplit(url)
    kept = [one for one in parts.query.split("&") if one and one.partition("=")[0].lower() != "to"]
    query = "&".join([*kept, f"to={quote(address, safe='')}"])
    return urlunsplit((parts.scheme, parts.netloc, "/", query, ""))


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()
