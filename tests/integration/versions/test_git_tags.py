"""New tags with a real git: where they go, who made them, and that a push which fails leaves nothing behind."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from securewatch.core.errors import Rejected
from securewatch.versions.git import VendorRepository
from securewatch.versions.tag import NewTag
from tests.integration.versions.repository import ENVIRONMENT, Repository, make_repository

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    """A bare repository that was cloned, with a commit and a tag."""
    made = make_repository(tmp_path / "first")
    made.commit("first")
    made.tag("v1.0.0")
    made.git("clone", "--quiet", "--bare", str(made.path), str(tmp_path / "origin.git"))
    return Repository(tmp_path / "origin.git")


@pytest.fixture
def checkout(origin: Repository, tmp_path: Path) -> Repository:
    """The clone in which somebody works."""
    origin.git("clone", "--quiet", str(origin.path), str(tmp_path / "work"))
    return Repository(tmp_path / "work")


def reader(source: str | Path, folder: Path) -> VendorRepository:
    return VendorRepository(source, folder / "cache", environ=ENVIRONMENT)


def new_tag(checkout: Repository, **changes: str) -> NewTag:
    """A tag of what is checked out."""
    given = {"name": "v1.1.0", "commit": checkout.git("rev-parse", "HEAD"), "message": "Faster", "actor": "ann"}
    return NewTag(at=AT, **{**given, **changes})


async def test_a_tag_is_made_in_the_repository_at_the_path_alone(
    checkout: Repository, origin: Repository, tmp_path: Path
) -> None:
    await reader(checkout.path, tmp_path).add_tag(new_tag(checkout), push=False)

    assert checkout.git("cat-file", "-p", "v1.1.0").splitlines()[1:] == [
        "type commit",
        "tag v1.1.0",
        f"tagger Vendor <vendor@example.com> {int(AT.timestamp())} +0000",
        "",
        "Faster",
    ]
    assert origin.git("tag") == "v1.0.0"
    checkout.git("fsck", "--strict")


async def test_a_pushed_tag_is_the_same_at_both_ends(checkout: Repository, origin: Repository, tmp_path: Path) -> None:
    await reader(checkout.path, tmp_path).add_tag(new_tag(checkout), push=True)

    assert origin.git("rev-parse", "v1.1.0") == checkout.git("rev-parse", "v1.1.0")
    assert origin.git("cat-file", "-t", "v1.1.0") == "tag"


async def test_a_tag_of_a_url_is_pushed_there(checkout: Repository, origin: Repository, tmp_path: Path) -> None:
    repository = reader(f"file://{origin.path}", tmp_path)

    await repository.add_tag(new_tag(checkout), push=True)

    assert origin.git("rev-parse", "v1.1.0^{commit}") == checkout.git("rev-parse", "HEAD")
    assert (await repository.resolve("v1.1.0")).annotated


async def test_a_push_that_is_refused_leaves_no_tag_behind_and_says_why(
    checkout: Repository, origin: Repository, tmp_path: Path
) -> None:
    hook = origin.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho tags are frozen >&2\nexit 1\n")
    hook.chmod(0o755)

    for source in (str(checkout.path), f"file://{origin.path}"):
        with pytest.raises(Rejected) as caught:
            await reader(source, tmp_path).add_tag(new_tag(checkout), push=True)
        assert caught.value.code == "SW213"
        assert "pre-receive hook declined" in caught.value.why

    assert checkout.git("tag") == origin.git("tag") == "v1.0.0"


async def test_a_tag_that_appeared_meanwhile_is_never_moved(
    checkout: Repository, origin: Repository, tmp_path: Path
) -> None:
    origin.git("tag", "v1.1.0")
    theirs = origin.git("rev-parse", "v1.1.0")

    with pytest.raises(Rejected) as caught:
        await reader(checkout.path, tmp_path).add_tag(new_tag(checkout), push=True)
    checkout.git("tag", "v1.2.0")
    with pytest.raises(Rejected):
        await reader(checkout.path, tmp_path).add_tag(new_tag(checkout, name="v1.2.0"), push=False)

    assert "already exists" in caught.value.why
    assert origin.git("rev-parse", "v1.1.0") == theirs
    assert checkout.git("cat-file", "-t", "v1.2.0") == "commit"


async def test_the_actor_signs_where_git_knows_nobody(checkout: Repository, tmp_path: Path) -> None:
    checkout.git("config", "user.useConfigOnly", "true")
    nobody = {name: value for name, value in ENVIRONMENT.items() if "COMMITTER" not in name and "AUTHOR" not in name}
    repository = VendorRepository(checkout.path, tmp_path / "cache", environ=nobody)

    await repository.add_tag(new_tag(checkout, actor="ann <x>\nobject 1"), push=False)

    assert "\ntagger ann xobject 1 <> " in checkout.git("cat-file", "-p", "v1.1.0")


async def test_a_message_is_only_text(checkout: Repository, tmp_path: Path) -> None:
    message = "--delete\n\ntag v9.9.9\n$(touch pwned) ünï\udcff"

    await reader(checkout.path, tmp_path).add_tag(new_tag(checkout, message=message), push=False)

    assert checkout.git("tag", "--format=%(contents:subject)", "--list", "v1.1.0") == "--delete"
    assert "v9.9.9" not in checkout.git("tag")


async def test_names_are_taken_here_and_at_the_origin(checkout: Repository, origin: Repository, tmp_path: Path) -> None:
    origin.git("tag", "v3.0.0")
    checkout.git("tag", "v2.0.0")

    assert await reader(checkout.path, tmp_path).names_taken() == {"v1.0.0", "v2.0.0", "v3.0.0"}
    assert await reader(f"file://{origin.path}", tmp_path).names_taken() == {"v1.0.0", "v3.0.0"}


@pytest.mark.parametrize("text", ["nothing", "--all", "", "a b", "HEAD\nHEAD", "v1.0.0^{tree}", "1" * 40])
async def test_what_names_no_commit_is_none(
    checkout: Repository, origin: Repository, tmp_path: Path, text: str
) -> None:
    assert await reader(checkout.path, tmp_path).find_commit(text) is None
    assert await reader(f"file://{origin.path}", tmp_path).find_commit(text) is None


async def test_a_commit_is_found_by_whatever_git_calls_it(
    checkout: Repository, origin: Repository, tmp_path: Path
) -> None:
    head = checkout.git("rev-parse", "HEAD")

    for repository in (reader(checkout.path, tmp_path), reader(f"file://{origin.path}", tmp_path)):
        for text in (None, "main", "v1.0.0", head, head[:8]):
            assert await repository.find_commit(text) == head
