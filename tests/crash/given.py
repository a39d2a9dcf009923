"""A platform to be killed against, a zygote that is killed, and what must be true of the platform afterwards."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SLUG = "acme-corp"
SERVICES = ("srv-acme-backend-abc123", "srv-acme-frontend-def456")
RELEASE_KEYS = {SERVICES[0]: "VERSION_TAG", SERVICES[1]: "VITE_VERSION_TAG"}
MEMORY = Path("/dev/shm")
"""A killed process loses no page cache, so a disk in memory proves as much and is quicker."""
RATE = 1200
"""Product seconds a real second: a deploy of two services takes half a second."""
PATIENCE = {"SECUREWATCH_HTTP_TIMEOUT": "0.5", "SECUREWATCH_ACTOR": "robin"}
INLINE, THREADED = "sqlite+pysqlite", "sqlite+aiosqlite"
"""How the product speaks to its state: the same statements and commits without a thread, and as it is used."""
Point = tuple[str, int]


@dataclass
class Stand:
    """One platform and one zygote; each try gets a folder of its own for the product's state."""

    environ: Mapping[str, str]
    zygote: subprocess.Popen[str]
    folder: Path
    driver: str = INLINE
    tries: int = field(default=0)
    kept: Mapping[str, Any] | None = field(default=None)

    @property
    def admin(self) -> str:
        """Where the platform is asked and told things outside Render's API."""
        return self.environ["RENDER_HOST"].removesuffix("/v1") + "/admin"

    @property
    def unused(self) -> Path:
        """A state database as the product makes it at its first command, and nothing in it."""
        return self.folder / "unused"

    def keep(self, folder: Path, seeded: Mapping[str, Any]) -> None:
        """Let every reset go back to what platform and product are now; `seeded` is what the services were before."""
        _call("POST", f"{self.admin}/keep")
        shutil.copytree(folder / "state", self.folder / "kept")
        self.kept = seeded

    def forget(self) -> None:
        """Let resets go back to the beginning again."""
        if self.kept is not None:
            _call("DELETE", f"{self.admin}/keep")
            shutil.rmtree(self.folder / "kept")
            self.kept = None

    def reset(self, *, is_first: bool = False) -> Path:
        """The seeded or kept platform again, and a folder with its state, or nothing for the first command of all."""
        _call("POST", f"{self.admin}/reset")
        self.tries += 1
        folder = self.folder / str(self.tries)
        folder.mkdir()
        if not is_first:
            shutil.copytree(self.unused if self.kept is None else self.folder / "kept", folder / "state")
        return folder

    def run(self, folder: Path, what: str, **more: Any) -> dict[str, Any]:
        """One process of the product: `deploy` with `version`, `rollback` or `audit`; `kill_at` names a point."""
        database = f"{self.driver}:///{folder / 'state' / 'state.db'}"
        environ = {**self.environ, **PATIENCE, "SECUREWATCH_DATABASE_URL": database}
        command = {"what": what, "folder": str(folder), "slug": SLUG, "environ": environ, **more}
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps(command) + "\n")
        self.zygote.stdin.flush()
        found: dict[str, Any] = json.loads(self.zygote.stdout.readline())
        return found

    def services(self) -> dict[str, Any]:
        """The platform's own view of every service."""
        state: dict[str, Any] = _call("GET", f"{self.admin}/state")["services"]
        return state

    def fault(self, **fault: Any) -> None:
        """Arm a fault."""
        _call("POST", f"{self.admin}/faults", fault)

    def words(self, folder: Path) -> str:
        """What the product's processes said on standard error, for a failure's message."""
        path = folder / "stderr.txt"
        return path.read_text() if path.exists() else ""


def points_of(seen: Sequence[str], *, at_every_step: bool = False) -> list[Point]:
    """Every boundary by name and number; of those that repeat the first, of the whole command or of every step."""
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    points = []
    for name in seen:
        kind, _, step = name.partition(" | ")
        counts[name] += 1
        kinds[name if at_every_step else kind] += 1
        if not step or kinds[name if at_every_step else kind] == 1:
            points.append((name, counts[name]))
    return points


