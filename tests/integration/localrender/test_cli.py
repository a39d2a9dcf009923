"""`localrender up` as a user starts it."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ENDS_SECONDS = 10


def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SECUREWATCH_", "RENDER_"))}
    return {**kept, "TMPDIR": str(tmp_path)}


def start(tmp_path: Path, *flags: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "localrender.cli", "up", "--apps", "inprocess", "--no-database", *flags]
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def read_until_ready(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith("Ctrl-C"):
            break
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_until_it_is_told_to_end_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = start(temporary, "--key", "rnd_fixed", "--fast", "--write-env", str(tmp_path / "env"))
    lines = read_until_ready(process)
    written = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    request = urllib.request.Request(f"{written['RENDER_HOST']}/users", headers={"Authorization": "Bearer rnd_fixed"})
    with urllib.request.urlopen(request) as answer:
        status = answer.status
    clock = json.loads(Path(written["SECUREWATCH_CLOCK_FILE"]).read_text())

    process.send_signal(number)
    exit_code = process.wait(ENDS_SECONDS)

    assert (status, exit_code) == (200, 0)
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert "export RENDER_API_KEY=rnd_fixed" in lines
    assert set(written) == {
        "RENDER_HOST",
        "RENDER_API_KEY",
        "SECUREWATCH_REPO",
        "SECUREWATCH_CLOCK_FILE",
        "SECUREWATCH_MAIL_FOLDER",
    }
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600
    assert (clock["rate"], clock["skip_idle"]) == (60, True)
    assert list(temporary.iterdir()) == []


def test_up_serves_the_customers_of_a_folder_and_a_synthetic_fleet(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    one = {"backend_service_id": "srv-a-backend", "frontend_service_id": "srv-a-frontend", "deployment_policy": "demo"}
    (config / "render-deployment.json").write_text(json.dumps({"customer_environment_mapping": {"alone": one}}))
    process = start(tmp_path, "--customers", "3", "--write-env", "env")
    read_until_ready(process)
    written = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    with urllib.request.urlopen(written["RENDER_HOST"].removesuffix("/v1") + "/admin/state") as answer:
        services = json.load(answer)["services"]
    fleet = json.loads((Path(written["SECUREWATCH_CONFIG_DIR"]) / "render-deployment.json").read_text())

    process.send_signal(signal.SIGTERM)
    process.wait(ENDS_SECONDS)

    mapping = fleet["customer_environment_mapping"]
    assert list(mapping) == ["alone", "fleet-0001", "fleet-0002", "fleet-0003"]
    assert services["srv-a-backend"]["name"] == "securewatch-alone-backend"
    assert all(services[each["backend_service_id"]]["customer"] == slug for slug, each in mapping.items())


@pytest.mark.parametrize(
    ("flags", "exit_code", "message"),
    [
        (["--fast", "0"], 2, "time must run forward"),
        (["--clock-file", "missing.json"], 1, "missing.json cannot be read"),
        (["--config", "missing"], 1, "cannot be read"),
        (["--port", "70000"], 2, "from 0 to 65535"),
        (["--customers", "-1"], 2, "not negative"),
    ],
)
def test_up_says_in_one_line_why_it_cannot_start(
    tmp_path: Path, flags: list[str], exit_code: int, message: str
) -> None:
    process = start(tmp_path, *flags)

    _, talk = process.communicate(timeout=ENDS_SECONDS)

    assert process.returncode == exit_code
    assert message in talk
    assert "Traceback" not in talk


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = start(tmp_path, "--port", str(other.getsockname()[1]))

        _, talk = process.communicate(timeout=ENDS_SECONDS)

    assert process.returncode == 1
    assert "in use" in talk


def test_up_has_a_release_with_migrations_where_it_is_asked_for(tmp_path: Path) -> None:
    process = start(tmp_path, "--migrations", "--write-env", "env")
    read_until_ready(process)
    written = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())

    kept = sorted(file.name for file in Path(written["SECUREWATCH_REPO"], "migrations", "v1.3.0").iterdir())
    process.send_signal(signal.SIGTERM)
    process.wait(ENDS_SECONDS)

    assert kept == ["001_orders_in_cents.sql", "002_orders_by_age.sql", "003_drop_notes.sql"]


@pytest.mark.slow
def test_up_with_processes_and_databases_ends_them_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "localrender.cli", "up", "--write-env", "env"]
    process = subprocess.Popen(command, cwd=tmp_path, env=os.environ, stdout=subprocess.PIPE, text=True)
    read_until_ready(process)
    written = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    with urllib.request.urlopen(written["RENDER_HOST"].removesuffix("/v1") + "/admin/state") as answer:
        backend = json.load(answer)["services"]["srv-acme-backend-abc123"]
    with urllib.request.urlopen(backend["url"] + "/api/health/database") as answer:
        database = json.load(answer)

    process.send_signal(signal.SIGTERM)
    exit_code = process.wait(30)

    assert (exit_code, database["status"]) == (0, "ok")
    assert not Path(written["SECUREWATCH_REPO"]).exists()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(backend["url"] + "/api/health")
    host, port = urlsplit(backend["env"]["DATABASE_URL"]).hostname, urlsplit(backend["env"]["DATABASE_URL"]).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(host), int(port or 0)))
