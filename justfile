# The only task runner: ./dev, the hooks and CI call these recipes. `./dev` lists them; `./dev RECIPE ARGS` runs one.

set positional-arguments

export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

# three workers for two cores, since most tests wait as well as reckon; tests/schedule.py says who gets what
workers := "3"

# the tests start thousands of processes: none of them is to compile our modules anew, whatever the machine prefers
export PYTHONDONTWRITEBYTECODE := ""

_default:
    @just --list --unsorted

# make this checkout ready for work: git hooks that call `check` (the environment itself is made by ./dev)
setup:
    pre-commit install

# format the code and sort the imports
fmt:
    ruff check --quiet --select I --fix .
    ruff format .

# find mistakes and banned habits
lint:
    ruff check .

# check the types
types:
    mypy

# check who imports whom
imports:
    lint-imports

# check sizes, docstrings, annotations, cycles, mocks, mirroring and runbooks
shape:
    python tools/check_shape.py

# run the tests but the slow ones: ./dev test [PYTEST ARGS]
test *args:
    pytest -n {{workers}} --dist load -m "not slow" "$@"

# run every test, the slow ones too
test-all *args:
    pytest -n {{workers}} --dist load "$@"

# rewrite the golden texts from what the program prints now; read the diff before you commit it
golden *args:
    UPDATE_GOLDEN=1 pytest tests/golden "$@"

# write docs/reference from the code; with --check, only say whether it is stale
docs *args:
    python tools/make_reference.py "$@"

# 52 days of a release in about a minute, and a bad one, on this machine; --full: then a database is restored, too
[no-exit-message]
demo *args:
    @exec python -m rehearsal.demo "$@"

# how long things take, beside a yardstick: ./dev bench help [RUNS], plan|simulate [CUSTOMERS], backup [MEGABYTES]
bench *args:
    #!/bin/sh
    what="${1:-help}"
    [ $# -eq 0 ] || shift
    exec python "benchmarks/${what}_speed.py" "$@"

# everything that must be clean before a commit, but the tests
check: _fmt-check lint types imports shape (docs "--check")

# resolve the requirements anew and pin them with hashes, for every platform and without naming an index
lock *args:
    #!/bin/sh
    set -eu
    compile() {
        python tools/uv.py pip compile --quiet --universal --python-version 3.11 --generate-hashes \
            --no-annotate --no-header --no-emit-index-url --no-emit-find-links "$@"
    }
    echo 'uv' | compile --output-file requirements-uv.txt "$@" -
    compile --extra local --extra postgres --extra keyring --group dev --constraints requirements-uv.txt --output-file requirements-dev.txt "$@" pyproject.toml
    compile --constraints requirements-dev.txt --output-file requirements.txt "$@" pyproject.toml
    if grep -n '://' requirements*.txt; then echo 'lock: a requirements file names a host' >&2; exit 1; fi

_fmt-check:
    ruff format --check .
