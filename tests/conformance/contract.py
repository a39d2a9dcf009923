"""Render's published API description and recorded exchanges, as a judge of answers. Knows nothing of the platform."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

DEFAULT_FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data"
_ROOT = "urn:render"
_PREFIX = "/v1"
_INDEX = re.compile(r"\d+")

Finding = tuple[str, str]
"""Where in the answer (`$.0.deploy.commit`, indices as `*`) and which rule of the description it breaks."""

formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    """RFC 3339, with a zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, recorded or just made; `path` with /v1 and without a query."""

    method: str
    path: str
    status: int
    content_type: str
    body: str


class Contract:
    """The OpenAPI document and the recordings."""

    def __init__(self, folder: Path) -> None:
        self.document: dict[str, Any] = _with_nulls(json.loads((folder / "render-openapi.json").read_text()))
        lines = (folder / "render-recordings.jsonl").read_text().splitlines()
        self.recordings = [_recorded(json.loads(line)) for line in lines]
        resource = Resource(contents=self.document, specification=DRAFT4)
        self._registry: Registry[Any] = Registry().with_resource(_ROOT, resource)
        self._templates = [(template, _pattern(template)) for template in self.document["paths"]]

    def template_of(self, path: str) -> str | None:
        """The documented path of a request's path, without /v1; the one with the fewest parameters; None if none."""
        fitting = [one for one, pattern in self._templates if pattern.fullmatch(path.removeprefix(_PREFIX))]
        return min(fitting, key=lambda one: one.count("{"), default=None)

    def findings(self, exchange: Exchange) -> set[Finding]:
        """What of an answer the description does not allow; empty where everything conforms."""
        template = self.template_of(exchange.path)
        if template is None:
            return {("path", "undocumented")}
        responses = self.document["paths"][template].get(exchange.method.lower(), {}).get("responses", {})
        if str(exchange.status) not in responses:
            return {("status", "undocumented")}
        pointer = f"/paths/{_escape(template)}/{exchange.method.lower()}/responses/{exchange.status}"
        response = responses[str(exchange.status)]
        if "$ref" in response:
            pointer = response["$ref"].removeprefix("#")
            response = self.document["components"]["responses"][pointer.rsplit("/", 1)[-1]]
        if "application/json" not in response.get("content", {}):
            return {("body", "undocumented")} if exchange.body else set()
        return set(self._body_findings(exchange, f"{pointer}/content/application~1json/schema"))

    def _body_findings(self, exchange: Exchange, pointer: str) -> Iterator[Finding]:
        if not exchange.content_type.startswith("application/json"):
            yield ("content-type", exchange.content_type)
            return
        try:
            body = json.loads(exchange.body)
        except ValueError:
            yield ("body", "no JSON")
            return
        schema = {"$ref": f"{_ROOT}#{pointer}"}
        validator = Draft4Validator(schema, registry=self._registry, format_checker=formats)
        for error in validator.iter_errors(body):
            yield (_place(error), _rule(error))


@cache
def load_contract() -> Contract:
    """Render's description and recordings from `RENDER_CONTRACT_DATA`, by default beside the project.

    Without them the test is skipped, saying so; it fails where `CI` is true.
    """
    folder = Path(os.environ.get("RENDER_CONTRACT_DATA") or DEFAULT_FOLDER)
    if not (folder / "render-openapi.json").is_file():
        message = f"Render's API description is not in {folder}; set RENDER_CONTRACT_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return Contract(folder)


def _with_nulls(node: Any) -> Any:
    """OpenAPI 3.0 says `nullable: true` where JSON Schema lists null among the types."""
    if isinstance(node, list):
        return [_with_nulls(one) for one in node]
    if not isinstance(node, dict):
        return node
    shown = {key: _with_nulls(value) for key, value in node.items()}
    if shown.get("nullable") is True and isinstance(shown.get("type"), str):
        shown["type"] = [shown["type"], "null"]
    return shown


def _recorded(line: Mapping[str, Any]) -> Exchange:
    headers = {name.lower(): value for name, value in line["headers"].items()}
    path = line["url"].partition("?")[0]
    return Exchange(line["method"], path, line["status"], headers.get("content-type", ""), line["body"] or "")


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template)))


def _escape(template: str) -> str:
    return template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _place(error: ValidationError) -> str:
    return ".".join(["$", *("*" if _INDEX.fullmatch(str(part)) else str(part) for part in error.absolute_path)])


def _rule(error: ValidationError) -> str:
    if error.validator == "required":
        return "required " + error.message.split("'")[1]
    if error.validator == "oneOf":
        return "oneOf: none fits" if error.context else "oneOf: several fit"
    return str(error.validator)