def problems_of(stand: Stand, before: Mapping[str, Any], *, live: str, release: str) -> list[str]:
    """What is wrong at the platform after a command for the tag `release`, when the tag `live` must be what runs."""
    problems = []
    now = stand.services()
    for service_id in SERVICES:
        wanted = dict(before[service_id]["env"])
        if live == release:
            wanted[RELEASE_KEYS[service_id]] = release
        commits = {"live": commit_of(stand, live), "release": commit_of(stand, release)}
        found = problems_of_service(now[service_id], wanted, **commits)
        problems += [f"{service_id} {one}" for one in found]
    for service_id in set(now) - set(SERVICES):
        if any(now[service_id][part] != before[service_id][part] for part in ("deploys", "env")):
            problems.append(f"{service_id} is somebody else's and was changed")
    return problems


def problems_of_service(service: Mapping[str, Any], env: Mapping[str, str], *, live: str, release: str) -> list[str]:
    """What is wrong with one service after a command for the commit `release`, when the commit `live` must run."""
    return [*_problems_of_deploys(service, live, release), *_problems_of_env(service, env)]


def _problems_of_deploys(service: Mapping[str, Any], live: str, release: str) -> Iterator[str]:
    """One deploy of the release at most, none where it went live without need, and one way back where it has to go."""
    ours = [one for one in service["deploys"] if one["trigger"] == "api" and one["commit"] == release]
    others = [one for one in service["deploys"][1:] if one not in ours]
    if service["live_commit"] != live:
        yield f"runs {str(service['live_commit'])[:7]}"
    if len(ours) > 1 or (live == release and not ours):
        yield f"has {len(ours)} deploys of ours"
    back = 1 if live != release and any(one["live_at"] for one in ours) else 0
    if len(others) != back:
        yield f"has {len(others)} other deploys, not {back}: {[one['trigger'] for one in others]}"


def _problems_of_env(service: Mapping[str, Any], wanted: Mapping[str, str]) -> Iterator[str]:
    """The env vars as they are kept, and as the live deploy got them; the names of those that differ, never a value."""
    for part in ("env", "live_env"):
        keys = {*service[part], *wanted}
        wrong = sorted(key for key in keys if service[part].get(key) != wanted.get(key))
        if wrong:
            yield f"has another {part}: {', '.join(wrong)}"


@contextmanager
def standing(
    prepare: Callable[[Path], None] = lambda _config: None,
    *,
    flags: Sequence[str] = ("--no-database",),
    more_environ: Mapping[str, str] | None = None,
    driver: str = INLINE,
) -> Iterator[Stand]:
    """A platform with in-process applications and a fast clock, and a zygote; both are ended in the end.

    `prepare` may change the configuration folder, which both read; `flags` are the platform's.
    """
    with tempfile.TemporaryDirectory(prefix="securewatch-crash-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        config = folder / "config"
        shutil.copytree(ROOT / "config", config)
        prepare(config)
        env_file = folder / "env"
        common = ["--fast", str(RATE), "--apps", "inprocess", "--config", str(config)]
        platform = _start(
            "localrender.cli", "up", *common, *flags, "--write-env", str(env_file), "--data", str(folder / "data")
        )
        try:
            environ = {**_read_env(platform, env_file), **(more_environ or {})}
            zygote = _start("tests.crash.zygote")
            try:
                stand = Stand(environ, zygote, folder, driver)
                practice = stand.reset(is_first=True)
                for what, more in (("audit", {}), ("deploy", {"version": "v1.1.0"}), ("rollback", {})):
                    assert stand.run(practice, what, practises=True, **more)["code"] == 0, stand.words(practice)
                    if what == "audit":
                        shutil.copytree(practice / "state", stand.unused)
                yield stand
            finally:
                _end(zygote)
        finally:
            _end(platform)


def commit_of(stand: Stand, tag: str) -> str:
    """The commit behind a tag of the vendor's repository."""
    found = subprocess.run(
        ["git", "-C", stand.environ["SECUREWATCH_REPO"], "rev-parse", f"{tag}^{{commit}}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip()


def _start(module: str, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *flags],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith(("RENDER_", "SECUREWATCH_"))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _read_env(platform: subprocess.Popen[str], path: Path) -> dict[str, str]:
    assert platform.stdout is not None
    for line in platform.stdout:
        if line.startswith("Ctrl-C"):
            break
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _call(method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None
