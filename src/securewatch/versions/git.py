"""The vendor's git repository: its tags, its main branch and their commits. The only file that runs git.

Tags of a URL come from `git ls-remote`, which asks the repository itself each time; a bare mirror in the cache folder
adds their dates and the commits. Nothing is written but a new tag, when a person asks for one. Every git runs without
a shell, a terminal, a prompt, hooks or a pager, in a process group of its own, with an environment that holds none of
our secrets (`config.settings.program_environment`).
"""

import asyncio
import contextlib
import difflib
import hashlib
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from securewatch.config.address import is_url, masked_url
from securewatch.config.settings import program_environment
from securewatch.core.errors import NotFound, Rejected, Retryable, SecurewatchError
from securewatch.versions.tag import TAGS, NewTag, Tag, read_tag
from securewatch.versions.version import Version, find_described, find_version, malformed, shown

TIMEOUT_SECONDS = 30.0
_HARMLESS = ("--no-pager", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass=")
_FORMAT = "%00".join(f"%({field})" for field in ("refname", "objectname", "objecttype", "creatordate:unix"))
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-auto-gc", "--no-write-fetch-head", "--prune", "--filter=blob:none")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TAG_NAME = re.compile(r"(?![-/.])(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]{1,200}(?<![/.])")
_HEADS = "refs/heads/"
_MAIN = (f"{_HEADS}main", f"{_HEADS}master")
"""The main branch: the first of these that there is."""
_DESCRIBE = ("describe", "--tags", "--always", "--match=v[0-9]*")
_REVISION = re.compile(r"[^\x00-\x20\x7f]{1,200}")


class VendorRepository:
    """The repository at a path (a checkout, a folder inside one, or a bare one) or at a URL.

    Nothing is read before the first call. Every call raises Rejected (SW205) where the repository cannot be read and
    Retryable (SW205) where it does not answer within `timeout_seconds` (real seconds).
    """

    def __init__(
        self,
        path_or_url: str | Path,
        cache_dir: Path,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._source = str(path_or_url)
        self._cache_dir = cache_dir
        self._timeout_seconds = timeout_seconds
        self._files: dict[tuple[str, str], Mapping[str, bytes]] = {}
        self._environ = program_environment() if environ is None else dict(environ)

    def __repr__(self) -> str:
        return f"VendorRepository({self.shown_source!r})"

    @property
    def shown_source(self) -> str:
        """The path or URL, without a password."""
        return masked_url(self._source)

    async def list_tags(self) -> list[Tag]:
        """Every tag that leads to a commit: versions first, the newest first; then the others by name."""
        tags = await self._read_tags(with_dates=True)
        versions = sorted((one for one in tags if one.version), key=_version_of, reverse=True)
        return versions + sorted((one for one in tags if not one.version), key=lambda tag: tag.name)

    async def resolve(self, tag: str) -> Tag:
        """The tag of exactly that name, as the repository has it now; or the commit of the main branch that has that
        name by `git describe --tags` (`v1.1.0-3-gabc1234`).

        Raises NotFound (SW203) for a tag that is not there and UsageError (SW204) for a text that is neither a tag of
        the repository nor a version; both offer the nearest names.
        """
        if not _TAG_NAME.fullmatch(tag):
            raise malformed(tag)
        tags = await self._read_tags(with_dates=False)
        found = next((one for one in tags if one.name == tag), None) or await self._find_described(tag, tags)
        if found is None:
            raise _unknown(tag, tags, self.shown_source)
        return found

    async def describe_main(self) -> Tag | None:
        """The head of the main branch (`main`, else `master`) by its `git describe --tags` name; where a version tag is
        on it, that is the tag's.

        None where there is no such branch, or no version tag before its head.
        """
        where = await self._place()
        head = await self._main(where)
        if head is None:
            return None
        name = (await self._git(*where, *_DESCRIBE, head)).strip()
        version = find_version(name)
        return None if version is None else Tag(name, head, annotated=False, version=version)

    async def names_taken(self) -> set[str]:
        """The names of all tags here, and at `origin` where the repository is a path and has one."""
        names = {one.name for one in await self._read_tags(with_dates=False)}
        if await self.has_origin():
            names |= {one.name for one in await self._list_remote(*await self._place(), remote="origin")}
        return names

    async def has_origin(self) -> bool:
        """Whether the repository is a path and has a remote `origin`."""
        return not self.is_remote and "origin" in (await self._git(*await self._place(), "remote")).splitlines()

    @property
    def is_remote(self) -> bool:
        """Whether the repository is known by a URL only."""
        return is_url(self._source)

    async def find_commit(self, revision: str | None = None) -> str | None:
        """The commit that a revision names in git's own spelling, in full; None where there is none.

        Without a revision it is what is checked out, or the head of the main branch of a URL.
        """
        where = await self._place()
        if revision is None and self.is_remote:
            return await self._main(where)
        asked = "HEAD" if revision is None else revision
        return (await self._peel(where, [asked]))[0] if _REVISION.fullmatch(asked) else None

    async def read_files(self, commit: str, folder: str) -> Mapping[str, bytes]:
        """The files below a folder of a commit, by their path from the top; links and submodules are left out."""
        known = self._files.get((commit, folder))
        if known is not None:
            return known
        where = await self._place()
        listed = await self._git(*where, "ls-tree", "-r", "-z", "--full-tree", commit, "--", f"{folder}/")
        rows = [row.partition("\t") for row in listed.split("\0") if row.startswith("100")]
        found = {path: (await self._git(*where, "cat-file", "blob", about.split()[2])) for about, _, path in rows}
        self._files[commit, folder] = {path: text.encode("utf-8", "surrogateescape") for path, text in found.items()}
        return self._files[commit, folder]

    async def add_tag(self, tag: NewTag, *, push: bool) -> None:
        """Make the tag in the repository at the path; with `push` at its `origin` first, or at the URL.

        It gets a name only when all is well: a push that fails leaves no tag behind. Raises Rejected (SW213) where it
        cannot be made or pushed.
        """
        where = await self._place()
        text = f"object {tag.commit}\ntype commit\ntag {tag.name}\ntagger {await self._tagger(where, tag)}\n\n"
        made = (await self._write(*where, "mktag", feed=f"{text}{tag.message.rstrip()}\n")).strip()
        ref = f"{TAGS}{tag.name}"
        if push:
            target = self._source if self.is_remote else "origin"
            await self._write(*where, "push", "--quiet", "--no-follow-tags", "--", target, f"{made}:{ref}")
        if not self.is_remote:
            await self._write(*where, "update-ref", ref, made, "")

    async def _write(self, *arguments: str, feed: str = "") -> str:
        try:
            return await self._git(*arguments, feed=feed)
        except SecurewatchError as error:
            raise Rejected(
                "SW213",
                f"the tag could not be {'pushed' if 'push' in arguments else 'made'}",
                why=error.why,
                fix=f"see to it that git may write to {self.shown_source}, then give the same command again",
            ) from error

    async def _tagger(self, where: Sequence[str], tag: NewTag) -> str:
        """Who makes the tag, by git's configuration, and when by our clock."""
        try:
            who = (await self._git(*where, "var", "GIT_COMMITTER_IDENT")).rpartition(">")[0] + ">"
        except Rejected:
            who = f"{''.join(mark for mark in tag.actor if mark.isprintable() and mark not in '<>')} <>"
        return f"{who} {int(tag.at.timestamp())} +0000"

    async def _find_described(self, name: str, tags: Sequence[Tag]) -> Tag | None:
        """The commit of the main branch with that described name. Later tags on it or before it do not matter."""
        parts = find_described(name)
        base = next((one.commit for one in tags if parts and one.name == parts.base.tag), None)
        if parts is None or base is None:
            return None
        where = await self._place()
        head, commit = await self._main(where), (await self._peel(where, [parts.commit]))[0]
        if head is None or commit is None or not commit.startswith(parts.commit):
            return None
        ahead = (await self._git(*where, "rev-list", "--count", f"{head}..{commit}")).strip()
        after = (await self._git(*where, "rev-list", "--count", f"{base}..{commit}")).strip()
        is_it = (ahead, after) == ("0", str(parts.count))
        return Tag(name, commit, annotated=False, version=find_version(name)) if is_it else None

    async def _main(self, where: Sequence[str]) -> str | None:
        return next((one for one in await self._peel(where, _MAIN) if one is not None), None)

    async def _read_tags(self, *, with_dates: bool) -> list[Tag]:
        if not self.is_remote:
            return await self._tags_in(await self._place())
        tags = await self._list_remote(remote=self._source)
        dates = await self._fetch_dates() if with_dates else {}
        return [
            Tag(one.name, one.commit, one.annotated, one.version, dates.get((one.name, one.commit))) for one in tags
        ]

    async def _place(self) -> Sequence[str]:
        """Where git finds the commits: the repository at the path, or the mirror of the URL, brought up to date."""
        if self.is_remote:
            try:
                return await self._fetch(TAGS, _HEADS)
            except OSError as error:
                raise self._unreadable(f"its commits cannot be kept ({type(error).__name__})") from error
        path = Path(self._source).expanduser()
        if not path.is_dir():
            raise self._unreadable("it is no folder on this machine, and no URL")
        return "-C", str(path.absolute())

    async def _tags_in(self, where: Sequence[str]) -> list[Tag]:
        listed = await self._git(*where, "for-each-ref", f"--format={_FORMAT}", TAGS)
        rows = [line.split("\0") for line in listed.splitlines()]
        peeled = await self._peel(where, [row[0] for row in rows])
        return [
            read_tag(ref, commit, annotated=kind == "tag", created=created)
            for (ref, _, kind, created), commit in zip(rows, peeled, strict=True)
            if commit is not None
        ]

    async def _peel(self, where: Sequence[str], refs: Sequence[str]) -> list[str | None]:
        """The commit behind each ref, through tags of tags; None where there is none (a tag of a file or a tree)."""
        if not refs:
            return []
        asked = "".join(f"{ref}^{{commit}}\n" for ref in refs)
        answer = await self._git(*where, "cat-file", "--batch-check=%(objectname)", feed=asked)
        found = [line if _COMMIT.fullmatch(line) else None for line in answer.splitlines()]
        if len(found) != len(refs):
            raise self._unreadable("git answered for another number of tags than asked")
        return found

    async def _list_remote(self, *where: str, remote: str) -> list[Tag]:
        listed = await self._git(*where, "ls-remote", "--quiet", "--tags", "--", remote)
        commits: dict[str, str] = {}
        annotated: set[str] = set()
        for line in listed.splitlines():
            commit, _, ref = line.partition("\t")
            name = ref.removesuffix("^{}")
            if not _COMMIT.fullmatch(commit) or not name.startswith(TAGS):
                raise self._unreadable("git listed something that is no tag")
            if name != ref or name not in commits:
                commits[name] = commit
            if name != ref:
                annotated.add(name)
        return [read_tag(ref, commit, annotated=ref in annotated) for ref, commit in commits.items()]

    async def _fetch_dates(self) -> Mapping[tuple[str, str], datetime | None]:
        """When the tags were made, from the mirror; none where it cannot be brought up to date: dates only decorate."""
        try:
            where = await self._fetch(TAGS)
            return {(one.name, one.commit): one.created_at for one in await self._tags_in(where)}
        except (OSError, SecurewatchError):
            return {}

    async def _fetch(self, *kinds: str) -> Sequence[str]:
        """The mirror of the URL, with the refs of these kinds as they are now."""
        mirror = self._cache_dir / f"{hashlib.sha256(self._source.encode()).hexdigest()[:16]}.git"
        where = ("--git-dir", str(mirror.absolute()))
        mirror.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._git(*where, "init", "--quiet", "--bare", "--template=")
        await self._git(*where, *_FETCH, "--", self._source, *(f"+{kind}*:{kind}*" for kind in kinds))
        return where

    async def _git(self, *arguments: str, feed: str = "") -> str:
        """What one git prints. Raises Rejected or Retryable (SW205)."""
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *_HARMLESS,
                *arguments,
                stdin=PIPE if feed else DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env={**self._environ, **_QUIET},
                start_new_session=True,
            )
        except OSError as error:
            raise self._unreadable(f"git cannot be started ({type(error).__name__})") from error
        try:
            async with asyncio.timeout(self._timeout_seconds):
                out, err = await process.communicate(feed.encode("utf-8", "surrogateescape") if feed else None)
        except TimeoutError as error:
            raise Retryable(
                "SW205",
                f"the vendor's repository {self.shown_source} did not answer",
                why=f"git was stopped after {self._timeout_seconds:g} s",
                fix="try again, or look at the network and at SECUREWATCH_REPO",
            ) from error
        finally:
            await _end(process)
        if process.returncode != 0:
            raise self._unreadable(self._reason(err))
        return out.decode("utf-8", "surrogateescape")

    def _reason(self, stderr: bytes) -> str:
        """The last thing git complained of, on one line and without a password."""
        lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        told = [line for start in _TELLING for line in lines if line.startswith(start)] or lines or ["git said nothing"]
        text = told[0].replace(self._source, self.shown_source)
        return "".join(mark for mark in masked_url(text) if mark.isprintable())[:300]

    def _unreadable(self, why: str) -> Rejected:
        return Rejected(
            "SW205",
            f"the vendor's repository {self.shown_source} cannot be read",
            why=why,
            fix="point SECUREWATCH_REPO at the repository (a path or a URL) and try `git ls-remote --tags` on it",
        )


_TELLING = ("! [", "fatal:", "error:")
"""How lines begin that say why: first of all the one about a ref that a push was not allowed to write."""
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
"""No prompts; no transport that runs programs (`ext::`); no replaced objects, which Render would not see."""


def _version_of(tag: Tag) -> Version:
    assert tag.version is not None
    return tag.version


def _unknown(asked: str, tags: Sequence[Tag], source: str) -> SecurewatchError:
    near = tuple(difflib.get_close_matches(asked, [one.name for one in tags], n=3, cutoff=0.6))
    if find_version(asked) is None:
        return malformed(asked, near)
    fix = f"did you mean {' or '.join(near)}?" if near else "push the tag, or see `securewatch list-versions`"
    return NotFound("SW203", f"there is no tag {shown(asked)}", why=f"{source} has {len(tags)} tags", fix=fix)


async def _end(process: Process) -> None:
    """Stop git and the programs that it started, if any still run."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
