"""Everything a hurried person or a broken neighbour can get wrong: one clear error, the right exit code, no write."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.given import Place, wait_until

DEPLOY = ("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp")
BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"


# --- key --------------------------------------------------------------------------------------------------------------


def test_without_an_api_key_it_says_where_to_get_one(place: Place) -> None:
    ran = place.refuses(4, "SW301", *DEPLOY, RENDER_API_KEY="")
    assert "RENDER_API_KEY" in ran.err


def test_a_wrong_api_key_is_refused_by_render_and_never_shown(place: Place) -> None:
    ran = place.refuses(4, "SW302", *DEPLOY, RENDER_API_KEY="rnd_wrong_key_of_somebody")
    assert "rnd_wrong" not in ran.err + ran.out


def test_a_wrong_api_key_alone_is_refused(place: Place) -> None:
    ran = place.refuses(4, "SW302", "--api-key", "rnd_wrong_key_of_somebody", script="render-deploy.sh")
    assert "rnd_wrong" not in ran.err + ran.out


# --- names ------------------------------------------------------------------------------------------------------------


def test_an_unknown_customer_is_answered_with_the_nearest_name(place: Place) -> None:
    ran = place.refuses(2, "SW202", "deploy-customer", "--version", "v1.1.0", "--customer", "acme-crop")
    assert "acme-corp" in ran.err


def test_an_unknown_tag_is_answered_with_how_to_list_them(place: Place) -> None:
    ran = place.refuses(2, "SW203", "deploy-customer", "--version", "v9.9.9", "--customer", "acme-corp")
    assert "securewatch list-versions" in ran.err


@pytest.mark.parametrize("version", ["banana", "1.1", "v1.1.0; rm -rf /", "--all", "../../etc/passwd", "v1.1.0\n", "é"])
def test_a_malformed_version_never_reaches_git(place: Place, version: str) -> None:
    place.refuses(2, "SW204", "deploy-customer", f"--version={version}", "--customer", "acme-corp")


def test_a_blank_version_or_customer_is_refused(place: Place) -> None:
    place.refuses(2, "SW204", "deploy-customer", "--version=", "--customer", "acme-corp")
    place.refuses(2, "SW202", "deploy-customer", "--version", "v1.1.0", "--customer=")


def test_a_moved_tag_is_refused_with_both_commits(place: Place) -> None:
    place.run("update-env-vars", "--version", "v1.1.0", "--customer", "acme-corp", "--dry-run").ended(0)
    place.run(*DEPLOY, "--detach").ended(0)
    with tag_moved(place.platform.repo, "v1.1.0", "v1.0.1") as (old, new):
        for slug in ("acme-corp", "techstart"):
            ran = place.refuses(7, "SW412", "deploy-customer", "--version", "v1.1.0", "--customer", slug, "--force")
            assert old[:7] in ran.err
            assert new[:7] in ran.err


@contextmanager
def tag_moved(repo: Path, tag: str, to: str) -> Iterator[tuple[str, str]]:
    """Somebody forces a tag to another commit; put back at the end. Gives the old commit and the new one."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(repo), *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    before, commit, moved = (git("rev-parse", one) for one in (f"refs/tags/{tag}", f"{tag}^{{}}", f"{to}^{{}}"))
    git("update-ref", f"refs/tags/{tag}", moved)
    try:
        yield commit, moved
    finally:
        git("update-ref", f"refs/tags/{tag}", before)


# --- services ---------------------------------------------------------------------------------------------------------


def test_a_deleted_service_is_named(place: Place) -> None:
    place.platform.admin("DELETE", f"/services/{FRONTEND}")
    assert FRONTEND in place.refuses(2, "SW305", *DEPLOY).err
    place.refuses(2, "SW305", "check-health", "--customer", "acme-corp")
    place.refuses(2, "SW305", "rollback-customer", "--customer", "acme-corp")


def test_a_service_that_two_customers_claim_holds_both(place: Place) -> None:
    place.edit("render-deployment.json", lambda document: claim(document, "techstart", BACKEND))
    place.edit("customers.json", lambda document: claim_there(document, "techstart", BACKEND))
    for slug in ("acme-corp", "techstart"):
        ran = place.refuses(2, "SW104", "deploy-customer", "--version", "v1.1.0", "--customer", slug)
        assert BACKEND in ran.err
    place.run("deploy-customer", "--version", "v1.1.0", "--customer", "demo", "--dry-run").ended(0)


