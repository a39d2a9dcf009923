"""The outbox: each notice once per event and recipient, tried less and less often, and given up in the end."""

from dataclasses import replace
from pathlib import Path

from securewatch.rollout.notices import Facts, Notice, NoticeKind, RecipientKind
from securewatch.store import outbox
from securewatch.store.outbox import TRIES_MAX, Entry, NoticeState
from tests.integration.store.given import NOW, State, later, opened

FACTS = Facts(NOW, "v1.0.0", "it was asked for")
NOTICE = Notice("live:run-1", NoticeKind.CONFIRMATION, "acme", "v1.1.0", RecipientKind.CUSTOMER, NOW, FACTS)
TO_TEAM = replace(NOTICE, recipient=RecipientKind.TEAM)


async def put(state: State, *notices: Notice) -> list[bool]:
    async with state.database.write("put") as tx:
        return [await outbox.put(tx, one) for one in notices]


async def due(state: State, seconds: float = 0.0, limit: int = 10) -> list[Entry]:
    async with state.database.read() as tx:
        return list(await outbox.due(tx, later(seconds), limit))


async def stored(state: State, **which: str) -> list[Entry]:
    async with state.database.read() as tx:
        return list(await outbox.notices_of(tx, **which))


async def test_an_event_is_kept_once_for_each_recipient(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        assert await put(state, NOTICE, TO_TEAM, NOTICE, replace(NOTICE, version="v2.0.0")) == [
            True,
            True,
            False,
            False,
        ]
        assert [one.notice for one in await stored(state)] == [NOTICE, TO_TEAM]


async def test_what_is_due_comes_the_longest_due_first_and_not_before_its_time(tmp_path: Path) -> None:
    tomorrow, soon = (replace(NOTICE, event=f"e{n}", due_at=later(n)) for n in (86400, 60))
    async with opened(tmp_path) as state:
        await put(state, tomorrow, soon)
        async with state.database.read() as tx:
            assert await outbox.next_due(tx) == later(60)

        assert await due(state) == []
        assert [one.notice for one in await due(state, 86400)] == [soon, tomorrow]
        assert [one.notice for one in await due(state, 86400, limit=1)] == [soon]


async def test_a_notice_that_is_sending_stays_due_so_that_a_dead_sender_is_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await put(state, NOTICE)
        (entry,) = await due(state)

        async with state.database.write("send") as tx:
            sending = await outbox.mark_sending(tx, entry)

        assert (sending.state, sending.tries) == (NoticeState.SENDING, 1)
        assert await due(state) == [sending]


async def test_a_sent_notice_is_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await put(state, NOTICE)
        (entry,) = await due(state)

        async with state.database.write("sent") as tx:
            sent = await outbox.mark_sent(tx, await outbox.mark_sending(tx, entry), at=later(3))
            assert await outbox.next_due(tx) is None

        assert (sent.state, sent.delivery.sent_at, sent.state.is_over) == (NoticeState.SENT, later(3), True)
        assert await stored(state) == [sent]


async def test_a_refused_notice_is_tried_after_a_minute_then_less_and_less_often_and_given_up(tmp_path: Path) -> None:
    minutes, seconds = [], 0.0
    async with opened(tmp_path) as state:
        await put(state, NOTICE)
        for _ in range(TRIES_MAX):
            (entry,) = await due(state, seconds)
            async with state.database.write("refuse") as tx:
                entry = await outbox.mark_failed(tx, await outbox.mark_sending(tx, entry), "full", at=later(seconds))
            if entry.next_at is not None:
                minutes.append((entry.next_at - later(seconds)).total_seconds() / 60)
                seconds = (entry.next_at - NOW).total_seconds()

        assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]
        assert (entry.state, entry.delivery.reason) == (NoticeState.FAILED, "full")
        assert await due(state, seconds + 1e6) == []


async def test_what_has_no_way_is_kept_with_the_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await put(state, NOTICE)
        (entry,) = await due(state)

        async with state.database.write("over") as tx:
            await outbox.mark_over(tx, entry, NoticeState.NOT_CONFIGURED, "no contact")

        (found,) = await stored(state)
        assert (found.state, found.next_at, found.delivery.reason) == (NoticeState.NOT_CONFIGURED, None, "no contact")


async def test_notices_are_listed_by_version_and_by_customer(tmp_path: Path) -> None:
    other = replace(NOTICE, event="other", slug="globex", version="v2.0.0")
    async with opened(tmp_path) as state:
        await put(state, NOTICE, other)

        assert [one.notice for one in await stored(state, version="v2.0.0")] == [other]
        assert [one.notice for one in await stored(state, slug="acme")] == [NOTICE]
        assert await stored(state, version="v1.1.0", slug="globex") == []
