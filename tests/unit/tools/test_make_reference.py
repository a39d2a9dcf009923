"""The reference names everything that the code names."""

from securewatch.core.codes import ERROR_CODES
from securewatch.core.errors import ExitCode
from tools.make_reference import make_error_codes, make_exit_codes


def test_every_error_code_has_a_line_and_a_link_to_its_runbook() -> None:
    page = make_error_codes()

    missing = [code for code in ERROR_CODES if f"[{code}](../runbooks/{code}.md)" not in page]

    assert missing == []


def test_every_exit_code_has_a_line() -> None:
    page = make_exit_codes()

    missing = [code for code in ExitCode if f"| {code.value} |" not in page]

    assert missing == []
