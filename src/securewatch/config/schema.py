"""JSON Schema (draft 7) of the configuration files, for editors. Made from the models; checks nothing itself."""

import json
from typing import Any

from securewatch.config.files.customers_file import CustomersFile
from securewatch.config.files.kinds import FileModel
from securewatch.config.files.own_file import SecurewatchFile
from securewatch.config.files.policy_files import DeploymentPoliciesFile, MinorReleasePoliciesFile
from securewatch.config.files.render_file import RenderDeploymentFile
from securewatch.config.folder import (
    CUSTOMERS_FILE,
    DEPLOYMENT_POLICIES_FILE,
    OWN_FILE,
    RELEASE_POLICIES_FILE,
    RENDER_FILE,
)

DRAFT = "http://json-schema.org/draft-07/schema#"
FILE_MODELS: dict[str, type[FileModel]] = {
    RENDER_FILE: RenderDeploymentFile,
    CUSTOMERS_FILE: CustomersFile,
    RELEASE_POLICIES_FILE: MinorReleasePoliciesFile,
    DEPLOYMENT_POLICIES_FILE: DeploymentPoliciesFile,
    OWN_FILE: SecurewatchFile,
}
"""The files and their models: three that must be there, two that may."""


def file_schema(file_name: str) -> dict[str, Any]:
    """The schema of one file, by its name (`customers.json`). Raises KeyError for a file that is none of these."""
    made = FILE_MODELS[file_name].model_json_schema(ref_template="#/definitions/{model}")
    body = {key: value for key, value in made.items() if key != "$defs"}
    return {"$schema": DRAFT, **_draft_7(body), "definitions": _draft_7(made.get("$defs", {}))}


def all_schemas() -> dict[str, dict[str, Any]]:
    """The schemas of all files, by file name."""
    return {name: file_schema(name) for name in FILE_MODELS}


def _draft_7(part: Any) -> Any:
    """The same in draft 7: keywords beside a `$ref` are ignored there, so the reference moves into an `allOf`."""
    if isinstance(part, list):
        return [_draft_7(one) for one in part]
    if not isinstance(part, dict):
        return part
    moved = {key: _draft_7(value) for key, value in part.items()}
    if "$ref" in moved and len(moved) > 1:
        moved["allOf"] = [{"$ref": moved.pop("$ref")}]
    return moved


def schema_text(file_name: str) -> str:
    """The schema of one file as indented JSON."""
    return json.dumps(file_schema(file_name), indent=2, ensure_ascii=False)
