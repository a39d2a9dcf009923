"""The sealed file around a dump: AES-256-GCM over a header, chunks and a trailer. Pure bytes; knows no disk.

    SWBACKUP 1 | length, header (JSON, readable) | salt | records: length, sealed chunk ... | length, sealed trailer

Each file has a key of its own, derived from the archive key and the salt, so nonces can be plain counters. Every record
is bound to all that stands before the records, to its place, and to whether it is the last one. Whatever is changed,
cut, swapped, appended or from another file is refused (SW606).

A chunk is given out only once the record after it has been proved, and the last one once the trailer has: who reads
the whole dump knows that all of it is true before its last byte.
"""

import hashlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from securewatch.backup.model import KEY_BYTES, ArchiveKey, Header, TableFacts, Trailer
from securewatch.core.errors import Refused

CHUNK_BYTES = 1 << 20
_MAGIC = b"SWBACKUP\x01"
_HEADER_BYTES_MAX = 64 * 1024
_TRAILER_BYTES_MAX = 64 << 20
_SALT_BYTES, _TAG_BYTES, _LENGTH_BYTES = 32, 16, 4
_LAST = 1 << 31
"""The bit of a record's length that marks the trailer; the nonce has it too, so it cannot be set by others."""


class Sealer:
    """Makes one archive, piece by piece: `begin`, then `add` for every piece of the dump, then `finish`."""

    def __init__(self, key: ArchiveKey, header: Header) -> None:
        text = json.dumps(asdict(header), default=datetime.isoformat).encode()
        if len(text) > _HEADER_BYTES_MAX:
            raise ValueError("the header is too long")
        salt = os.urandom(_SALT_BYTES)
        self._preamble = _MAGIC + len(text).to_bytes(_LENGTH_BYTES) + text + salt
        self._records = _Records(key, self._preamble, salt)
        self._rest = bytearray()
        self._digest, self._bytes = hashlib.sha256(), 0

    @property
    def dump_bytes(self) -> int:
        """How much of the dump there was so far."""
        return self._bytes

    @property
    def dump_sha256(self) -> str:
        """The SHA-256 of the dump so far, in hex."""
        return self._digest.hexdigest()

    def begin(self) -> bytes:
        """The first bytes of the archive."""
        return self._preamble

    def add(self, piece: bytes) -> bytes:
        """The next bytes of the archive; often none, since a chunk must be full first."""
        self._digest.update(piece)
        self._bytes += len(piece)
        self._rest += piece
        sealed = []
        while len(self._rest) >= CHUNK_BYTES:
            sealed.append(self._records.seal(bytes(self._rest[:CHUNK_BYTES]), is_last=False))
            del self._rest[:CHUNK_BYTES]
        return b"".join(sealed)

    def finish(self, trailer: Trailer) -> bytes:
        """The last bytes of the archive."""
        chunk = self._records.seal(bytes(self._rest), is_last=False) if self._rest else b""
        return chunk + self._records.seal(json.dumps(asdict(trailer)).encode(), is_last=True)


class OpenArchive:
    """One archive being read. Made by `open_archive`; `trailer` is there once all of `dump` has been read."""

    def __init__(self, header: Header, records: "_Records", source: "_Source") -> None:
        self.header = header
        self._records, self._source = records, source
        self._trailer: Trailer | None = None

    @property
    def trailer(self) -> Trailer:
        """What the dump must be. Raises RuntimeError before the whole dump was read."""
        if self._trailer is None:
            raise RuntimeError("the dump has not been read to its end")
        return self._trailer

    async def dump(self) -> AsyncGenerator[bytes]:
        """The dump, chunk by chunk, once. Raises Refused (SW606) before its last chunk where anything is wrong."""
        digest, count, held = hashlib.sha256(), 0, b""
        while True:
            plain, is_last = await self._record()
            if is_last:
                break
            if held:
                yield held
            digest.update(plain)
            count, held = count + len(plain), plain
        if await self._source.read_up_to(1):
            raise damaged("something follows its end")
        trailer = _read_trailer(plain)
        if (count, digest.hexdigest()) != (trailer.dump_bytes, trailer.dump_sha256):
            raise damaged("its contents are not what was dumped")
        self._trailer = trailer
        if held:
            yield held

    async def _record(self) -> tuple[bytes, bool]:
        length = int.from_bytes(await self._source.read(_LENGTH_BYTES))
        is_last, length = bool(length & _LAST), length & ~_LAST
        if not _TAG_BYTES <= length <= (_TRAILER_BYTES_MAX if is_last else CHUNK_BYTES) + _TAG_BYTES:
            raise damaged("a part of it has an impossible length")
        return self._records.open(await self._source.read(length), is_last=is_last), is_last


