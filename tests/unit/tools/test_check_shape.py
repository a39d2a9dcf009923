"""The shape checks find what they are for and leave the rest alone."""

import ast
from pathlib import Path

from tools.check_shape import (
    Source,
    check_annotations,
    check_cycles,
    check_docstring,
    check_function_sizes,
    check_mirroring,
    check_mocks,
    check_module_size,
    check_runbooks,
)


def make_source(text: str, path: str = "src/securewatch/core/x.py") -> Source:
    return Source(Path(path), text, ast.parse(text))


def test_a_module_over_400_lines_is_found() -> None:
    source = make_source("x = 1\n" * 401)

    found = list(check_module_size(source))

    assert found == ["src/securewatch/core/x.py:1: 401 lines, at most 400"]


def test_a_function_over_60_lines_is_found_at_its_line() -> None:
    source = make_source("\ndef long():\n" + "    x = 1\n" * 60)

    found = list(check_function_sizes(source))

    assert found == ["src/securewatch/core/x.py:2: long has 61 lines, at most 60"]


def test_an_empty_module_needs_no_docstring_but_a_full_one_does() -> None:
    found = [list(check_docstring(make_source(text))) for text in ("", "x = 1", '"""For x."""\nx = 1')]

    assert found == [[], ["src/securewatch/core/x.py:1: the module has no docstring"], []]


def test_missing_annotations_are_named() -> None:
    source = make_source("class A:\n    def f(self, a, *, b: int, **rest): ...")

    found = list(check_annotations(source))

    assert found == [
        "src/securewatch/core/x.py:2: f does not annotate a, rest",
        "src/securewatch/core/x.py:2: f does not annotate what it returns",
    ]


def test_mocks_are_found_and_monkeypatch_is_not_one() -> None:
    text = "monkeypatch.setenv('A', 'b')\nthing = Mock" + "()\n"

    found = list(check_mocks(make_source(text, "tests/unit/test_x.py")))

    assert found == ["tests/unit/test_x.py:2: Mock" + "( is a mock; use a fake of tests/fakes"]


def test_two_packages_that_import_each_other_are_a_cycle() -> None:
    sources = [
        make_source("from localrender.apps import A", "src/securewatch/a.py"),
        make_source("import securewatch.core", "src/localrender/b.py"),
    ]

    found = list(check_cycles(sources))

    assert found == ["src/localrender: imports securewatch, which imports localrender"]


def test_a_test_may_carry_a_suffix_but_must_have_a_module() -> None:
    tests = [Path("deploy/test_plan_env.py"), Path("localrender/test_apps.py"), Path("deploy/test_ghost.py")]
    modules = {Path("securewatch/deploy/plan.py"), Path("localrender/apps.py")}

    found = list(check_mirroring(tests, modules))

    assert found == ["tests/unit/deploy/test_ghost.py:1: no module under src/securewatch/deploy is named ghost..."]


def test_codes_and_runbooks_match_one_to_one() -> None:
    pages = {"SW101": "# SW101: the folder\n", "SW102": "# Wrong\n", "SW999": "# SW999: gone\n"}

    found = list(check_runbooks({"SW101", "SW102", "SW103"}, pages))

    assert found == [
        "docs/runbooks/SW103.md: missing, but core/codes.py has SW103",
        "docs/runbooks/SW999.md:1: core/codes.py has no SW999",
        "docs/runbooks/SW102.md:1: the title does not begin with '# SW102: '",
    ]
