"""The vendor's repository with a real git: tags by path and URL, every refusal, and that nothing foreign runs."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from securewatch.core.errors import Conflict, NotFound, Rejected, Retryable, UsageError
from securewatch.versions.git import VendorRepository
from securewatch.versions.tag import TagMoved, ensure_unmoved
from tests.integration.versions.repository import ENVIRONMENT, Repository, make_repository

MADE_AT = datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)


@pytest.fixture
def vendor(tmp_path: Path) -> Repository:
    """A repository with light and annotated tags, versions and others."""
    made = make_repository(tmp_path / "vendor")
    made.commit("first")
    made.tag("v1.0.0")
    made.tag("nightly")
    made.commit("second")
    made.tag("v1.2.0-rc.1")
    made.tag("v1.10.0", "-a", "-m", "ten")
    return made


def reader(source: str | Path, folder: Path, **more: float) -> VendorRepository:
    """The repository as the product reads it, without the configuration of whoever runs the tests."""
    return VendorRepository(source, folder / "cache", environ=ENVIRONMENT, **more)


@pytest.fixture(params=["path", "url", "bare"])
def repository(request: pytest.FixtureRequest, vendor: Repository, tmp_path: Path) -> VendorRepository:
    """The vendor's repository, read from its checkout, through a URL, and as a bare one."""
    if request.param == "bare":
        vendor.git("clone", "--quiet", "--bare", str(vendor.path), str(tmp_path / "bare.git"))
        return reader(tmp_path / "bare.git", tmp_path)
    return reader(f"file://{vendor.path}" if request.param == "url" else vendor.path, tmp_path)


async def test_versions_come_first_the_newest_first(repository: VendorRepository) -> None:
    tags = await repository.list_tags()

    assert [one.name for one in tags] == ["v1.10.0", "v1.2.0-rc.1", "v1.0.0", "nightly"]
    assert [one.version and one.version.tag for one in tags] == ["v1.10.0", "v1.2.0-rc.1", "v1.0.0", None]
    assert [one.created_at for one in tags] == [MADE_AT] * 4


async def test_annotated_and_light_tags_lead_to_their_commits(repository: VendorRepository, vendor: Repository) -> None:
    light, annotated = await repository.resolve("v1.0.0"), await repository.resolve("v1.10.0")

    assert (light.commit, light.annotated) == (vendor.git("rev-parse", "HEAD~1"), False)
    assert (annotated.commit, annotated.annotated) == (vendor.git("rev-parse", "HEAD"), True)


@pytest.mark.parametrize("scheme", ["", "file://"])
async def test_a_tag_of_a_tag_leads_to_the_commit(vendor: Repository, tmp_path: Path, scheme: str) -> None:
    vendor.git("tag", "-a", "-m", "again", "v2.0.0", "v1.10.0")

    found = await reader(f"{scheme}{vendor.path}", tmp_path).resolve("v2.0.0")

    assert (found.commit, found.annotated) == (vendor.git("rev-parse", "HEAD"), True)


async def test_a_tag_that_is_no_version_is_still_a_tag(repository: VendorRepository) -> None:
    assert (await repository.resolve("nightly")).version is None


async def test_an_unknown_tag_is_told_with_the_nearest_names(repository: VendorRepository) -> None:
    with pytest.raises(NotFound) as caught:
        await repository.resolve("v1.0.1")

    assert caught.value.code == "SW203"
    assert "v1.0.0" in caught.value.fix


async def test_a_malformed_version_is_told_apart_from_an_unknown_tag(repository: VendorRepository) -> None:
    with pytest.raises(UsageError) as caught:
        await repository.resolve("v1.0")

    assert caught.value.code == "SW204"
    assert "v1.0.0" in caught.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "--upload-pack=touch pwned",
        "-n",
        "",
        ".",
        "a..b",
        "a b",
        "v1.0.0^{}",
        "v1.0.0~1",
        "HEAD@{1}",
        "*",
        "../../heads/main",
        "a.lock",
        "a\nb",
        "a\0b",
        "v" * 300,
    ],
)
async def test_a_text_that_can_be_no_tag_never_reaches_git(vendor: Repository, tmp_path: Path, text: str) -> None:
    nowhere = reader(tmp_path / "nowhere", tmp_path)

    with pytest.raises(UsageError) as caught:
        await nowhere.resolve(text)

    assert caught.value.code == "SW204"