async def read_header(sealed: AsyncIterator[bytes]) -> Header:
    """What an archive says of itself; not proved, since that takes the key. Raises Refused (SW606)."""
    header, _, _ = await _read_preamble(_Source(sealed))
    return header


async def open_archive(sealed: AsyncIterator[bytes], key: ArchiveKey, *, customer: str) -> OpenArchive:
    """Begin to read an archive of that customer. Raises Refused (SW606) for another's, and for one of another key."""
    source = _Source(sealed)
    header, preamble, salt = await _read_preamble(source)
    if header.customer != customer:
        raise damaged(f"it is a backup of {header.customer}, not of {customer}")
    if header.key_id != key.key_id:
        raise damaged(f"it was sealed with the key {header.key_id}, and the key here is {key.key_id}")
    return OpenArchive(header, _Records(key, preamble, salt), source)


def damaged(why: str) -> Refused:
    """The error (SW606) of an archive that is not whole, or not ours."""
    return Refused(
        "SW606",
        "this backup is damaged, cut or foreign",
        why=why,
        fix="use another backup of this customer; never rely on this one",
    )


class _Records:
    """Seals and opens the records of one file, in order."""

    def __init__(self, key: ArchiveKey, preamble: bytes, salt: bytes) -> None:
        derived = HKDF(SHA256(), KEY_BYTES, salt, b"securewatch database backup").derive(key.key)
        self._sealing = AESGCM(derived)
        self._bound = hashlib.sha256(preamble).digest()
        self._count = 0

    def seal(self, plain: bytes, *, is_last: bool) -> bytes:
        sealed = self._sealing.encrypt(self._nonce(is_last), plain, self._bound)
        return (len(sealed) | (_LAST if is_last else 0)).to_bytes(_LENGTH_BYTES) + sealed

    def open(self, sealed: bytes, *, is_last: bool) -> bytes:
        try:
            return self._sealing.decrypt(self._nonce(is_last), sealed, self._bound)
        except InvalidTag as error:
            raise damaged("a part of it was changed, moved or sealed with another key") from error

    def _nonce(self, is_last: bool) -> bytes:
        self._count += 1
        return self._count.to_bytes(11) + bytes([is_last])


class _Source:
    """Reads exact lengths from pieces of any length, and holds no more than is asked for and one piece."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = bytearray()

    async def read(self, length: int) -> bytes:
        found = await self.read_up_to(length)
        if len(found) < length:
            raise damaged("it ends too early")
        return found

    async def read_up_to(self, length: int) -> bytes:
        while len(self._rest) < length:
            piece = await anext(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        found = bytes(self._rest[:length])
        del self._rest[:length]
        return found


async def _read_preamble(source: _Source) -> tuple[Header, bytes, bytes]:
    """The header, all bytes before the records, and the salt."""
    if await source.read_up_to(len(_MAGIC)) != _MAGIC:
        raise damaged("it is no backup of this tool, or of a newer version of it")
    length = await source.read(_LENGTH_BYTES)
    if int.from_bytes(length) > _HEADER_BYTES_MAX:
        raise damaged("its header has an impossible length")
    text, salt = await source.read(int.from_bytes(length)), await source.read(_SALT_BYTES)
    try:
        raw = json.loads(text)
        raw |= {name: datetime.fromisoformat(raw[name]) for name in ("taken_at", "server_at")}
        header = Header(**{**raw, "extensions": tuple(raw["extensions"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged("its header cannot be read") from error
    return header, _MAGIC + length + text + salt, salt


def _read_trailer(plain: bytes) -> Trailer:
    """The trailer of sealed, and so of our own, making."""
    raw = json.loads(plain)
    tables = tuple(TableFacts(**one) for one in raw.pop("tables"))
    unchecked = tuple(raw.pop("unchecked"))
    return Trailer(**raw, tables=tables, unchecked=unchecked)
