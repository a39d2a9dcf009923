"""The vendor's repository: made the same each time, changed for a test, read at once."""

from pathlib import Path

import pytest

from localrender.sample.app.release import Release
from localrender.vendor import (
    SAMPLE_TAGS,
    GitFailed,
    SampleTag,
    add_release,
    add_tag,
    create_vendor_repo,
    git,
    move_tag,
    read_commit,
    read_release,
    read_snapshot,
)


def kind_of(repo: Path, tag: str) -> str:
    return git(repo, "cat-file", "-t", f"refs/tags/{tag}").decode().strip()


def test_the_same_commits_and_tags_are_made_each_time(tmp_path: Path) -> None:
    first = create_vendor_repo(tmp_path / "first")
    second = create_vendor_repo(tmp_path / "second")

    assert git(first, "show-ref") == git(second, "show-ref")


def test_nobodys_git_settings_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = create_vendor_repo(tmp_path / "plain")
    (tmp_path / ".gitconfig").write_text(
        "[commit]\n\tgpgsign = true\n[user]\n\tname = Somebody\n[core]\n\tautocrlf = true\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))

    other = create_vendor_repo(tmp_path / "other")

    assert git(plain, "show-ref") == git(other, "show-ref")


def test_the_sample_has_the_promised_tags(tmp_path: Path) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")

    snapshot = read_snapshot(repo)

    assert {"v1.0.0", "v1.0.1", "v1.1.0", "v1.2.0", "v1.3.0-rc.1"} == set(snapshot.tags)
    assert kind_of(repo, "v1.0.1") == "commit"
    assert {kind_of(repo, tag) for tag in ("v1.0.0", "v1.1.0", "v1.2.0")} == {"tag"}
    assert snapshot.releases[snapshot.tags["v1.2.0"]].healthy_answers == 1
    assert snapshot.releases[snapshot.tags["v1.2.0"]].spared == ("demo",)
    assert snapshot.head == snapshot.tags["v1.3.0-rc.1"]


def test_migrations_come_with_a_release_of_their_own_where_they_are_asked_for(tmp_path: Path) -> None:
    plain = create_vendor_repo(tmp_path / "plain")
    repo = create_vendor_repo(tmp_path / "vendor", migrations=True)

    snapshot = read_snapshot(repo)
    files = git(repo, "ls-tree", "-r", "--name-only", "v1.3.0", "migrations/").decode().split()
    first_lines = [git(repo, "show", f"v1.3.0:{file}").decode().splitlines()[0] for file in files]

    before = read_snapshot(plain).tags
    assert set(snapshot.tags) - set(before) == {"v1.3.0"}
    assert before.items() <= snapshot.tags.items()
    assert snapshot.head == snapshot.tags["v1.3.0"]
    assert [file.rpartition("/")[0] for file in files] == ["migrations/v1.3.0"] * 3
    assert [line == "-- irreversible" for line in first_lines] == [False, False, True]
    assert git(repo, "ls-tree", "v1.3.0-rc.1", "migrations/") == b""


def test_a_snapshot_says_what_git_says_one_by_one(tmp_path: Path) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")

    snapshot = read_snapshot(repo)

    for sample in SAMPLE_TAGS:
        sha = snapshot.tags[sample.tag]
        assert snapshot.commits[sha] == read_commit(repo, f"refs/tags/{sample.tag}")
        assert snapshot.releases[sha] == read_release(repo, sha) == sample.release
        assert snapshot.commits[sha].message == sample.message
        assert snapshot.commits[sha].created_at.isoformat() == sample.date


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(FileExistsError):
        create_vendor_repo(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_moved_tag_names_another_commit(tmp_path: Path) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")
    before = read_snapshot(repo)

    move_tag(repo, "v1.1.0", before.tags["v1.0.0"])

    assert read_snapshot(repo).tags == {**before.tags, "v1.1.0": before.tags["v1.0.0"]}


def test_a_tag_that_does_not_exist_cannot_be_moved(tmp_path: Path) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")

    with pytest.raises(GitFailed):
        move_tag(repo, "v9.9.9", read_snapshot(repo).head)


@pytest.mark.parametrize(("annotate", "kind"), [(True, "tag"), (False, "commit")])
def test_an_added_tag_names_the_commit(tmp_path: Path, annotate: bool, kind: str) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")
    commit = read_snapshot(repo).tags["v1.1.0"]

    add_tag(repo, "v1.1.1", commit, annotate=annotate)

    assert read_snapshot(repo).tags["v1.1.1"] == commit
    assert kind_of(repo, "v1.1.1") == kind


def test_an_added_release_becomes_the_head(tmp_path: Path) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")
    release = Release("2.0.0", builds=False)

    commit = add_release(repo, SampleTag("v2.0.0", "Two\n\nWith a body.", "2026-07-01T09:00:00+02:00", release))

    snapshot = read_snapshot(repo)
    assert (snapshot.head, snapshot.tags["v2.0.0"]) == (commit, commit)
    assert snapshot.releases[commit] == release
    assert snapshot.commits[commit].message == "Two\n\nWith a body."
    assert snapshot.commits[commit].created_at.isoformat() == "2026-07-01T07:00:00+00:00"


@pytest.mark.parametrize("revision", ["refs/tags/v9.9.9", "0" * 40, "deadbeef", "--all", ""])
def test_an_unknown_revision_is_no_commit(tmp_path: Path, revision: str) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")

    assert read_commit(repo, revision) is None


def test_a_folder_that_is_no_repository_is_told_in_gits_words(tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="not a git repository"):
        read_snapshot(tmp_path)
