"""The sample's data: which requests are about it, and which are refused before any database is asked."""

import json

import pytest

from localrender.sample.app.records import Records
from localrender.sample.app.release import Release

NOWHERE = Records(Release("1.0.0"), "postgresql://nobody@127.0.0.1:1/nothing")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/health"), ("GET", "/api/orders"), ("POST", "/api/counts"), ("PATCH", "/api/orders/x"), ("PUT", "/")],
)
def test_other_requests_are_none_of_its_business(method: str, path: str) -> None:
    assert NOWHERE.reply(method, path, b"") is None


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"amount": "much"}', b'{"at": "yesterday"}'])
def test_a_wrong_order_is_refused_before_the_database_is_asked(body: bytes) -> None:
    reply = NOWHERE.reply("POST", "/api/orders", body)

    assert reply is not None
    assert reply.status == 400
    assert json.loads(reply.body)["error"]
