"""uv is told what pip is told, and what it was told itself wins."""

from tools.uv import parse_pip_settings, translate


def test_the_environment_wins_over_the_install_section_over_the_global_one() -> None:
    listing = "global.index-url='a'\n:env:.index-url='c'\ninstall.index-url='b'\ninstall.timeout='9'\n"

    settings = parse_pip_settings(listing)

    assert settings == {"index-url": "c", "timeout": "9"}


def test_an_index_and_extra_indexes_reach_uv() -> None:
    settings = {"index-url": "one", "extra-index-url": "\ntwo\nthree"}

    added = translate(settings, {})

    assert added == {"UV_DEFAULT_INDEX": "one", "UV_INDEX": "two three"}


def test_settings_made_for_uv_win() -> None:
    settings = {"index-url": "one", "cert": "two"}

    added = translate(settings, {"UV_INDEX_URL": "own", "SSL_CERT_FILE": "own"})

    assert added == {}


def test_a_folder_of_wheels_that_does_not_exist_is_left_out() -> None:
    added = translate({"find-links": "/no/such/folder"}, {})

    assert added == {}
