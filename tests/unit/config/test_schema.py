"""The schemas are valid draft 7, take the example, and refuse what is no quantity."""

import json
from pathlib import Path

import jsonschema
import pytest

from securewatch.config.reference import configuration_reference
from securewatch.config.schema import FILE_MODELS, all_schemas, file_schema, schema_text
from tests.unit.config.given import EXAMPLE


@pytest.mark.parametrize("name", FILE_MODELS)
def test_each_schema_is_valid_draft_7(name: str) -> None:
    schema = json.loads(schema_text(name))

    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema == all_schemas()[name]


@pytest.mark.parametrize("path", sorted(EXAMPLE.glob("*.json")), ids=lambda path: path.name)
def test_the_example_satisfies_its_schema(path: Path) -> None:
    jsonschema.Draft7Validator(file_schema(path.name)).validate(json.loads(path.read_text()))


def test_a_duration_without_a_unit_does_not_satisfy_the_schema() -> None:
    errors = list(jsonschema.Draft7Validator(file_schema("securewatch.json")).iter_errors({"deploy_timeout": "10"}))

    assert len(errors) == 1


@pytest.mark.parametrize(
    "text",
    [
        "`RENDER_API_KEY`",
        "`SECUREWATCH_SECRET_<SLUG>_<KEY>`",
        "`customer_environment_mapping.<name>.backend_service_id`",
        "`customers[].maintenance_window.time` | HH:MM-HH:MM",
        "`rollback_procedures.automatic_triggers.error_rate_threshold`",
        "| `batch_delay` | 0_seconds | 2_hours | 6_hours | maintenance_window |",
    ],
)
def test_the_reference_names_settings_keys_and_defaults(text: str) -> None:
    assert text in configuration_reference()


def test_every_key_of_every_file_is_described_in_the_reference() -> None:
    rows = [line.split(" | ") for line in configuration_reference().splitlines() if line.startswith("| `")]

    assert [row for row in rows if not row[-1].strip(" |")] == []
