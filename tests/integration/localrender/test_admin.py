"""The admin API: reset, state, drift, foreign deploys, sick applications."""

import pytest

from localrender.hosting import Built
from tests.fakes.rig import BACKEND, FRONTEND, running_rig


async def test_a_reset_puts_everything_back() -> None:
    async with running_rig() as rig:
        seeded = (await rig.admin.get("/state")).json()["services"]
        serving = dict(rig.host.serving)
        await rig.deploy(1)
        await rig.pass_seconds(55)
        await rig.deploy(2)
        await rig.api.put(f"/services/{BACKEND}/env-vars", json=[])
        await rig.admin.request(
            "PATCH", f"/services/{FRONTEND}", json={"name": "x", "owner_id": "tea-x", "suspended": True}
        )
        await rig.admin.put(f"/services/{FRONTEND}/misbehave", json={"status": 500})
        await rig.admin.delete("/services/srv-demo-backend-mno345")
        await rig.admin.request("PATCH", "/options", json={"policy": "override", "limits": {"reads": 3}})
        await rig.admin.post("/faults", json={"kind": "html", "count": None})

        assert (await rig.admin.post("/reset")).status_code == 204

        state = (await rig.admin.get("/state")).json()["services"]
        kept = ("name", "owner_id", "env", "live_commit", "live_env", "effective", "auto_deploy", "suspended")
        assert {key: [one[name] for name in kept] for key, one in state.items()} == {
            key: [one[name] for name in kept] for key, one in seeded.items()
        }
        assert rig.host.serving == serving
        assert (rig.host.suspended, rig.host.faults) == (set(), {})
        assert (await rig.admin.get("/options")).json()["policy"] == "wait"
        assert (await rig.api.get("/users")).headers["ratelimit-limit"] == "400"
        assert len((await rig.admin.get("/journal")).json()) == 1


async def test_a_reset_goes_back_to_what_was_kept() -> None:
    async with running_rig() as rig:
        await rig.deploy(1)
        await rig.pass_seconds(55)
        assert (await rig.admin.post("/keep")).status_code == 204
        kept = (await rig.admin.get(f"/services/{BACKEND}")).json()
        await rig.deploy(2)
        await rig.pass_seconds(55)
        await rig.api.put(f"/services/{BACKEND}/env-vars", json=[])

        for _ in range(2):
            await rig.admin.post("/reset")

            assert (await rig.admin.get(f"/services/{BACKEND}")).json() == kept
            assert rig.host.serving[BACKEND][0] == rig.host.tags["v1.1.0"].id


async def test_a_reset_leaves_untouched_services_alone() -> None:
    async with running_rig() as rig:
        rig.host.calls.clear()

        await rig.admin.post("/reset")

        assert rig.host.calls == []


async def test_a_deploy_that_was_under_way_does_not_survive_a_reset() -> None:
    async with running_rig() as rig:
        await rig.deploy(1)

        await rig.admin.post("/reset")
        await rig.pass_seconds(100)

        assert (await rig.admin.get(f"/services/{BACKEND}")).json()["effective"] == 1
        assert rig.host.serving[BACKEND][0] == rig.host.tags["v1.0.0"].id


async def test_the_state_counts_effective_deploys() -> None:
    async with running_rig() as rig:
        await rig.deploy(1)
        await rig.pass_seconds(55)
        await rig.admin.post(f"/services/{BACKEND}/scripts", json={"ends": "update_failed"})
        await rig.deploy(2)
        await rig.pass_seconds(55)

        shown = (await rig.admin.get(f"/services/{BACKEND}")).json()

        assert (shown["effective"], len(shown["deploys"])) == (2, 3)
        assert shown["live_commit"] == rig.host.tags["v1.1.0"].id
        assert shown["deploys"][2]["status"] == "update_failed"


async def test_a_push_deploys_only_where_autodeploy_is_on() -> None:
    async with running_rig() as rig:
        await rig.admin.request("PATCH", f"/services/{BACKEND}", json={"auto_deploy": True})

        pushed = (await rig.admin.post("/push", json={"ref": "v1.1.0"})).json()

        assert list(pushed["deploys"]) == [BACKEND]
        assert (await rig.deploys())[0]["trigger"] == "new_commit"


@pytest.mark.parametrize("trigger", ["manual", "new_commit", "api"])
async def test_a_foreign_deploy_has_its_trigger(trigger: str) -> None:
    async with running_rig() as rig:
        answer = await rig.admin.post(f"/services/{BACKEND}/deploys", json={"trigger": trigger, "ref": "v1.2.0"})

        assert answer.status_code == 201
        assert (await rig.deploys())[0]["trigger"] == trigger


async def test_a_scripted_deploy_takes_the_seconds_it_was_given() -> None:
    async with running_rig() as rig:
        await rig.admin.post(f"/services/{BACKEND}/scripts", json={"seconds": 600})
        await rig.deploy(1)

        await rig.pass_seconds(599)
        before = rig.backend.deploys[1].status.value
        await rig.pass_seconds(1)

        assert (before, rig.backend.deploys[1].status.value) == ("build_in_progress", "update_in_progress")


async def test_somebody_else_changes_env_vars() -> None:
    async with running_rig() as rig:
        await rig.admin.put(f"/services/{BACKEND}/env-vars/FOREIGN", json={"value": "1"})
        await rig.admin.delete(f"/services/{BACKEND}/env-vars/TZ")

        assert rig.backend.values["FOREIGN"] == "1"
        assert "TZ" not in rig.backend.values


async def test_an_application_misbehaves_and_heals() -> None:
    async with running_rig() as rig:
        await rig.admin.put(f"/services/{BACKEND}/misbehave", json={"error_rate": 0.2})
        sick = dict(rig.host.faults)
        await rig.admin.delete(f"/services/{BACKEND}/misbehave")

        assert sick == {BACKEND: {"error_rate": 0.2}}
        assert rig.host.faults == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"kind": "nonsense"}),
        ("/faults", {"kind": "html", "unknown": 1}),
        ("/push", {"ref": 7}),
        (f"/services/{BACKEND}/scripts", {"seconds": -1}),
    ],
)
async def test_a_wrong_admin_body_is_refused(path: str, body: object) -> None:
    async with running_rig() as rig:
        assert (await rig.admin.post(path, json=body)).status_code == 422


async def test_an_unknown_group_of_limits_is_refused() -> None:
    async with running_rig() as rig:
        assert (await rig.admin.request("PATCH", "/options", json={"limits": {"raeds": 1}})).status_code == 400


async def test_the_seeded_artifacts_belong_to_the_first_tag() -> None:
    async with running_rig() as rig:
        assert rig.backend.deploys[0].artifact == Built(BACKEND, rig.host.tags["v1.0.0"].id, None)
