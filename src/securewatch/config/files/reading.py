"""Reads one file into plain JSON values, and says where it is broken. Knows no keys."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from securewatch.core.errors import Problem

BYTES_MAX = 16 * 1024 * 1024
JSON_ACCEPTED = "one JSON object (no comments, no comma after the last entry)"


@dataclass(frozen=True)
class RawFile:
    """A file's JSON, or None where it is absent (`problems` empty) or unusable. `is_broken`: it is not JSON (SW103)."""

    name: str
    data: dict[str, Any] | None
    problems: tuple[Problem, ...] = ()
    is_broken: bool = False


class _Object(dict[str, Any]):
    """A JSON object that remembers keys written twice: JSON would silently keep the last."""

    repeated: tuple[str, ...] = ()


def read_raw(folder: Path, name: str, *, is_required: bool) -> RawFile:
    """The JSON object in the folder's file of that name."""
    shown = f"{folder.name}/{name}"
    path = folder / name
    if not path.exists():
        missing = Problem(shown, "the file", "that it is missing", JSON_ACCEPTED)
        return RawFile(shown, None, (missing,) if is_required else ())
    try:
        if path.stat().st_size > BYTES_MAX:
            return _unusable(shown, "more than 16 MiB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        return _unusable(shown, f"a file that cannot be read ({type(error).__name__})")
    except UnicodeDecodeError as error:
        return _broken(shown, f"byte {error.start + 1}", "bytes that are not UTF-8")
    return _parse(shown, text)


def _parse(shown: str, text: str) -> RawFile:
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
        repeated = tuple(_repeated(data, ""))
    except json.JSONDecodeError as error:
        return _broken(shown, f"line {error.lineno}, column {error.colno}", f"broken JSON: {error.msg}")
    except ValueError as error:
        return _broken(shown, "the file", f"broken JSON: {error}")
    except RecursionError:
        return _broken(shown, "the file", "broken JSON: nested too deeply")
    if not isinstance(data, dict):
        return _unusable(shown, f"{kind_of(data)} at the top")
    problems = tuple(Problem(shown, path, "the same key twice", "each key once in an object") for path in repeated)
    return RawFile(shown, data, problems)


def kind_of(value: object) -> str:
    """What kind of JSON value it is, in words, without the value."""
    if value is None:
        return "null"
    kinds = ((bool, "true or false"), (dict, "an object"), (list, "a list"), (str, "a text"))
    return next((words for kind, words in kinds if isinstance(value, kind)), "a number")


def join_path(path: str, key: str | int) -> str:
    """The path one step further: `customers` and 3 give `customers[3]`; then `slug` gives `customers[3].slug`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    shown = key if key.isprintable() and len(key) <= 80 else ascii(key[:80])
    return f"{path}.{shown}" if path else shown


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        found.repeated = tuple(name for name in found if names.count(name) > 1)
    return found


def _repeated(value: object, path: str) -> Iterator[str]:
    if isinstance(value, _Object):
        yield from (join_path(path, name) for name in value.repeated)
        for name, one in value.items():
            yield from _repeated(one, join_path(path, name))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _repeated(one, join_path(path, index))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _broken(shown: str, where: str, found: str) -> RawFile:
    return RawFile(shown, None, (Problem(shown, where, found, JSON_ACCEPTED),), is_broken=True)


def _unusable(shown: str, found: str) -> RawFile:
    return RawFile(shown, None, (Problem(shown, "the file", found, JSON_ACCEPTED),))
