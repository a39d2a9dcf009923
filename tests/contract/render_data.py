"""Render's published description of its API and recorded exchanges with it, read where they lie. Nothing is copied.

`RENDER_CONTRACT_DATA` names the folder; by default `../shared/data` beside the project. Without it these suites are
skipped, and fail where `CI` is `true`, so that nobody takes a build without them for a good one.
"""

import json
import os
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx2
import jsonschema
import pytest

from tests.fakes.replay import Exchange

ROOT = Path(__file__).resolve().parents[2]
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_stamp(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def require_data(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder with the data; skips the module where there is none, or fails it under `CI=true`."""
    folder = (ROOT / environment.get("RENDER_CONTRACT_DATA", "../shared/data")).resolve()
    missing = [name for name in ("render-openapi.json", "render-recordings.jsonl") if not (folder / name).is_file()]
    if not missing:
        return folder
    reason = f"no {' and no '.join(missing)} in {folder}; set RENDER_CONTRACT_DATA to the folder that has them"
    if environment.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)


@cache
def recordings() -> tuple[Exchange, ...]:
    """Every recorded exchange, its target without the `/v1` in front."""
    lines = (require_data() / "render-recordings.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return tuple(
        Exchange(row["method"], row["url"].strip().removeprefix("/v1"), row["status"], row["body"], row["headers"])
        for row in rows
    )


def matches(template: str, path: str) -> bool:
    """Whether a path without its query is one of a template such as `/services/{serviceId}`."""
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path) is not None


class Description:
    """Render's OpenAPI document: what it says about requests and answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = _as_json_schema(document)

    def resolve(self, node: Any) -> Any:
        """The node that a `$ref` stands for."""
        while isinstance(node, dict) and "$ref" in node:
            target: Any = self._document
            for step in node["$ref"].removeprefix("#/").split("/"):
                name = unquote(step).replace("~1", "/").replace("~0", "~")
                target = target[int(name)] if isinstance(target, list) else target[name]
            node = target
        return node

    def operation(self, method: str, template: str) -> dict[str, Any]:
        """One operation, with the parameters of its path. Raises KeyError where the document has none."""
        path = self._document["paths"][template]
        found = path[method.lower()]
        parameters = [self.resolve(one) for one in [*path.get("parameters", []), *found.get("parameters", [])]]
        return {**found, "parameters": parameters}

    def success(self, method: str, template: str) -> tuple[int, dict[str, Any] | None]:
        """The first success status of an operation, and the schema of its body if it has one."""
        responses = self.operation(method, template)["responses"]
        status = min(code for code in responses if code.startswith("2"))
        content = self.resolve(responses[status]).get("content", {})
        return int(status), content.get("application/json", {}).get("schema")

    def problems_of(self, schema: Any, value: object) -> list[str]:
        """What is wrong with a value according to a schema of the document."""
        root = {"components": self._document["components"], "paths": self._document["paths"], "allOf": [schema]}
        validator = jsonschema.Draft7Validator(root, format_checker=FORMATS)
        return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(value)]

    def problems_of_request(self, template: str, request: httpx2.Request) -> list[str]:
        """What is wrong with a request as an operation of `template`: its query, its body, its content type."""
        operation = self.operation(request.method, template)
        return [*self._problems_of_query(operation, request), *self._problems_of_body(operation, request)]

    def _problems_of_query(self, operation: dict[str, Any], request: httpx2.Request) -> Iterator[str]:
        declared = {one["name"]: one for one in operation["parameters"] if one["in"] == "query"}
        pairs = parse_qsl(urlsplit(str(request.url)).query, keep_blank_values=True)
        for name in {name for name, _ in pairs}:
            if name not in declared:
                yield f"query {name} is not declared"
                continue
            given = [value for key, value in pairs if key == name]
            schema = self.resolve(declared[name]["schema"])
            value: object = given if schema.get("type") == "array" else _typed(given[0], schema.get("type"))
            yield from (f"query {name}: {problem}" for problem in self.problems_of(schema, value))
        for name, one in declared.items():
            if one.get("required") and name not in dict(pairs):
                yield f"query {name} is required"

    def _problems_of_body(self, operation: dict[str, Any], request: httpx2.Request) -> Iterator[str]:
        body = self.resolve(operation.get("requestBody"))
        if body is None:
            if request.content:
                yield "a body is sent where none is declared"
            return
        schema = body["content"]["application/json"]["schema"]
        document = json.loads(request.content)
        yield from (f"body {problem}" for problem in self.problems_of(schema, document))
        unknown = set(document) - self._properties(schema)
        if unknown:
            yield f"body has keys that are not declared: {sorted(unknown)}"
        if request.headers.get("content-type") != "application/json":
            yield "the body is not declared to be JSON"

    def _properties(self, schema: Any) -> set[str]:
        found = self.resolve(schema)
        inner = [part for word in ("allOf", "anyOf") for part in found.get(word, [])]
        return set(found.get("properties", {})).union(*(self._properties(part) for part in inner))

    def example(self, schema: Any, *, is_full: bool) -> Any:
        """A value that satisfies a schema: with all that it may hold, or only what it must; lists have one item."""
        found = self.resolve(schema)
        if "anyOf" in found:
            return self.example(found["anyOf"][0], is_full=is_full)
        if "allOf" in found:
            parts = [self.example(part, is_full=is_full) for part in found["allOf"]]
            return dict(ChainMap(*parts)) if isinstance(parts[0], dict) else parts[0]
        if "enum" in found:
            return found["enum"][0]
        return self._example_of_type(found, is_full=is_full)

    def _example_of_type(self, schema: dict[str, Any], *, is_full: bool) -> Any:
        kinds = schema.get("type", "object")
        match kinds[0] if isinstance(kinds, list) else kinds:
            case "object":
                required = schema.get("required", [])
                inner = {key: {"type": "string"} for key in required} | schema.get("properties", {})
                return {
                    key: self.example(value, is_full=is_full)
                    for key, value in inner.items()
                    if is_full or key in required or key in _WRAPPING
                }
            case "array":
                return [self.example(schema["items"], is_full=is_full)]
            case "string":
                return _text(schema)
            case "boolean":
                return True
            case _:
                return schema.get("minimum", 1)


_WRAPPING = frozenset({"deploy", "owner", "service", "envVar", "customDomain", "postgres", "cursor"})
"""Keys of list items that the document does not require, and without which an item says nothing."""


@cache
def description() -> Description:
    """The document, read once."""
    return Description(json.loads((require_data() / "render-openapi.json").read_text(encoding="utf-8")))


def _text(schema: dict[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "2026-01-02T03:04:05.678901234Z"
    prefix = re.match(r"\^?([a-z]{3})-", schema.get("pattern", ""))
    if prefix:
        suffix = "-a" if prefix[1] == "dpg" else ""
        return f"{prefix[1]}-cu2k4ijqf0us73fbv7s0{suffix}"
    return str(schema.get("example", "text"))


def _typed(text: str, kind: object) -> object:
    if kind == "integer":
        return int(text) if text.isdigit() else text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _as_json_schema(node: Any) -> Any:
    """As JSON Schema: `nullable` becomes the type null, and `oneOf` `anyOf`, since the document's unions overlap."""
    if isinstance(node, list):
        return [_as_json_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {"anyOf" if key == "oneOf" else key: _as_json_schema(value) for key, value in node.items()}
    if found.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found
