"""Which services a rollback takes back, and to which deploys: from the runs and what is live. Pure; starts nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from securewatch.deploy.facts import ServiceFacts
from securewatch.deploy.model import GoodDeploy, Run, RunKind, ServiceKind, Stage


@dataclass(frozen=True)
class BackTarget:
    """One service that is to go back: `run` brought what is live now, `good` is the deploy recorded before it."""

    kind: ServiceKind
    run: Run
    good: GoodDeploy | None


def find_sources(found: Sequence[Run], kinds: Collection[ServiceKind]) -> Mapping[ServiceKind, Run]:
    """Per service the run that brought what it has: the newest that went live there; `found` is newest first."""
    sources = {kind: _source(found, kind) for kind in ServiceKind if kind in kinds}
    return {kind: run for kind, run in sources.items() if run is not None}


def _source(found: Sequence[Run], kind: ServiceKind) -> Run | None:
    """The newest; where that one completed a split, the half that had its commit already is the earlier run's."""
    run = next((run for run in found if _brought(run, kind)), None)
    good = run.good_of(kind) if run is not None else None
    if run is None or good is None or not completes_split(run, kind):
        return run
    return next((older for older in found if older.of(kind).deploy_id == good.deploy_id), run)


def completes_split(run: Run, kind: ServiceKind) -> bool:
    """Whether the service had the run's commit already, and only its other half was brought there."""
    good = run.good_of(kind)
    is_same = good is not None and good.commit == run.commit
    return is_same and any(one.commit != run.commit for one in run.good)


def find_release(sources: Mapping[ServiceKind, Run]) -> Mapping[ServiceKind, Run]:
    """The newest release among them: one run, or those that brought one commit to one service each.

    A service that only has an older version stays out: it is the other half of the pair that is gone back to.
    """
    if not sources:
        return {}
    newest = max(sources.values(), key=lambda run: run.generation)
    return {kind: run for kind, run in sources.items() if run.commit == newest.commit}


def find_targets(found: Sequence[Run], facts: Sequence[ServiceFacts]) -> tuple[BackTarget, ...]:
    """The services of the newest release that are not back yet, in the order of `facts`."""
    release = find_release(find_sources(found, [fact.kind for fact in facts]))
    return tuple(
        BackTarget(fact.kind, release[fact.kind], release[fact.kind].good_of(fact.kind))
        for fact in facts
        if fact.kind in release and not is_back(found, fact, release[fact.kind])
    )


def is_back(found: Sequence[Run], fact: ServiceFacts, source: Run | None = None) -> bool:
    """Whether what is live is what our way back made, or the deploy recorded before `source`, or one of its commit.

    Without a source nothing of ours ever went live: then it is the deploy that was recorded last.
    """
    if fact.live is None:
        return False
    if any(one.back_deploy_id == fact.live.id for run in found for one in run.progress):
        return True
    if source is None:
        recorded = next((good for run in found if (good := run.good_of(fact.kind)) is not None), None)
        return recorded is not None and is_at(fact, recorded)
    good = source.good_of(fact.kind)
    is_ours = fact.live.id == source.of(fact.kind).deploy_id
    return good is not None and is_at(fact, good) and not is_ours


def is_at(fact: ServiceFacts, good: GoodDeploy) -> bool:
    """Whether the service is at that deploy, or at another one of the same commit."""
    if fact.live is None:
        return False
    return fact.live.id == good.deploy_id or (good.commit is not None and fact.live.commit == good.commit)


def split_words(found: Sequence[Run], kinds: Sequence[ServiceKind]) -> str:
    """`split: …` where the half that was not asked for keeps the release that `kinds` leave; empty where none does."""
    leaving = {run.commit for run in find_release(find_sources(found, kinds)).values()}
    newest = (next((run for run in found if _changed(run, kind)), None) for kind in ServiceKind if kind not in kinds)
    stands = any(run is not None and run.commit in leaving and run.stage is not Stage.ROLLED_BACK for run in newest)
    return f"split: only the {kinds[0]} was asked for" if stands else ""


def has_restored(run: Run) -> bool:
    """Whether the run put a restored database into service, and did not take it out again."""
    served = run.of(ServiceKind.BACKEND).live_at is not None
    return run.kind is RunKind.RESTORE and served and run.stage is not Stage.ROLLED_BACK


def _brought(run: Run, kind: ServiceKind) -> bool:
    return run.kind in (RunKind.DEPLOY, RunKind.RESTORE) and run.of(kind).live_at is not None


def _changed(run: Run, kind: ServiceKind) -> bool:
    return _brought(run, kind) or run.of(kind).back_deploy_id is not None