def test_the_id_of_another_customers_service_is_refused_even_with_force(place: Place) -> None:
    stolen = place.platform.service(BACKEND)["name"]
    place.platform.admin("PATCH", f"/services/{BACKEND}", {"name": "securewatch-techstart-backend"})
    assert stolen in place.refuses(1, "SW408", *DEPLOY, "--force").err
    assert place.refuses(1, "SW408", "rollback-customer", "--customer", "acme-corp").out == ""


def test_a_service_of_another_workspace_is_refused(place: Place) -> None:
    place.platform.admin("PATCH", f"/services/{BACKEND}", {"owner_id": "tea-somebodyelse0000000"})
    place.refuses(1, "SW408", *DEPLOY, "--force")


def test_autodeploy_on_is_refused_with_the_command_that_switches_it_off(place: Place) -> None:
    place.platform.admin("PATCH", f"/services/{FRONTEND}", {"auto_deploy": True})
    ran = place.refuses(1, "SW407", *DEPLOY, "--force")
    assert "securewatch customer autodeploy-off acme-corp" in ran.err
    place.run("customer", "autodeploy-off", "acme-corp").ended(0)
    assert place.platform.service(FRONTEND)["auto_deploy"] is False
    place.run(*DEPLOY, "--dry-run").ended(0)


def test_a_suspended_service_is_refused(place: Place) -> None:
    place.platform.admin("PATCH", f"/services/{BACKEND}", {"suspended": True})
    place.refuses(1, "SW415", *DEPLOY)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_json_is_told_with_its_line(place: Place) -> None:
    path = place.folder / "config" / "customers.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"slug": "demo",', '"slug": "demo"', 1), encoding="utf-8")
    ran = place.refuses(2, "SW103", *DEPLOY)
    assert "customers.json" in ran.err
    assert "line 6" in ran.err or ":6" in ran.err, ran.err


def test_wrong_types_in_the_files_are_all_told_at_once(place: Place) -> None:
    def spoil(document: dict[str, dict[str, object]]) -> None:
        document["rollback_procedures"]["automatic_triggers"] = {"health_check_failures": "three"}
        document["environment_variable_templates"]["backend_env_vars"] = ["NODE_ENV"]

    place.edit("render-deployment.json", spoil)
    ran = place.refuses(2, "SW102", *DEPLOY)
    assert "rollback_procedures.automatic_triggers.health_check_failures" in ran.err
    assert "environment_variable_templates.backend_env_vars" in ran.err
    assert "three" in ran.err


def test_a_mistyped_policy_is_answered_with_the_policies_there_are(place: Place) -> None:
    def spoil(document: dict[str, list[dict[str, str]]]) -> None:
        next(one for one in document["customers"] if one["slug"] == "acme-corp")["deployment_policy"] = "standrad"

    place.edit("customers.json", spoil)
    ran = place.run(*DEPLOY).ended(2)
    assert "standrad" in ran.err
    assert "standard" in ran.err.replace("standrad", "")
    assert place.platform.writes() == []


