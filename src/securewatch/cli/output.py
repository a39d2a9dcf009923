"""The program's own streams: text that they cannot encode, and what becomes of a command that cannot write to them."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from securewatch.core.errors import ExitCode


class OutputLost(Exception):
    """Standard output or error takes no more; no error of any other file."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.strerror)
        self.is_reader_gone = isinstance(cause, BrokenPipeError)


@contextmanager
def guarded() -> Iterator[None]:
    """Let both streams show `?` for what they cannot encode, and raise OutputLost where they cannot be written."""
    plain = sys.stdout, sys.stderr
    for stream in plain:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.stdout, sys.stderr = (cast("TextIO", _Guarded(stream)) for stream in plain)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = plain


def end(lost: OutputLost) -> int:
    """Say in one line that output is lost; a reader who went away (`| head`) is no failure and is told nothing."""
    with suppress(OutputLost):
        if not lost.is_reader_gone:
            print(f"the output cannot be written: {lost}", file=sys.stderr, flush=True)
    _discard_the_rest()
    return int(ExitCode.DONE if lost.is_reader_gone else ExitCode.FAILED)


class _Guarded:
    """A stream whose failures can be told from those of every other file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputLost(error) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputLost(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _discard_the_rest() -> None:
    """Point broken streams nowhere, so that Python's own last flush has nothing to complain of."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OutputLost:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
