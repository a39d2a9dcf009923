"""How a run restores a database: close the site, restore beside the old one, build the old commit, open. Pure.

The database that served is never written to and never dropped. Up to the restart of the backend it serves; whatever
fails leads back to it, and only then is the site opened (see `back.py`).
"""

from dataclasses import replace
from datetime import datetime

from securewatch.deploy.model import Run, RunKind, ServiceKind, ServicePlan, Stage
from securewatch.deploy.plan import DATABASE_URL
from securewatch.deploy.steps import effect_of, moved, new_effect, wait
from securewatch.deploy.view import Decision, Effect, EffectKind, EffectState, NewEffect, View

CLOSE, RESTORE, OPEN, REOPEN = "close", "restore-database", "open", "reopen"
"""The words in the names of a restore's effects."""
_ENDED_ELSEWHERE = (Stage.HELD, Stage.FAILED, Stage.ROLLED_BACK)


def decide_closing(view: View, now: datetime) -> Decision:
    """The maintenance page goes up, so that from here on nothing is written that the restore would lose unseen."""
    backend, database = view.customer.backend, view.customer.database
    if backend is None or database is None:
        return moved(view.run, Stage.FAILED, now, code="SW613", detail="the plan names no database to restore")
    effect = effect_of(view, CLOSE, backend.kind)
    if effect is None:
        return Decision(view.run, effects=(_maintenance(view, CLOSE, backend, is_on=True),))
    return _after(view, effect, Stage.RESTORING, now)


def decide_restoring(view: View, now: datetime) -> Decision:
    """A new database beside the old one, whole and compared before anything leads to it."""
    backend, database = view.customer.backend, view.customer.database
    if backend is None or database is None or database.restore is None:
        return moved(view.run, Stage.UNWINDING, now, code="SW613", detail="the plan does not say what to restore")
    effect = effect_of(view, RESTORE, backend.kind)
    if effect is None:
        args = {
            "postgres_id": database.postgres_id,
            "backend": backend.service_id,
            "backup": database.restore.backup,
            "at": database.restore.at.isoformat(),
        }
        wanted = new_effect(view, RESTORE, EffectKind.RESTORE_DATABASE, backend, **args)
        wanted = replace(wanted, service_id=database.postgres_id)  # it writes nothing to the service
        return Decision(view.run, effects=(wanted,))
    return _after(view, effect, Stage.SETTING_ENV, now)


def _after(view: View, effect: Effect, stage: Stage, now: datetime) -> Decision:
    """On to the next stage, or back to the database that serves."""
    if effect.state is EffectState.FAILED:
        return moved(view.run, Stage.UNWINDING, now, code=effect.code, detail=effect.reason)
    if effect.state is not EffectState.CONFIRMED:
        return Decision(view.run)
    return moved(view.run, stage, now)


def after_live(view: View, service: ServicePlan) -> Stage:
    """What follows once a deploy is live: the site of a restored database is opened before checks can reach it."""
    is_closed = view.run.kind is RunKind.RESTORE and service.kind is ServiceKind.BACKEND
    return Stage.OPENING if is_closed else Stage.SETTLING


def decide_opening(view: View, now: datetime) -> Decision:
    """The backend serves from the restored database: the maintenance page goes."""
    opening = open_again(view, now, OPEN)
    return opening if opening is not None else moved(view.run, Stage.SETTLING, now)


def open_again(view: View, now: datetime, word: str = REOPEN) -> Decision | None:
    """Take down the maintenance page that this attempt put up; None once it is down, or where it never was up.

    A page that was up before us goes with what the restore brings, and stays on the way back. One that cannot be taken
    down calls a person; on the way back it is tried anew.
    """
    backend = view.customer.backend
    closed = effect_of(view, CLOSE, backend.kind) if backend is not None else None
    if closed is not None and closed.state.was_sent:
        return wait(view.run, "finding out whether the maintenance page is up")
    if backend is None or closed is None or closed.state is not EffectState.CONFIRMED:
        return None
    was_up = word == REOPEN and closed.result.get("written") is False
    if was_up or _is_open(view, backend):
        return None
    effect = effect_of(view, word, backend.kind)
    if effect is None:
        return Decision(view.run, effects=(_maintenance(view, word, backend, is_on=False),))
    if effect.state is EffectState.FAILED:
        detail = f"{backend.service_id}: the maintenance page could not be taken down: {effect.reason}"
        return moved(view.run, Stage.HELD, now, code="SW613", detail=detail)
    return wait(view.run, "taking the maintenance page down")


