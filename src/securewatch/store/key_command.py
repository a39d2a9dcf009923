"""Runs the command that prints the encryption key. The one file of the store that starts programs; shows no output."""

import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress

from securewatch.store.box import unusable_key

COMMAND_SECONDS = 30.0
"""Real seconds that the command may take."""
_OUTPUT_MAX = 4096
_READ_BYTES = 1024


def output_of(
    command: str, *, source: str, environ: Mapping[str, str], timeout_seconds: float = COMMAND_SECONDS
) -> str:
    """What the command prints, started without a shell and ended after `timeout_seconds` (real) with all it started.

    `source` is what a person set. Raises ConfigError (SW107) where it fails; neither command nor output is shown.
    """
    words = _words(command, source)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise unusable_key(
            source, f"its command cannot be started ({type(error).__name__})"
        ) from None  # it names the program
    ends_at = time.monotonic() + timeout_seconds
    try:
        output = _read(process, ends_at)
        code = process.wait(max(ends_at - time.monotonic(), 0.0)) if output is not None else None
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _end(process)
    if output is None or code is None:
        raise unusable_key(source, f"its command was not done after {timeout_seconds:g} s, or printed far too much")
    if code != 0:
        raise unusable_key(source, f"its command ended with the exit code {code}; try it in a shell")
    return output.decode("ascii", "replace")


def _words(command: str, source: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise unusable_key(source, "a quotation mark of its command has no partner") from error
    if not words:
        raise unusable_key(source, "it names no command")
    return words


def _read(process: "subprocess.Popen[bytes]", ends_at: float) -> bytes | None:
    """All that is printed until the end; None where the time or the room is up."""
    assert process.stdout is not None
    found = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(ends_at - time.monotonic(), 0.0)):
            part = os.read(process.stdout.fileno(), _READ_BYTES)
            if not part:
                return found
            found += part
            if len(found) > _OUTPUT_MAX:
                return None
    return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what still runs of a command that was not done, and what it started."""
    if process.stdout is not None:
        process.stdout.close()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
