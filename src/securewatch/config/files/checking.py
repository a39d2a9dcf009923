"""Checks one file's JSON against its model: problems with path, found, accepted; unknown keys. Shows no secrets."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from securewatch.config.files.kinds import FileModel
from securewatch.config.files.reading import RawFile, join_path, kind_of
from securewatch.config.fleet import ConfigWarning
from securewatch.core.errors import Problem

FileT = TypeVar("FileT", bound=FileModel)
SECRET_NAMES = re.compile(
    r"secret|token|password|passwd|credential|private|api_?key|database_url|env_vars", re.IGNORECASE
)
SECRET_VALUES = re.compile(r"://[^/\s]*@|\brnd_|-----BEGIN")
EDITOR_KEY = "$schema"
_SHOWN_MAX = 60
_ACCEPTED_BY_TYPE = {
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "int_type": "a whole number",
    "extra_forbidden": "no such key",
}


@dataclass(frozen=True)
class CheckedFile(Generic[FileT]):
    """A file's model (None: absent or not to be made), with what is wrong and what deserves a look."""

    name: str
    model: FileT | None
    problems: tuple[Problem, ...]
    warnings: tuple[ConfigWarning, ...]


def check_file(raw: RawFile, model: type[FileT]) -> CheckedFile[FileT]:
    """The file as its model, or every problem in it."""
    if raw.data is None:
        return CheckedFile(raw.name, None, raw.problems, ())
    problems = list(raw.problems)
    warnings = []
    for path, key, near, is_refused in _unknown_keys(model, raw.data, ""):
        meant = f"did you mean {near}?" if near else "it is kept and not used"
        if SECRET_NAMES.search(key):
            meant = "it looks like a secret and is not used: remove it here, and revoke it"
        if is_refused:
            problems.append(Problem(raw.name, path, f"the unknown key {key!r}", f"{near}, which it resembles"))
        else:
            warnings.append(ConfigWarning(raw.name, path, f"unknown key; {meant}"))
    try:
        checked: FileT | None = model.model_validate(raw.data)
    except ValidationError as error:
        checked = None
        problems += _problems_of(raw.name, raw.data, model, error)
    return CheckedFile(raw.name, checked, tuple(problems), tuple(warnings))


def show_found(value: object, path: str) -> str:
    """A value for people, cut short; of containers and of what may be a secret only the kind."""
    if value is None or isinstance(value, dict | list):
        return kind_of(value)
    text = json.dumps(value, ensure_ascii=True)
    if isinstance(value, str) and (SECRET_NAMES.search(path) or SECRET_VALUES.search(text)):
        return "a text (not shown, it may be a secret)" if value else '""'
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def distance(one: str, other: str) -> int:
    """How many letters must be added, dropped or replaced to make one text the other."""
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, start=1):
        above, row = row, [index]
        for place, wanted in enumerate(other, start=1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (letter != wanted)))
    return row[-1]


def _problems_of(name: str, data: Mapping[str, Any], model: type[FileModel], error: ValidationError) -> list[Problem]:
    """One problem a place; where several kinds would do there, all of them as accepted."""
    accepted: dict[tuple[str, str], list[str]] = {}
    for detail in error.errors(include_url=False):
        path, found = _place(data, detail)
        kinds = accepted.setdefault((path, found), [])
        kind = _accepted(detail, model)
        if kind not in kinds:
            kinds.append(kind)
    return [Problem(name, path, found, " or ".join(kinds)) for (path, found), kinds in accepted.items()]


def _place(data: Any, detail: ErrorDetails) -> tuple[str, str]:
    """The path in the file and what is found there; steps of pydantic's own (names of union members) are left out."""
    path, value = "", data
    steps = detail["loc"]
    for index, step in enumerate(steps):
        in_object = isinstance(value, dict) and isinstance(step, str) and step in value
        if in_object or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
            value, path = value[step], join_path(path, step)
        elif detail["type"] == "missing" and index == len(steps) - 1:
            return join_path(path, step), "nothing"
    if steps and steps[-1] == "[key]":
        return path, "this key"
    return path, show_found(value, path)


def _accepted(detail: ErrorDetails, model: type[FileModel]) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "accepted":
        return str(context["accepted"])
    if detail["type"] in ("literal_error", "enum"):
        return f"one of {context['expected']}"
    if detail["type"] == "missing":
        return _description(model, detail["loc"]) or "a value"
    return _ACCEPTED_BY_TYPE.get(detail["type"], detail["msg"])


def _description(model: type[FileModel], steps: tuple[int | str, ...]) -> str:
    """What the model says about the key at the end of the steps."""
    part: type[FileModel] | None = model
    text = ""
    for step in steps:
        fields = part.model_fields if part is not None else {}
        if isinstance(step, str) and step in fields:
            text = fields[step].description or ""
            part = nested_model(fields[step].annotation)
    return text


def nested_model(annotation: Any) -> type[FileModel] | None:
    """The model inside an annotation such as `Model | None`, `list[Model]` or `dict[str, Model]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, FileModel):
        return annotation
    if get_origin(annotation) in (Annotated, Union, UnionType, list, dict):
        return next((found for one in get_args(annotation) if (found := nested_model(one))), None)
    return None


def _unknown_keys(model: type[FileModel], data: object, path: str) -> Iterator[tuple[str, str, str | None, bool]]:
    """(path, key, the known key that it resembles, whether it is refused) of each unknown key, in the file's order."""
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        field = model.model_fields.get(key)
        here = join_path(path, key)
        if field is not None:
            for part, inner, place in _parts(field.annotation, value, here):
                yield from _unknown_keys(part, inner, place)
        elif key != EDITOR_KEY:
            near = min(model.model_fields, key=lambda known: distance(key, known), default=None)
            resembles = near if near is not None and distance(key, near) <= 2 else None
            yield here, key, resembles, resembles is not None and model.refuses_near_misses


def _parts(annotation: Any, value: object, path: str) -> Iterator[tuple[type[FileModel], object, str]]:
    """The models inside a field, each with its value and path."""
    part = nested_model(annotation)
    if part is None:
        return
    if isinstance(value, list):
        yield from ((part, one, join_path(path, index)) for index, one in enumerate(value))
    elif isinstance(value, dict) and is_by_name(annotation):
        yield from ((part, one, join_path(path, name)) for name, one in value.items())
    else:
        yield part, value, path


def is_by_name(annotation: Any) -> bool:
    """Whether the annotation is a mapping by free names, and not one model or a list."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return any(is_by_name(one) for one in get_args(annotation))
    return get_origin(annotation) is dict
