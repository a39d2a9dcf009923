"""The encryption key: given in several ways, lost, and rotated, with nothing half-done and no key ever shown."""

import base64
import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.given import RUN_SECONDS, Place, Ran, clean_environment, wait_until

CUSTOMER = ("--customer", "acme-corp")
OLD, NEW = (base64.b64encode(byte * 32).decode() for byte in (b"o", b"n"))
ROTATING = """
import asyncio, os, signal, sys
from pathlib import Path
from securewatch.config.settings import load_settings
from securewatch.deps import Deps
from securewatch.operations.keys import key_in_file, rotate

def hook(event):
    if event == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with Deps(load_settings({}, Path.cwd()), io_hook=hook) as deps:
        await rotate(deps, key_in_file(Path("new.key")))

asyncio.run(main())
"""
READERS = (
    ("env", "history", *CUSTOMER),
    ("env", "diff", *CUSTOMER),
    ("env", "restore", *CUSTOMER, "4", "--yes"),
    ("audit", "verify"),
    ("rollback-customer", *CUSTOMER),
    ("deploy-customer", "--version", "v1.0.1", *CUSTOMER, "--force", "--reason", "test"),
    ("update-env-vars", "--version", "v1.0.1", *CUSTOMER, "--all"),
    ("rollout", "start", "--version", "v1.1.0", "--yes"),
    ("hold", *CUSTOMER, "--reason", "test"),
    ("send-notifications", "--version", "v1.1.0", "--phase", "startup"),
    ("serve",),
)
"""Commands that read what is sealed, or write into the audit log."""


def with_new_key(place: Place, key: str = NEW) -> str:
    """A file with the new key."""
    path = place.folder / "new.key"
    path.write_text(key + "\n", encoding="ascii")
    return str(path)


def rotate(place: Place, *words: str, **env: str) -> Ran:
    return place.run("key", "rotate", "--new-key-file", with_new_key(place), *words, **env)


def works(place: Place, **env: str) -> None:
    """Everything that needs the key does its work."""
    place.run("audit", "verify", **env).ended(0)
    assert place.run("env", "history", *CUSTOMER, "-o", "json", **env).ended(0).data
    place.run("env", "diff", *CUSTOMER, **env).ended(0)
    place.run("env", "restore", *CUSTOMER, first_entry(place, **env), "--yes", **env).ended(0)
    place.run("doctor", **env).ended(0)


def first_entry(place: Place, **env: str) -> str:
    """The oldest entry of the backend's env vars."""
    rows = place.run("env", "history", *CUSTOMER, "--service-type", "backend", "-o", "json", **env).ended(0).data
    return str(rows[-1]["number"])


def says_which_keys(ran: Ran) -> None:
    """It ended with the clear error, and in JSON too."""
    assert "error[SW107]" in ran.err, ran.err
    assert "Traceback" not in ran.out + ran.err


