"""The customers' file with the versions on record."""

from pathlib import Path
from typing import Any

from securewatch.deploy.model import ServiceKind
from securewatch.deps import Deps
from securewatch.operations.export import export_customers
from securewatch.store import releases
from securewatch.store.releases import Release
from tests.integration.operations.given import running_office

PASSWORD = "hunter2-canary"


def add_secrets(files: dict[str, Any]) -> None:
    entry = next(one for one in files["customers"] if one["slug"] == "acme-corp")
    entry["database_url"] = f"postgresql://acme:{PASSWORD}@db.example/acme"
    entry["render"] = {"api_key": PASSWORD, "region": "oregon"}


async def record(deps: Deps, slug: str, *versions: str) -> None:
    async with (await deps.database()).write("releases") as tx:
        for kind, version in zip(ServiceKind, versions, strict=False):
            since = deps.clock.now()
            await releases.record_release(tx, Release(slug, kind, f"srv-{kind}", version, "9c1e2ab", "dep-1", since))


async def test_the_versions_on_record_are_told_and_the_rest_stays(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await record(deps, "acme-corp", "v1.1.0", "v1.1.0")
        await record(deps, "techstart", "v1.1.0", "v1.0.0")

        exported = await export_customers(deps)

        found = {one["slug"]: one for one in exported["customers"]}
        acme = found["acme-corp"]
        assert (acme["current_version"], acme["last_updated"]) == ("v1.1.0", deps.clock.now().date().isoformat())
        assert found["techstart"]["current_version"] == "v1.0.0"  # a split pair has no one version
        assert set(exported) >= {"customers", "metadata"}


async def test_no_secret_is_exported(tmp_path: Path) -> None:
    async with running_office(tmp_path, {"customers.json": add_secrets}) as office:
        exported = await export_customers(await office.deps())

        acme = next(one for one in exported["customers"] if one["slug"] == "acme-corp")
        assert PASSWORD not in str(exported)
        assert (acme["database_url"], acme["render"]) == ("${ACME_CORP_DATABASE_URL}", {"region": "oregon"})
