"""The vendor's git repository: makes the sample one, changes it for a test, and reads one. Starts git and nothing else.

Git is started without a shell and without anybody's settings, so the same sources give the same commits everywhere.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from localrender.hosting import CommitInfo
from localrender.sample.app.release import FILE_NAME, Release, parse_release

_AUTHOR = {"name": "SecureWatch Releases", "email": "releases@securewatch.example"}
_LOG_FORMAT = "%H%x00%cI%x00%B%x00"


class GitFailed(Exception):
    """Git could not do it; the message is git's own."""


@dataclass(frozen=True, slots=True)
class SampleTag:
    """One tag of the sample repository with a commit of its own; `date` is ISO 8601 with an offset."""

    tag: str
    message: str
    date: str
    release: Release
    annotate: bool = True


SAMPLE_TAGS: tuple[SampleTag, ...] = (
    SampleTag("v1.0.0", "Release 1.0.0", "2026-01-12T09:00:00+00:00", Release("1.0.0")),
    SampleTag("v1.0.1", "Fix the page's title", "2026-02-02T09:00:00+00:00", Release("1.0.1"), annotate=False),
    SampleTag("v1.1.0", "Release 1.1.0: faster alerts", "2026-03-09T09:00:00+00:00", Release("1.1.0")),
    SampleTag(
        "v1.2.0",
        "Release 1.2.0: new search",
        "2026-05-11T09:00:00+00:00",
        Release("1.2.0", healthy_answers=1, spared=("demo",)),
    ),
    SampleTag("v1.3.0-rc.1", "Candidate of 1.3.0: search repaired", "2026-06-08T09:00:00+00:00", Release("1.3.0-rc.1")),
)
"""The sample's history, oldest first; all are good but v1.2.0, which comes up and then fails its health checks: not for
the customer `demo`, whose data are samples, but for everybody else."""
MIGRATION_TAGS: tuple[SampleTag, ...] = (
    SampleTag(
        "v1.3.0",
        "Release 1.3.0: amounts in cents, orders without notes",
        "2026-07-06T09:00:00+00:00",
        Release("1.3.0", columns=("orders.amount", "orders.amount_cents")),
    ),
)
"""Releases with `migrations/<tag>/*.sql`, only where they are asked for. After v1.3.0's, which drop a column, the code
of the releases before it still writes, and its database check says that the schema is not its own."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository as it was when it was read. `tags` gives full shas; `releases` has the commits that hold one."""

    head: str
    tags: Mapping[str, str]
    commits: Mapping[str, CommitInfo]
    releases: Mapping[str, Release]


