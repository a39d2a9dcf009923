"""Services, env vars, workspace, databases, domains and events over HTTP."""

import httpx2
import pytest

from tests.fakes.rig import BACKEND, BYSTANDER, DATABASE, FRONTEND, Rig, running_rig

ENV = f"/services/{BACKEND}/env-vars"


async def test_services_are_found_by_name_in_both_encodings() -> None:
    async with running_rig() as rig:
        names = ["securewatch-acme-corp-backend", "securewatch-acme-corp-frontend"]

        commas = await rig.api.get(f"/services?name={','.join(names)}")
        repeated = await rig.api.get("/services", params={"name": names})

        assert {one["service"]["id"] for one in commas.json()} == {BACKEND, FRONTEND}
        assert commas.json() == repeated.json()


async def test_services_of_another_owner_are_none() -> None:
    async with running_rig() as rig:
        assert (await rig.api.get("/services?ownerId=tea-00000000000000000000")).json() == []
        assert len((await rig.api.get("/services?type=static_site")).json()) == 5


async def test_a_static_site_has_no_runtime_region_or_health_check() -> None:
    async with running_rig() as rig:
        details = (await rig.api.get(f"/services/{FRONTEND}")).json()["serviceDetails"]

        assert not {"runtime", "env", "region", "plan", "healthCheckPath"} & set(details)
        assert details["url"] == rig.host.url(FRONTEND)


@pytest.mark.parametrize("body", [{"autoDeploy": "yes"}, {"autoDeployTrigger": "commit"}])
async def test_a_patch_switches_autodeploy(body: dict[str, str]) -> None:
    async with running_rig() as rig:
        answer = await rig.api.request("PATCH", f"/services/{BACKEND}", json=body)

        assert (answer.json()["autoDeploy"], answer.json()["autoDeployTrigger"]) == ("yes", "commit")


@pytest.mark.parametrize("body", [{"autoDeploy": "no", "autoDeployTrigger": "off"}, {"autoDeploy": False}, {"x": 1}])
async def test_a_wrong_patch_is_refused(body: dict[str, object]) -> None:
    async with running_rig() as rig:
        assert (await rig.api.request("PATCH", f"/services/{BACKEND}", json=body)).status_code == 400


async def test_env_vars_come_twenty_a_page_and_there_are_more() -> None:
    async with running_rig() as rig:
        first = (await rig.api.get(ENV)).json()
        second = (await rig.api.get(ENV, params={"cursor": first[-1]["cursor"]})).json()

        keys = [one["envVar"]["key"] for one in first + second]
        assert len(first) == 20
        assert len(keys) == len(set(keys)) >= 25
        assert {"DATABASE_URL", "JWT_SECRET", "CUSTOMER_ID"} <= set(keys)


async def test_one_env_var_is_created_updated_read_and_deleted_and_nothing_is_deployed() -> None:
    async with running_rig() as rig:
        before = rig.backend.values
        created = await rig.api.put(f"{ENV}/NEW", json={"value": "one"})
        updated = await rig.api.put(f"{ENV}/NEW", json={"value": "two"})
        read = await rig.api.get(f"{ENV}/NEW")
        deleted = await rig.api.delete(f"{ENV}/NEW")
        gone = await rig.api.get(f"{ENV}/NEW")

        assert [one.status_code for one in (created, updated, read, deleted, gone)] == [200, 200, 200, 204, 404]
        assert read.text == '{"key":"NEW","value":"two"}\n'
        assert rig.backend.values == before
        assert len(rig.backend.deploys) == 1


async def test_a_write_changes_the_cursor_of_its_row_alone() -> None:
    async with running_rig() as rig:
        before = {
            one["envVar"]["key"]: one["cursor"] for one in (await rig.api.get(ENV, params={"limit": "100"})).json()
        }

        await rig.api.put(f"{ENV}/LOG_LEVEL", json={"value": "debug"})

        after = {
            one["envVar"]["key"]: one["cursor"] for one in (await rig.api.get(ENV, params={"limit": "100"})).json()
        }
        assert [key for key in before if before[key] != after[key]] == ["LOG_LEVEL"]


async def test_a_bulk_put_replaces_everything_and_null_deletes_it() -> None:
    async with running_rig() as rig:
        replaced = await rig.api.put(ENV, json=[{"key": "A", "value": "1"}, {"key": "B", "generateValue": True}])
        cleared = await rig.api.put(ENV, content=b"null")

        assert [one["envVar"]["key"] for one in replaced.json()] == ["A", "B"]
        assert len(replaced.json()[1]["envVar"]["value"]) == 44
        assert (cleared.status_code, cleared.text) == (200, "[]\n")
        assert rig.backend.env == {}


@pytest.mark.parametrize("body", [{"value": 1}, {}, {"value": "a", "generateValue": True}, []])
async def test_a_wrong_env_var_is_refused(body: object) -> None:
    async with running_rig() as rig:
        assert (await rig.api.put(f"{ENV}/LOG_LEVEL", json=body)).status_code == 400
        assert rig.backend.env["LOG_LEVEL"].value in ("info", "warning")


async def test_the_workspace_and_the_user_answer() -> None:
    async with running_rig() as rig:
        owners = (await rig.api.get("/owners")).json()
        owner = (await rig.api.get(f"/owners/{owners[0]['owner']['id']}")).json()

        assert owners[0]["owner"] == owner
        assert (await rig.api.get("/owners?name=Nobody")).json() == []
        assert set((await rig.api.get("/users")).json()) == {"email", "name"}


