"""How long `securewatch --help` takes, beside an empty Python measured in the same run. It prints numbers, no verdict.

The two are started in turn, so that a busy machine slows both; the ratio of the medians says more than milliseconds.
"""

import statistics
import subprocess
import sys
import time

RUNS = 20
EMPTY = (sys.executable, "-c", "pass")
HELP = (sys.executable, "-m", "securewatch", "--help")


def seconds_of(command: tuple[str, ...]) -> float:
    """How long a process takes from start to end. Raises CalledProcessError where it fails."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(arguments: list[str]) -> int:
    """Measure N times each (default 20) and print medians and ratio."""
    runs = int(arguments[0]) if arguments else RUNS
    pairs = [(seconds_of(EMPTY), seconds_of(HELP)) for _ in range(runs)]
    empty, shown = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
    print(f"python -c pass      {empty:6.0f} ms")
    print(f"securewatch --help  {shown:6.0f} ms")
    print(f"ratio               {shown / empty:6.1f}    (medians of {runs})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
