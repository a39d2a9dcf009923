"""The customers' file with the versions on record. It is given out, never written (design: behaviour, state)."""

from collections.abc import Mapping
from typing import Any

from securewatch.config.files.reading import read_raw
from securewatch.config.folder import CUSTOMERS_FILE
from securewatch.core.errors import ConfigError
from securewatch.deploy.model import ServiceKind
from securewatch.deps import Deps
from securewatch.store.releases import Release, current_releases


async def export_customers(deps: Deps) -> Mapping[str, Any]:
    """`customers.json` with `current_version` and `last_updated` of each customer whose pair runs one recorded version.

    Everything else stays as it is, but for secrets, which no export holds (S16): a database URL with a password becomes
    its placeholder, an API key is left out. Raises ConfigError (SW102) for a file that cannot be read.
    """
    raw = read_raw(deps.config_dir, CUSTOMERS_FILE, is_required=True)
    if raw.data is None or not isinstance(raw.data.get("customers"), list):
        raise ConfigError("SW102", f"{raw.name} cannot be exported", problems=raw.problems)
    on_record: dict[str, dict[ServiceKind, Release]] = {}
    database = await deps.existing_database()
    if database is not None:
        async with database.read() as tx:
            for one in await current_releases(tx):
                on_record.setdefault(one.slug, {})[one.service_kind] = one
    entries = [_entry(one, on_record) if isinstance(one, dict) else one for one in raw.data["customers"]]
    return {**raw.data, "customers": entries}


def _entry(entry: Mapping[str, Any], on_record: Mapping[str, Mapping[ServiceKind, Release]]) -> dict[str, Any]:
    exported, slug = dict(entry), str(entry.get("slug", ""))
    pair = on_record.get(slug, {}).values()
    if len(pair) == len(ServiceKind) and len({one.version for one in pair}) == 1:
        exported["current_version"] = next(one.version for one in pair)
        exported["last_updated"] = max(one.since for one in pair).date().isoformat()
    if "://" in str(entry.get("database_url", "")):
        exported["database_url"] = f"${{{slug.upper().replace('-', '_')}_DATABASE_URL}}"
    if isinstance(entry.get("render"), dict):
        exported["render"] = {key: value for key, value in entry["render"].items() if key != "api_key"}
    return exported
