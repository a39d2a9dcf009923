"""Make a version's tag in the vendor's repository. What the tag leads to is the business of whoever deploys it."""

from dataclasses import dataclass, replace

from securewatch.core.errors import NotFound, SecurewatchError, UsageError
from securewatch.deps import Deps
from securewatch.operations.start import refuse_paused
from securewatch.store import audit
from securewatch.store.database import Database
from securewatch.versions.tag import NewTag
from securewatch.versions.tagging import check_next
from securewatch.versions.version import shown


@dataclass(frozen=True)
class TagRequest:
    """What a person asks for. `commit` is a revision in git's spelling; None: what is checked out."""

    version: str
    commit: str | None = None
    message: str = ""
    push: bool = False


@dataclass(frozen=True)
class TagMade:
    """The tag, made or (in a dry run) to be made. `unaudited` is why the audit log has no entry of it."""

    tag: NewTag
    is_pushed: bool
    unaudited: SecurewatchError | None = None


async def create_tag(deps: Deps, request: TagRequest, *, is_dry: bool = False) -> TagMade:
    """Check the version against every tag here and at the remote, and make an annotated tag of it.

    Raises UsageError (SW201, SW204, SW210), Conflict (SW209), NotFound (SW211), ShutGate (SW403) while everything is
    paused, GatewayError (SW205, SW213).
    """
    repository = deps.repository
    if repository.is_remote and not request.push:
        raise UsageError(
            "SW201",
            f"a tag of {repository.shown_source} must be pushed",
            why="the repository is known by its URL only, so there is no other place for the tag",
            fix="add --push, or point SECUREWATCH_REPO at a checkout",
        )
    version = check_next(request.version, await repository.names_taken())
    if request.push and not repository.is_remote and not await repository.has_origin():
        raise UsageError(
            "SW201",
            f"{repository.shown_source} has no remote `origin` to push to",
            why="--push was given",
            fix="leave out --push, or add the remote: git remote add origin URL",
        )
    commit = await repository.find_commit(request.commit)
    if commit is None:
        raise NotFound(
            "SW211",
            f"there is no commit {shown(request.commit or 'HEAD')}",
            why=f"{repository.shown_source} does not know it",
            fix="give a commit, a branch or a tag of the repository: --commit main",
        )
    message = request.message.strip() or f"Release {version}"
    made = TagMade(NewTag(version.tag, commit, message, deps.clock.now(), deps.settings.actor), request.push)
    if is_dry:
        return made
    database = await deps.existing_database()
    if database is not None:
        async with database.read() as tx:
            await refuse_paused(tx)
    await repository.add_tag(made.tag, push=request.push)
    return replace(made, unaudited=await _note(deps, database, made))


async def _note(deps: Deps, database: Database | None, made: TagMade) -> SecurewatchError | None:
    """Tell the audit log, where there is one; the tag stands, whether that can be done or not."""
    if database is None:
        return None
    detail = {"version": made.tag.name, "commit": made.tag.commit, "pushed": made.is_pushed}
    try:
        async with database.write("tag") as tx:
            await audit.append(
                tx,
                deps.box(create=True),
                at=made.tag.at,
                actor=deps.settings.actor,
                action="tag.created",
                detail=detail,
            )
    except SecurewatchError as error:
        return error
    return None