@pytest.mark.parametrize("text", ["main", "refs/tags/v1.0.0", "heads/main", "HEAD"])
async def test_branches_and_refs_are_no_tags(repository: VendorRepository, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        await repository.resolve(text)

    assert caught.value.code == "SW204"


async def test_a_moved_tag_is_refused_with_both_commits(repository: VendorRepository, vendor: Repository) -> None:
    before = await repository.resolve("v1.10.0")
    moved = reader(vendor.path, vendor.path.parent)
    new = vendor.commit("third")
    vendor.tag("v1.10.0", "--force")

    after = await moved.resolve("v1.10.0")

    with pytest.raises(TagMoved) as caught:
        ensure_unmoved(after, before.commit)
    assert isinstance(caught.value, Conflict)
    assert caught.value.code == "SW412"
    assert (before.commit[:7] in caught.value.why, new[:7] in caught.value.why) == (True, True)


async def test_a_tag_that_stayed_passes(repository: VendorRepository) -> None:
    tag = await repository.resolve("v1.0.0")

    ensure_unmoved(tag, tag.commit)


async def test_a_tag_that_moved_behind_a_url_is_seen_at_once(vendor: Repository, tmp_path: Path) -> None:
    repository = reader(f"file://{vendor.path}", tmp_path)
    before = {one.name: one.commit for one in await repository.list_tags()}
    new = vendor.commit("third")
    vendor.tag("v1.0.0", "--force")
    vendor.git("tag", "--delete", "nightly")

    after = {one.name: one for one in await repository.list_tags()}

    assert before["v1.0.0"] != new
    assert (after["v1.0.0"].commit, after["v1.0.0"].created_at) == (new, MADE_AT)
    assert "nightly" not in after


async def test_tags_behind_a_url_are_listed_without_dates_where_nothing_can_be_kept(
    vendor: Repository, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("in the way")

    tags = await reader(f"file://{vendor.path}", tmp_path).list_tags()

    assert [(one.name, one.created_at) for one in tags[:1]] == [("v1.10.0", None)]


async def test_tags_of_files_and_trees_are_left_out(vendor: Repository, tmp_path: Path) -> None:
    vendor.git("tag", "v3.0.0", "HEAD^{tree}")
    vendor.git("tag", "-a", "-m", "a file", "v3.0.1", vendor.git("hash-object", "-w", "/dev/null"))

    names = [one.name for one in await reader(vendor.path, tmp_path).list_tags()]

    assert names == ["v1.10.0", "v1.2.0-rc.1", "v1.0.0", "nightly"]


async def test_a_repository_without_tags_has_none(tmp_path: Path) -> None:
    empty = make_repository(tmp_path / "empty")

    assert await reader(empty.path, tmp_path).list_tags() == []


async def test_a_folder_inside_a_checkout_is_that_repository(vendor: Repository, tmp_path: Path) -> None:
    (vendor.path / "deep").mkdir()

    assert len(await reader(vendor.path / "deep", tmp_path).list_tags()) == 4


async def test_a_path_that_is_no_repository_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(Rejected) as caught:
        await reader(tmp_path / "plain", tmp_path).list_tags()

    assert caught.value.code == "SW205"


async def test_a_url_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        await reader(f"file://{tmp_path}/nowhere", tmp_path).resolve("v1.0.0")

    assert caught.value.code == "SW205"


async def test_a_password_in_a_url_is_never_shown(tmp_path: Path) -> None:
    repository = reader("http://user:hunter2@127.0.0.1:1/vendor.git", tmp_path)

    with pytest.raises(Rejected) as caught:
        await repository.list_tags()

    assert "hunter2" not in f"{repository!r}{caught.value}{caught.value.why}{caught.value.fix}"


@pytest.mark.parametrize("url", ["ext::touch {place}", "ext::sh://touch {place}", "-oProxyCommand=touch://{place}"])
async def test_a_url_never_starts_a_program(tmp_path: Path, url: str) -> None:
    place = tmp_path / "pwned"

    with pytest.raises(Rejected):
        await reader(url.format(place=place), tmp_path).list_tags()

    assert not place.exists()


async def test_hooks_and_watchers_of_the_repository_do_not_run(vendor: Repository, tmp_path: Path) -> None:
    place = tmp_path / "pwned"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {place}\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "pager.for-each-ref", "core.askPass"):
        vendor.git("config", key, str(script))
    vendor.git("config", "core.hooksPath", str(tmp_path))

    assert len(await reader(vendor.path, tmp_path).list_tags()) == 4
    assert not place.exists()


async def test_a_server_that_does_not_answer_is_given_up_on(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/vendor.git"

        with pytest.raises(Retryable) as caught:
            await reader(url, tmp_path, timeout_seconds=0.3).list_tags()

    assert caught.value.code == "SW205"


async def test_without_git_the_repository_cannot_be_read(vendor: Repository, tmp_path: Path) -> None:
    repository = VendorRepository(vendor.path, tmp_path, environ={"PATH": str(tmp_path)})

    with pytest.raises(Rejected) as caught:
        await repository.list_tags()

    assert caught.value.code == "SW205"


async def test_the_files_of_a_folder_are_read_as_they_are_at_a_commit(
    repository: VendorRepository, vendor: Repository
) -> None:
    folder = vendor.path / "migrations" / "v1.1.0"
    folder.mkdir(parents=True)
    (folder / "001 first.sql").write_bytes(b"SELECT '\xc3\xa9\xff';\r\n")
    (folder / "link.sql").symlink_to("001 first.sql")
    vendor.git("add", ".")
    commit = vendor.commit("with migrations")
    if "bare" in repository.shown_source:
        vendor.git("push", "--quiet", repository.shown_source, "main")
    (folder / "001 first.sql").write_text("changed and not committed")

    assert await repository.read_files(commit, "migrations") == {
        "migrations/v1.1.0/001 first.sql": b"SELECT '\xc3\xa9\xff';\r\n"
    }
    assert await repository.read_files(vendor.git("rev-parse", "HEAD~1"), "migrations") == {}
