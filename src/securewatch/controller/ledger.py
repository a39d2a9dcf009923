"""The effect ledger: intent, look, act, record. Here alone "certainly not sent" and "unknown" are told apart."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from securewatch.core.clock import Clock
from securewatch.core.errors import Retryable, SecurewatchError, SignInNeeded
from securewatch.deploy.effects import CARRIES_ON, NEEDS_GRACE, carry_out
from securewatch.deploy.outcomes import Outcome, OutcomeKind, Superseded, Tools
from securewatch.deploy.ports import Guard
from securewatch.deploy.view import Effect, EffectState
from securewatch.render.errors import OutcomeUnknown, RateLimited, RequestRejected, ServiceMissing
from securewatch.store import audit, effects, meta
from securewatch.store.box import SecretBox
from securewatch.store.database import Database

log = logging.getLogger(__name__)

PAUSED = "SW403"
SEND_DEADLINE_SECONDS = 2.0
"""Real seconds between the commit of the intent and the request; a process that froze in between sends nothing."""
LOOK_AGAIN_SECONDS = 5.0
"""Product seconds between two looks at an effect in doubt."""
TRIES_MAX = 30
"""How often an effect that was certainly not sent is armed again before a person is called (S14)."""
SENDS_MAX = 6
"""How often an effect is sent of which Render then shows nothing, before a person is called (S14)."""
REFUSALS_MAX = 60
"""How often in a row an effect may be overtaken, or Render refuse to be asked about it, before a person is called."""


class SendDeadlineMissed(Superseded):
    """Too much time went by between the intent and the request; nothing was sent."""


@dataclass(frozen=True)
class Patience:
    """How long "none at Render" is disbelieved: product and real seconds, from the send or this process's start."""

    grace_seconds: float
    http_timeout_seconds: float
    started_monotonic: float
    started_at: datetime


@dataclass(frozen=True)
class LedgerParts:
    """What a ledger is made of."""

    database: Database
    box: SecretBox
    tools: Tools
    actor: str


