"""The key: given, in a file, or made once beside the state."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from securewatch.core.errors import ConfigError
from securewatch.store.box import SecretBox, load_or_create_box, read_key_file, replace_key_file

KEY = bytes(range(32))
KEY_B64 = base64.b64encode(KEY).decode()


def load(folder: Path, *, key: str | None = None, file: Path | None = None, create: bool = True) -> SecretBox:
    return load_or_create_box(key_b64=key, key_file=file, state_dir=folder, create=create)[0]


def test_a_key_is_made_once_for_its_owner_alone_and_its_place_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    box, made = load_or_create_box(key_b64=None, key_file=None, state_dir=folder, create=True)
    again, made_again = load_or_create_box(key_b64=None, key_file=None, state_dir=folder, create=True)

    assert (made, made_again) == (folder / "secret.key", None)
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == ["secret.key"]
    assert again.open(box.seal(b"plain", "context"), "context") == b"plain"


def test_who_only_looks_makes_no_key(tmp_path: Path) -> None:
    box = load(tmp_path, create=False)

    assert box.is_ephemeral
    assert list(tmp_path.iterdir()) == []


def test_a_given_key_goes_before_a_named_file_and_that_before_our_own(tmp_path: Path) -> None:
    own = load(tmp_path)
    named = tmp_path / "named.key"
    named.write_text(base64.b64encode(b"n" * 32).decode() + "\n")

    found = [load(tmp_path, key=KEY_B64, file=named), load(tmp_path, file=named), load(tmp_path)]

    assert [box.key_id for box in found] == [SecretBox(KEY).key_id, SecretBox(b"n" * 32).key_id, own.key_id]


def test_many_that_make_the_key_at_once_end_with_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        boxes = list(pool.map(lambda _: load(tmp_path), range(8)))

    assert len({box.key_id for box in boxes}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("key", ["", "not base64!", "c2hvcnQ=", KEY_B64 + KEY_B64, "gepäck"])
def test_an_unusable_key_is_an_error_that_does_not_show_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, key=key)

    assert caught.value.code == "SW107"
    assert not key or key not in f"{caught.value} {caught.value.why} {caught.value.fix}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"c2hvcnQ=", b"\xff\xfe"])
def test_an_unusable_key_file_is_an_error_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "my.key"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(tmp_path, file=file)

    assert caught.value.code == "SW107"
    assert str(file) in caught.value.what


def test_a_folder_in_which_no_key_can_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "file" / "state")

    assert caught.value.code == "SW107"


def test_a_key_file_is_replaced_whole_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.write_text(KEY_B64)
    file.chmod(0o644)

    replace_key_file(file, b"n" * 32)

    assert read_key_file(file) == b"n" * 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_file_that_cannot_be_replaced_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret.key").mkdir()
    (tmp_path / "secret.key" / "full").write_text("")

    with pytest.raises(ConfigError) as caught:
        replace_key_file(tmp_path / "secret.key", KEY)

    assert caught.value.code == "SW107"
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
