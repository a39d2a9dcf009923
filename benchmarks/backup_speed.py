"""How fast a database is backed up and verified, beside `pg_dump | gzip` in the same run. It prints numbers.

    backup_speed.py [MEGABYTES]     a made database of about that size (default 100)

Both are done in turn, three times; the ratio of the medians says more than seconds. The peak of memory is of a process
that does nothing but one backup.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.keeper import open_server
from securewatch.backup.model import ArchiveKey
from securewatch.backup.place import Place
from securewatch.backup.programs import find_programs
from securewatch.backup.scratch import ScratchServer
from securewatch.backup.storage import Storage
from securewatch.backup.take import Taken, Wanted, take_backup
from securewatch.backup.verify import verify_backup
from securewatch.core.clock import RealClock

MEGABYTES, RUNS, ROWS_PER_MEGABYTE = 100, 3, 2700
FILL = """
CREATE TABLE orders AS SELECT n AS id, 'customer ' || n % 1000 AS customer, now() - n * interval '1 s' AS created_at,
    (n::bigint * 7919 % 100000) / 100.0 AS total, md5(n::text) || md5('x' || n) AS token,
    'Some words that come again and again, as words in columns do: ' || n % 100 || repeat(' and so on', 12) AS note
    FROM generate_series(1, %s) n
"""


async def main(arguments: list[str]) -> int:
    """Measure; with `--once URL FOLDER` only take one backup and print this process's peak of memory in kB."""
    if arguments[:1] == ["--once"]:
        await take(arguments[1], Path(arguments[2]))
        print(peak_kilobytes("self"))
        return 0
    megabytes = int(arguments[0]) if arguments else MEGABYTES
    async with filled_server(megabytes) as url:
        with tempfile.TemporaryDirectory() as kept:
            await measure(url, Path(kept))
    return 0


@asynccontextmanager
async def filled_server(megabytes: int) -> AsyncIterator[str]:
    """A server of our own with a made database in it; gives its address."""
    async with open_server() as folder:
        url = f"host={folder} user=postgres dbname=postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILL.replace("%s", str(megabytes * ROWS_PER_MEGABYTE)).encode())
            connection.execute("VACUUM ANALYZE orders")
        yield url


async def measure(url: str, kept: Path) -> None:
    """Take and dump in turn, then verify once, and print."""
    pairs = [(await take(url, kept), piped(url, kept / "yardstick.gz")) for _ in range(RUNS)]
    taken = pairs[0][0]
    ours = statistics.median(taken.seconds for taken, _ in pairs)
    yardstick = statistics.median(seconds for _, seconds in pairs)
    megabytes = taken.trailer.database_bytes / 1e6
    once = [sys.executable, __file__, "--once", url, str(kept)]
    peak = int(subprocess.run(once, check=True, capture_output=True, text=True).stdout)
    began = time.perf_counter()
    restored = await verify_backup(taken.name, place(kept), ScratchServer(), customer="acme-corp")
    verified = time.perf_counter() - began
    rows = sum(one.rows for one in taken.trailer.tables)
    stored, piped_bytes = taken.stored_bytes / 1e6, (kept / "yardstick.gz").stat().st_size / 1e6
    print(f"database          {megabytes:7.0f} MB      ({rows:,} rows)")
    print(f"backup            {ours:7.2f} s       ({megabytes / ours:.0f} MB/s, {stored:.1f} MB stored)")
    print(f"pg_dump | gzip    {yardstick:7.2f} s       ({megabytes / yardstick:.0f} MB/s, {piped_bytes:.1f} MB stored)")
    print(f"throughput ratio  {yardstick / ours:7.2f}         (medians of {RUNS}; above 1, ours is faster)")
    print(f"peak memory       {peak / 1024:7.0f} MB      (of our process, the programs of PostgreSQL apart)")
    differences = len(restored.differences)
    print(f"restore           {restored.seconds:7.2f} s       (of {verified:.2f} s in all; {differences} differences)")


def place(kept: Path) -> Place:
    """Where the backups are kept."""
    return Place(Storage(kept), ArchiveKey("bench", bytes(32)), RealClock())


async def take(url: str, kept: Path) -> Taken:
    """One backup."""
    return await take_backup(Wanted("acme-corp", "v1.0.0", DatabaseAddress(url)), place(kept))


def piped(url: str, target: Path) -> float:
    """How many seconds `pg_dump | gzip` takes, with the same pg_dump and into a file as well."""
    program = list(find_programs(None))[-1].pg_dump
    began = time.perf_counter()
    with target.open("wb") as file:
        dump = subprocess.Popen([program, url], stdout=subprocess.PIPE)
        subprocess.run(["gzip"], stdin=dump.stdout, stdout=file, check=True)
        os.fsync(file.fileno())
    assert dump.wait() == 0
    return time.perf_counter() - began


def peak_kilobytes(process: str) -> int:
    """The most memory that a process has had, in kB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
