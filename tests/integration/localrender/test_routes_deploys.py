"""Deploys over HTTP, as recorded and documented."""

import re

import pytest

from localrender.model import Options, Policy
from tests.fakes.rig import BACKEND, BYSTANDER, FRONTEND, running_rig


async def test_a_create_answers_201_with_the_deploy_being_built() -> None:
    async with running_rig() as rig:
        answer = await rig.deploy(1)

        assert answer.status_code == 201
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.text.endswith("}\n")
        body = answer.json()
        assert re.fullmatch(r"dep-[0-9a-v]{20}", body["id"])
        assert (body["status"], body["trigger"]) == ("build_in_progress", "api")
        assert body["commit"]["id"] == rig.host.tags["v1.1.0"].id


async def test_a_create_that_has_to_wait_answers_202_without_a_body() -> None:
    async with running_rig() as rig:
        await rig.deploy(1)

        answer = await rig.deploy(2)

        assert (answer.status_code, answer.content) == (202, b"")
        assert answer.headers["content-length"] == "0"
        assert "content-type" not in answer.headers
        assert [one["commit"]["id"] for one in await rig.deploys(status="queued")] == [rig.host.tags["v1.2.0"].id]


async def test_under_override_a_second_create_answers_201_and_cancels_the_first() -> None:
    async with running_rig(Options(policy=Policy.OVERRIDE)) as rig:
        first = (await rig.deploy(1)).json()["id"]

        answer = await rig.deploy(2)

        assert answer.status_code == 201
        canceled = await rig.api.get(f"/services/{BACKEND}/deploys/{first}")
        assert canceled.json()["status"] == "canceled"


async def test_an_image_service_has_deploys_without_a_commit() -> None:
    async with running_rig() as rig:
        answer = await rig.api.post(f"/services/{BYSTANDER}/deploys", json={})
        await rig.pass_seconds(15)

        assert answer.json()["commit"] is None
        assert answer.json()["image"]["ref"] == "docker.io/library/nginx:latest"
        assert [one["status"] for one in await rig.deploys(BYSTANDER)] == ["live", "deactivated"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"commitId": "ffffffffffffffffffffffffffffffffffffffff"}, 404),
        ({"commitId": "v1.1.0"}, 400),
        ({"commitId": 7}, 400),
        ({"deployMode": "deploy_only", "clearCache": "do_not_clear"}, 400),
        ({"imageUrl": "docker.io/library/nginx:1"}, 400),
        ({"clearCache": "yes"}, 400),
        ({"tag": "v1.1.0"}, 400),
        ([], 400),
    ],
)
async def test_a_bad_create_is_refused_and_deploys_nothing(body: object, status: int) -> None:
    async with running_rig() as rig:
        answer = await rig.api.post(f"/services/{BACKEND}/deploys", json=body)

        assert answer.status_code == status
        assert list(answer.json()) == ["message"]
        assert len(rig.backend.deploys) == 1


async def test_deploy_only_ships_the_last_build_with_the_env_vars_of_now() -> None:
    async with running_rig() as rig:
        await rig.api.put(f"/services/{BACKEND}/env-vars/LOG_LEVEL", json={"value": "debug"})

        await rig.api.post(f"/services/{BACKEND}/deploys", json={"deployMode": "deploy_only"})
        await rig.pass_seconds(15)

        commit, env = rig.host.serving[BACKEND]
        assert (commit, env["LOG_LEVEL"]) == (rig.host.tags["v1.0.0"].id, "debug")


async def test_a_suspended_service_refuses_a_deploy_with_409() -> None:
    async with running_rig() as rig:
        await rig.admin.request("PATCH", f"/services/{BACKEND}", json={"suspended": True})

        answer = await rig.deploy(1)

        assert answer.status_code == 409
        assert (await rig.api.get(f"/services/{BACKEND}")).json()["suspenders"] == ["user"]


async def test_a_deleted_service_is_not_found_in_the_recorded_words() -> None:
    async with running_rig() as rig:
        await rig.admin.delete(f"/services/{BACKEND}")

        answer = await rig.deploy(1)

        assert (answer.status_code, answer.text) == (404, f'{{"message":"not found: {BACKEND}"}}\n')


async def test_a_cancel_answers_the_deploy_and_a_second_one_400() -> None:
    async with running_rig() as rig:
        path = f"/services/{BACKEND}/deploys/{(await rig.deploy(1)).json()['id']}/cancel"

        first, second = await rig.api.post(path), await rig.api.post(path)

        assert (first.status_code, first.json()["status"], second.status_code) == (200, "canceled", 400)


