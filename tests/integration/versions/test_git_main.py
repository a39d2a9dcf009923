"""The main branch with a real git: its head by its described name, and that name's commit."""

from pathlib import Path

import pytest

from securewatch.core.errors import NotFound
from securewatch.versions.git import VendorRepository
from tests.integration.versions.repository import ENVIRONMENT, Repository, make_repository


@pytest.fixture
def vendor(tmp_path: Path) -> Repository:
    """A main branch two commits after v1.1.0, with a tag that is no version on the first of them."""
    made = make_repository(tmp_path / "vendor")
    made.commit("first")
    made.tag("v1.1.0")
    made.commit("second")
    made.tag("nightly")
    made.commit("third")
    return made


@pytest.fixture(params=["path", "url"])
def repository(request: pytest.FixtureRequest, vendor: Repository, tmp_path: Path) -> VendorRepository:
    """It by its path, and by a URL."""
    source = vendor.path if request.param == "path" else f"file://{vendor.path}"
    return VendorRepository(source, tmp_path / "cache", environ=ENVIRONMENT)


async def test_the_head_of_main_has_its_described_name(repository: VendorRepository, vendor: Repository) -> None:
    head = vendor.git("rev-parse", "HEAD")

    found = await repository.describe_main()

    assert found is not None
    assert (found.name, found.commit) == (f"v1.1.0-2-g{head[:7]}", head)


async def test_a_tagged_head_has_the_name_of_the_version(repository: VendorRepository, vendor: Repository) -> None:
    vendor.tag("v1.2.0", "-a", "-m", "two")

    found = await repository.describe_main()

    assert found is not None
    assert (found.name, found.commit) == ("v1.2.0", vendor.git("rev-parse", "HEAD"))


async def test_without_a_version_or_a_branch_there_is_no_name(tmp_path: Path) -> None:
    empty = make_repository(tmp_path / "empty")
    bare = make_repository(tmp_path / "bare")
    bare.commit("first")
    bare.tag("nightly")

    for made in (empty, bare):
        assert await VendorRepository(made.path, tmp_path, environ=ENVIRONMENT).describe_main() is None


async def test_a_described_name_leads_to_its_commit(repository: VendorRepository, vendor: Repository) -> None:
    head = vendor.git("rev-parse", "HEAD")
    name = f"v1.1.0-2-g{head[:9]}"
    vendor.tag("v1.2.0")
    vendor.commit("fourth")

    found = await repository.resolve(name)

    assert (found.name, found.commit, found.version is not None) == (name, head, True)


async def test_a_described_name_that_is_not_true_is_unknown(repository: VendorRepository, vendor: Repository) -> None:
    head = vendor.git("rev-parse", "HEAD")
    vendor.git("checkout", "--quiet", "-b", "side")
    aside = vendor.commit("aside")
    wrong = [f"v1.1.0-1-g{head[:7]}", f"v1.0.0-2-g{head[:7]}", "v1.1.0-2-gabcdef0", f"v1.1.0-3-g{aside[:7]}"]

    for name in wrong:
        with pytest.raises(NotFound) as caught:
            await repository.resolve(name)
        assert caught.value.code == "SW203"
