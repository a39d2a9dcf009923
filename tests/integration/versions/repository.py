"""A real git repository in a folder, made tag by tag, with dates of its own and nobody's configuration."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Vendor",
    "GIT_AUTHOR_EMAIL": "vendor@example.com",
    "GIT_COMMITTER_NAME": "Vendor",
    "GIT_COMMITTER_EMAIL": "vendor@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05+01:00",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+01:00",
}


@dataclass(frozen=True)
class Repository:
    """One repository at `path`."""

    path: Path

    def git(self, *arguments: str) -> str:
        """What git prints."""
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], check=True, capture_output=True, text=True, env=ENVIRONMENT
        )
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        """A new commit, by its full name."""
        self.git("commit", "--quiet", "--allow-empty", "-m", text)
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, *more: str) -> None:
        """A light tag at HEAD; `more` are options of git tag."""
        self.git("tag", *more, name)


def make_repository(path: Path) -> Repository:
    """An empty repository."""
    path.mkdir(parents=True)
    made = Repository(path)
    made.git("init", "--quiet", "--initial-branch=main")
    return made
