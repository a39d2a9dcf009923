"""The messenger with the real outbox, apprise, mail folder and lock: what is due arrives once, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.config.load import FleetReader
from securewatch.controller.messenger import BUSY_SECONDS, TROUBLE_SECONDS, Messenger, MessengerParts, put_notices
from securewatch.notify.apprise_sender import AppriseSender
from securewatch.notify.channels import NO_CONTACT, Channels
from securewatch.notify.mail_folder import MailFolder
from securewatch.notify.sending import Sender
from securewatch.rollout.notices import Notice, RecipientKind
from securewatch.store import audit, meta, outbox
from securewatch.store.box import SecretBox
from securewatch.store.locks import ControllerLock
from securewatch.store.outbox import Entry, NoticeState
from securewatch.store.rotation import rotate_key
from tests.fakes.clock import ManualClock
from tests.integration.notify.given import NOTICE, PASSWORD, running_chat
from tests.integration.store.given import State, opened
from tests.unit.config.given import CUSTOMERS, Change, make_files, put

TO_CUSTOMER = replace(NOTICE, recipient=RecipientKind.CUSTOMER)


@dataclass
class Post:
    """What a test of the messenger drives."""

    state: State
    folder: Path
    clock: ManualClock = field(default_factory=ManualClock)

    def messenger(self, channels: Channels | None = None, sender: Sender | None = None) -> Messenger:
        """A messenger of a process of its own."""
        parts = MessengerParts(
            database=self.state.database,
            box=self.state.box,
            channels=channels or Channels(mail_folder=self.folder / "mail"),
            sender=sender or (AppriseSender(timeout_seconds=0.3) if channels else MailFolder()),
            fleet=FleetReader(self.folder / "config"),
            lock=ControllerLock(self.folder / "messenger.lock"),
            actor="ann",
        )
        return Messenger(parts, clock=self.clock)

    async def put(self, *notices: Notice) -> Sequence[Notice]:
        async with self.state.database.write("put") as tx:
            return await put_notices(tx, self.state.box, notices, actor="ann", at=self.clock.now())

    async def entries(self) -> Sequence[Entry]:
        async with self.state.database.read() as tx:
            return await outbox.notices_of(tx)

    async def states(self) -> list[str]:
        return [f"{one.state}: {one.delivery.reason}".rstrip(": ") for one in await self.entries()]

    async def audited(self) -> list[str]:
        async with self.state.database.read() as tx:
            return [one.action.removeprefix("notice.") for one in await audit.entries(tx)]

    def mails(self) -> list[str]:
        return sorted(path.read_text() for path in (self.folder / "mail").glob("*.eml"))


@asynccontextmanager
async def post(folder: Path, changes: dict[str, Change] | None = None) -> AsyncIterator[Post]:
    make_files(folder, changes)
    async with opened(folder) as state:
        yield Post(state, folder)


async def test_what_is_due_arrives_at_the_contact_and_at_the_team(tmp_path: Path) -> None:
    tomorrow = replace(NOTICE, event="later", due_at=NOTICE.due_at + timedelta(days=1))
    async with post(tmp_path) as office:
        await office.put(NOTICE, TO_CUSTOMER, tomorrow)

        next_at = await office.messenger().deliver_due(office.clock.now())

        assert next_at == tomorrow.due_at
        assert await office.states() == ["sent", "sent", "waiting"]
        first, second = office.mails()
        assert "To: it@acme.example" in first + second
        assert "To: team" in first + second
        assert await office.audited() == ["waiting", "waiting", "sending", "sending", "sent", "sent"]


async def test_an_event_arrives_once_however_often_it_is_put_and_delivered(tmp_path: Path) -> None:
    async with running_chat() as chat, post(tmp_path) as office:
        messenger = office.messenger(Channels(team=(chat.url(),)))
        for _ in range(3):
            await office.put(NOTICE)
            assert await messenger.deliver_due(office.clock.now()) is None

        assert len(chat.got) == 1


async def test_more_than_ten_are_delivered_in_one_go(tmp_path: Path) -> None:
    async with post(tmp_path) as office:
        await office.put(*(replace(NOTICE, event=f"live:run-{n}") for n in range(23)))

        assert await office.messenger().deliver_due(office.clock.now()) is None

        assert set(await office.states()) == {"sent"}
        assert len(office.mails()) == 23


async def test_a_refused_notice_is_tried_again_when_its_time_comes(tmp_path: Path) -> None:
    async with running_chat() as chat, post(tmp_path) as office:
        chat.status = 503
        messenger = office.messenger(Channels(team=(chat.url(),)))
        await office.put(NOTICE)

        first = await messenger.deliver_due(office.clock.now())
        office.clock.advance(59)
        early = await messenger.deliver_due(office.clock.now())
        refused = await office.states()
        chat.status = 200
        office.clock.advance(1)
        await messenger.deliver_due(office.clock.now())

        assert first == early == office.clock.now()
        assert refused == ["waiting: json answered 503"]
        assert await office.states() == ["sent"]
        assert len(chat.got) == 2


async def test_only_the_way_that_refused_is_tried_again(tmp_path: Path) -> None:
    async with running_chat() as good, running_chat() as bad, post(tmp_path) as office:
        bad.status = 500
        messenger = office.messenger(Channels(team=(good.url(), bad.url())))
        await office.put(NOTICE)
        await messenger.deliver_due(office.clock.now())
        bad.status = 200
        office.clock.advance(60)
        await messenger.deliver_due(office.clock.now())

        assert (len(good.got), len(bad.got)) == (1, 2)
        assert await office.states() == ["sent"]


async def test_a_way_that_took_it_under_an_earlier_encryption_key_is_not_tried_again(tmp_path: Path) -> None:
    async with running_chat() as good, running_chat() as bad, post(tmp_path) as office:
        bad.status = 500
        channels = Channels(team=(good.url(), bad.url()))
        await office.put(NOTICE)
        await office.messenger(channels).deliver_due(office.clock.now())
        new = SecretBox(b"n" * 32)
        async with office.state.database.write("rotate") as tx:
            await rotate_key(tx, office.state.box, new, at=office.clock.now(), actor="ann")
        office.state = replace(office.state, box=new)
        bad.status = 200
        office.clock.advance(60)
        await office.messenger(channels).deliver_due(office.clock.now())

        assert (len(good.got), len(bad.got)) == (1, 2)
        assert await office.states() == ["sent"]


async def test_a_lost_answer_is_unknown_and_is_not_sent_again(tmp_path: Path) -> None:
    async with running_chat() as chat, post(tmp_path) as office:
        chat.status = 0
        messenger = office.messenger(Channels(team=(chat.url(),)))
        await office.put(NOTICE)

        next_at = await messenger.deliver_due(office.clock.now())

        assert next_at is None
        assert await office.states() == ["unknown: json did not answer within 0.3 s"]


async def test_a_notice_whose_sender_died_is_unknown_and_is_not_sent_again(tmp_path: Path) -> None:
    async with running_chat() as chat, post(tmp_path) as office:
        chat.status = 0
        await office.put(NOTICE)
        channels = Channels(team=(chat.url(),))
        dying = asyncio.create_task(
            office.messenger(channels, AppriseSender(timeout_seconds=2)).deliver_due(office.clock.now())
        )
        while not chat.got:
            await asyncio.sleep(0.01)
        dying.cancel()
        await asyncio.wait({dying})
        assert await office.states() == ["sending"]

        await office.messenger(channels).deliver_due(office.clock.now())

        assert await office.states() == ["unknown: the process that was sending it ended; it may have arrived"]
        assert len(chat.got) == 1


async def test_one_process_delivers_at_a_time(tmp_path: Path) -> None:
    async with post(tmp_path) as office:
        await office.put(NOTICE)
        lock = ControllerLock(tmp_path / "messenger.lock")
        assert lock.try_acquire("another")

        next_at = await office.messenger().deliver_due(office.clock.now())

        assert next_at == office.clock.now() + timedelta(seconds=BUSY_SECONDS)
        assert await office.states() == ["waiting"]


async def test_nothing_is_sent_while_everything_is_paused(tmp_path: Path) -> None:
    async with post(tmp_path) as office:
        await office.put(NOTICE)
        async with office.state.database.write("pause") as tx:
            await meta.set_paused(tx, True, actor="ann", at=office.clock.now())

        await office.messenger().deliver_due(office.clock.now())

        assert await office.states() == ["waiting"]


@pytest.mark.parametrize(
    ("change", "notice", "reason"),
    [
        (put("customers/3/contact", {}), TO_CUSTOMER, NO_CONTACT),
        (lambda _: None, replace(NOTICE, slug="gone"), "the customer is not in the files any more"),
    ],
)
async def test_what_has_no_way_is_kept_and_is_no_error(
    change: Change, notice: Notice, reason: str, tmp_path: Path
) -> None:
    async with post(tmp_path, {CUSTOMERS: change}) as office:
        for slug in ("acme-corp", "demo", "techstart", "medhealth"):
            await office.put(replace(notice, event=f"live:{slug}", slug=slug if notice.slug != "gone" else "gone"))

        assert await office.messenger().deliver_due(office.clock.now()) is None

        assert f"not_configured: {reason}" in await office.states()


async def test_without_any_channel_notices_are_kept_as_not_configured(tmp_path: Path) -> None:
    async with post(tmp_path) as office:
        await office.put(NOTICE, TO_CUSTOMER)

        assert await office.messenger(Channels()).deliver_due(office.clock.now()) is None

        assert [one.state for one in await office.entries()] == [NoticeState.NOT_CONFIGURED] * 2


async def test_broken_files_hold_the_notices_until_they_are_mended(tmp_path: Path) -> None:
    async with post(tmp_path) as office:
        await office.put(NOTICE)
        path = tmp_path / "config" / CUSTOMERS
        whole = path.read_text()
        path.write_text(whole[:-1])
        messenger = office.messenger()

        next_at = await messenger.deliver_due(office.clock.now())
        assert next_at == office.clock.now() + timedelta(seconds=TROUBLE_SECONDS)
        path.write_text(whole)
        await messenger.deliver_due(office.clock.now())

        assert await office.states() == ["sent"]


async def test_no_secret_of_a_channel_reaches_the_database(tmp_path: Path) -> None:
    async with running_chat() as chat, post(tmp_path) as office:
        chat.status = 500
        await office.put(NOTICE, TO_CUSTOMER)
        mail = f"mailto://u:{PASSWORD}@127.0.0.1:1"

        await office.messenger(Channels(team=(chat.url(),), email=mail)).deliver_due(office.clock.now())

        assert {one.tries for one in await office.entries()} == {1}
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.parent.name == "state")
    assert PASSWORD.encode() not in kept
    assert b"it@acme.example" not in kept
