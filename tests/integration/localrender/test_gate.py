"""Key, rate limits, faults, headers and the journal, before every answer under /v1."""

import asyncio

import pytest

from localrender.app import create_app
from localrender.faults import ConnectionDropped
from localrender.model import Options
from tests.fakes.rig import BACKEND, running_rig

RATE_HEADERS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "render-request-id")


@pytest.mark.parametrize("authorization", ["", "Bearer rnd_wrong", "Basic rnd_test"])
async def test_without_an_accepted_key_the_answer_is_401(authorization: str) -> None:
    async with running_rig() as rig:
        answer = await rig.api.get("/owners", headers={"Authorization": authorization})

        assert answer.status_code == 401
        assert all(name in answer.headers for name in RATE_HEADERS)


async def test_a_revoked_key_is_refused_and_a_new_one_accepted() -> None:
    async with running_rig() as rig:
        await rig.admin.delete("/keys/rnd_test")
        await rig.admin.post("/keys", json={"key": "rnd_new"})

        old = await rig.api.get("/users")
        new = await rig.api.get("/users", headers={"Authorization": "Bearer rnd_new"})

        assert (old.status_code, new.status_code) == (401, 200)


@pytest.mark.parametrize("path", ["/users", "/services/srv-x", f"/services/{BACKEND}/deploys"])
async def test_rate_headers_and_a_request_id_stand_on_every_answer(path: str) -> None:
    async with running_rig() as rig:
        answers = [await rig.api.get(path), await rig.api.get(path)]

        assert [one.headers["ratelimit-remaining"] for one in answers] == ["399", "398"]
        assert 0 <= int(answers[0].headers["ratelimit-reset"]) < 60
        assert answers[0].headers["render-request-id"] != answers[1].headers["render-request-id"]


@pytest.mark.parametrize("retry_after", [False, True])
async def test_over_the_limit_the_answer_is_429_until_the_window_turns(retry_after: bool) -> None:
    async with running_rig(Options(limits={"reads": 2}, retry_after=retry_after)) as rig:
        answers = [await rig.api.get("/users") for _ in range(3)]
        rig.clock.advance(60)
        later = await rig.api.get("/users")

        assert [one.status_code for one in answers] == [200, 200, 429]
        assert answers[2].headers["ratelimit-remaining"] == "0"
        assert ("retry-after" in answers[2].headers) is retry_after
        assert later.status_code == 200


async def test_a_status_fault_answers_without_acting() -> None:
    async with running_rig() as rig:
        await rig.admin.post("/faults", json={"kind": "status", "status": 503, "method": "POST", "path": "/deploys$"})

        answer = await rig.deploy(1)

        assert (answer.status_code, len(rig.backend.deploys)) == (503, 1)
        assert (await rig.deploy(1)).status_code == 201


async def test_html_and_empty_faults_look_like_a_proxy() -> None:
    async with running_rig() as rig:
        await rig.admin.post("/faults", json={"kind": "html", "status": 502})
        await rig.admin.post("/faults", json={"kind": "empty", "status": 429, "retry_after": 7})

        html, empty = await rig.api.get("/users"), await rig.api.get("/users")

        assert (html.status_code, html.headers["content-type"]) == (502, "text/html; charset=utf-8")
        assert "ratelimit-limit" not in html.headers
        assert (empty.status_code, empty.content, empty.headers["retry-after"]) == (429, b"", "7")


async def test_a_truncated_answer_is_no_json() -> None:
    async with running_rig() as rig:
        await rig.admin.post("/faults", json={"kind": "truncate"})

        answer = await rig.api.get("/users")

        with pytest.raises(ValueError):  # noqa: PT011 - any broken JSON will do
            answer.json()


@pytest.mark.parametrize(("kind", "deploys"), [("drop_before", 1), ("drop_after", 2)])
async def test_a_dropped_request_takes_effect_or_not_and_has_no_answer(kind: str, deploys: int) -> None:
    async with running_rig() as rig:
        await rig.admin.post("/faults", json={"kind": kind, "method": "POST"})

        with pytest.raises(ConnectionDropped):
            await rig.deploy(1)

        assert len(rig.backend.deploys) == deploys


async def test_a_late_request_takes_effect_after_its_delay_and_not_after_a_reset() -> None:
    async with running_rig() as rig:
        await rig.admin.post("/faults", json={"kind": "late", "seconds": 0.02, "count": 2})
        waiting = asyncio.ensure_future(rig.deploy(1))
        await asyncio.sleep(0.005)
        before = len(rig.backend.deploys)
        answer = await waiting
        arrived = len(rig.backend.deploys)
        lost = asyncio.ensure_future(rig.deploy(1))
        await asyncio.sleep(0.005)
        await rig.admin.post("/reset")

        with pytest.raises(ConnectionDropped):
            await lost

        assert (before, answer.status_code, arrived, len(rig.backend.deploys)) == (1, 201, 2, 1)


async def test_half_a_request_is_no_request() -> None:
    async with running_rig() as rig:
        messages = [{"type": "http.request", "body": b"[", "more_body": True}, {"type": "http.disconnect"}]
        scope = {
            "type": "http",
            "method": "PUT",
            "path": f"/v1/services/{BACKEND}/env-vars",
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer rnd_test")],
        }
        sent: list[object] = []

        async def receive() -> dict[str, object]:
            return messages.pop(0)

        async def send(message: object) -> None:
            sent.append(message)

        await create_app(rig.platform)(scope, receive, send)

        assert sent == []
        assert len(rig.backend.env) >= 25


async def test_the_journal_has_keys_in_order_and_no_value() -> None:
    async with running_rig() as rig:
        await rig.api.put(
            f"/services/{BACKEND}/env-vars", json=[{"key": "B", "value": "s3cret"}, {"key": "A", "value": ""}]
        )
        await rig.api.put(f"/services/{BACKEND}/env-vars/C", json={"value": "s3cret"})

        journal = await rig.admin.get("/journal")

        assert [one["body_keys"] for one in journal.json()] == [["B", "A"], ["value"]]
        assert [one["status"] for one in journal.json()] == [200, 200]
        assert "s3cret" not in journal.text
        assert len((await rig.admin.get("/journal?since=1")).json()) == 1
