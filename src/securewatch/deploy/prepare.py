"""What a run does before its first deploy: backups, migrations, env vars. Pure; see `decide.py` for all else."""

from dataclasses import replace
from datetime import datetime

from securewatch.deploy.back import held_by_migration, is_barred
from securewatch.deploy.model import RunKind, ServicePlan, Stage
from securewatch.deploy.steps import effect_of, moved, new_effect
from securewatch.deploy.view import Decision, Effect, EffectKind, EffectState, Gate, NewEffect, View


def shut_gates(view: View) -> tuple[Gate, ...]:
    """The gates that are shut now."""
    return tuple(gate for gate in view.gates if not gate.is_open)


def decide_backing_up(view: View, now: datetime) -> Decision:
    """The env vars of every service, then the database where the plan says so; nothing was written yet."""
    for wanted in (_env_backups(view), _database_backup(view)):
        found = [view.effects.get(one.key) for one in wanted]
        failed = next((one for one in found if one is not None and one.state is EffectState.FAILED), None)
        if failed is not None:
            return moved(view.run, Stage.REFUSED, now, code=failed.code, detail=failed.reason)
        if not all(one is not None and one.state is EffectState.CONFIRMED for one in found):
            pairs = zip(wanted, found, strict=True)
            missing = (new for new, old in pairs if old is None or old.state is EffectState.DROPPED)
            return Decision(view.run, effects=tuple(missing))
    if view.run.kind is RunKind.RESTORE:
        return moved(view.run, Stage.UNWINDING if shut_gates(view) else Stage.CLOSING, now)
    return moved(view.run, Stage.MIGRATING if _migrates(view) else Stage.SETTING_ENV, now)


def _env_backups(view: View) -> list[NewEffect]:
    return [new_effect(view, "backup", EffectKind.BACK_UP_ENV, service) for service in view.customer.services]


def _database_backup(view: View) -> list[NewEffect]:
    database, backend = view.customer.database, view.customer.backend
    if database is None or backend is None or not database.needs_backup:
        return []
    args = {
        "postgres_id": database.postgres_id,
        "backend": backend.service_id,
        "version": view.customer.from_version or "",
        "since": view.run.since.isoformat(),
    }
    wanted = new_effect(view, "dump", EffectKind.BACK_UP_DATABASE, backend, **args)
    return [replace(wanted, service_id=database.postgres_id)]  # it writes nothing to the service, and holds no write up


def _migrates(view: View) -> bool:
    return view.customer.database is not None and bool(view.customer.database.migrations)


def decide_migrating(view: View, now: datetime) -> Decision:
    """The new version's code finds the database that it needs; the old one's lives with it meanwhile."""
    backend = view.customer.backend
    if backend is None or not _migrates(view):
        return moved(view.run, Stage.SETTING_ENV, now)
    effect = effect_of(view, "migrate", backend.kind)
    if effect is None or effect.state is EffectState.INTENT:
        if shut_gates(view):
            return moved(view.run, Stage.UNWINDING, now)
        return Decision(view.run) if effect else Decision(view.run, effects=(_migration(view, backend),))
    if effect.state is EffectState.FAILED:
        return _turn_round(view, effect, now)
    if effect.state is not EffectState.CONFIRMED:
        return Decision(view.run)
    return moved(view.run, Stage.SETTING_ENV, now)


def _turn_round(view: View, effect: Effect, now: datetime) -> Decision:
    """What was written is undone, unless the old version could not live with the database: then a person is called."""
    if is_barred(view):
        return held_by_migration(view, now, effect.reason)
    return moved(view.run, Stage.UNWINDING, now, code=effect.code, detail=effect.reason)


def _migration(view: View, backend: ServicePlan) -> NewEffect:
    database = view.customer.database
    migrations = {one.id: one.checksum for one in database.migrations} if database else {}
    args = {"postgres_id": database.postgres_id if database else "", "commit": view.run.commit, "files": migrations}
    return new_effect(view, "migrate", EffectKind.MIGRATE, backend, **args)


def decide_setting_env(view: View, now: datetime) -> Decision:
    """One env var after the other, the backend's first."""
    run = view.run
    if shut_gates(view) and not is_barred(view):
        return moved(run, Stage.UNWINDING, now)
    for service in view.customer.services:
        for change in service.env_changes:
            effect = effect_of(view, "env", service.kind, change.key)
            if effect is None:
                last = {"is_last": True} if change is service.env_changes[-1] else {}
                wanted = new_effect(view, "env", EffectKind.SET_ENV, service, env_key=change.key, **last)
                return Decision(run, effects=(wanted,))
            if effect.state is EffectState.FAILED:
                return _turn_round(view, effect, now)
            if effect.state.is_open:
                return Decision(view.run)
    if run.kind is RunKind.ENV:
        return moved(run, Stage.DONE, now)
    return moved(run, Stage.DEPLOYING, now)
