"""Owners: the check of a key."""

import pytest

from securewatch.render import owners
from securewatch.render.budget import Priority
from securewatch.render.errors import KeyRefused
from tests.fakes.replay import exchange
from tests.unit.render.given import replaying


async def test_the_owners_that_a_key_reaches_are_listed() -> None:
    body = [{"owner": {"id": "tea-1", "name": "Acme", "email": "a@example.com", "type": "team"}, "cursor": "c"}]
    client, _ = replaying([exchange("GET", "/owners?limit=100", body=body)])

    found = await owners.fetch_owners(client, priority=Priority.CLI)

    assert [(one.id, one.name, one.type) for one in found] == [("tea-1", "Acme", "team")]
    assert "a@example.com" not in repr(found)


async def test_a_key_that_render_does_not_know_is_refused_at_once() -> None:
    client, transport = replaying([exchange("GET", "/owners", 401, {"message": "unauthorized"})])

    with pytest.raises(KeyRefused) as caught:
        await owners.fetch_owners(client, priority=Priority.CLI)

    assert (caught.value.code, caught.value.why) == ("SW302", "unauthorized")
    assert transport.is_used_up
