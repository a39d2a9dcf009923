"""Identifiers have the form that Render's CLI checks, and sort by the second of their making."""

import re
from datetime import UTC, datetime, timedelta

from localrender.ids import IDMint, cursor_of

MOMENT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_an_id_is_a_prefix_and_twenty_characters_of_base_32_hex() -> None:
    minted = IDMint("1").mint("dep", MOMENT)

    assert re.fullmatch(r"dep-[0-9a-v]{20}", minted)


def test_a_later_second_sorts_higher() -> None:
    mint = IDMint("1")

    minted = [mint.mint("dep", MOMENT + timedelta(seconds=second)) for second in range(50)]

    assert minted == sorted(minted)


def test_ids_of_one_second_differ_and_a_seed_repeats_them() -> None:
    first, again = IDMint("1"), IDMint("1")

    minted = [first.mint("dep", MOMENT) for _ in range(100)]

    assert len(set(minted)) == 100
    assert minted == [again.mint("dep", MOMENT) for _ in range(100)]


def test_a_cursor_is_url_safe_and_differs_by_row() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", cursor_of("env-cu2k4j3qf0us73fbv7v0"))
    assert cursor_of("env-cu2k4j3qf0us73fbv7v0") != cursor_of("env-cu2k4j3qf0us73fbv7vg")
