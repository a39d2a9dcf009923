"""The head of the audit log beside the database: how many entries there are and the MAC of the last, so that a cut tail
shows. Knows nothing of entries (see `audit`).
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from securewatch.core.errors import Refused

HEAD_NAME = "audit.head"
GENESIS = "0" * 64
"""What stands for the MAC before the first entry."""
_TRIES_MAX = 100
_TRY_SECONDS = 0.001


@dataclass(frozen=True)
class Head:
    """`count` entries, the last of which has the MAC `mac` (64 hex digits; zeros of none)."""

    count: int
    mac: str


def read_head(path: Path) -> Head | None:
    """The head that was written last; None where there is no file. Raises Refused (SW701) where it cannot be read."""
    try:
        raw = json.loads(path.read_bytes())
        return Head(int(raw["count"]), str(raw["mac"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(
            "SW701",
            f"the head of the audit log, {path}, cannot be read",
            why=type(error).__name__,
            fix="compare the last release summary with `securewatch audit verify`",
        ) from error


def write_head(path: Path, head: Head) -> bool:
    """Write the head by rename unless a higher count stands there; says whether it was written.

    A side file keeps two processes from passing each other. When it stays locked for 0.1 s (its holder is frozen)
    nothing is written: the next head will be higher. Raises OSError.
    """
    with _guard(path.with_name(f".{path.name}.lock")) as has_lock:
        if not has_lock or _count_at(path) > head.count:
            return False
        temporary = path.with_name(f".{path.name}.new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(json.dumps({"count": head.count, "mac": head.mac}) + "\n")
            file.flush()
            os.fdatasync(file.fileno())
        temporary.replace(path)
        return True


def _count_at(path: Path) -> int:
    try:
        standing = read_head(path)
    except Refused:
        return -1
    return standing.count if standing else -1


@contextmanager
def _guard(path: Path) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    for _ in range(_TRIES_MAX):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            threading.Event().wait(_TRY_SECONDS)
        else:
            return True
    return False
