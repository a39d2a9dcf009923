"""The sealed file: what goes in comes out, and whatever was done to it in between is refused."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securewatch.backup.archive import CHUNK_BYTES, Sealer, open_archive, read_header
from securewatch.backup.model import ArchiveKey, Header, TableFacts, Trailer
from securewatch.core.errors import Refused

KEY = ArchiveKey("key-1", bytes(range(32)))
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
HEADER = Header("key-1", "acme-corp", "v1.0.0", AT, AT, "18.6", 18, "UTF8", ("citext",))
TABLES = (TableFacts("public.people", 3, "-17"), TableFacts("public.big", 1, None, "a row is too large to be hashed"))


def seal(pieces: Iterable[bytes], *, key: ArchiveKey = KEY, header: Header = HEADER, **changes: object) -> list[bytes]:
    """The archive in its parts: what stands before the records, each chunk, the trailer."""
    sealer = Sealer(key, header)
    parts = [sealer.begin(), *(sealer.add(piece) for piece in pieces)]
    trailer = Trailer(sealer.dump_bytes, sealer.dump_sha256, 1000, TABLES, ("1 sequences",))
    return [part for part in [*parts, sealer.finish(replace(trailer, **changes))] if part]


def read(
    archive: bytes, *, key: ArchiveKey = KEY, customer: str = "acme-corp", by: int = 65536
) -> tuple[bytes, Trailer]:
    """The dump and the trailer, from pieces of that many bytes."""
    given_out: list[bytes] = []

    async def reading() -> Trailer:
        opened = await open_archive(pieces_of(archive, by), key, customer=customer)
        async for piece in opened.dump():
            given_out.append(piece)
        return opened.trailer

    trailer = asyncio.run(reading())
    return b"".join(given_out), trailer


async def pieces_of(archive: bytes, by: int) -> AsyncIterator[bytes]:
    for start in range(0, len(archive), by):
        yield archive[start : start + by]


def refused(archive: bytes, **options: object) -> bool:
    with pytest.raises(Refused) as caught:
        read(archive, **options)  # type: ignore[arg-type]
    return caught.value.code == "SW606"


@given(st.lists(st.binary(max_size=300)), st.sampled_from([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7]))
@settings(max_examples=40, deadline=None)
def test_what_goes_in_comes_out(pieces: list[bytes], bulk: int) -> None:
    plain = [*pieces, b"x" * bulk]

    found, trailer = read(b"".join(seal(plain)), by=100_003)

    assert found == b"".join(plain)
    assert (trailer.dump_bytes, trailer.tables, trailer.unchecked) == (len(found), TABLES, ("1 sequences",))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    whole = bytearray(b"".join(seal([b"a dump of some length"])))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))

    whole[bit // 8] ^= 1 << bit % 8

    assert refused(bytes(whole))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_cut_is_refused(data: st.DataObject) -> None:
    whole = b"".join(seal([b"a dump of some length"]))

    kept = data.draw(st.integers(0, len(whole) - 1))

    assert refused(whole[:kept])


def test_swapped_repeated_missing_and_added_parts_are_refused() -> None:
    head, one, two, rest = seal([b"1" * CHUNK_BYTES, b"2" * CHUNK_BYTES])

    changed = [[head, two, one, rest], [head, one, one, two, rest], [head, one, rest], [head, one, two, rest, rest]]

    assert all(refused(b"".join(parts)) for parts in changed)


def test_parts_of_another_backup_are_refused() -> None:
    head, one, end = seal([b"1" * CHUNK_BYTES])
    other_head, other, other_end = seal([b"1" * CHUNK_BYTES])

    assert refused(head + other + end)
    assert refused(head + one + other_end)
    assert refused(other_head + one + end)


def test_a_chunk_cannot_be_made_the_end() -> None:
    head, one, _ = seal([b"1" * CHUNK_BYTES])

    assert refused(head + bytes([one[0] | 0x80]) + one[1:])


def test_the_last_chunk_is_given_out_only_when_the_end_is_proved() -> None:
    head, one, two, _ = seal([b"1" * CHUNK_BYTES, b"2" * CHUNK_BYTES])
    given_out = []

    async def reading() -> None:
        opened = await open_archive(pieces_of(head + one + two, 65536), KEY, customer="acme-corp")
        async for piece in opened.dump():
            given_out.append(piece[:1])

    with pytest.raises(Refused):
        asyncio.run(reading())
    assert given_out == [b"1"]


def test_another_key_is_refused_by_its_name_and_by_itself() -> None:
    whole = b"".join(seal([b"dump"]))

    assert refused(whole, key=ArchiveKey("key-2", KEY.key))
    assert refused(whole, key=ArchiveKey("key-1", bytes(32)))


def test_a_backup_of_another_customer_is_refused() -> None:
    assert refused(b"".join(seal([b"dump"])), customer="medhealth")


def test_a_dump_that_is_not_what_the_trailer_says_is_refused() -> None:
    assert refused(b"".join(seal([b"dump"], dump_bytes=5)))
    assert refused(b"".join(seal([b"dump"], dump_sha256="0" * 64)))


def test_the_header_can_be_read_without_the_key() -> None:
    whole = b"".join(seal([b"dump"]))

    assert asyncio.run(read_header(pieces_of(whole, 7))) == HEADER


def test_two_backups_of_the_same_dump_have_nothing_in_common() -> None:
    (_, one, _), (_, other, _) = seal([b"1" * CHUNK_BYTES]), seal([b"1" * CHUNK_BYTES])

    assert one[4:] != other[4:]
    assert b"1" * 8 not in one


def test_a_key_never_shows_itself() -> None:
    assert repr(KEY) == "ArchiveKey(key_id='key-1')"
    with pytest.raises(ValueError, match="has 5 bytes"):
        ArchiveKey("short", b"12345")
