"""Addresses: Render's base URL, the vendor's repository, URLs without their passwords. Pure; asks no resolver."""

import re
from urllib.parse import urlsplit

DEFAULT_HOST = "https://api.render.com/v1"
HOST_ACCEPTED = "a full base URL that ends in /v1, without user or query, such as https://api.render.com/v1"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCP = re.compile(r"(?:[A-Za-z0-9_.-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[^:]")
_NEXT_URL = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")


def parse_host(text: str) -> str:
    """The base URL without a slash at its end. Raises ValueError, which never repeats the text."""
    try:
        parts = urlsplit(text.strip())
        is_usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise ValueError(HOST_ACCEPTED) from error
    has_more = "@" in parts.netloc or bool(parts.query or parts.fragment)
    is_plain = text.isascii() and text.isprintable() and " " not in text.strip()
    path = parts.path.rstrip("/")
    if parts.scheme not in ("http", "https") or not (is_usable and is_plain) or has_more or not path.endswith("/v1"):
        raise ValueError(HOST_ACCEPTED)
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_url(repository: str) -> bool:
    """Whether a repository is named by a URL (also git's `user@host:path`) and not by a path."""
    return bool(_SCHEME.match(repository) or _SCP.match(repository))


def masked_url(text: str) -> str:
    """The text with the user and password of every URL in it replaced by `***`."""
    return _CREDENTIALS.sub("***@", text)


def split_urls(text: str) -> tuple[str, ...]:
    """The URLs of a list; a comma inside a URL separates nothing."""
    return tuple(_NEXT_URL.split(text.strip().rstrip(",")))