def create_vendor_repo(folder: Path, *, migrations: bool = False) -> Path:
    """Make the sample repository in a folder that is new or empty; gives the folder.

    With `migrations` the releases of `MIGRATION_TAGS` follow those of `SAMPLE_TAGS`.

    Raises:
        FileExistsError: there is something in the folder.
        GitFailed: git is missing or could not do it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    git(folder, "init", "--quiet", "--template=", "--initial-branch=main")
    application = resources.files("localrender.sample").joinpath("app")
    (folder / "app").mkdir()
    for file in application.iterdir():
        if file.name.endswith(".py"):
            (folder / "app" / file.name).write_bytes(file.read_bytes())
    for sample in SAMPLE_TAGS:
        add_release(folder, sample)
    if migrations:
        add_migration_releases(folder)
    return folder


def add_migration_releases(repo: Path) -> None:
    """Add the releases of `MIGRATION_TAGS` on the current branch, each with its migrations."""
    for sample in MIGRATION_TAGS:
        folder = repo / "migrations" / sample.tag
        folder.mkdir(parents=True)
        for file in resources.files("localrender.sample").joinpath("migrations", sample.tag).iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        add_release(repo, sample)


def add_release(repo: Path, sample: SampleTag) -> str:
    """Commit one more release on the current branch and tag it; gives the full sha."""
    (repo / FILE_NAME).write_text(sample.release.to_text(), encoding="utf-8")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--no-verify", "--message", sample.message, date=sample.date)
    commit = git(repo, "rev-parse", "HEAD").decode().strip()
    add_tag(repo, sample.tag, commit, annotate=sample.annotate)
    return commit


def add_tag(repo: Path, tag: str, commit: str, *, annotate: bool = True) -> None:
    """Put a tag on a commit, annotated or light. Raises GitFailed when the tag exists or the commit does not."""
    kind = ("--annotate", "--message", tag) if annotate else ()
    git(repo, "tag", "--no-sign", *kind, tag, commit, date=_date_of(repo, commit))


def move_tag(repo: Path, tag: str, commit: str) -> None:
    """Point an existing tag at another commit, as a forced push does; it is a light tag from then on."""
    git(repo, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}")
    git(repo, "update-ref", f"refs/tags/{tag}", f"{commit}^{{commit}}")


def read_snapshot(repo: Path) -> Snapshot:
    """Read every commit, tag and release of a repository at once. Raises GitFailed."""
    fields = git(repo, "log", "--all", f"--format={_LOG_FORMAT}").decode("utf-8", "replace").split("\0")
    found = [_commit_of(*fields[start : start + 3]) for start in range(0, len(fields) - 3, 3)]
    commits = {commit.id: commit for commit in found}
    peeled = "%(refname:strip=2)%00%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
    lines = git(repo, "for-each-ref", f"--format={peeled}", "refs/tags").decode().splitlines()
    tags = dict(line.split("\0") for line in lines)
    releases = {sha: release for sha in commits if (release := read_release(repo, sha)) is not None}
    head = git(repo, "rev-parse", "HEAD").decode().strip()
    return Snapshot(head, {tag: sha for tag, sha in tags.items() if sha in commits}, commits, releases)


def read_commit(repo: Path, revision: str) -> CommitInfo | None:
    """The commit that a revision in git's own spelling names; None when there is none."""
    try:
        text = git(repo, "log", "-1", f"--format={_LOG_FORMAT}", "--end-of-options", f"{revision}^{{commit}}", "--")
    except GitFailed:
        return None
    return _commit_of(*text.decode("utf-8", "replace").split("\0")[:3])


def read_release(repo: Path, commit: str) -> Release | None:
    """What `release.json` of a commit says; None where there is no such file or it is no release."""
    try:
        return parse_release(git(repo, "cat-file", "blob", f"{commit}:{FILE_NAME}").decode("utf-8"))
    except (GitFailed, ValueError, KeyError, TypeError):
        return None


def read_archive(repo: Path, commit: str) -> bytes:
    """The files of a commit as a zip archive. Raises GitFailed."""
    return git(repo, "archive", "--format=zip", commit)


def git(repo: Path, *arguments: str, date: str = "") -> bytes:
    """Run git in the repository and give what it prints; author and committer are the sample's, at the date.

    Raises:
        GitFailed: git is missing or ends with an error.
    """
    program = shutil.which("git")
    if program is None:
        raise GitFailed("git is not installed")
    environment = {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": _AUTHOR["name"], f"GIT_{who}_EMAIL": _AUTHOR["email"]}
        environment |= {f"GIT_{who}_DATE": date} if date else {}
    # The caller named this very folder, so whose it is does not matter.
    command = [program, "-c", "safe.directory=*", "-C", str(repo), *arguments]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise GitFailed(done.stderr.decode("utf-8", "replace").strip() or f"git {arguments[0]} ended with an error")
    return done.stdout


def _commit_of(sha: str, committed: str, message: str) -> CommitInfo:
    return CommitInfo(sha.strip(), message.strip(), datetime.fromisoformat(committed).astimezone(UTC))


def _date_of(repo: Path, commit: str) -> str:
    found = read_commit(repo, commit)
    return found.created_at.isoformat() if found else ""
