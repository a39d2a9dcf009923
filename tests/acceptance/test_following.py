"""Who does the work and who only watches: following, detaching, Ctrl-C, two commands at once, the controller, pause."""

import base64
import json
import subprocess
import time

import pytest

from tests.acceptance.given import RUN_SECONDS, Place, Ran, wait_until

BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"
DEPLOY = ("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp")
CUSTOMER_KEYS = {"slug", "policy", "phase", "status", "version", "waiting_on", "until"}
SERVICE_KEYS = {"kind", "service_id", "deploy_id", "status", "seconds"}
SECRET_KEY = base64.b64encode(bytes(range(32))).decode()
STATUS_WORDS = {"queued", "building", "live", "failed", "rolled_back", "waiting", "held", "unknown"}


def assert_deployed_once(place: Place) -> None:
    """Exactly one deploy of each service was asked for and went live, and the audit log verifies."""
    creates = [line for line in place.platform.writes() if line.startswith("POST")]
    assert creates == [f"POST /v1/services/{one}/deploys" for one in (BACKEND, FRONTEND)]
    for service_id in (BACKEND, FRONTEND):
        service = place.platform.service(service_id)
        assert (service["effective"], len(service["deploys"])) == (2, 2)
    place.run("audit", "verify").ended(0)


def status(place: Place) -> dict[str, object]:
    """What `why` says."""
    found = place.run("why", "--customer", "acme-corp", "-o", "json").ended(0).data
    assert isinstance(found, dict)
    return found


def ended(process: subprocess.Popen[str]) -> Ran:
    """A process that ends by itself."""
    out, err = process.communicate(timeout=RUN_SECONDS)
    return Ran(tuple(map(str, process.args)), process.returncode, out, err)  # type: ignore[arg-type]


def hold_backend(place: Place) -> None:
    """Let the backend's next deploy hang until somebody cancels it."""
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"hangs": True})


def watch_loosely(place: Place) -> None:
    """Let a watch look seldom, so that its two days pass soon."""
    probe = {"dense_duration": "10_minutes", "sparse_interval": "1_hour"}
    (place.config / "securewatch.json").write_text(json.dumps({"probe": probe}), encoding="utf-8")


# --- output -----------------------------------------------------------------------------------------------------------


def test_the_json_documents_hold_the_promised_keys_and_nothing_else_is_on_standard_output(place: Place) -> None:
    planned = place.deploy("acme-corp", "v1.1.0", "--dry-run").ended(0).data
    done = place.deploy("acme-corp").ended(0).data
    error = place.run("why", "--customer", "nobody", "-o", "json").ended(2)

    assert set(done) >= CUSTOMER_KEYS | {"services", "exit_code", "detail"}
    assert all(set(one) >= SERVICE_KEYS for one in done["services"])
    assert {one["status"] for one in done["services"]} | {done["status"]} <= STATUS_WORDS
    assert (planned["is_there"], planned["customer"], planned["version"]) == (False, "acme-corp", "v1.1.0")
    assert error.data["error"]["code"] == "SW202"
    assert error.data["exit_code"] == 2
    for words in (
        ("check-health", "--customer", "acme-corp"),
        ("list-deployments", "--customer", "acme-corp"),
        ("why", "--customer", "acme-corp"),
        ("customer", "list"),
        ("customer", "show", "acme-corp"),
        ("customer", "history", "acme-corp"),
        ("list-versions",),
        ("check-policy", "--version", "v1.1.0"),
        ("audit", "list"),
        ("audit", "verify"),
        ("config", "check"),
        ("config", "show"),
        ("config", "schema"),
        ("doctor",),
        ("rollback-customer", "--customer", "acme-corp", "--dry-run"),
    ):
        assert place.run(*words, "-o", "json").ended(0).data, words


# --- detached and interrupted work ------------------------------------------------------------------------------------


def test_detached_work_is_finished_by_serve_and_watched_to_its_end(place: Place) -> None:
    watch_loosely(place)
    noted = place.run(*DEPLOY, "--detach").ended(0)
    before = place.platform.writes()

    with place.running("serve") as serve:
        wait_until(lambda: status(place)["stage"] == "done", seconds=60)
        served = place.interrupt(serve)

    assert "run acme-corp-1 is planned" in noted.out
    assert "securewatch serve" in noted.err
    assert before == []
    assert served.code == 0
    assert "the controller ended" in served.err
    assert "  acme-corp  backend    building  dep-" in served.out
    assert "  acme-corp  ✔ live  deploy v1.1.0\n" in served.out
    assert "Traceback" not in served.err
    assert_deployed_once(place)


def test_ctrl_c_stops_the_following_and_the_same_command_carries_on(place: Place) -> None:
    with place.running(*DEPLOY) as process:
        wait_until(lambda: len(place.platform.service(BACKEND)["deploys"]) > 1)
        stopped = place.interrupt(process)
    carried_on = place.deploy("acme-corp").ended(0).data

    assert stopped.code == 130, stopped.err
    assert "stopped following" in stopped.err
    assert "Traceback" not in stopped.err
    assert (carried_on["run"], carried_on["status"]) == ("acme-corp-1", "live")
    assert_deployed_once(place)


def test_a_killed_deploy_is_carried_on_though_a_new_plan_would_be_refused(place: Place) -> None:
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"seconds": 300})
    with place.running(*DEPLOY) as process:
        wait_until(lambda: bool(place.platform.service(BACKEND)["running_deploy"]))
        process.kill()
    place.platform.admin("PATCH", f"/services/{BACKEND}", {"auto_deploy": True})
    dry = place.run(*DEPLOY, "--dry-run")
    carried_on = place.deploy("acme-corp").ended(0)

    assert "error[SW407]" in dry.err
    assert (carried_on.data["run"], carried_on.data["status"]) == ("acme-corp-1", "live")
    assert "acme-corp-1 is under way" in carried_on.err
    assert_deployed_once(place)


