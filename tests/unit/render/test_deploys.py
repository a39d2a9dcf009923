"""Deploys: order, filters, and what came of a create."""

from datetime import UTC, datetime

import pytest

from securewatch.core.ids import ServiceID
from securewatch.render import deploys
from securewatch.render.budget import Priority
from securewatch.render.errors import OutcomeUnknown, RequestRejected
from securewatch.render.models import DeployStatus
from tests.fakes.replay import Exchange, exchange
from tests.unit.render.given import no_guard, replaying

SERVICE = ServiceID("srv-1")
DEPLOYS = "/services/srv-1/deploys"


def item(deploy_id: str, created_at: str | None) -> dict[str, object]:
    return {"deploy": {"id": deploy_id, "createdAt": created_at}, "cursor": deploy_id}


async def test_deploys_come_newest_first_whatever_renders_order() -> None:
    body = [item("dep-b", "2026-01-02T00:00:00Z"), item("dep-x", None), item("dep-c", "2026-01-03T00:00:00.123456789Z")]
    body += [item("dep-a", "2026-01-01T00:00:00Z"), item("dep-d", "2026-01-03T00:00:00.123456789Z")]
    client, _ = replaying([exchange("GET", DEPLOYS, body=body)])

    found = await deploys.fetch_deploys(client, SERVICE, priority=Priority.POLL)

    assert [one.id for one in found] == ["dep-d", "dep-c", "dep-b", "dep-a", "dep-x"]


async def test_the_limit_counts_after_all_pages_were_read() -> None:
    old = [item(f"dep-{n:03}", f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z") for n in range(100)]
    pages = [
        exchange("GET", DEPLOYS, body=old),
        exchange("GET", DEPLOYS, body=[item("dep-new", "2026-02-01T00:00:00Z")]),
    ]
    client, transport = replaying(pages)

    found = await deploys.fetch_deploys(client, SERVICE, limit=2, priority=Priority.POLL)

    assert [one.id for one in found] == ["dep-new", "dep-099"]
    assert transport.is_used_up


async def test_the_filters_are_sent_as_render_reads_them() -> None:
    query = "?createdAfter=2026-01-02T03%3A04%3A05.000600Z&status=queued&status=live&limit=100"
    client, transport = replaying([exchange("GET", DEPLOYS + query, body=[])])
    after = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)

    await deploys.fetch_deploys(
        client,
        SERVICE,
        created_after=after,
        statuses=[DeployStatus.QUEUED, DeployStatus.LIVE],
        priority=Priority.POLL,
    )

    assert transport.is_used_up


async def test_a_created_deploy_is_given_back() -> None:
    answer = exchange("POST", DEPLOYS, 201, {"id": "dep-1", "commit": None}, render_request_id="req-1")
    client, transport = replaying([answer])

    created = await deploys.create_deploy(client, SERVICE, commit="9c1e2ab", priority=Priority.DEPLOY, guard=no_guard)

    assert created.deploy is not None
    assert (created.deploy.id, created.accepted_only, created.request_id) == ("dep-1", False, "req-1")
    assert transport.requests[0].content == b'{"commitId":"9c1e2ab"}'


async def test_a_202_names_no_deploy() -> None:
    client, _ = replaying([exchange("POST", DEPLOYS, 202)])

    created = await deploys.create_deploy(client, SERVICE, commit="9c1e2ab", priority=Priority.DEPLOY, guard=no_guard)

    assert (created.deploy, created.accepted_only) == (None, True)


@pytest.mark.parametrize(
    "answer",
    [
        exchange("POST", DEPLOYS, 201),
        exchange("POST", DEPLOYS, 200),
        exchange("POST", DEPLOYS, 201, {"status": "created"}),
        exchange("POST", DEPLOYS, 201, ["dep-1"]),
        Exchange("POST", DEPLOYS, 201, "<html>welcome</html>"),
        Exchange("POST", DEPLOYS, 202, "<html>welcome</html>"),
    ],
)
async def test_a_success_that_names_no_deploy_leaves_the_outcome_unknown(answer: Exchange) -> None:
    client, transport = replaying([answer])

    with pytest.raises(OutcomeUnknown):
        await deploys.create_deploy(client, SERVICE, commit="9c1e2ab", priority=Priority.DEPLOY, guard=no_guard)

    assert transport.is_used_up


async def test_a_rollback_makes_a_new_deploy_from_an_earlier_one() -> None:
    client, transport = replaying([exchange("POST", "/services/srv-1/rollback", 201, {"id": "dep-2"})])

    created = await deploys.roll_back(client, SERVICE, "dep-1", priority=Priority.ROLLBACK, guard=no_guard)

    assert created.deploy is not None
    assert created.deploy.id == "dep-2"
    assert transport.requests[0].content == b'{"deployId":"dep-1"}'


async def test_a_cancel_has_no_body() -> None:
    client, transport = replaying([exchange("POST", f"{DEPLOYS}/dep-1/cancel", 200, {"id": "dep-1"})])

    await deploys.cancel_deploy(client, SERVICE, "dep-1", priority=Priority.ROLLBACK, guard=no_guard)

    assert transport.requests[0].content == b""


async def test_one_deploy_is_fetched_by_its_id() -> None:
    client, _ = replaying([exchange("GET", f"{DEPLOYS}/dep-1", body={"id": "dep-1", "status": "live"})])

    found = await deploys.fetch_deploy(client, SERVICE, "dep-1", priority=Priority.POLL)

    assert DeployStatus.LIVE is found.status


async def test_an_id_that_would_ask_for_something_else_is_refused_unsent() -> None:
    client, transport = replaying([])

    with pytest.raises(RequestRejected):
        await deploys.fetch_deploy(client, ServiceID("x/../../owners"), "dep-1", priority=Priority.POLL)

    assert transport.requests == []
