"""Checks what no linter checks: sizes, docstrings, annotations, cycles, mocks, the mirroring of tests, and runbooks.

Prints one line a finding, as `file:line: what`, and exits 1 when there is one. Not for taste: every rule here is in
CONTRIBUTING.md. Reads the sources as text and syntax trees; imports nothing of them.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PACKAGES = ("securewatch", "localrender", "rehearsal")
MOCKS = re.compile(r"\bunittest\.mock\b|\bfrom unittest import mock\b|\b(Magic|Async)?Mock\(|\bpatch\(|\bmocker\b")
CODE = re.compile(r"SW\d{3}")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file: its path under the project's root, its text and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module


def read_source(root: Path, path: Path) -> Source:
    """The file at `path`, named relative to `root`. Raises SyntaxError."""
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(root), text, ast.parse(text, filename=str(path)))


def functions_of(source: Source) -> Iterator[Function]:
    """Every function and method of a file, nested ones too."""
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            yield node


def check_module_size(source: Source) -> Iterator[str]:
    """Modules stop at 400 lines."""
    lines = len(source.text.splitlines())
    if lines > MODULE_LINES_MAX:
        yield f"{source.path}:1: {lines} lines, at most {MODULE_LINES_MAX}"


def check_function_sizes(source: Source) -> Iterator[str]:
    """Functions stop at 60 lines, counted from `def` to the last line."""
    for function in functions_of(source):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield f"{source.path}:{function.lineno}: {function.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def check_docstring(source: Source) -> Iterator[str]:
    """A module opens with what it is for."""
    if source.tree.body and not ast.get_docstring(source.tree):
        yield f"{source.path}:1: the module has no docstring"


def check_annotations(source: Source) -> Iterator[str]:
    """Every argument (but self and cls) and every return has a type."""
    for function in functions_of(source):
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        starred = [one for one in (arguments.vararg, arguments.kwarg) if one]
        bare = [one.arg for one in [*named, *starred] if one.annotation is None and one.arg not in ("self", "cls")]
        if bare:
            yield f"{source.path}:{function.lineno}: {function.name} does not annotate {', '.join(bare)}"
        if function.returns is None:
            yield f"{source.path}:{function.lineno}: {function.name} does not annotate what it returns"


def check_mocks(source: Source) -> Iterator[str]:
    """Tests use the fakes of tests/fakes, each proved by a contract suite; mocks are banned."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        if found := MOCKS.search(line):
            yield f"{source.path}:{number}: {found.group()} is a mock; use a fake of tests/fakes"


Check = Callable[[Source], Iterator[str]]
SOURCE_CHECKS: tuple[Check, ...] = (check_module_size, check_function_sizes, check_docstring, check_annotations)
TEST_CHECKS: tuple[Check, ...] = (check_module_size, check_docstring, check_mocks)


def check_cycles(sources: list[Source]) -> Iterator[str]:
    """The packages under `src` import each other in one direction only, type-checking imports included."""
    edges: dict[str, set[str]] = {package: set() for package in PACKAGES}
    for source in sources:
        importer = source.path.parts[1]
        for node in ast.walk(source.tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            edges.setdefault(importer, set()).update(name.split(".")[0] for name in names)
    for importer in PACKAGES:
        for imported in sorted(edges[importer] - {importer}):
            if imported in edges and importer in edges[imported] and importer < imported:
                yield f"src/{importer}: imports {imported}, which imports {importer}"


def check_mirroring(tests: list[Path], modules: set[Path]) -> Iterator[str]:
    """tests/unit/x/test_y.py (or test_y_more.py) is about src/securewatch/x/y.py, or another package named in full.

    `tests` are relative to tests/unit, `modules` to src. The first folder is a package of src or one of securewatch.
    """
    for test in tests:
        words = test.stem.removeprefix("test_").split("_")
        stems = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
        homes = [test.parent, Path("securewatch") / test.parent]
        wanted = [home / f"{prefix}{stem}.py" for home in homes for stem in stems for prefix in ("", "_")]
        if not any(candidate in modules for candidate in wanted):
            yield f"tests/unit/{test}:1: no module under src/securewatch/{test.parent} is named {words[0]}..."


def check_runbooks(codes: set[str], pages: dict[str, str]) -> Iterator[str]:
    """Every error code has its page, every page its code, and its title begins with the code.

    `codes` are those of core/codes.py; `pages` gives the text of each docs/runbooks/SWxxx.md by its code.
    """
    for code in sorted(codes - pages.keys()):
        yield f"docs/runbooks/{code}.md: missing, but core/codes.py has {code}"
    for code in sorted(pages.keys() - codes):
        yield f"docs/runbooks/{code}.md:1: core/codes.py has no {code}"
    for code in sorted(codes & pages.keys()):
        if not pages[code].startswith(f"# {code}: "):
            yield f"docs/runbooks/{code}.md:1: the title does not begin with '# {code}: '"


def find_problems(root: Path) -> Iterator[str]:
    """Everything that is out of shape in the project at `root`."""
    paths = [path for package in PACKAGES for path in sorted((root / "src" / package).rglob("*.py"))]
    sources = [read_source(root, path) for path in [*paths, *sorted((root / "tools").glob("*.py"))]]
    for source in sources:
        for check in SOURCE_CHECKS:
            yield from check(source)
    yield from check_cycles([source for source in sources if source.path.parts[0] == "src"])
    for path in sorted((root / "tests").rglob("*.py")):
        source = read_source(root, path)
        for check in TEST_CHECKS:
            yield from check(source)
    unit = root / "tests" / "unit"
    tests = [path.relative_to(unit) for path in sorted(unit.rglob("test_*.py"))]
    modules = {path.relative_to(root / "src") for path in paths}
    modules |= {path.relative_to(root) for path in sorted((root / "tools").glob("*.py"))}
    yield from check_mirroring(tests, modules)
    codes = set(CODE.findall((root / "src/securewatch/core/codes.py").read_text(encoding="utf-8")))
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (root / "docs/runbooks").glob("SW*.md")}
    yield from check_runbooks(codes, pages)


def main() -> int:
    """Prints what is out of shape; 0 when nothing is, else 1."""
    problems = list(find_problems(Path(__file__).resolve().parent.parent))
    for problem in problems:
        print(problem)
    print(f"shape: {len(problems)} problems" if problems else "shape: good")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