def test_two_commands_at_once_make_one_deploy_and_both_report_it(place: Place) -> None:
    with place.running(*DEPLOY, "-o", "json") as first, place.running(*DEPLOY, "-o", "json") as second:
        ends = [ended(first), ended(second)]

    assert [one.code for one in ends] == [0, 0], [one.err for one in ends]
    assert [json.loads(one.out)["run"] for one in ends] == ["acme-corp-1"] * 2
    assert_deployed_once(place)


def test_two_customers_at_once_are_both_brought_to_the_version(place: Place) -> None:
    others = ("deploy-customer", "--version", "v1.1.0", "--customer", "techstart", "-o", "json")
    with place.running(*DEPLOY, "-o", "json") as first, place.running(*others) as second:
        ends = [ended(first), ended(second)]

    assert [one.code for one in ends] == [0, 0], [one.err for one in ends]
    assert [json.loads(one.out)["slug"] for one in ends] == ["acme-corp", "techstart"]


def test_until_watched_follows_to_the_end_of_the_watch(place: Place) -> None:
    watch_loosely(place)
    ran = place.deploy("acme-corp", "v1.1.0", "--until", "watched").ended(0)

    assert (ran.data["stage"], ran.data["status"], ran.data["watch_stops"]) == ("done", "live", False)
    assert "the watch stops here" not in ran.err
    assert_deployed_once(place)


def test_a_version_that_sickens_while_it_is_watched_is_taken_back(place: Place) -> None:
    with place.running(*DEPLOY, "--until", "watched", "-o", "json") as process:
        wait_until(lambda: place.platform.service(FRONTEND)["effective"] == 2)
        place.platform.misbehave(BACKEND, status=500)
        wait_until(lambda: place.platform.service(BACKEND)["effective"] == 3)
        place.platform.admin("DELETE", f"/services/{BACKEND}/misbehave")
        ran = ended(process)

    assert (ran.code, ran.data["status"]) == (6, "rolled_back"), ran.err
    assert place.platform.service(BACKEND)["env"]["VERSION_TAG"] == "v1.0.0"


# --- pause ------------------------------------------------------------------------------------------------------------


def test_pause_all_stops_every_write_and_resume_lets_them_go_on(place: Place) -> None:
    hold_backend(place)
    with place.running(*DEPLOY, "--timeout", "30d", "-o", "json") as process:
        wait_until(lambda: bool(place.platform.service(BACKEND)["running_deploy"]))
        paused = place.run("pause", "--all", "--reason", "log-ins fail").ended(0)
        writes = place.platform.writes()
        ran = ended(process)
    refused = place.run("deploy-customer", "--version", "v1.1.0", "--customer", "techstart").ended(5)
    env = place.run("update-env-vars", "--version", "v1.1.0", "--customer", "demo").ended(5)
    looked = place.run("check-health", "--customer", "acme-corp").ended(0)
    held = place.platform.writes()
    place.run("resume", "--all").ended(0)
    place.run("deploy-customer", "--version", "v1.1.0", "--customer", "techstart").ended(0)

    assert "nothing is written until" in paused.out
    assert ran.code == 5, ran.err
    assert held == writes
    for one in (refused, env):
        assert "error[SW403]" in one.err
        assert "log-ins fail" in one.err
    assert "healthy" in looked.out


def test_the_kill_switch_needs_only_the_state_database(place: Place) -> None:
    away = {"RENDER_API_KEY": "", "SECUREWATCH_REPO": "/nowhere"}
    started = time.monotonic()
    place.run("pause", "--all", RENDER_HOST="http://127.0.0.1:9/v1", **away).ended(0)
    assert time.monotonic() - started < 30
    assert "PAUSED" in place.run("doctor").out
    place.run("resume", "--all", **away).ended(0)


def test_the_kill_switch_works_without_the_key_of_the_audit_log(place: Place) -> None:
    place.run(*DEPLOY, "--detach", SECUREWATCH_SECRET_KEY=SECRET_KEY).ended(0)

    paused = place.run("pause", "--all", "--reason", "log-ins fail").ended(0)
    refused = place.run(*DEPLOY, SECUREWATCH_SECRET_KEY=SECRET_KEY)

    assert "SW107" in paused.err
    assert not (place.state / "secret.key").exists()
    assert refused.code == 5, refused.err
    place.run("resume", "--all", SECUREWATCH_SECRET_KEY=SECRET_KEY).ended(0)
    place.run("audit", "verify", SECUREWATCH_SECRET_KEY=SECRET_KEY).ended(0)


@pytest.mark.parametrize(
    "broken",
    [
        {"SECUREWATCH_CLOCK_FILE": "/nowhere/clock.json"},
        {"RENDER_HOST": "https://api.render.com/v1"},
        {"RENDER_HOST": "nonsense", "SECUREWATCH_HTTP_TIMEOUT": "soon", "RENDER_API_KEY": "two words"},
        {"SECUREWATCH_SECRET_KEY": "", "SECUREWATCH_ACTOR": " "},
    ],
    ids=["no-clock-file", "clock-file-of-a-rehearsal", "nonsense", "blanks"],
)
def test_no_broken_setting_stops_the_kill_switch(place: Place, broken: dict[str, str]) -> None:
    (place.config / "customers.json").write_text("{", encoding="utf-8")

    paused = place.run("pause", "--all", "-o", "json", **broken).ended(0)
    resumed = place.run("resume", "--all", "-o", "json", **broken).ended(0)

    assert (paused.data["paused"], resumed.data["paused"]) == (True, False)
