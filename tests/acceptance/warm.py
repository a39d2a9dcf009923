"""A warm process that forks one child a command line, so that a command of a test costs no start of Python.

It is no place for tests of the start itself: those run the program.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CALLER = Path(__file__).with_name("warm_caller.py")
READ_AT_START = ("PYTHON", "TZ", "LC_", "LANG")


def may_be_warm(environ: Mapping[str, str]) -> bool:
    """Whether a command with this environment may be forked: what Python reads at its start asks for a real one."""
    names = {name for name in {*environ, *os.environ} if name.startswith(READ_AT_START)}
    return all(environ.get(name) == os.environ.get(name) for name in names)


@cache
def warm_command() -> tuple[str, ...]:
    """The words that stand for the program in front of a command line. The warm process ends with this one."""
    folder = tempfile.mkdtemp(prefix="securewatch-warm-")
    path = f"{folder}/calls"
    words = [sys.executable, "-m", "tests.acceptance.warm_process", path]
    process = subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"warm\n"

    atexit.register(shutil.rmtree, folder)
    atexit.register(process.wait, 10)
    atexit.register(process.stdin.close)
    return (sys.executable, "-I", "-S", str(CALLER), path)
