"""Where the encryption key comes from: one of four settings, or the system's keyring, with the real library."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from securewatch.config.settings import Settings, load_settings
from securewatch.core.errors import ConfigError
from securewatch.store.box import SecretBox
from securewatch.store.key_sources import from_keyring, given_key

KEY_B64 = base64.b64encode(bytes(range(32))).decode()
SOURCE = "SECUREWATCH_SECRET_KEY_KEYRING"


class Remembering(KeyringBackend):
    """A keyring in memory with one entry; asked for `locked`, it is."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise KeyringLocked(KEY_B64)
        return KEY_B64 if (service, username) == ("securewatch/eu", "prod") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


@pytest.fixture
def ring() -> Iterator[None]:
    """The library with that keyring."""
    before = keyring.get_keyring()
    keyring.set_keyring(Remembering())
    yield
    keyring.set_keyring(before)


def settings_of(folder: Path, **environ: str) -> Settings:
    return load_settings({}, folder, environ)


def test_without_any_the_key_stands_in_a_file(tmp_path: Path) -> None:
    assert given_key(settings_of(tmp_path))[0] is None
    assert given_key(settings_of(tmp_path, SECUREWATCH_SECRET_KEY_FILE="key"))[0] is None


def test_the_variable_the_command_and_the_keyring_each_give_it(tmp_path: Path, ring: None) -> None:
    expected = {
        "SECUREWATCH_SECRET_KEY": KEY_B64,
        "SECUREWATCH_SECRET_KEY_COMMAND": f"/bin/echo {KEY_B64}",
        SOURCE: "securewatch/eu/prod",
    }

    found = {name: given_key(settings_of(tmp_path, **{name: value})) for name, value in expected.items()}

    assert {name: (key or "").strip() for name, (key, _) in found.items()} == dict.fromkeys(expected, KEY_B64)
    assert all(source == name for name, (_, source) in found.items())


@pytest.mark.parametrize(
    ("entry", "why"),
    [("securewatch/eu/dev", "no such entry"), ("locked/prod", "KeyringLocked"), ("prod", "names no entry")],
)
def test_a_keyring_that_gives_none_is_an_error_without_a_traceback(ring: None, entry: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_keyring(entry, SOURCE)

    assert caught.value.code == "SW107"
    assert why in caught.value.why
    assert KEY_B64 not in f"{caught.value} {caught.value.why} {caught.value.fix}"


def test_without_the_library_the_error_says_what_to_install() -> None:
    words = (
        "import sys; sys.modules['keyring'] = None\n"
        "from securewatch.core.errors import ConfigError\n"
        "from securewatch.store.key_sources import from_keyring\n"
        "try:\n    from_keyring('a/b', 'S')\nexcept ConfigError as error:\n    print(error.code, error.fix)"
    )

    ran = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout == "SW107 pip install 'securewatch-render[keyring]'\n"


def test_a_key_that_a_source_gives_is_checked_like_any_other(tmp_path: Path) -> None:
    key, source = given_key(settings_of(tmp_path, SECUREWATCH_SECRET_KEY_COMMAND="/bin/echo short"))

    with pytest.raises(ConfigError) as caught:
        SecretBox((key or "").encode())

    assert (caught.value.code, source) == ("SW107", "SECUREWATCH_SECRET_KEY_COMMAND")
