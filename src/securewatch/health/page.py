"""Finds a version in a frontend's page. Pure text work; reads nothing over the network and follows nothing."""

import re
from contextlib import suppress
from html.parser import HTMLParser

HEAD_CHARACTERS_MAX = 128 * 1024
"""How much of a page is parsed: its head stands at the front, and hostile markup must not hold the process up."""

_WORD_CHARACTERS = r"[0-9A-Za-z_+.-]"


class _VersionMeta(HTMLParser):
    """Keeps the content of the first `<meta name="version">` that has one."""

    def __init__(self) -> None:
        super().__init__()
        self.version: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if self.version is None and tag == "meta" and (named.get("name") or "").strip().lower() == "version":
            self.version = (named.get("content") or "").strip() or None


def find_version(page: str) -> str | None:
    """The content of the page's `<meta name="version">`; None where it has none or an empty one."""
    parser = _VersionMeta()
    # The parser asserts on marked sections that it does not know (`<![if`); what stood before them counts.
    with suppress(AssertionError):
        parser.feed(page[:HEAD_CHARACTERS_MAX])
    return parser.version


def mentions(page: str, tag: str) -> bool:
    """Whether the tag stands in the page as a word of its own, so that v1.1.0 is not found in v1.1.0-rc.1 or v11.1.0.

    A full stop that ends a sentence belongs to no word.
    """
    if not tag:
        return False
    pattern = rf"(?<!{_WORD_CHARACTERS}){re.escape(tag)}(?!{_WORD_CHARACTERS}*[0-9A-Za-z_])"
    return re.search(pattern, page) is not None
