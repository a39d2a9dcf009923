"""Addresses: which base URLs are usable, and that passwords are masked."""

import pytest

from securewatch.config.address import is_url, masked_url, parse_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://api.render.com/v1", "https://api.render.com/v1"),
        (" http://127.0.0.1:8000/v1/ ", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:80/render/v1", "http://[::1]:80/render/v1"),
    ],
)
def test_a_full_base_url_is_read(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.render.com/v1",
        "https://api.render.com",
        "ftp://api.render.com/v1",
        "https:///v1",
        "https://u:hunter2@api.render.com/v1",
        "https://127.0.0.1@evil.example/v1",
        "https://api.render.com/v1?x=1",
        "https://api.render.com:port/v1",
        "https://api.render.com\n/v1",
        "https://[::1/v1",
    ],
)
def test_other_urls_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="a full base URL") as caught:
        parse_host(text)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://example.com/a.git", True),
        ("file:///srv/a.git", True),
        ("git@example.com:a/b.git", True),
        ("ext::sh -c x", False),
        ("/srv/a.git", False),
        ("../vendor", False),
        (".", False),
    ],
)
def test_urls_are_told_from_paths(text: str, is_one: bool) -> None:
    assert is_url(text) is is_one


def test_users_and_passwords_of_urls_are_masked() -> None:
    assert masked_url("https://u:p@ss@h/a") == "https://***@h/a"
    assert masked_url("see https://u:p@h/a and ssh://git@h/b") == "see https://***@h/a and ssh://***@h/b"
