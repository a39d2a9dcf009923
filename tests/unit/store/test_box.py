"""Sealing under one key: what opens, what does not, and what a key never tells."""

import pytest

from securewatch.core.errors import ConfigError
from securewatch.store.box import SecretBox, key_id_of

KEY = bytes(range(32))
BOX = SecretBox(KEY)
OTHER = SecretBox(b"k" * 32)


def test_what_was_sealed_opens_in_its_context() -> None:
    assert BOX.open(BOX.seal(b"plain", "run-1"), "run-1") == b"plain"
    assert SecretBox(KEY).open(BOX.seal(b"", ""), "") == b""


def test_the_same_text_is_sealed_differently_each_time_and_not_readable() -> None:
    first, second = BOX.seal(b"a secret", "c"), BOX.seal(b"a secret", "c")

    assert first != second
    assert b"a secret" not in first


def test_another_context_does_not_open() -> None:
    with pytest.raises(ConfigError) as caught:
        BOX.open(BOX.seal(b"plain", "run-1"), "run-2")

    assert caught.value.code == "SW107"


def test_another_key_does_not_open_and_both_are_named_by_their_ids() -> None:
    with pytest.raises(ConfigError) as caught:
        OTHER.open(BOX.seal(b"plain", "c"), "c")

    assert BOX.key_id in caught.value.why
    assert OTHER.key_id in caught.value.why


@pytest.mark.parametrize("position", range(len(BOX.seal(b"plain", "c"))))
def test_any_changed_byte_is_found(position: int) -> None:
    changed = bytearray(BOX.seal(b"plain", "c"))
    changed[position] ^= 1

    with pytest.raises(ConfigError):
        BOX.open(bytes(changed), "c")


@pytest.mark.parametrize("length", [0, 2, 5, 11, 20, 30])
def test_a_cut_box_is_found(length: int) -> None:
    with pytest.raises(ConfigError):
        BOX.open(BOX.seal(b"plain", "c")[:length], "c")


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ConfigError) as caught:
        SecretBox(b"k" * length)

    assert caught.value.code == "SW107"


def test_a_fingerprint_depends_on_text_and_key_and_holds_any_text() -> None:
    assert BOX.fingerprint("a") == SecretBox(KEY).fingerprint("a")
    assert len({BOX.fingerprint("a"), BOX.fingerprint("b"), OTHER.fingerprint("a"), BOX.fingerprint("\ud800")}) == 4


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert BOX.audit_key() != KEY
    assert BOX.audit_key() != OTHER.audit_key()
    assert BOX.audit_key().hex()[:16] not in (BOX.key_id, BOX.fingerprint(""))


def test_nothing_of_the_key_is_shown() -> None:
    assert repr(BOX) == f"SecretBox(key_id='{BOX.key_id}', is_ephemeral=False)"
    assert KEY.hex()[:16] not in repr(vars(BOX))


def test_an_ephemeral_box_fingerprints_and_does_not_seal() -> None:
    box = SecretBox(KEY, is_ephemeral=True)

    assert box.fingerprint("a") == BOX.fingerprint("a")
    with pytest.raises(ConfigError):
        box.seal(b"plain", "c")


def test_each_purpose_has_a_key_of_its_own_that_only_the_key_decides() -> None:
    keys = [*BOX.derived().values(), KEY]

    assert len(set(keys)) == 4
    assert BOX.archive_key() == SecretBox(KEY).archive_key() == BOX.derived()["archive"]
    assert BOX.archive_key() != OTHER.archive_key()


def test_what_was_sealed_names_its_key() -> None:
    assert key_id_of(BOX.seal(b"plain", "c")) == BOX.key_id


def test_without_a_key_the_error_says_that_none_is_set_and_names_no_second_one() -> None:
    nobody = SecretBox(b"r" * 32, is_ephemeral=True)

    with pytest.raises(ConfigError) as caught:
        nobody.open(BOX.seal(b"plain", "c"), "c")

    assert caught.value.why == f"it was written under the key {BOX.key_id}, and none is set here"
