"""Runs one customer's application: `python -I launch.py FOLDER [ARGUMENT...]` runs the package `app` in the folder.

The process lives only as long as its standard input stays open. Its parent holds the other end, so however the parent
ends, killed or not, nothing is left behind. Needs the standard library only.
"""

import errno
import os
import runpy
import sys
import threading

PORT_TAKEN = 98
"""The exit code when the application's port turned out to be taken."""


def main(arguments: list[str]) -> None:
    """Run the application; what it raises or exits with ends the process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.path.insert(0, arguments[0])
    sys.argv = ["app", *arguments[1:]]
    try:
        runpy.run_module("app", run_name="__main__", alter_sys=True)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(PORT_TAKEN)
        raise


def _end_with_parent() -> None:
    while os.read(0, 4096):
        continue
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