class Ledger:
    """Carries out effect rows, each under a claim; every write of a result is conditional on the claim's epoch."""

    def __init__(self, parts: LedgerParts, *, clock: Clock, patience: Patience) -> None:
        self._database = parts.database
        self._box = parts.box
        self._tools = parts.tools
        self._actor = parts.actor
        self._clock = clock
        self._patience = patience
        self._sent_monotonic: dict[int, float] = {}
        self._refusals: Counter[int] = Counter()

    async def work(self, effect_id: int) -> datetime | None:
        """Take one effect one step further; returns when to look again while it stays open, None when it ended.

        Raises SignInNeeded where Render refuses the key, and what a read before the send met: then nothing changed.
        """
        async with self._database.write("claim", about=()) as tx:
            known = await effects.load_effect(tx, effect_id)
            acts = known is not None and (known.state is EffectState.INTENT or known.kind in CARRIES_ON)
            if acts and await meta.is_paused(tx):
                return self._later(LOOK_AGAIN_SECONDS)
            effect = await effects.claim_effect(tx, effect_id)
            if effect is not None:
                tx.concerns(effect.run_id)
        if effect is None:
            return None
        sending = _Sending(self, effect)
        try:
            outcome = await carry_out(effect, self._tools, sending)
        except (Superseded, RequestRejected, ServiceMissing) as error:
            return await self._refused(effect, error)
        except OutcomeUnknown as error:
            return await self._unknown(effect, error)
        except (Retryable, SignInNeeded) as error:
            if not sending.was_committed:
                raise
            await self._not_sent(effect, error)
            if isinstance(error, SignInNeeded):
                raise
            retry_at = error.retry_at if isinstance(error, RateLimited) else None
            return retry_at or self._later(min(5.0 * 2 ** min(effect.seq, 6), 300.0))
        self._refusals.pop(effect.id, None)
        return await self._record(effect, outcome)

    async def commit_sent(self, effect: Effect, before: Mapping[str, Any]) -> Guard:
        """Commit the row as sent, with what existed before; gives the guard that keeps the send deadline (S1, S5)."""
        started, now = self._clock.monotonic(), self._clock.now()
        async with self._database.write("sent", about=(effect.run_id,)) as tx:
            if await meta.is_paused(tx):
                raise Superseded(PAUSED, "everything is paused")
            sent = await effects.mark_sent(tx, effect, before=before, at=now, generation=effect.generation)
            if sent is None:
                raise Superseded("SW410", f"effect {effect.key} was overtaken before it was sent")
            await self._audit(tx, effect, "effect.sent", {"before": dict(before)})
        self._sent_monotonic[effect.id] = started

        def guard() -> None:
            if self._clock.monotonic() - started > SEND_DEADLINE_SECONDS:
                raise SendDeadlineMissed("SW504", f"effect {effect.key} was too late to send")

        return guard

    async def _record(self, effect: Effect, outcome: Outcome) -> datetime | None:
        if outcome.kind is OutcomeKind.NOTHING_FOUND:
            return await self._nothing_found(effect)
        state = _STATES[outcome.kind]
        now = self._clock.now()
        async with self._database.write("record", about=(effect.run_id,)) as tx:
            done = await effects.finish_effect(
                tx,
                effect,
                state=state,
                result=outcome.result,
                code=outcome.code,
                reason=outcome.reason,
                request_id=outcome.request_id,
                at=now,
            )
            if done:
                detail = {"result": dict(outcome.result), "code": outcome.code, "reason": outcome.reason}
                await self._audit(tx, effect, f"effect.{state}", detail, request_id=outcome.request_id)
        return self._later(LOOK_AGAIN_SECONDS) if state is EffectState.ACCEPTED else None

    async def _nothing_found(self, effect: Effect) -> datetime | None:
        """Believe "none" only after the grace; then arm again, or call it superseded where Render had accepted it."""
        now = self._clock.now()
        if effect.kind in NEEDS_GRACE and not self._grace_is_over(effect, now):
            async with self._database.write("look", about=(effect.run_id,)) as tx:
                await effects.touch_look(tx, effect, now)
            return self._later(LOOK_AGAIN_SECONDS)
        if effect.state is EffectState.ACCEPTED:
            reason = f"Render accepted a deploy on {effect.service_id} and shows none: another one replaced it"
            return await self._record(effect, Outcome(OutcomeKind.FAILED, code="SW506", reason=reason))
        if effect.seq >= SENDS_MAX:
            reason = f"sent {effect.seq} times, and Render shows nothing of it"
            return await self._record(effect, Outcome(OutcomeKind.NEEDS_HUMAN, code="SW504", reason=reason))
        await self._drop(effect, "Render shows nothing of what was sent", code="SW504")
        return None

    def _grace_is_over(self, effect: Effect, now: datetime) -> bool:
        patience = self._patience
        began = max(effect.sent_at or patience.started_at, patience.started_at)
        real = self._clock.monotonic() - self._sent_monotonic.get(effect.id, patience.started_monotonic)
        over_product = now >= began + timedelta(seconds=patience.grace_seconds)
        return over_product and real >= 3 * patience.http_timeout_seconds

    async def _refused(self, effect: Effect, error: SecurewatchError) -> datetime | None:
        """Nothing was sent now. Of an intent that is the end, unless it was overtaken; what became of an earlier send
        stays unknown: try again, up to a bound (S14).
        """
        if isinstance(error, RequestRejected | ServiceMissing) and not effect.state.was_sent:
            outcome = Outcome(OutcomeKind.FAILED, code=error.code, reason=error.what, request_id=error.request_id)
            return await self._record(effect, outcome)
        self._refusals[effect.id] += 1
        if self._refusals[effect.id] < REFUSALS_MAX or error.code == PAUSED:
            return self._later(LOOK_AGAIN_SECONDS)
        reason = f"given up after {REFUSALS_MAX} tries: {error.what}"
        return await self._record(effect, Outcome(OutcomeKind.NEEDS_HUMAN, code=error.code, reason=reason))

    async def _not_sent(self, effect: Effect, error: SecurewatchError) -> None:
        """Render certainly did not get the request: arm it again, up to a bound; what was sent before stays."""
        if effect.state.was_sent:
            return
        if effect.seq >= TRIES_MAX and not isinstance(error, RateLimited):
            reason = f"given up after {effect.seq} tries: {error.what}"
            await self._record(effect, Outcome(OutcomeKind.NEEDS_HUMAN, code=error.code, reason=reason))
            return
        await self._drop(effect, error.what, code=error.code)

    async def _drop(self, effect: Effect, reason: str, *, code: str) -> None:
        async with self._database.write("drop", about=(effect.run_id,)) as tx:
            dropped = await effects.finish_effect(
                tx,
                effect,
                state=EffectState.DROPPED,
                result={},
                code=code,
                reason=reason,
                request_id=None,
                at=self._clock.now(),
            )
            if dropped:
                await self._audit(tx, effect, "effect.dropped", {"code": code, "reason": reason})

    async def _unknown(self, effect: Effect, error: SecurewatchError) -> datetime | None:
        now = self._clock.now()
        log.warning("the outcome of an effect is unknown", extra={"action": "effect_in_doubt", "key": effect.key})
        async with self._database.write("doubt", about=(effect.run_id,)) as tx:
            if await effects.mark_doubt(tx, effect, reason=error.what, at=now):
                await self._audit(tx, effect, "effect.in_doubt", {"reason": error.what})
        return now if effect.kind in NEEDS_GRACE and not effect.state.was_sent else self._later(LOOK_AGAIN_SECONDS)

    async def _audit(
        self, tx: Any, effect: Effect, action: str, detail: Mapping[str, Any], *, request_id: str | None = None
    ) -> None:
        facts = {"key": effect.key, "seq": effect.seq, "service_id": effect.service_id, **detail}
        await audit.append(
            tx,
            self._box,
            at=self._clock.now(),
            actor=self._actor,
            action=action,
            slug=effect.slug,
            run_id=effect.run_id,
            detail=facts,
            request_id=request_id,
        )

    def _later(self, seconds: float) -> datetime:
        return self._clock.now() + timedelta(seconds=seconds)


_STATES = {
    OutcomeKind.CONFIRMED: EffectState.CONFIRMED,
    OutcomeKind.ACCEPTED: EffectState.ACCEPTED,
    OutcomeKind.FAILED: EffectState.FAILED,
    OutcomeKind.NEEDS_HUMAN: EffectState.NEEDS_HUMAN,
}


class _Sending:
    """What an effect calls just before its request; remembers whether this try got that far."""

    def __init__(self, ledger: Ledger, effect: Effect) -> None:
        self._ledger = ledger
        self._effect = effect
        self.was_committed = False

    async def __call__(self, before: Mapping[str, Any]) -> Guard:
        guard = await self._ledger.commit_sent(self._effect, before)
        self.was_committed = True
        return guard
