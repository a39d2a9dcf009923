"""The inbox: requests wait in order and are ticked off once."""

from dataclasses import replace
from pathlib import Path

from securewatch.store import inbox
from securewatch.store.inbox import Request
from tests.integration.store.given import NOW, later, opened

ROLLBACK = Request(NOW, "ann", "rollback", "acme", {"reason": "customer-request", "to": None})


async def test_requests_wait_oldest_first_for_all_or_one_customer(tmp_path: Path) -> None:
    wanted = [ROLLBACK, Request(later(1), "bob", "pause"), replace(ROLLBACK, slug="globex")]
    async with opened(tmp_path) as state:
        async with state.database.write("put") as tx:
            stored = [await inbox.put(tx, one) for one in wanted]
        async with state.database.read() as tx:
            waiting = await inbox.pending(tx)
            of_one = await inbox.pending(tx, "acme")

    assert [replace(one, id=0) for one in stored] == wanted
    assert (waiting, of_one) == (stored, stored[:1])


async def test_a_request_is_handled_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.write("put") as tx:
        request = await inbox.put(tx, ROLLBACK)

        handled = [await inbox.mark_handled(tx, request.id, at=later(n)) for n in (1, 2)]

        assert handled == [True, False]
        assert await inbox.pending(tx) == []
