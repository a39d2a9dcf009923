"""Follow some customers of a rollout to verified, as the controller where no other runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from securewatch.controller.controller import Controller, Scope
from securewatch.core.errors import ExitCode, SecurewatchError, SignInNeeded
from securewatch.deps import Deps
from securewatch.operations.engine import make_controller, sharing_rates
from securewatch.operations.follow import RETRY_LOCK_SECONDS, FollowOptions, pause_real_seconds
from securewatch.operations.owner import find_owner
from securewatch.operations.release.status import MemberStatus, ReleaseStatus, load_release_status, pick
from securewatch.rollout.model import MemberState, Rollout, RolloutState

_WELL = (MemberState.VERIFIED, MemberState.DONE, MemberState.SKIPPED)
ReleaseWatcher = Callable[[ReleaseStatus, SecurewatchError | None], None]
"""Told of the state, and of a neighbour that makes trouble, about twice a second."""


@dataclass(frozen=True)
class FollowedRelease:
    """Where following ended. `watch_stops` says that watches go on only when some controller runs."""

    status: ReleaseStatus
    members: tuple[MemberStatus, ...]
    exit_code: ExitCode
    watch_stops: bool
    trouble: SecurewatchError | None = None


async def follow_release(
    deps: Deps, rollout: Rollout, slugs: Sequence[str], options: FollowOptions, watcher: ReleaseWatcher
) -> FollowedRelease:
    """Follow customers to where the options say. Cancelling it stops the following, not the work."""
    lock = deps.lock
    try:
        while True:
            status = await load_release_status(deps, None, rollout_id=rollout.id)
            watcher(status, None)
            code = exit_code_of_release(status, slugs, options)
            if code is not None:
                return _ended(status, slugs, code, is_alone=lock.holder() is None)
            if lock.try_acquire(f"the rollout of {rollout.version}", since=deps.clock.now()):
                return await _carry_on(deps, rollout, slugs, options, watcher)
            await pause_real_seconds(RETRY_LOCK_SECONDS)
    finally:
        lock.release()


async def _carry_on(
    deps: Deps, rollout: Rollout, slugs: Sequence[str], options: FollowOptions, watcher: ReleaseWatcher
) -> FollowedRelease:
    """Be the controller until the customers are where the options say."""
    controller = await make_controller(deps, await find_owner(deps), scope=Scope(rollout_id=rollout.id))
    seen: list[ReleaseStatus] = []

    async def is_done() -> bool:
        status = await load_release_status(deps, None, rollout_id=rollout.id, led=controller.rollouts)
        seen[:] = [status]
        watcher(status, _trouble(controller, status))
        return _code(controller, status, slugs, options) is not None

    await controller.run(sharing_rates(deps, is_done))
    status = seen[0]
    code = _code(controller, status, slugs, options) or ExitCode.DONE
    return _ended(status, slugs, code, is_alone=True, trouble=_trouble(controller, status))


def _ended(
    status: ReleaseStatus,
    slugs: Sequence[str],
    code: ExitCode,
    *,
    is_alone: bool,
    trouble: SecurewatchError | None = None,
) -> FollowedRelease:
    is_watched = any(one.member.state is MemberState.VERIFIED for one in status.members)
    return FollowedRelease(status, pick(status, slugs), code, watch_stops=is_watched and is_alone, trouble=trouble)


def _trouble(controller: Controller, status: ReleaseStatus) -> SecurewatchError | None:
    ours = [status.rollout.id, *(one.member.run_id for one in status.members)]
    return next((controller.troubles[one] for one in ours if one in controller.troubles), None)


def _code(
    controller: Controller, status: ReleaseStatus, slugs: Sequence[str], options: FollowOptions
) -> ExitCode | None:
    """Without a key that Render accepts this process gets no further."""
    if isinstance(_trouble(controller, status), SignInNeeded):
        return ExitCode.SIGN_IN
    return exit_code_of_release(status, slugs, options)


def exit_code_of_release(status: ReleaseStatus, slugs: Sequence[str], options: FollowOptions) -> ExitCode | None:
    """The exit code where following ends here; None where it goes on (design: interface, exit codes; behaviour).

    Batches, lanes and their delays are followed through; other gates end it once nothing is under way.
    """
    found = pick(status, slugs)
    under_way = [one for one in found if one.member.state is MemberState.RUNNING and not _waits_at_gate(one)]
    if under_way:
        return None
    waiting = [one for one in found if not one.member.state.is_over]
    if status.rollout.state is RolloutState.HALTED:
        return _of_ended(found) or ExitCode.PART_FAILED
    if not waiting:
        is_watched = options.until_watched and any(one.member.state is MemberState.VERIFIED for one in found)
        return None if is_watched else _of_ended(found) or ExitCode.DONE
    if status.rollout.state is RolloutState.PAUSED:
        return ExitCode.WAITING
    if options.waits_at_gates:
        return None
    is_paced = any(
        one.waiting_on is None or not one.waiting_on.is_gate for one in waiting if not _is_behind(one, found)
    )
    return None if is_paced else ExitCode.WAITING


def _waits_at_gate(one: MemberStatus) -> bool:
    return one.waiting_on is not None and one.waiting_on.is_gate


def _is_behind(one: MemberStatus, found: Sequence[MemberStatus]) -> bool:
    """Whether an earlier batch of its phase is not over: then it is that one's gates that count."""
    return any(
        other.phase == one.phase and other.batch < one.batch and not other.member.state.is_over for other in found
    )


def _of_ended(found: Sequence[MemberStatus]) -> ExitCode | None:
    """The code of customers that are over; None where all is well."""
    tried = [one for one in found if one.member.state is not MemberState.SKIPPED and one.member.state.is_over]
    bad = [one for one in tried if one.member.state not in _WELL]
    if not bad:
        return None
    if any(one.member.state is MemberState.HELD for one in bad):
        return ExitCode.NEEDS_HUMAN
    if len(bad) < len(tried):
        return ExitCode.PART_FAILED
    rolled_back = all(one.member.state is MemberState.ROLLED_BACK for one in bad)
    return ExitCode.ROLLED_BACK if rolled_back else ExitCode.FAILED
