"""Downloads one export from where Render keeps it: into a file of the owner's alone, whole or not at all.

The address needs no key and gets none; it gives the data to whoever has it, so it stands in no message. Not for
Render's API, which is `client.py`. What the network takes is real time.
"""

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx2
from pydantic import SecretStr

from securewatch.core.address import is_loopback
from securewatch.core.errors import UsageError
from securewatch.render.errors import NotTheAPI, RenderFailed, RenderUnreachable, RequestRejected

PIECE_BYTES = 1 << 18
STALL_SECONDS = 60.0
"""A download ends without success when nothing comes for so long; as a whole it may take as long as it takes."""
REDIRECTS_MAX = 3
_BROKEN = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, TimeoutError, OSError)


async def download(url: SecretStr, file: Path, *, progress: Callable[[int], None] | None = None) -> int:
    """Write what is at `url` to `file`, which must not be there yet, with mode 0600; how many bytes it has.

    `progress` hears of the bytes so far. Raises UsageError (SW201) where the file cannot be written, RenderUnreachable
    where the download breaks off, NotTheAPI for an address without TLS, RenderFailed or RequestRejected for a refusal.
    """
    refuse_unusable(file)
    partial = file.with_name(f".{file.name}.part")
    with _writing(file):
        handle = _create(partial)
    try:
        with handle:
            count = await _copy(url, handle, file, progress)
        with _writing(file):
            partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return count


def refuse_unusable(file: Path) -> None:
    """Raise UsageError (SW201) where something has that name already, or where there is no folder for it."""
    if os.path.lexists(file):
        raise UsageError(
            "SW201", f"{file} is there already", why="a download writes over nothing", fix="name a file that is not"
        )
    if not file.parent.is_dir():
        raise UsageError(
            "SW201", f"{file} cannot be written", why=f"there is no folder {file.parent}", fix="name one that is there"
        )


async def _copy(url: SecretStr, handle: BinaryIO, file: Path, progress: Callable[[int], None] | None) -> int:
    count = 0
    try:
        async with _client(url) as client, client.stream("GET", url.get_secret_value()) as response:
            _check_status(response.status_code)
            async for piece in response.aiter_bytes(PIECE_BYTES):
                with _writing(file):
                    count += await asyncio.to_thread(handle.write, piece)
                if progress is not None:
                    progress(count)
    except _BROKEN as error:
        what = f"the download of the export broke off after {count:,} bytes"
        raise RenderUnreachable(what, why=type(error).__name__, fix="run it again; nothing was kept") from None
    with _writing(file):
        handle.flush()
        await asyncio.to_thread(os.fsync, handle.fileno())
    return count


def _client(url: SecretStr) -> httpx2.AsyncClient:
    """A client for this one address. A loopback platform is asked directly, whatever proxy the environment names."""
    parsed = httpx2.URL(url.get_secret_value())
    is_plain = parsed.scheme == "http" and is_loopback(parsed.host)
    return httpx2.AsyncClient(
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else httpx2.create_ssl_context(),
        trust_env=not is_loopback(parsed.host),
        follow_redirects=True,
        max_redirects=REDIRECTS_MAX,
        timeout=httpx2.Timeout(STALL_SECONDS, connect=10.0),
        headers={"Accept-Encoding": "identity", "User-Agent": "securewatch-render"},
        event_hooks={"request": [_check_scheme]},
    )


async def _check_scheme(request: httpx2.Request) -> None:
    """Called before each request, those that follow a redirect too."""
    if request.url.scheme != "https" and not is_loopback(request.url.host):
        raise NotTheAPI(
            "the export is not downloaded", why="its address is not https", fix="download it in Render's dashboard"
        )


def _check_status(status: int) -> None:
    if status >= 500:
        raise RenderFailed(f"Render answered {status} to the download of the export")
    if status != 200:
        raise RequestRejected(
            f"Render answered {status} to the download of the export",
            status=status,
            why="the address that Render gave for it does not lead to it",
            fix="run it again, which asks Render for the address anew",
        )


def _create(path: Path) -> BinaryIO:
    """A new file that only its owner may read; one of the same name that a run before left is removed."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            "SW201",
            f"{file} cannot be written",
            why=error.strerror or type(error).__name__,
            fix="give a file in a folder that is there, may be written and has room for it",
        ) from error