def with_words(view: View, found: Decision) -> Decision:
    """The same decision; one that ends a restore elsewhere than at its goal says what it leaves behind.

    That is a maintenance page that is still up where the run is held, and a database that was made, wherever it ends.
    """
    said: list[str] = []
    if found.run.stage in _ENDED_ELSEWHERE and _is_closed(view):
        said.append("the maintenance page is still up: take the customer back, or the page down in Render's dashboard")
    if found.run.stage in _ENDED_ELSEWHERE:
        said.append(_left_words(view, found.run))
    words = [one for one in said if one and one not in found.run.detail]
    if not words:
        return found
    return replace(found, run=replace(found.run, detail="; ".join(filter(None, (found.run.detail, *words)))))


def _is_closed(view: View) -> bool:
    """Whether this attempt put a maintenance page up that is up, or may be."""
    backend = view.customer.backend
    closed = effect_of(view, CLOSE, backend.kind) if backend is not None else None
    if backend is None or closed is None or _is_open(view, backend):
        return False
    return closed.state.was_sent or closed.state in (EffectState.CONFIRMED, EffectState.NEEDS_HUMAN)


def _left_words(view: View, run: Run) -> str:
    """Where the database is that was made and is not the customer's, with what users wrote to it while it served."""
    backend = view.customer.backend
    effect = effect_of(view, RESTORE, backend.kind) if backend is not None else None
    if effect is None or effect.state is not EffectState.CONFIRMED:
        return ""
    made = f"{effect.result.get('database', '')} on {effect.result.get('postgres_id', '')}"
    if run.stage is Stage.HELD:
        return f"the restored database is {made}"
    if not run.went_live:
        return f"the restored database is kept and served nobody: {made}"
    return f"the restored database is kept; what was written to it while it served is in it alone: {made}"


def _is_open(view: View, backend: ServicePlan) -> bool:
    found = (effect_of(view, word, backend.kind) for word in (OPEN, REOPEN))
    return any(one is not None and one.state is EffectState.CONFIRMED for one in found)


def has_switched(view: View) -> bool:
    """Whether what is deployed now, by whomever, gets the restored database."""
    backend = view.customer.backend
    effect = effect_of(view, "env", backend.kind, DATABASE_URL) if backend is not None else None
    return view.run.kind is RunKind.RESTORE and effect is not None and effect.state is EffectState.CONFIRMED


def is_restoring(view: View) -> bool:
    """Whether a restore that was begun may still be at work."""
    backend = view.customer.backend
    effect = effect_of(view, RESTORE, backend.kind) if backend is not None else None
    return effect is not None and effect.state.was_sent


def done_words(view: View) -> str:
    """What a person should know of the old database once the restored one serves."""
    backend = view.customer.backend
    effect = effect_of(view, RESTORE, backend.kind) if backend is not None else None
    if effect is None:
        return ""
    new, old = (effect.result.get(key, "") for key in ("database", "kept"))
    lost = effect.result.get("lost")
    said = "; ".join(f"{table}: {words}" for table, words in dict(lost or {}).items())
    said = said if lost is not None else "how much that is was not counted again"
    made, before = (effect.result.get(key, "") for key in ("postgres_id", "instance_before"))
    new += f" on {made} (name that one in the files: database_id)" if made != before else ""
    words = f"the database is {new}; the one of before is kept, with all that was written since: {old}"
    return f"{words} ({said})" if said else words


def _maintenance(view: View, word: str, backend: ServicePlan, *, is_on: bool) -> NewEffect:
    return new_effect(view, word, EffectKind.SET_MAINTENANCE, backend, is_on=is_on)
