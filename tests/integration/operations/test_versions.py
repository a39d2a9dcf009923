"""Which customers have a version: those whose services all run it; who runs it on one service only is split."""

from pathlib import Path

from securewatch.deploy.model import ServiceKind
from securewatch.deps import Deps
from securewatch.operations.versions import list_versions
from securewatch.store import releases
from securewatch.store.releases import Release
from tests.factories import NOW
from tests.integration.operations.given import running_office
from tests.integration.versions.repository import make_repository


async def record(deps: Deps, slug: str, **versions: str) -> None:
    """What the customer's services run, by kind."""
    async with (await deps.database()).write("record") as tx:
        for kind, version in versions.items():
            made = Release(slug, ServiceKind(kind), f"srv-{slug}-{kind}", version, "9c1e2ab", f"dep-{version}", NOW)
            await releases.record_release(tx, made)


async def test_a_customer_has_a_version_when_both_its_services_have_it(tmp_path: Path) -> None:
    vendor = make_repository(tmp_path / "vendor")
    for tag in ("v1.0.0", "v1.1.0"):
        vendor.commit(tag)
        vendor.tag(tag)
    async with running_office(tmp_path) as office:
        deps = await office.deps(SECUREWATCH_REPO=str(vendor.path))
        await record(deps, "acme-corp", backend="v1.1.0", frontend="v1.1.0")
        await record(deps, "techstart", backend="v1.1.0", frontend="v1.0.0")
        await record(deps, "medhealth", backend="v1.1.0")

        newest, oldest = await list_versions(deps)

    assert (newest.tag.name, newest.customers) == ("v1.1.0", ("acme-corp",))
    assert newest.split == {"medhealth": ServiceKind.BACKEND, "techstart": ServiceKind.BACKEND}
    assert (oldest.tag.name, oldest.customers, oldest.split) == ("v1.0.0", (), {"techstart": ServiceKind.FRONTEND})