def test_after_a_rotation_everything_works_with_the_new_key_and_the_way_back_too(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    old = (place.state / "secret.key").read_text(encoding="ascii")

    ran = rotate(place).ended(0)
    again = rotate(place).ended(0)

    key_file = place.state / "secret.key"
    assert key_file.read_text(encoding="ascii") == NEW + "\n"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert "nothing to set" in ran.out
    assert "is in force already" in again.out
    works(place)
    place.run("rollback-customer", *CUSTOMER).ended(0)
    place.deploy("acme-corp").ended(0)
    works(place)
    with_old = {"SECUREWATCH_SECRET_KEY": old.strip()}
    for words in READERS:
        says_which_keys(place.refuses(2, "SW107", *words, **with_old))


@pytest.mark.parametrize("event", ["commit rotate before", "commit rotate after"])
def test_killed_in_the_middle_of_a_rotation_one_of_the_keys_is_in_force_and_the_same_command_ends_it(
    place: Place, event: str
) -> None:
    place.deploy("acme-corp").ended(0)
    old = (place.state / "secret.key").read_text(encoding="ascii")
    with_new_key(place)
    killed = subprocess.run(
        [sys.executable, "-c", ROTATING, event],
        cwd=place.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (place.state / "secret.key").read_text(encoding="ascii") == old

    if event.endswith("before"):
        place.run("audit", "verify").ended(0)
        place.refuses(2, "SW107", "env", "history", *CUSTOMER, SECUREWATCH_SECRET_KEY=NEW)
    else:
        ran = place.refuses(2, "SW107", "env", "history", *CUSTOMER)
        assert "give that command again" in ran.err
        place.run("audit", "verify", SECUREWATCH_SECRET_KEY=NEW).ended(0)
    rotate(place).ended(0)

    assert (place.state / "secret.key").read_text(encoding="ascii") == NEW + "\n"
    works(place)


def test_killed_at_any_moment_a_rotation_leaves_one_whole_key_in_force(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    keys = {(place.state / "secret.key").read_text(encoding="ascii").strip(), NEW}
    path = with_new_key(place)
    for hundredths in range(0, 60, 6):
        process = place.start("key", "rotate", "--new-key-file", path)
        try:
            process.wait(hundredths / 100)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate(timeout=RUN_SECONDS)
        codes = [place.run("audit", "verify", SECUREWATCH_SECRET_KEY=key).code for key in sorted(keys)]
        assert sorted(codes) == [0, 2]
        assert (place.state / "secret.key").read_text(encoding="ascii").strip() in keys

    rotate(place).ended(0)

    works(place)


def test_a_key_that_is_set_elsewhere_is_rotated_and_what_to_set_is_said(place: Place) -> None:
    old, new = {"SECUREWATCH_SECRET_KEY": OLD}, {"SECUREWATCH_SECRET_KEY_FILE": str(place.folder / "new.key")}
    place.deploy("acme-corp", **old).ended(0)

    ran = rotate(place, **old).ended(0)

    assert f"set SECUREWATCH_SECRET_KEY_FILE={place.folder}/new.key, and unset SECUREWATCH_SECRET_KEY" in ran.out
    assert not (place.state / "secret.key").exists()
    works(place, **new)
    place.refuses(2, "SW107", "audit", "verify", **old)
    place.refuses(2, "SW107", "audit", "verify")
    place.refuses(1, "SW216", "key", "rotate", "--new-key-command", f"/bin/echo {OLD}", **new)


def test_a_command_gives_the_key_and_one_that_gives_another_each_time_is_refused(place: Place) -> None:
    command = {"SECUREWATCH_SECRET_KEY_COMMAND": f"/bin/echo {OLD}"}
    place.deploy("acme-corp", **command).ended(0)
    place.run("audit", "verify", SECUREWATCH_SECRET_KEY=OLD).ended(0)
    fresh = f"{sys.executable} -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'"

    place.refuses(2, "SW109", "key", "rotate", "--new-key-command", fresh, **command)
    ran = place.run("key", "rotate", "--new-key-command", f"/bin/echo {NEW}", **command).ended(0)

    assert "SECUREWATCH_SECRET_KEY_COMMAND to that command" in ran.out
    works(place, SECUREWATCH_SECRET_KEY_COMMAND=f"/bin/echo {NEW}")
    failing = {"SECUREWATCH_SECRET_KEY_COMMAND": f"/bin/sh -c 'echo {OLD}; exit 3'"}
    ran = place.refuses(2, "SW107", "audit", "verify", **failing)
    assert OLD not in ran.err + place.run("config", "show", **failing).out


@pytest.mark.parametrize("is_there", [True, False])
def test_a_lost_key_is_a_clear_error_of_every_command_that_needs_it(place: Place, is_there: bool) -> None:
    place.deploy("acme-corp").ended(0)
    (place.state / "secret.key").unlink()
    env = {"SECUREWATCH_SECRET_KEY": OLD} if is_there else {}
    rotation = ("key", "rotate", "--new-key-file", with_new_key(place))

    for words in (*READERS, rotation):
        says_which_keys(place.refuses(2, "SW107", *words, **env))
        assert not (place.state / "secret.key").exists()
    assert "SW107" in place.run("doctor", **env).ended(2).out
    place.run("pause", "--all", **env).ended(0)


def test_a_lost_key_stops_what_is_under_way_before_anything_is_sent(place: Place) -> None:
    place.deploy("acme-corp", "v1.1.0", "--detach").ended(0)
    writes = place.platform.writes()

    ran = place.deploy("acme-corp", SECUREWATCH_SECRET_KEY=OLD).ended(2)

    assert json.loads(ran.out)["error"]["code"] == "SW107"
    assert place.platform.writes() == writes


def test_a_rotation_is_refused_while_a_controller_runs_and_where_nothing_was_sealed(place: Place) -> None:
    path = with_new_key(place)
    place.refuses(1, "SW216", "key", "rotate", "--new-key-file", path)
    place.refuses(2, "SW201", "key", "rotate")
    place.refuses(2, "SW201", "key", "rotate", "--new-key-file", path, "--new-key-command", "x")
    place.deploy("acme-corp").ended(0)
    place.refuses(2, "SW107", "key", "rotate", "--new-key-file", f"{path}.gone")
    with place.running("serve"):
        wait_until(lambda: "securewatch serve" in lock_of(place))

        place.run("key", "rotate", "--new-key-file", path).ended(7)


def lock_of(place: Place) -> str:
    """Who has the controller lock."""
    path = place.state / "controller.lock"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_no_key_is_shown_or_kept_anywhere_but_in_its_file(place: Place) -> None:
    ran = [place.deploy("acme-corp").ended(0)]
    old = (place.state / "secret.key").read_text(encoding="ascii").strip()
    ran.append(rotate(place, "-o", "json").ended(0))
    ran += [place.run(*words) for words in (*READERS[:4], ("config", "show"), ("audit", "list"), ("doctor",))]

    printed = "".join(one.out + one.err for one in ran)
    kept = {path.name: path.read_bytes() for path in files_of(place.state)}
    for key in (old, NEW):
        for spelling in (key.encode(), base64.b64decode(key), base64.b64decode(key).hex().encode()):
            assert spelling not in printed.encode()
            assert [name for name, content in kept.items() if spelling in content] == (
                ["secret.key"] if spelling == NEW.encode() else []
            )


def files_of(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and "repo" not in path.parts)
