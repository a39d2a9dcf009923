"""The mail folder: a file a notice, which any mail program reads."""

from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

from securewatch.notify.channels import MAIL_FOLDER, Channel
from securewatch.notify.mail_folder import MailFolder, file_name
from securewatch.notify.notice import Letter
from securewatch.notify.sending import Outcome, Sending
from tests.integration.notify.given import NOTICE


async def send(folder: Path, letter: Letter, address: str = "dana@acme.example") -> Sending:
    return await MailFolder().send(Channel(MAIL_FOLDER, str(folder), address), letter, NOTICE)


async def test_a_notice_is_an_e_mail_in_a_file_named_by_when_and_what(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "mail"

    found = await send(folder, Letter("Grüße: v1.1.0", "Zwei\nZeilen ✔\n"))

    (path,) = folder.iterdir()
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert found == Sending(Outcome.SENT)
    assert path.name == "20261124T120000Z-live-acme-corp-1-team.eml"
    assert (message["Subject"], message["To"]) == ("Grüße: v1.1.0", "dana@acme.example")
    assert message.get_content() == "Zwei\nZeilen ✔\n"
    assert message["X-SecureWatch-Event"] == "live:acme-corp-1"


async def test_the_same_notice_is_the_same_file_with_the_same_bytes(tmp_path: Path) -> None:
    await send(tmp_path, Letter("a", "b"))
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()

    await send(tmp_path, Letter("a", "b"))

    assert [one.read_bytes() for one in tmp_path.iterdir()] == [before]


async def test_an_odd_address_or_event_stays_within_the_file_and_the_folder(tmp_path: Path) -> None:
    assert file_name(replace(NOTICE, event="../../etc/x\0y")) == "20261124T120000Z-..-..-etc-x-y-team.eml"
    found = await send(tmp_path, Letter("a", "b"), "x@y.example\r\nBcc: z@y.example")

    (path,) = tmp_path.iterdir()
    assert found.outcome is Outcome.SENT
    assert message_from_bytes(path.read_bytes())["Bcc"] is None


async def test_a_folder_that_cannot_be_written_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    found = await send(tmp_path / "file", Letter("a", "b"))

    assert (found.outcome, found.reason.split(":")[0]) == (Outcome.REFUSED, "the mail folder cannot be written")
