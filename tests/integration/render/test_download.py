"""Downloading an export over real connections: whole or not at all, for the owner alone, its address in no message."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from securewatch.core.errors import SecurewatchError, UsageError
from securewatch.render.download import download
from securewatch.render.errors import NotTheAPI, RenderFailed, RenderUnreachable, RequestRejected
from tests.integration.render.server import Script, answering, raw, reset, serving

BODY = bytes(range(256)) * 5000
TOKEN = "canary-token-81c2"


def address_of(base_url: str) -> SecretStr:
    return SecretStr(f"{base_url.removesuffix('/v1')}/exports/{TOKEN}/x.dir.tar.gz")


async def test_an_export_comes_whole_into_a_file_of_the_owners_alone(tmp_path: Path) -> None:
    file, heard = tmp_path / "x.tar.gz", list[int]()

    async with serving(answering("200 OK", BODY)) as server:
        count = await download(address_of(server.base_url), file, progress=heard.append)

    assert (count, heard[-1], file.read_bytes() == BODY) == (len(BODY), len(BODY), True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert "authorization" not in server.requests[0].lower()


BROKEN: list[tuple[str, Script, type[SecurewatchError]]] = [
    ("reset", reset, RenderUnreachable),
    ("cut", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nabc"), RenderUnreachable),
    ("no HTTP", raw(b"SSH-2.0-OpenSSH_9.9\r\n"), RenderUnreachable),
    ("lapsed", answering("403 Forbidden", b"<Error/>"), RequestRejected),
    ("gone", answering("404 Not Found", b"{}"), RequestRejected),
    ("failing", answering("503 Service Unavailable", b""), RenderFailed),
    ("part of it", answering("206 Partial Content", b"abc"), RequestRejected),
    ("elsewhere in clear", answering("302 Found", b"", "Location: http://backups.test/x"), NotTheAPI),
]


@pytest.mark.parametrize(("script", "expected"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN])
async def test_what_does_not_come_whole_leaves_no_file(
    script: Script, expected: type[SecurewatchError], tmp_path: Path
) -> None:
    async with serving(script) as server:
        with pytest.raises(expected) as caught:
            await download(address_of(server.base_url), tmp_path / "x.tar.gz")

    assert list(tmp_path.iterdir()) == []
    assert TOKEN not in f"{caught.value.what} {caught.value.why} {caught.value.fix}"


async def test_a_redirect_on_this_machine_is_followed(tmp_path: Path) -> None:
    async with serving(answering("200 OK", b"abc")) as behind:
        moved = answering("302 Found", b"", f"Location: {address_of(behind.base_url).get_secret_value()}")
        async with serving(moved) as server:
            count = await download(address_of(server.base_url), tmp_path / "x.tar.gz")

    assert count == 3


async def test_redirects_have_an_end(tmp_path: Path) -> None:
    async with serving(answering("302 Found", b"", "Location: /again")) as server:
        with pytest.raises(RenderUnreachable):
            await download(address_of(server.base_url), tmp_path / "x.tar.gz")

    assert len(server.requests) == 4


async def test_an_address_in_clear_is_never_asked(tmp_path: Path) -> None:
    with pytest.raises(NotTheAPI, match="is not downloaded"):
        await download(SecretStr(f"http://backups.test/{TOKEN}"), tmp_path / "x.tar.gz")


async def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "x.tar.gz"
    file.symlink_to(tmp_path / "elsewhere")

    async with serving(answering("200 OK", BODY)) as server:
        with pytest.raises(UsageError, match="is there already"):
            await download(address_of(server.base_url), file)

    assert server.requests == []


async def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    async with serving(answering("200 OK", BODY)) as server:
        with pytest.raises(UsageError, match="cannot be written"):
            await download(address_of(server.base_url), tmp_path / "none" / "x.tar.gz")

    assert server.requests == []


async def test_what_a_run_before_left_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "x.tar.gz"
    (tmp_path / ".x.tar.gz.part").write_bytes(b"half")

    async with serving(answering("200 OK", b"abc")) as server:
        await download(address_of(server.base_url), file)

    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"abc", [file])
