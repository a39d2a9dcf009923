"""Versions are found where a page states them, and nowhere else."""

import time

import pytest

from securewatch.health.page import HEAD_CHARACTERS_MAX, find_version, mentions


@pytest.mark.parametrize(
    "page",
    [
        '<html><head><meta name="version" content="v1.1.0"></head></html>',
        "<META NAME=Version CONTENT=v1.1.0 />",
        "<meta content=' v1.1.0 ' name=' version '>",
        '<meta name="viewport" content="v9"><meta name="version" content=""><meta name="version" content="v1.1.0">',
        '<meta name="version" content="v1.1.0"><![if broken',
        '<meta name="version" content="v1.1.0"><meta name="version" content="v9.9.9">',
    ],
)
def test_the_first_meta_version_that_says_something_is_found(page: str) -> None:
    assert find_version(page) == "v1.1.0"


@pytest.mark.parametrize(
    "page",
    [
        "",
        "v1.1.0",
        '<!-- <meta name="version" content="v1.1.0"> -->',
        '<script>const page = \'<meta name="version" content="v1.1.0">\'</script>',
        '<meta name="version">',
        '<meta name="version" content>',
        '<meta name="app-version" content="v1.1.0">',
        '<meta property="version" content="v1.1.0">',
        '{"version": "v1.1.0"}',
    ],
)
def test_a_version_that_no_meta_states_is_not_found(page: str) -> None:
    assert find_version(page) is None


def test_only_the_head_of_a_long_page_is_parsed() -> None:
    meta = '<meta name="version" content="v1.1.0">'

    assert find_version(" " * (HEAD_CHARACTERS_MAX - len(meta)) + meta) == "v1.1.0"
    assert find_version(" " * HEAD_CHARACTERS_MAX + meta) is None


@pytest.mark.parametrize("piece", ["<", "<a ", "<!--", "</", "<![", "<script>", "<title><", "<a\x00", "&"])
def test_hostile_markup_does_not_hold_the_process_up(piece: str) -> None:
    begun = time.process_time()

    find_version(piece * (HEAD_CHARACTERS_MAX // len(piece)))

    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize(
    "page", ["v1.1.0", "running v1.1.0.", "<b>v1.1.0</b>", "(v1.1.0)", "v1.1.0-", "notes/v1.1.0", "v11.1.0 v1.1.0, v2"]
)
def test_a_tag_that_stands_as_a_word_is_mentioned(page: str) -> None:
    assert mentions(page, "v1.1.0")


@pytest.mark.parametrize(
    "page",
    ["", "v1.1.0-rc.1", "v11.1.0", "v1.1.01", "xv1.1.0", "v1.1.0+build", "v1.1.0.1", "v1x1x0", "1.1.0", "-v1.1.0"],
)
def test_a_tag_inside_another_word_is_not_mentioned(page: str) -> None:
    assert not mentions(page, "v1.1.0")


def test_an_empty_tag_is_mentioned_nowhere() -> None:
    assert not mentions("any page", "")
