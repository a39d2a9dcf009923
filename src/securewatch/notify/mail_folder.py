"""Puts notices into a folder, one .eml file each, for rehearsals. Nothing leaves the machine."""

import asyncio
import re
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from securewatch.notify.channels import Channel
from securewatch.notify.notice import Letter
from securewatch.notify.sending import Outcome, Sending
from securewatch.rollout.notices import Notice

_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")
_SENDER = "SecureWatch releases <releases@securewatch.invalid>"


class MailFolder:
    """The sender of rehearsals. A file's name tells when and what; the same notice has the same name always."""

    async def send(self, channel: Channel, letter: Letter, notice: Notice) -> Sending:
        """Write the file by rename."""
        try:
            await asyncio.to_thread(_write, Path(channel.target), channel.address, letter, notice)
        except OSError as error:
            return Sending(Outcome.REFUSED, f"the mail folder cannot be written: {error.strerror}")
        except ValueError:
            return Sending(Outcome.REFUSED, "the notice cannot be written as an e-mail")
        return Sending(Outcome.SENT)


def _write(folder: Path, address: str, letter: Letter, notice: Notice) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(notice)
    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(_message(address, letter, notice).as_bytes())
    temporary.replace(path)


def file_name(notice: Notice) -> str:
    """Such as `20261129T070000Z-advance-v1.1.0-acme-corp-7-customer.eml`."""
    event = _UNSAFE.sub("-", notice.event).strip("-")
    return f"{notice.due_at:%Y%m%dT%H%M%SZ}-{event[:150]}-{notice.recipient}.eml"


def _message(address: str, letter: Letter, notice: Notice) -> EmailMessage:
    message = EmailMessage()
    message["From"] = _SENDER
    message["To"] = " ".join(address.split())
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(notice.due_at)
    message["X-SecureWatch-Event"] = notice.event
    message.set_content(letter.body)
    return message
