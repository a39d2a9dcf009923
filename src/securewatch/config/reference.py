"""The reference page of the configuration, made from the models and the settings. Holds no facts of its own."""

from dataclasses import fields
from typing import Any

from securewatch.config.files.checking import is_by_name, nested_model
from securewatch.config.files.kinds import FileModel
from securewatch.config.folder import DEPLOYMENT_POLICIES_FILE, OWN_FILE
from securewatch.config.phases import PHASE_DEFAULTS, PhaseDefaults, show_default
from securewatch.config.schema import FILE_MODELS
from securewatch.config.templates import SECRET_PREFIX
from securewatch.config.variables import VARIABLES

_OPTIONAL = (DEPLOYMENT_POLICIES_FILE, OWN_FILE)
_MEANING = {
    "render_host": "Base URL of Render's API, with `/v1`.",
    "api_key": "Key of Render's API; in `ps` when given as a flag.",
    "workspace": "Id of the workspace that owns all services; by default the one recorded at the first plan.",
    "config_dir": "The configuration folder; by default the nearest `config/` from the current folder upwards.",
    "repo": "The vendor's git repository, a path or a URL; by default the current folder's.",
    "database_url": "The state database; by default SQLite in `.securewatch/state.db` beside the configuration folder.",
    "clock_file": "A shared clock file for rehearsals; refused unless Render is on this machine.",
    "actor": "Who is acting, for the audit log; by default the operating system's user.",
    "secret_key": "Key of the encrypted backups: base64 of 32 bytes.",
    "secret_key_file": "File with that key; by default `secret.key` beside the state database, made once.",
    "secret_key_command": "Command that prints that key; started without a shell, at most 30 s. Secret.",
    "secret_key_keyring": "Entry `service/user` of the system's keyring with that key; needs the extra `keyring`.",
    "backup_url": "Where database backups are kept: a folder or a URL of fsspec; by default beside the state database.",
    "pg_bin": "Folder of `pg_dump` and `pg_restore`; by default those of `PATH`, else of the extra `postgres`.",
    "scratch_database_url": "Server on which backups are tried, never a customer's; by default one of our own. Secret.",
    "http_timeout_seconds": "Longest wait for one answer of Render, in real seconds. Default: 10.",
    "grace_seconds": "How long a write whose answer was lost is looked for, in seconds. Default: 300.",
    "notify_team": "Where the team is told of releases: apprise URLs with commas between them. Secret.",
    "notify_email": "An apprise `mailto://` URL that reaches customers; its recipient is replaced. Secret.",
    "mail_folder": "A folder: notices go there as `.eml` files instead, and nothing leaves the machine.",
}


def configuration_reference() -> str:
    """The whole page as Markdown."""
    parts = [
        "# Configuration",
        "",
        "Flags win over the environment, the environment over `.env` in the project folder, and that over the files.",
        "`securewatch config show` prints every value in force with its origin; `securewatch config schema` a schema.",
        "",
        *_environment(),
        *_phase_defaults(),
    ]
    for name, model in FILE_MODELS.items():
        parts += _file(name, model)
    return "\n".join(parts)


def _environment() -> list[str]:
    rows = [f"| `{variable}` | {_MEANING[name]} |" for name, variable in VARIABLES.items()]
    told = "A customer's value for an env var; hyphens become underscores. `…_FILE` names a file with it."
    secret = f"| `{SECRET_PREFIX}<SLUG>_<KEY>` | {told} |"
    return ["## Environment", "", "| variable | means |", "|---|---|", *rows, secret, ""]


def _phase_defaults() -> list[str]:
    head = [f"| key | {' | '.join(PHASE_DEFAULTS)} |", "|---|" + "---|" * len(PHASE_DEFAULTS)]
    rows = []
    for field in fields(PhaseDefaults):
        shown = [show_default(getattr(one, field.name)) for one in PHASE_DEFAULTS.values()]
        rows.append(f"| `{field.name}` | {' | '.join(shown)} |")
    return ["## Defaults of the phases", "", "What holds where a file leaves a key out.", "", *head, *rows, ""]


def _file(name: str, model: type[FileModel]) -> list[str]:
    kind = "optional" if name in _OPTIONAL else "required"
    head = [f"## config/{name} ({kind})", "", model.__doc__ or "", "", "| path | accepted | means |", "|---|---|---|"]
    return [*head, *_rows(model, ""), ""]


def _rows(model: type[FileModel], path: str) -> list[str]:
    properties = model.model_json_schema()["properties"]
    rows = []
    for key, field in model.model_fields.items():
        here = f"{path}{key}"
        part = nested_model(field.annotation)
        accepted = "" if part else _accepted(properties[key])
        needed = " **Required.**" if field.is_required() else ""
        means = f"{field.description or ''}{needed}"
        rows.append(f"| `{here}` | {_cell(accepted)} | {_cell(means)} |")
        if part is not None:
            rows += _rows(part, f"{here}{_step(field.annotation)}")
    return rows


def _step(annotation: Any) -> str:
    """How a path goes on inside a field: by name, by number, or right away."""
    if is_by_name(annotation):
        return ".<name>."
    return "[]." if "list[" in str(annotation) else "."


def _accepted(schema: dict[str, Any]) -> str:
    """What a schema accepts, in few words."""
    if "$comment" in schema:
        return str(schema["$comment"])
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "anyOf" in schema:
        kinds = [_accepted(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(kind for kind in kinds if kind)
    kind = schema.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
