"""Where the demo plays: a platform with eight customers, a fresh installation, and the program's commands as processes.

Knows nothing of the story. What it starts it ends, and its files are in temporary folders that go with it.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from localrender.fleet import write_config
from localrender.seed import Customer
from localrender.serve import Running, Wanted, running
from securewatch.config.settings import load_settings
from securewatch.deps import Deps

RATE = 300.0
"""Product seconds a real second, while something moves; idle time is jumped over."""
DATABASE_RATE = 60.0
"""The same where real databases are dumped and restored, which takes real seconds."""
PROBES = {"dense_interval": "1_hour", "sparse_interval": "1_hour"}
"""Verified customers are looked at each hour, so that weeks of watching fit into a minute."""
MORE_CUSTOMERS = tuple(
    Customer(slug, f"srv-{slug}-backend", f"srv-{slug}-frontend", f"dpg-{slug}-a", f"{slug}.securewatch.com", policy)
    for slug, policy in (("brightlabs", "startup"), ("cloudnine", "startup"), ("northwind", "standard"))
)
"""Beside the five of the sample, so that there are batches to see."""
END_SECONDS = 10.0
_PROJECT = Path(__file__).resolve().parents[2]
_PROGRAM = (sys.executable, "-m", "securewatch")
_OURS = ("SECUREWATCH_", "RENDER_")


class Unexpected(Exception):
    """Something did not come out as the story must; the message is one line."""


@dataclass(frozen=True)
class Stage:
    """A platform and an installation in `folder` (`config` and, made by the product, `.securewatch`)."""

    platform: Running
    folder: Path

    def deps(self, actor: str) -> Deps:
        """The product's parts as one person's command would make them."""
        return Deps(load_settings({}, self.folder, {**self.platform.environment(), "SECUREWATCH_ACTOR": actor}))

    async def command(
        self, *words: str, actor: str = "robin", shows: bool = True, only: Sequence[str] = (), code: int = 0
    ) -> str:
        """Run one command to its end, printing it and what it says line by line; gives the last line.

        With `shows` false only the last line is printed, with `only` the lines that hold one of these.

        Raises:
            Unexpected: it did not end with exit code `code`.
        """
        shown = f"$ {f'SECUREWATCH_ACTOR={actor} ' if actor != 'robin' else ''}securewatch {_spelt(words)}"
        print(f"\n{shown}", flush=True)
        last = ""
        async with self._process(*words, actor=actor, output=asyncio.subprocess.PIPE) as process:
            assert process.stdout is not None
            async for line in process.stdout:
                last = line.decode().rstrip()
                if shows and (not only or any(part in last for part in only)):
                    print(last, flush=True)
            found = await process.wait()
        if not shows:
            print(last, flush=True)
        if found != code:
            raise Unexpected(f"`{shown[2:]}` ended with exit code {found}: {last or 'no word'}")
        return last

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """`securewatch serve` while the block runs."""
        with (self.folder / "serve.log").open("wb") as log:
            async with self._process("serve", actor="robin", output=log.fileno()) as process:
                yield process

    async def look(self, page: str = "state") -> Any:
        """What the platform itself has on record: every service with all its deploys, or another page of its."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.platform.base_url.removesuffix('/v1')}/admin/{page}", timeout=30)
        return answer.raise_for_status().json()

    @contextlib.asynccontextmanager
    async def _process(self, *words: str, actor: str, output: int) -> AsyncIterator[asyncio.subprocess.Process]:
        """One process of the program, ended whatever happens."""
        process = await asyncio.create_subprocess_exec(
            *_PROGRAM,
            *words,
            cwd=self.folder,
            env=_clean_environment() | self.platform.environment() | {"SECUREWATCH_ACTOR": actor},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            await asyncio.shield(_end(process))


@contextlib.asynccontextmanager
async def stage(*, databases: bool = False) -> AsyncIterator[Stage]:
    """A stage while the block runs; at its end every process is ended and every file removed.

    With `databases` the five customers of the sample have a real database each, their applications are processes, and
    the vendor's releases with migrations are there too.

    Raises:
        What `localrender.cli.CANNOT_START` names.
    """
    with tempfile.TemporaryDirectory(prefix="securewatch-demo-") as name:
        folder = Path(name)
        config = write_config(_PROJECT / "config", folder / "config", () if databases else MORE_CUSTOMERS)
        (config / "securewatch.json").write_text(json.dumps({"probe": PROBES}, indent=2), encoding="utf-8")
        wanted = Wanted(
            rate=DATABASE_RATE if databases else RATE,
            config_folder=config,
            processes=databases,
            databases=databases,
            migrations=databases,
        )
        async with running(wanted) as platform:
            yield Stage(platform, folder)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and make it end where it does not."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


def _clean_environment() -> dict[str, str]:
    """This process's environment without what the product reads; on a terminal its commands print as on one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    if sys.stdout.isatty() and "NO_COLOR" not in kept:
        kept |= {"FORCE_COLOR": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}
    return kept


def claim(holds: bool, otherwise: str) -> None:
    """Raise Unexpected with the words unless it holds."""
    if not holds:
        raise Unexpected(otherwise)


def title(text: str) -> None:
    """Begin an act."""
    print(f"\n=== {text} ===", flush=True)


def _spelt(words: tuple[str, ...]) -> str:
    return " ".join(f'"{word}"' if " " in word else word for word in words)