async def test_a_rollback_answers_201_with_a_new_deploy_and_keeps_configuration_and_autodeploy() -> None:
    async with running_rig() as rig:
        first = rig.backend.deploys[0].id
        await rig.admin.request("PATCH", f"/services/{BACKEND}", json={"auto_deploy": True})
        await rig.api.put(f"/services/{BACKEND}/env-vars/LOG_LEVEL", json={"value": "debug"})
        await rig.deploy(1)
        await rig.pass_seconds(55)

        answer = await rig.api.post(f"/services/{BACKEND}/rollback", json={"deployId": first})
        await rig.pass_seconds(15)

        assert answer.status_code == 201
        assert answer.json()["trigger"] == "rollback"
        assert answer.json()["id"] != first
        assert (await rig.api.get(f"/services/{BACKEND}/env-vars/LOG_LEVEL")).json()["value"] == "debug"
        assert (await rig.api.get(f"/services/{BACKEND}")).json()["autoDeploy"] == "yes"
        assert rig.host.serving[BACKEND][1]["LOG_LEVEL"] != "debug"


async def test_a_rollback_to_an_expired_artifact_is_refused() -> None:
    async with running_rig() as rig:
        await rig.admin.request("PATCH", "/options", json={"retention": 1})
        await rig.deploy(1)
        await rig.pass_seconds(55)

        answer = await rig.api.post(f"/services/{BACKEND}/rollback", json={"deployId": rig.backend.deploys[0].id})

        assert answer.status_code == 400


@pytest.mark.parametrize(("body", "status"), [({}, 400), ({"deployId": "dep-00000000000000000000"}, 404)])
async def test_a_rollback_without_a_known_target_is_refused(body: object, status: int) -> None:
    async with running_rig() as rig:
        answer = await rig.api.post(f"/services/{BACKEND}/rollback", json=body)

        assert answer.status_code == status


async def test_pages_follow_the_cursor_and_end_with_an_empty_list() -> None:
    async with running_rig(Options(limits={"service": 100})) as rig:
        for _ in range(5):
            await rig.deploy(1, FRONTEND)

        path, seen, cursor = f"/services/{FRONTEND}/deploys", [], ""
        while page := (await rig.api.get(path, params={"limit": "2", "cursor": cursor})).json():
            seen += [one["deploy"]["id"] for one in page]
            cursor = page[-1]["cursor"]

        assert seen == [one.id for one in reversed(rig.platform.state.services[FRONTEND].deploys)]
        assert len(seen) == 6


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1"])
async def test_a_limit_outside_1_to_100_is_refused(limit: str) -> None:
    async with running_rig() as rig:
        assert (await rig.api.get(f"/services/{BACKEND}/deploys?limit={limit}")).status_code == 400


async def test_status_filters_are_read_in_both_encodings() -> None:
    async with running_rig() as rig:
        await rig.deploy(1)
        await rig.pass_seconds(55)
        path = f"/services/{BACKEND}/deploys"

        commas = await rig.api.get(f"{path}?status=live,deactivated")
        repeated = await rig.api.get(f"{path}?status=live&status=deactivated")
        live = await rig.api.get(f"{path}?status=live")

        assert (len(commas.json()), len(repeated.json()), len(live.json())) == (2, 2, 1)


async def test_created_after_leaves_older_deploys_out() -> None:
    async with running_rig() as rig:
        moment = rig.clock.now().isoformat().replace("+00:00", "Z")
        rig.clock.advance(1)
        made = (await rig.deploy(1)).json()["id"]

        assert [one["id"] for one in await rig.deploys(createdAfter=moment)] == [made]
        assert [one["id"] for one in await rig.deploys(createdBefore=moment)] == [rig.backend.deploys[0].id]


async def test_a_shuffled_list_has_the_same_deploys_in_another_order() -> None:
    async with running_rig(Options(limits={"service": 100})) as rig:
        for _ in range(8):
            await rig.deploy(1)
        ordered = [str(one["id"]) for one in await rig.deploys()]
        await rig.admin.request("PATCH", "/options", json={"shuffle": True})

        shuffled = [str(one["id"]) for one in await rig.deploys()]

        assert sorted(shuffled) == sorted(ordered)
        assert shuffled != ordered


async def test_stamps_have_fractions_of_different_lengths() -> None:
    async with running_rig(Options(limits={"service": 100})) as rig:
        for step in range(12):
            rig.clock.advance(1 + step * 0.000_007)
            await rig.deploy(1)

        lengths = {len(str(one["createdAt"]).partition(".")[2]) for one in await rig.deploys()}

        assert len(lengths) > 1
