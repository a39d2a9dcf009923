"""Errors as people and programs see them."""

import json

import pytest

from securewatch.cli.failures import as_data, as_text, show_error, unexpected
from securewatch.core.errors import ConfigError, Conflict, ExitCode, Problem, Refused

MOVED = Conflict("SW412", "tag v1.1.0 moved", why="it was 9c1e2ab, it is 51d00fe", fix="put the tag back")
PROBLEM = Problem("customers.json", "customers[3].slug", "a blank", "a slug")


def test_an_error_says_what_why_and_how_to_fix() -> None:
    assert as_text(MOVED).splitlines() == [
        "error[SW412]: tag v1.1.0 moved",
        "  why   it was 9c1e2ab, it is 51d00fe",
        "  fix   put the tag back",
    ]


def test_what_is_not_known_leaves_no_empty_line() -> None:
    assert as_text(Refused("SW405", "the policy says no")) == "error[SW405]: the policy says no"


def test_every_problem_of_the_files_is_listed_once() -> None:
    error = ConfigError("SW102", "two problems", why=str(PROBLEM), problems=(PROBLEM, PROBLEM))

    text = as_text(ConfigError("SW102", "a problem", why="the files", problems=(PROBLEM,)))

    assert "  - customers.json: customers[3].slug: found a blank; accepted: a slug" in text
    assert as_text(error).count("customers[3].slug") == 2


def test_programs_get_the_same_as_data_with_the_exit_code() -> None:
    assert as_data(MOVED) == {
        "error": {
            "code": "SW412",
            "what": "tag v1.1.0 moved",
            "why": "it was 9c1e2ab, it is 51d00fe",
            "fix": "put the tag back",
        },
        "exit_code": 7,
    }


def test_problems_of_the_files_are_data_too() -> None:
    data = as_data(ConfigError("SW102", "a problem", problems=(PROBLEM,)))["error"]

    assert isinstance(data, dict)
    assert data["problems"] == [
        {"file": "customers.json", "path": "customers[3].slug", "found": "a blank", "accepted": "a slug"}
    ]


def test_with_json_the_document_is_on_standard_output_and_the_words_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = show_error(MOVED, is_json=True)

    out, err = capsys.readouterr()
    assert code is ExitCode.CONFLICT
    assert json.loads(out) == as_data(MOVED)
    assert err == as_text(MOVED) + "\n"


def test_without_json_standard_output_stays_clean(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(MOVED, is_json=False)

    assert capsys.readouterr().out == ""


def test_a_bug_is_told_by_kind_and_place_but_never_by_what_it_carried() -> None:
    def fail() -> None:
        raise ValueError("rnd_secret")

    try:
        fail()
    except ValueError as error:
        shown = unexpected(error)

    text = as_text(shown)
    assert "rnd_secret" not in text
    assert "ValueError at test_failures.py:" in text
    assert shown.code == "SW901"


def test_a_problem_that_the_message_tells_already_is_not_told_again() -> None:
    problem = Problem("config/customers.json", "customers[2].deployment_policy", '"x"', '"y"')

    text = as_text(ConfigError("SW105", f"acme-corp is held: {problem}", why="they differ", problems=(problem,)))

    assert text.count(str(problem)) == 1
