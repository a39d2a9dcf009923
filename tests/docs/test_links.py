"""Every link of a page that leads into the project leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.docs.reading import PROJECT, pages

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def anchors_of(page: Path) -> set[str]:
    """The names by which a page's headings can be linked."""
    titles = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def broken(page: Path, text: str) -> list[str]:
    """The relative links of a page that lead nowhere."""
    found = []
    for link in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_relative_link_of_a_page_exists(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_a_link_to_a_missing_page_or_heading_is_found() -> None:
    text = "[a](docs/none.md) [b](README.md#none) [c](README.md) [d](https://render.com)"

    assert broken(PROJECT / "README.md", text) == ["docs/none.md", "README.md#none"]
