"""Keeps archives in a folder or behind any fsspec URL (`s3://bucket/backups`). Knows nothing of what is in them.

An archive is written under a name that says it is unfinished and gets its own name at the end, so what has a proper
name is whole. fsspec works synchronously; every call runs in a thread, one piece at a time.
"""

import asyncio
import errno
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from securewatch.config.address import masked_url
from securewatch.core.errors import ConfigError, NotFound, Retryable
from securewatch.core.ids import is_safe_id

READ_BYTES = 1 << 20
_PARTIAL = ".partial"
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<customer>[A-Za-z0-9][A-Za-z0-9_-]*)/(?P<stamp>\d{8}T\d{6}Z)-[0-9a-f]{8}\.swbackup")
_NO_SPACE = {errno.ENOSPC: "no space is left", errno.EDQUOT: "the quota is used up", errno.EROFS: "it is read-only"}
T = TypeVar("T")


@dataclass(frozen=True)
class Stored:
    """One archive: `customer/20261126T171500Z-1a2b3c4d.swbackup`, its size in bytes, and when it was begun."""

    name: str
    customer: str
    begun_at: datetime
    bytes: int


def make_name(customer: str, at: datetime, mark: str) -> str:
    """The name of a new archive. `mark` is 8 hex digits, so that two of one second differ. Raises ValueError."""
    name = f"{customer}/{at.astimezone(UTC).strftime(_STAMP)}-{mark}.swbackup"
    if not is_safe_id(customer) or not _NAME.fullmatch(name):
        raise ValueError("a backup needs a customer's slug and 8 hex digits")
    return name


class Storage:
    """The archives at one place.

    Every call raises Retryable (SW607) where the place fails. Raises ConfigError (SW109) for a URL that nothing knows.
    """

    def __init__(self, location: str | Path) -> None:
        self._location = str(location)
        try:
            self._fs, root = fsspec.core.url_to_fs(self._location)
        except (ValueError, ImportError, OSError) as error:
            raise ConfigError(
                "SW109",
                f"the place for backups {self.shown} has an unusable value",
                why=f"accepted: a folder, or a URL of fsspec whose package is installed ({type(error).__name__})",
                fix="name a folder, or install what the URL needs (s3fs for s3://)",
            ) from error
        self._root = str(root).rstrip("/")
        self._is_local = isinstance(self._fs, LocalFileSystem)

    def __repr__(self) -> str:
        return f"Storage({self.shown!r})"

    @property
    def shown(self) -> str:
        """The place, without a password."""
        return masked_url(self._location)

    async def save(self, name: str, pieces: AsyncIterator[bytes]) -> int:
        """Write an archive from its pieces; how many bytes it has. What `pieces` raises goes on, and nothing stays."""
        final = self._path(name)
        partial = final + _PARTIAL
        file = await self._call(self._create, partial)
        try:
            count = 0
            try:
                async for piece in pieces:
                    count += await self._call(file.write, piece)
            finally:
                await self._call(self._close, file)
            await self._call(self._rename, partial, final)
        except BaseException:
            with suppress(Retryable):
                await self._call(self._remove, partial)
            raise
        return count

    async def read(self, name: str) -> AsyncGenerator[bytes]:
        """An archive, piece by piece. Raises NotFound (SW206) where there is none of that name."""
        path = self._path(name)
        file = await self._call(self._open, path)
        if file is None:
            raise NotFound("SW206", f"there is no backup {name}", why=f"not at {self.shown}")
        try:
            while piece := await self._call(file.read, READ_BYTES):
                yield piece
        finally:
            await self._call(file.close)

    async def find(self, customer: str) -> tuple[Stored, ...]:
        """The customer's archives, the newest first. Unfinished ones are none."""
        found = await self._call(self._list, customer)
        return tuple(
            sorted((one for one in found if not one.name.endswith(_PARTIAL)), key=lambda one: one.name, reverse=True)
        )

    async def delete(self, name: str) -> None:
        """Remove an archive; one that is not there is no error."""
        path = self._path(name)
        await self._call(self._remove, path)

    async def remove_leftovers(self, customer: str, *, begun_before: datetime) -> tuple[str, ...]:
        """Remove what killed writes have left; their names. Name an instant before any write that may still go on."""
        found = await self._call(self._list, customer)
        left = [one.name for one in found if one.name.endswith(_PARTIAL) and one.begun_at < begun_before]
        for name in left:
            await self._call(self._remove, f"{self._root}/{name}")
        return tuple(left)

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise NotFound("SW206", "there is no backup of that name", why="a name is CUSTOMER/TIME-MARK.swbackup")
        return f"{self._root}/{name}"

    def _create(self, path: str) -> IO[bytes]:
        folder = path.rpartition("/")[0]
        if self._is_local:
            for one in (Path(folder).parent, Path(folder)):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        else:
            self._fs.makedirs(folder, exist_ok=True)
        file: IO[bytes] = self._fs.open(path, "wb")
        return file

    def _open(self, path: str) -> IO[bytes] | None:
        try:
            file: IO[bytes] = self._fs.open(path, "rb")
        except FileNotFoundError:
            return None
        return file

    def _close(self, file: IO[bytes]) -> None:
        try:
            if self._is_local:
                file.flush()
                os.fsync(file.fileno())
        finally:
            file.close()

    def _rename(self, partial: str, final: str) -> None:
        self._fs.mv(partial, final)
        if self._is_local:
            folder = os.open(os.path.dirname(final), os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._fs.rm_file(path)

    def _list(self, customer: str) -> list[Stored]:
        self._fs.invalidate_cache()
        try:
            entries = self._fs.ls(f"{self._root}/{customer}", detail=True)
        except FileNotFoundError:
            return []
        found = []
        for entry in entries:
            name = "/".join(str(entry["name"]).rsplit("/", 2)[-2:])
            parts = _NAME.fullmatch(name.removesuffix(_PARTIAL))
            if parts and entry["type"] == "file":
                begun_at = datetime.strptime(parts["stamp"], _STAMP).replace(tzinfo=UTC)
                found.append(Stored(name, customer, begun_at, int(entry["size"] or 0)))
        return found

    async def _call(self, work: Callable[..., T], *arguments: object) -> T:
        """Work in a thread. When cancelled, wait for it first: nothing else may touch the file meanwhile."""
        task = asyncio.create_task(asyncio.to_thread(work, *arguments))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> Retryable:
        why = _NO_SPACE.get(error.errno or 0) or (os.strerror(error.errno) if error.errno else type(error).__name__)
        return Retryable(
            "SW607",
            f"the place for backups {self.shown} failed",
            why=why,
            fix="see that it is there, may be written and has space, then try again",
        )
