"""Events of a service."""

from datetime import UTC, datetime, timedelta, timezone

from securewatch.core.ids import ServiceID
from securewatch.render import events
from securewatch.render.budget import Priority
from tests.fakes.replay import exchange
from tests.unit.render.given import replaying


async def test_events_are_asked_for_from_an_instant_on() -> None:
    item = {"id": "evt-1", "type": "deploy_ended", "serviceId": "srv-1", "timestamp": "2026-01-02T01:00:00Z"}
    target = "/services/srv-1/events?startTime=2026-01-02T00%3A00%3A00Z&limit=100"
    client, _ = replaying([exchange("GET", target, body=[{"event": item, "cursor": "c"}])])
    since = datetime(2026, 1, 2, 2, tzinfo=timezone(timedelta(hours=2)))

    found = await events.fetch_events(client, ServiceID("srv-1"), since=since, priority=Priority.POLL)

    assert [("evt-1", datetime(2026, 1, 2, 1, tzinfo=UTC))] == [(one.id, one.timestamp) for one in found]
