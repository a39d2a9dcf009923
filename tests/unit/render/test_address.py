"""Base URLs and keys, before anything is sent."""

import pytest
from pydantic import SecretStr

from securewatch.core.errors import ConfigError, SignInNeeded
from securewatch.render.address import read_base_url, read_key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api.render.com/v1", "https://api.render.com/v1"),
        ("https://api.render.com/v1/", "https://api.render.com/v1"),
        ("https://api.render.com", "https://api.render.com/v1"),
        ("https://api.render.com/", "https://api.render.com/v1"),
        (" https://gate.example/render/v1/ ", "https://gate.example/render/v1"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_the_base_url_is_read_as_the_render_cli_reads_it(text: str, expected: str) -> None:
    assert expected == read_base_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.render.com",
        "api.render.com:443/v1",
        "ftp://api.render.com/v1",
        "http://api.render.com/v1",
        "http://127.0.0.1.example.com/v1",
        "https://user:canary@api.render.com/v1",
        "https://api.render.com/v1?key=canary",
        "https://",
        "http://[::1",
        "https://api.render.com:99999999/v1",
    ],
)
def test_other_base_urls_are_refused_without_showing_what_they_hold(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_base_url(text)

    assert caught.value.code == "SW109"
    assert "canary" not in f"{caught.value.what} {caught.value.why} {caught.value.fix}"


@pytest.mark.parametrize("text", ["rnd_a b", "rnd_ä", "rnd_a\nX-Evil: 1"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_key(text)

    assert "rnd_" not in f"{caught.value.what} {caught.value.why} {caught.value.fix}"


@pytest.mark.parametrize("key", ["", "  ", SecretStr("")])
def test_no_key_is_said_to_be_none(key: str | SecretStr) -> None:
    with pytest.raises(SignInNeeded) as caught:
        read_key(key)

    assert caught.value.code == "SW301"


def test_a_key_is_kept_as_a_secret() -> None:
    assert read_key(" rnd_x\n").get_secret_value() == "rnd_x"
    assert "rnd_x" not in repr(read_key("rnd_x"))
