"""The real program against a real platform on this machine: starts both as processes, and looks at what they did."""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from securewatch.core.clock import FileClock
from tests.acceptance.warm import may_be_warm, warm_command

PROJECT = Path(__file__).resolve().parents[2]
BIN = PROJECT / ".venv" / "bin"
SCRIPTS = PROJECT / "scripts"
RUN_SECONDS = 120.0
RATE = "240"
"""Product seconds a second: idle time is skipped anyway, and a busy machine must not make deploys time out."""
STEP_SECONDS = 0.05
_NO_TRACE = r"INSERT INTO \W?(rate_window\W|meta\W.*change_counter)"
_OURS = ("SECUREWATCH_", "RENDER_")


@dataclass(frozen=True)
class Ran:
    """How one command ended."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    def ended(self, code: int) -> "Ran":
        """Itself, where it ended with the exit code; a readable failure where not."""
        assert self.code == code, f"{' '.join(self.words)}: exit code {self.code}, not {code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err + self.out
        return self


@dataclass(frozen=True)
class Platform:
    """A running `localrender up`: its variables for the product, and its admin API."""

    env: Mapping[str, str]

    @property
    def origin(self) -> str:
        """Without `/v1`."""
        return self.env["RENDER_HOST"].removesuffix("/v1")

    @property
    def repo(self) -> Path:
        """The vendor's git repository."""
        return Path(self.env["SECUREWATCH_REPO"])

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """One call of the admin API."""
        request = urllib.request.Request(
            f"{self.origin}/admin{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def service(self, service_id: str) -> Any:
        """One service as it is on the platform."""
        return self.admin("GET", f"/services/{service_id}")

    def writes(self) -> list[str]:
        """Every request that was no read, oldest first: `POST /v1/services/x/deploys`."""
        lines = self.admin("GET", "/journal")
        return [f"{one['method']} {one['path']}" for one in lines if one["method"] != "GET"]

    def misbehave(self, service_id: str, **fault: object) -> None:
        """Make an application's answers bad."""
        self.admin("PUT", f"/services/{service_id}/misbehave", fault)


@contextlib.contextmanager
def platform(folder: Path, *flags: str) -> Iterator[Platform]:
    """A platform of its own, on a fast clock; its process is ended whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(PROJECT / "config", folder / "config")
    env_file = folder / "platform.env"
    words = [BIN / "localrender", "up", "--fast", RATE, "--config", folder / "config", "--write-env", env_file]
    with (folder / "platform.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*map(str, words), *(flags or ("--apps", "inprocess", "--no-database"))],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
            env=clean_environment(),
        )
        try:
            assert process.stdout is not None
            for line in iter(process.stdout.readline, ""):
                if line.startswith("Ctrl-C"):
                    break
            assert env_file.is_file(), f"the platform did not start: {(folder / 'platform.log').read_text()}"
            lines = env_file.read_text(encoding="utf-8").splitlines()
            yield Platform(dict(line.split("=", 1) for line in lines))
        finally:
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    """End a process that we started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def clean_environment() -> dict[str, str]:
    """This process's environment without what the product reads."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


@dataclass(frozen=True)
class Place:
    """One installation: a project folder with `config/` and `.env`, its state in `.securewatch`."""

    folder: Path
    platform: Platform
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, platform: Platform) -> "Place":
        """A fresh installation that knows the platform through its `.env`."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(PROJECT / "config", folder / "config")
        values = {**platform.env, "SECUREWATCH_CONFIG_DIR": str(folder / "config"), "SECUREWATCH_ACTOR": "robin"}
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
        return cls(folder, platform)

    @property
    def config(self) -> Path:
        """The folder of the configuration."""
        return self.folder / "config"

    @property
    def state(self) -> Path:
        """The folder of the state."""
        return self.folder / ".securewatch"

    def clock(self) -> FileClock:
        """The clock that product and platform follow."""
        return FileClock(Path(self.platform.env["SECUREWATCH_CLOCK_FILE"]))

    def run(self, *words: str, script: str = "", **env: str) -> Ran:
        """Run the program, or one of the scripts, to its end; `env` is added to its environment."""
        process = self.start(*words, script=script, **env)
        try:
            out, err = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            end(process)
            raise
        return Ran(words, process.returncode, out, err)

    def start(self, *words: str, script: str = "", **env: str) -> subprocess.Popen[str]:
        """Start the program, a script as a process of its own, else from a warm one; who calls ends it."""
        environ = clean_environment() | dict(self.env) | env
        program = (str(SCRIPTS / script if script else BIN / "securewatch"),)
        if not script and may_be_warm(environ):
            program = warm_command()
        return subprocess.Popen(
            [*program, *words],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextlib.contextmanager
    def running(self, *words: str, **env: str) -> Iterator[subprocess.Popen[str]]:
        """A program that runs beside the test, ended whatever happens."""
        process = self.start(*words, **env)
        try:
            yield process
        finally:
            end(process)

    def interrupt(self, process: subprocess.Popen[str]) -> Ran:
        """Press Ctrl-C and wait."""
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=RUN_SECONDS)
        return Ran(("Ctrl-C",), process.returncode, out, err)

    def deploy(self, slug: str, version: str = "v1.1.0", *words: str, **env: str) -> Ran:
        """`deploy-customer`, with JSON as its output."""
        return self.run("deploy-customer", "--version", version, "--customer", slug, "-o", "json", *words, **env)

    def refuses(self, exit_code: int, error_code: str, *words: str, script: str = "", **env: str) -> Ran:
        """Run a command that must be refused with one clear error, and write nothing anywhere."""
        before = self.traces()
        ran = self.run(*words, script=script, **env).ended(exit_code)
        errors = [line for line in ran.err.splitlines() if line.startswith("error[")]
        assert [line.split("]")[0] for line in errors] == [f"error[{error_code}"], ran.err
        lines = ran.err.splitlines()
        assert any(line.startswith("  why   ") and line[8:].strip() for line in lines), ran.err
        assert any(line.startswith("  fix   ") and line[8:].strip() for line in lines), ran.err
        assert self.traces() == before, f"{' '.join(words)} wrote something"
        return ran

    def traces(self) -> tuple[dict[str, bytes], int]:
        """What the installation has written: its files, and how often it wrote to the platform.

        What a look spent of the rate windows is noted by design and no trace.
        """
        files = (path for path in self.folder.rglob("*") if path.is_file() and "config" not in path.parts)
        found = {str(path.relative_to(self.folder)): _contents(path) for path in files if "state.db-" not in path.name}
        return found, len(self.platform.writes())

    def edit(self, file: str, change: Callable[[Any], None]) -> None:
        """Change one of the configuration files."""
        path = self.folder / "config" / file
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document)
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _contents(path: Path) -> bytes:
    """A file's bytes; of a state database the rows, but for the rate windows and the count of changes."""
    if path.suffix != ".db":
        return path.read_bytes()
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            lines = [line for line in connection.iterdump() if not re.match(_NO_TRACE, line)]
            return "\n".join(lines).encode()
    except sqlite3.DatabaseError:
        return path.read_bytes()


def wait_until(holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait real time until a look at another process says so."""
    end_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end_at, "waited in vain"
        time.sleep(STEP_SECONDS)
