"""The lock of the one process that may decide and send. The kernel releases it when that process dies."""

import fcntl
import os
import threading
from datetime import datetime
from pathlib import Path

from securewatch.core.errors import Conflict, Refused

_TRIES = 5
_TRY_SECONDS = 0.002
"""`holder` of another process takes the lock for an instant to see whether it is free; a few tries outlast that."""


class ControllerLock:
    """An exclusive file lock; the file says who holds it. Child programs do not inherit it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def try_acquire(self, holder: str, *, since: datetime | None = None) -> bool:
        """Take the lock for `holder`, a command as people know it; False where somebody else has it.

        Raises Refused (SW702) where the lock file cannot be used.
        """
        if self._descriptor is not None:
            return True
        descriptor = self._open()
        if not _lock(descriptor, fcntl.LOCK_EX):
            os.close(descriptor)
            return False
        until_now = f", since {since.isoformat(timespec='seconds')}" if since else ""
        words = f"{holder} (pid {os.getpid()}{until_now})"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, words.encode("utf-8", "backslashreplace"), 0)
        self._descriptor = descriptor
        return True

    def acquire(self, holder: str, *, since: datetime | None = None) -> None:
        """Like `try_acquire`, for who cannot follow: raises Conflict (SW411) naming the process that has the lock."""
        if self.try_acquire(holder, since=since):
            return
        raise Conflict(
            "SW411",
            "another process holds the controller lock",
            why=f"it is held by {self.holder() or 'a process that has just ended'}",
            fix="wait until it ends, or end that one process by its id",
        )

    def release(self) -> None:
        """Give the lock back; nothing where it is not held."""
        if self._descriptor is None:
            return
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None

    def holder(self) -> str | None:
        """Who holds the lock now, in words; None where nobody does."""
        if self._descriptor is None and not self.path.exists():
            return None
        descriptor = self._open()
        try:
            if self._descriptor is None and _lock(descriptor, fcntl.LOCK_SH):
                return None
            return os.pread(descriptor, 1000, 0).decode("utf-8", "replace") or "a process that does not say its name"
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Refused(
                "SW702",
                f"the controller lock {self.path} cannot be used",
                why=error.strerror or "",
                fix="make its folder writable for this user",
            ) from error


def _lock(descriptor: int, kind: int) -> bool:
    for attempt in range(_TRIES):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if kind == fcntl.LOCK_EX and attempt < _TRIES - 1:
                threading.Event().wait(_TRY_SECONDS)
        else:
            return True
    return False
