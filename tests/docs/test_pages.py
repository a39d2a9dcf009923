"""Codes of pages and program agree, and the README says first how to begin and what that prints."""

import re
from pathlib import Path

import pytest

from securewatch.core.codes import ERROR_CODES
from securewatch.operations.events import ACTIONS

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
CODE = re.compile(r"\bSW\d{3}\b")
RESERVED = {"SW507", "SW603", "SW605"}
"""Codes that no error carries: a screen names the page (SW507, SW603), or they wait for work on many customers."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_page_names_only_codes_that_are_in_the_catalogue(page: Path) -> None:
    assert set(CODE.findall(page.read_text(encoding="utf-8"))) <= ERROR_CODES.keys()


def test_the_program_and_the_catalogue_name_the_same_codes() -> None:
    source = PROJECT / "src" / "securewatch"
    files = [path for path in source.rglob("*.py") if path.name != "codes.py"]

    used = set(re.findall(r'"(SW\d{3})"', "\n".join(path.read_text(encoding="utf-8") for path in files)))

    assert used == ERROR_CODES.keys() - RESERVED


def test_every_action_that_the_program_writes_is_in_the_catalogue() -> None:
    literal = re.compile(r'"((?:effect|approval|force|rollback|autodeploy|freeze|pin|hold|pause|resume)\.[a-z_]+)"')
    source = PROJECT / "src" / "securewatch"

    written = {one for path in source.rglob("*.py") for one in literal.findall(path.read_text(encoding="utf-8"))}

    assert "pause.all" in written
    assert written <= ACTIONS.keys()


def test_the_readme_says_what_it_is_and_then_the_two_commands() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")

    first, second = text.index("./dev demo"), text.index("./dev test")

    assert text.index("Brings one git tag") < first < second < text.index("## Use it")


def test_the_readme_shows_what_a_deploy_prints() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")

    shown = text.split("<!-- output: deploy-customer -->\n```\n")[1].split("\n```")[0].splitlines()

    assert re.fullmatch(r"acme-corp \(.*\)  v1\.0\.0 → v1\.1\.0 \([0-9a-f]{7}\)  plan [0-9a-f]{8}", shown[0])
    assert "✔ live  acme-corp  v1.1.0 is verified" in shown
    assert any(re.fullmatch(r"  run acme-corp-1, exit code 0", line) for line in shown)
    assert shown[-1] == "the watch stops here: `securewatch serve` or `--until watched`"
