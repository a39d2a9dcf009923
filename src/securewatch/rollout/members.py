"""What a member's run says about the member: verified, failed, on its way back. Pure; who starts, `conduct.py` says."""

from dataclasses import replace
from datetime import datetime

from securewatch.deploy.model import Run, Stage
from securewatch.rollout.model import Member, MemberState

_STATES = {
    Stage.WATCHING: MemberState.VERIFIED,
    Stage.DONE: MemberState.DONE,
    Stage.ROLLED_BACK: MemberState.ROLLED_BACK,
    Stage.FAILED: MemberState.FAILED,
    Stage.REFUSED: MemberState.FAILED,
    Stage.HELD: MemberState.HELD,
}
_GOES_BACK = frozenset({Stage.STOPPING, Stage.ROLLING_BACK, Stage.RECHECKING})


def after_run(member: Member, run: Run | None, now: datetime) -> Member:
    """The member as its run shows it; unchanged where there is none."""
    if run is None or run.id != member.run_id:
        return member
    state = _state(run)
    if state is member.state:
        return member
    verified_at = run.verified_at if state in (MemberState.VERIFIED, MemberState.DONE) else member.verified_at
    return replace(member, state=state, since=now, code=run.code, detail=run.detail, verified_at=verified_at)


def is_going_wrong(run: Run | None) -> bool:
    """Whether the run is being taken back, or its env vars are because a write was refused."""
    return run is not None and (run.stage in _GOES_BACK or (run.stage is Stage.UNWINDING and bool(run.code)))


def has_failed(member: Member, run: Run | None) -> bool:
    """Whether the member counts against the failure budget, already while it is being taken back."""
    is_failing = member.state is MemberState.RUNNING and run is not None and run.id == member.run_id
    return not member.accepted and (member.state.is_failure or (is_failing and is_going_wrong(run)))


def _state(run: Run) -> MemberState:
    """A watch that a later run replaced is done; a deploy that was overtaken before it was proven has failed."""
    if run.stage is Stage.SUPERSEDED:
        return MemberState.FAILED if run.verified_at is None else MemberState.DONE
    return _STATES.get(run.stage, MemberState.RUNNING)
