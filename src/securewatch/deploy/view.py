"""What a decision about a run looks at and gives back: effects, looks, observations, gates. Frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from securewatch.deploy.model import CustomerPlan, Plan, Run, ServiceKind
from securewatch.health.verdict import Sample

# --- effects ----------------------------------------------------------------------------------------------------------


class EffectKind(StrEnum):
    """What an effect does outside. There is no kind that deletes or suspends a service (S7)."""

    BACK_UP_ENV = "back_up_env"
    BACK_UP_DATABASE = "back_up_database"
    MIGRATE = "migrate"
    RESTORE_DATABASE = "restore_database"
    SET_MAINTENANCE = "set_maintenance"
    SET_ENV = "set_env"
    RESTORE_ENV = "restore_env"
    DEPLOY = "deploy"
    CANCEL = "cancel"
    ROLL_BACK = "roll_back"


class EffectState(StrEnum):
    """The life of an effect row: intent is committed before anything is sent (S1)."""

    INTENT = "intent"
    SENT = "sent"
    ACCEPTED = "accepted"
    IN_DOUBT = "in_doubt"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    NEEDS_HUMAN = "needs_human"
    DROPPED = "dropped"

    @property
    def is_open(self) -> bool:
        """Whether the effect may still change something outside."""
        return self in (EffectState.INTENT, EffectState.SENT, EffectState.ACCEPTED, EffectState.IN_DOUBT)

    @property
    def was_sent(self) -> bool:
        """Whether a request may have reached Render, so that the next step is a look and never a write."""
        return self in (EffectState.SENT, EffectState.ACCEPTED, EffectState.IN_DOUBT)


@dataclass(frozen=True)
class NewEffect:
    """An effect that a decision asks for; `key` is its name within the run (`env:backend:VERSION_TAG`)."""

    key: str
    kind: EffectKind
    service_kind: ServiceKind
    service_id: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Effect:
    """One row of the effect ledger. `before` is what existed before the send; `result` what came of it."""

    id: int
    run_id: str
    slug: str
    generation: int
    key: str
    seq: int
    kind: EffectKind
    service_kind: ServiceKind
    service_id: str
    args: Mapping[str, Any]
    state: EffectState
    epoch: int
    intent_at: datetime
    before: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    looked_at: datetime | None = None
    code: str = ""
    reason: str = ""
    request_id: str | None = None


# --- looks and what they saw ------------------------------------------------------------------------------------------


class LookKind(StrEnum):
    """What is read outside. A look changes nothing, so it needs no ledger row and may be repeated freely."""

    PREFLIGHT = "preflight"
    SAMPLE = "sample"
    POLL = "poll"
    VERSION = "version"
    DATABASE = "database"
    WAY_BACK = "way_back"
    AUTODEPLOY = "autodeploy"


@dataclass(frozen=True)
class Look:
    """A read that a decision asks for, now. `args` hold what the look needs beyond the run and its plan."""

    kind: LookKind
    service_kind: ServiceKind | None = None
    args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of the look within the run: one of a kind and service is under way at once."""
        return f"{self.kind}:{self.service_kind}" if self.service_kind else str(self.kind)


TROUBLE = "trouble:"
"""What the key of an observation begins with that says how a look was refused; the look's own key follows."""


@dataclass(frozen=True)
class Observation:
    """What a look saw: the newest one of each key is kept; `count` says how often it was seen in this stage."""

    key: str
    at: datetime
    data: Mapping[str, Any]
    count: int = 1


# --- gates and the decision -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gate:
    """A gate that binds a run now. `until` is when it opens by itself; `person` names who can open it."""

    name: str
    is_open: bool
    reason: str = ""
    code: str = ""
    until: datetime | None = None
    person: str = ""


@dataclass(frozen=True)
class WaitingOn:
    """What a run waits for, in words, and until when, where that is known."""

    what: str
    code: str = ""
    until: datetime | None = None
    person: str = ""
    is_gate: bool = False


def waiting_at(shut: Sequence[Gate]) -> WaitingOn:
    """What somebody behind these shut gates (one or more) waits for. A person is named where only people open them."""
    untils = [gate.until for gate in shut if gate.until is not None]
    only_people = all(gate.person for gate in shut)
    return WaitingOn(
        "; ".join(gate.reason for gate in sorted(shut, key=lambda gate: gate.until is not None)),
        code=shut[0].code,
        until=max(untils) if untils else None,
        person=shut[0].person if only_people else "",
        is_gate=True,
    )


@dataclass(frozen=True)
class View:
    """Everything that a decision about one run may look at."""

    plan: Plan
    customer: CustomerPlan
    run: Run
    effects: Mapping[str, Effect] = field(default_factory=dict)
    observations: Mapping[str, Observation] = field(default_factory=dict)
    samples: Mapping[ServiceKind, tuple[Sample, ...]] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    is_paused: bool = False
    rollback_reason: str | None = None

    @cached_property
    def open_effects(self) -> Sequence[Effect]:
        """The effects that may still change something outside."""
        return tuple(one for one in self.effects.values() if one.state.is_open)


@dataclass(frozen=True)
class Decision:
    """What may happen next to one run: its new state, effects and looks; or what it waits for and until when."""

    run: Run
    effects: tuple[NewEffect, ...] = ()
    looks: tuple[Look, ...] = ()
    waiting_on: WaitingOn | None = None
    next_at: datetime | None = None