async def test_a_database_shows_no_secret_but_in_its_connection_info() -> None:
    async with running_rig() as rig:
        detail = await rig.api.get(f"/postgres/{DATABASE}")
        connection = (await rig.api.get(f"/postgres/{DATABASE}/connection-info")).json()

        assert detail.json()["ipAllowList"] is None
        assert connection["password"] not in detail.text
        assert connection["internalConnectionString"] == rig.backend.env["DATABASE_URL"].value
        assert len((await rig.api.get("/postgres")).json()) == 5


async def test_customers_have_domains_and_databases_of_their_own() -> None:
    async with running_rig() as rig:
        services = rig.platform.state.services.values()
        urls = [one.env["DATABASE_URL"].value for one in services if "DATABASE_URL" in one.env]
        domains = (await rig.api.get(f"/services/{FRONTEND}/custom-domains")).json()

        assert len(set(urls)) == len(urls) == 5
        assert domains[0]["customDomain"]["verificationStatus"] == "verified"


async def test_events_show_the_last_hour_unless_asked() -> None:
    async with running_rig() as rig:
        start = rig.clock.now().isoformat().replace("+00:00", "Z")
        await rig.deploy(1)
        await rig.pass_seconds(55)
        path = f"/services/{BACKEND}/events"
        recent = (await rig.api.get(path)).json()
        one = (await rig.api.get(f"/events/{recent[0]['event']['id']}")).json()
        rig.clock.advance(3_700)

        later, asked = await rig.api.get(path), await rig.api.get(path, params={"startTime": start})

        assert recent[0]["event"]["type"] == "deploy_ended"
        assert one["details"]["deployStatus"] == "succeeded"
        assert later.json() == []
        assert asked.json() == recent


@pytest.mark.parametrize("path", ["/services/srv-x", "/owners/tea-x", "/postgres/dpg-x", "/events/evt-x", "/nowhere"])
async def test_what_does_not_exist_is_404_with_a_message(path: str) -> None:
    async with running_rig() as rig:
        answer = await rig.api.get(path)

        assert (answer.status_code, list(answer.json())) == (404, ["message"])


async def test_suspend_and_resume_answer_202_and_resume_deploys() -> None:
    async with running_rig() as rig:
        suspended = await rig.api.post(f"/services/{BACKEND}/suspend")
        was = BACKEND in rig.host.suspended
        resumed = await rig.api.post(f"/services/{BACKEND}/resume")

        assert (suspended.status_code, resumed.status_code, was) == (202, 202, True)
        assert BACKEND not in rig.host.suspended
        assert (await rig.deploys())[0]["trigger"] == "service_resumed"


async def test_a_service_that_is_nobodys_stands_beside_the_customers() -> None:
    async with running_rig() as rig:
        service = (await rig.api.get(f"/services/{BYSTANDER}")).json()

        assert "imagePath" in service
        assert "repo" not in service


@pytest.mark.parametrize("content", [b"", b"{", b'{"value":"\\ud800"}', b"\xff", b"[" * 100_000], ids=range(5))
async def test_what_is_no_json_is_refused(content: bytes) -> None:
    async with running_rig() as rig:
        assert (await rig.api.put(f"{ENV}/LOG_LEVEL", content=content)).status_code == 400


async def patch_maintenance(rig: Rig, mode: object, service_id: str = BACKEND) -> httpx2.Response:
    body = {"serviceDetails": {"maintenanceMode": mode}}
    return await rig.api.request("PATCH", f"/services/{service_id}", json=body)


async def test_maintenance_mode_is_switched_shown_and_told_by_events() -> None:
    async with running_rig() as rig:
        on = await patch_maintenance(rig, {"enabled": True, "uri": "https://status.example"})
        again = await patch_maintenance(rig, {"enabled": True, "uri": "https://status.example"})
        closed = set(rig.host.maintained)
        off = await patch_maintenance(rig, {"enabled": False, "uri": ""})

        shown = [one.json()["serviceDetails"]["maintenanceMode"] for one in (on, again, off)]
        events = (await rig.api.get(f"/services/{BACKEND}/events")).json()
        assert shown[0] == shown[1] == {"enabled": True, "uri": "https://status.example"}
        assert shown[2] == {"enabled": False, "uri": ""}
        assert (closed, rig.host.maintained) == ({BACKEND}, set())
        assert sorted(one["event"]["type"] for one in events) == [
            "maintenance_mode_enabled",
            "maintenance_mode_enabled",
            "maintenance_mode_uri_updated",
            "maintenance_mode_uri_updated",
        ]


@pytest.mark.parametrize(
    "mode", [True, {}, {"enabled": True}, {"enabled": "yes", "uri": ""}, {"enabled": True, "uri": 1}]
)
async def test_a_wrong_maintenance_mode_is_refused(mode: object) -> None:
    async with running_rig() as rig:
        assert (await patch_maintenance(rig, mode)).status_code == 400
        assert not rig.backend.maintenance


async def test_a_static_site_has_no_maintenance_mode() -> None:
    async with running_rig() as rig:
        answer = await patch_maintenance(rig, {"enabled": True, "uri": ""}, FRONTEND)

        assert (answer.status_code, rig.host.maintained) == (400, set())


async def test_a_reset_ends_maintenance_mode() -> None:
    async with running_rig() as rig:
        await patch_maintenance(rig, {"enabled": True, "uri": ""})

        await rig.admin.post("/reset")

        assert (rig.backend.maintenance, rig.host.maintained) == (False, set())


async def test_without_a_database_server_there_are_no_exports_and_no_recovery() -> None:
    async with running_rig() as rig:
        export = await rig.api.post(f"/postgres/{DATABASE}/export")
        said = await rig.api.get(f"/postgres/{DATABASE}/recovery")

        assert (export.status_code, said.json()) == (400, {"recoveryStatus": "NOT_AVAILABLE"})
        assert (await rig.api.get(f"/postgres/{DATABASE}/export")).json() == []