def test_a_missing_configuration_folder_is_said(place: Place, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    place.refuses(2, "SW101", *DEPLOY, SECUREWATCH_CONFIG_DIR=str(empty))
    place.refuses(2, "SW101", *DEPLOY, "--config", str(empty))


def test_outside_of_any_project_it_says_how_to_name_one(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    away = Place(tmp_path / "elsewhere", place.platform)
    assert "--config" in away.refuses(2, "SW101", *DEPLOY).err


def test_an_unreadable_repository_is_said(place: Place, tmp_path: Path) -> None:
    for repo in (tmp_path / "missing", place.folder):
        place.refuses(1, "SW205", *DEPLOY, SECUREWATCH_REPO=str(repo))


# --- flags and settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", ["15", "-5m", "0m", "soon", "1e9h", ""])
def test_a_bad_timeout_is_refused(place: Place, timeout: str) -> None:
    assert "--timeout" in place.refuses(2, "SW201", *DEPLOY, f"--timeout={timeout}").err


def test_a_bad_service_type_is_answered_with_the_three_there_are(place: Place) -> None:
    assert "backend, frontend or both" in place.refuses(2, "SW201", *DEPLOY, "--service-type", "backned").err


@pytest.mark.parametrize(
    "words", [(*DEPLOY, "--dryrun"), ("deploy-costumer",), ("deploy-customer", "--version"), ("customer", "shwo")]
)
def test_an_unknown_flag_or_command_is_refused(place: Place, words: tuple[str, ...]) -> None:
    place.refuses(2, "SW201", *words)


def test_a_missing_flag_is_named(place: Place) -> None:
    assert "--version" in place.refuses(2, "SW201", "deploy-customer", "--customer", "acme-corp").err


def test_a_bad_output_format_is_refused(place: Place) -> None:
    place.refuses(2, "SW201", *DEPLOY, "-o", "yaml")


def test_a_clock_file_beside_a_render_that_is_elsewhere_is_refused(place: Place) -> None:
    place.refuses(2, "SW108", *DEPLOY, RENDER_HOST="https://api.render.com/v1")


def test_a_clock_file_that_is_garbage_is_refused(place: Place, tmp_path: Path) -> None:
    clock = tmp_path / "clock.json"
    clock.write_text('{"origin": "yesterday"', encoding="utf-8")
    place.refuses(2, "SW108", *DEPLOY, SECUREWATCH_CLOCK_FILE=str(clock))


def test_an_unusable_encryption_key_is_refused(place: Place) -> None:
    ran = place.refuses(2, "SW107", *DEPLOY, SECUREWATCH_SECRET_KEY="bm90IDMyIGJ5dGVz")
    assert "bm90" not in ran.err


# --- state ------------------------------------------------------------------------------------------------------------


def test_a_state_database_that_is_garbage_is_refused_and_left_alone(place: Place) -> None:
    place.state.mkdir()
    (place.state / "state.db").write_bytes(b"this is no database" * 500)
    place.refuses(1, "SW702", *DEPLOY)


def test_the_state_of_another_render_is_refused(place: Place) -> None:
    place.run(*DEPLOY, "--detach").ended(0)
    other = place.platform.env["RENDER_HOST"].replace("127.0.0.1", "localhost")
    place.refuses(7, "SW414", *DEPLOY, RENDER_HOST=other)


# --- neighbours -------------------------------------------------------------------------------------------------------


def test_a_second_deploy_of_another_version_is_refused_while_one_runs(place: Place) -> None:
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"hangs": True})
    with place.running(*DEPLOY, "--timeout", "1d") as first:
        wait_until(lambda: bool(place.platform.service(BACKEND)["running_deploy"]))
        writes = place.platform.writes()
        ran = place.run("deploy-customer", "--version", "v1.0.1", "--customer", "acme-corp").ended(7)
        assert "error[SW410]" in ran.err
        assert "v1.1.0" in ran.err
        assert place.platform.writes() == writes
        assert first.poll() is None
        place.interrupt(first)


def test_a_platform_that_is_down_is_said_without_a_traceback(place: Place) -> None:
    place.refuses(1, "SW303", *DEPLOY, RENDER_HOST="http://127.0.0.1:9/v1")


def test_a_platform_that_answers_a_web_page_is_recognised(place: Place) -> None:
    with web_page() as address:
        place.refuses(1, "SW304", *DEPLOY, RENDER_HOST=address)


class Page(BaseHTTPRequestHandler):
    """A captive portal: a web page for everything."""

    def do_GET(self) -> None:
        """Answer with the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><html><body>Welcome to the hotel's network</body></html>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def web_page() -> Iterator[str]:
    """A server on this machine that is no API."""
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


# --- helpers ----------------------------------------------------------------------------------------------------------


def claim(document: dict[str, dict[str, dict[str, object]]], slug: str, service_id: str) -> None:
    """Let a customer claim a backend in render-deployment.json."""
    document["customer_environment_mapping"][slug]["backend_service_id"] = service_id


def claim_there(document: dict[str, list[dict[str, Any]]], slug: str, service_id: str) -> None:
    """Let a customer claim a backend in customers.json."""
    customer = next(one for one in document["customers"] if one["slug"] == slug)
    customer["render_services"]["backend"] = service_id
