"""The warm process: forks one child for each call of `warm_caller.py`, and the child is the program. See `warm.py`."""

import contextlib
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
from pathlib import Path

import securewatch
from securewatch import __main__ as program
from securewatch.config.load import load_fleet

PROJECT = Path(__file__).resolve().parents[2]
LATE = ("alembic.command", "rich.console", "rich.live", "rich.table", "typer.rich_utils")
"""Libraries that are imported inside functions only."""


def main(path: str) -> None:
    """Import all that a command may import, make what is made at first use, then serve the calls at `path`."""
    for found in pkgutil.walk_packages(securewatch.__path__, "securewatch."):
        importlib.import_module(found.name)
    for name in LATE:
        importlib.import_module(name)
    load_fleet(PROJECT / "config")
    _serve(path)


def _serve(path: str) -> None:
    """Fork for each call until standard input ends."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    listening.listen(16)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a supervisor ended
    os.write(1, b"warm\n")
    while True:
        ready, _, _ = select.select([listening, 0], [], [])
        if 0 in ready:
            return
        line, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _supervise(line)
        line.close()


def _supervise(line: socket.socket) -> None:
    """Run one command in a child and tell how it ended; it is killed where the caller is gone first."""
    header, streams, _, _ = socket.recv_fds(line, 4, 3)
    rest = int.from_bytes(header, "big")
    with line.makefile("rb") as reader:
        words, folder, environ = json.loads(reader.read(rest))
    alive, held = os.pipe()
    child = os.fork()
    if child == 0:
        line.close()
        os.close(alive)
        _run(words, folder, environ, streams)
    os.close(held)
    for one in streams:
        os.close(one)
    line.sendall(child.to_bytes(4, "big"))
    ready, _, _ = select.select([line, alive], [], [])
    if alive not in ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        line.sendall(status.to_bytes(4, "big"))
    os._exit(0)


def _run(words: list[str], folder: str, environ: dict[str, str], streams: list[int]) -> None:
    """Be the program, from its first line to its exit code."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["securewatch", *words]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the rest of the process
    sys.stdout = open(1, "w", buffering=1 if os.isatty(1) else -1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    code: object = 1
    try:
        program.main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as Python itself ends
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main(sys.argv[1])
