"""Postgres instances: finding them, recovering them, and Render's exports."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from securewatch.core.ids import OwnerID, PostgresID
from securewatch.render import postgres
from securewatch.render.budget import Priority
from securewatch.render.errors import NotTheAPI, OutcomeUnknown, RequestRejected
from securewatch.render.models import Postgres, PostgresStatus
from tests.fakes.replay import Exchange, exchange
from tests.unit.render.given import failing, handled_by, no_guard, replaying

DATABASE = PostgresID("dpg-1-a")
RECOVERY, EXPORT = "/postgres/dpg-1-a/recovery", "/postgres/dpg-1-a/export"
AT = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))


def item(number: int, name: str = "acme") -> dict[str, object]:
    return {"postgres": {"id": f"dpg-{number}-a", "name": name}, "cursor": f"c{number}"}


async def recover(client: postgres.RenderClient) -> Postgres:
    return await postgres.recover(client, DATABASE, at=AT, name="acme-back", priority=Priority.DEPLOY, guard=no_guard)


async def test_instances_of_a_name_are_read_to_the_last_page() -> None:
    query = "/postgres?name=acme&ownerId=tea-1&includeReplicas=false&limit=100"
    pages = [
        exchange("GET", query, body=[item(n) for n in range(100)]),
        exchange("GET", f"{query}&cursor=c99", body=[item(100), item(101, "acme-2")]),
    ]
    client, transport = replaying(pages)

    found = await postgres.fetch_postgres_named(client, "acme", owner_id=OwnerID("tea-1"), priority=Priority.CLI)

    assert [one.id for one in found] == [f"dpg-{n}-a" for n in range(101)]
    assert transport.is_used_up


async def test_a_recovery_is_asked_for_in_utc_and_gives_the_new_instance() -> None:
    body = {"id": "dpg-2-a", "name": "acme-back", "status": "recovery_in_progress"}
    client, transport = replaying([exchange("POST", RECOVERY, body=body)])

    made = await recover(client)

    assert (made.id, made.status) == ("dpg-2-a", PostgresStatus.RECOVERY_IN_PROGRESS)
    sent = json.loads(transport.requests[0].content)
    assert sent == {"restoreTime": "2026-01-02T03:04:05Z", "restoreName": "acme-back"}


@pytest.mark.parametrize(
    "answer",
    [
        exchange("POST", RECOVERY, 200),
        exchange("POST", RECOVERY, 202),
        exchange("POST", RECOVERY, 200, {"status": "creating"}),
        exchange("POST", RECOVERY, 502, {"message": "bad gateway"}),
        Exchange("POST", RECOVERY, 200, "<html>welcome</html>"),
    ],
)
async def test_a_recovery_that_names_no_instance_is_in_doubt_and_not_sent_again(answer: Exchange) -> None:
    client, transport = replaying([answer])

    with pytest.raises(OutcomeUnknown):
        await recover(client)

    assert len(transport.requests) == 1


async def test_a_recovery_whose_answer_is_lost_is_not_sent_again() -> None:
    handler, seen = failing(ConnectionResetError())

    with pytest.raises(OutcomeUnknown):
        await recover(handled_by(handler))

    assert len(seen) == 1


async def test_a_recovery_that_render_refuses_says_why() -> None:
    refusal = exchange("POST", RECOVERY, 400, {"message": "restoreTime must be at least 10 minutes ago"})
    client, _ = replaying([refusal])

    with pytest.raises(RequestRejected, match="at least 10 minutes ago"):
        await recover(client)


async def test_a_recovery_window_is_read() -> None:
    client, _ = replaying(
        [exchange("GET", RECOVERY, body={"recoveryStatus": "AVAILABLE", "startsAt": "2026-01-01T00:00:00Z"})]
    )

    found = await postgres.fetch_recovery_window(client, DATABASE, priority=Priority.CLI)

    assert (found.is_open, found.starts_at) == (True, datetime(2026, 1, 1, tzinfo=UTC))


async def test_exports_come_newest_first_whatever_renders_order() -> None:
    body = [
        {"id": "exp-1", "createdAt": "2026-01-01T00:00:00Z", "url": "https://x"},
        {"id": "exp-2", "createdAt": "2026-01-02T00:00:00Z"},
    ]
    client, _ = replaying([exchange("GET", EXPORT, body=body)])

    found = await postgres.fetch_exports(client, DATABASE, priority=Priority.CLI)

    assert [(one.id, one.is_ready) for one in found] == [("exp-2", False), ("exp-1", True)]


@pytest.mark.parametrize("body", [{}, None, "none"])
async def test_what_is_no_list_of_exports_is_not_taken_for_an_empty_one(body: object) -> None:
    client, _ = replaying([exchange("GET", EXPORT, body=body)])

    with pytest.raises(NotTheAPI):
        await postgres.fetch_exports(client, DATABASE, priority=Priority.CLI)


async def test_an_export_is_asked_for_without_a_body_and_names_none() -> None:
    client, transport = replaying([exchange("POST", EXPORT, 202)])

    answer = await postgres.create_export(client, DATABASE, priority=Priority.CLI, guard=no_guard)

    assert (answer.status, answer.body, transport.requests[0].content) == (202, None, b"")
