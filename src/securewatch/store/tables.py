"""The tables of the state database, and nothing else. The migrations must give the same schema; a test compares them.

Instants are text (ISO 8601, UTC, microseconds: see `codec`), so that they sort; documents are JSON text.
"""

from collections.abc import Iterable
from enum import StrEnum

import sqlalchemy as sa

from securewatch.deploy.model import Stage
from securewatch.deploy.view import EffectKind, EffectState
from securewatch.rollout.model import RolloutState

_TERMINAL = [stage for stage in Stage if stage.is_terminal]
_WAITING = [Stage.QUEUED, Stage.PREFLIGHT]


def _listed(words: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


OPEN_EFFECT = f"state IN ({_listed(state for state in EffectState if state.is_open)})"
"""SQL: the effect may still change something outside."""
DEPLOYING_EFFECT = f"kind IN ({_listed([EffectKind.DEPLOY, EffectKind.ROLL_BACK])})"
"""SQL: the effect puts something else live on its service."""
UNFINISHED_RUN = f"stage NOT IN ({_listed(_TERMINAL)})"
"""SQL: something may still happen to the run by itself."""
BUSY_RUN = f"stage NOT IN ({_listed([*_TERMINAL, Stage.WATCHING])})"
"""SQL: no other run of the customer may be added; a watch allows it."""
WAITING_RUN = f"stage IN ({_listed(_WAITING)})"
"""SQL: the run has written nothing outside yet. One of a customer at a time."""
ACTING_RUN = f"stage NOT IN ({_listed([*_TERMINAL, Stage.WATCHING, *_WAITING])})"
"""SQL: the run changes the customer's services. One of a customer at a time, apart from waiting: a watch that
turns back begins to act while another run waits (S18).
"""
STANDING_RUN = f"stage NOT IN ({_listed([*_WAITING, Stage.REFUSED, Stage.FAILED, Stage.ROLLED_BACK])})"
"""SQL: what the run did may be in force: it has begun, and did not end with everything taken back."""
OPEN_ROLLOUT = f"state NOT IN ({_listed(state for state in RolloutState if state.is_over)})"
"""SQL: the rollout may still start something."""

metadata = sa.MetaData()


def _partial(name: str, where: str, *columns: str, unique: bool = False) -> sa.Index:
    clause = sa.text(where)
    return sa.Index(name, *columns, unique=unique, sqlite_where=clause)


meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

plan = sa.Table(
    "plan",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("plan_format", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("commit", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("plan_hash", sa.Text, sa.ForeignKey("plan.hash"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.UniqueConstraint("slug", "generation", name="uq_run_generation"),
    _partial("uq_run_waiting", WAITING_RUN, "slug", unique=True),
    _partial("uq_run_acting", ACTING_RUN, "slug", unique=True),
    _partial("ix_run_unfinished", UNFINISHED_RUN, "slug"),
)

effect = sa.Table(
    "effect",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("run.id"), nullable=False),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("service_kind", sa.Text, nullable=False),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("args", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("intent_at", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Text),
    sa.Column("finished_at", sa.Text),
    sa.Column("looked_at", sa.Text),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text),
    sa.UniqueConstraint("run_id", "key", "seq", name="uq_effect_seq"),
    _partial("uq_effect_open", OPEN_EFFECT, "service_id", unique=True),
)

observation = sa.Table(
    "observation",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
)

sample = sa.Table(
    "sample",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("run.id"), nullable=False),
    sa.Column("service_kind", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("ok", sa.Boolean, nullable=False),
    sa.Column("response_ms", sa.Float),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("ix_sample_run", "run_id", "service_kind", "at"),
)

approval = sa.Table(
    "approval",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("plan_hash", sa.Text, nullable=False),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("granted", sa.Boolean, nullable=False),
    sa.Column("used_by", sa.Text),
    sa.Index("ix_approval_plan", "plan_hash", "slug"),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("verb", sa.Text, nullable=False),
    sa.Column("slug", sa.Text),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("handled_at", sa.Text),
    _partial("ix_inbox_pending", "handled_at IS NULL", "id"),
)

release = sa.Table(
    "release",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("service_kind", sa.Text, nullable=False),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("commit", sa.Text),
    sa.Column("deploy_id", sa.Text),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("verified_at", sa.Text),
    sa.Column("run_id", sa.Text),
    sa.Index("ix_release_customer", "slug", "service_kind", "id"),
)

sealed = sa.Table(
    "sealed",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("box", sa.LargeBinary, nullable=False),
    sa.Index("ix_sealed_slot", "run_id", "service_id", "purpose"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("slug", sa.Text),
    sa.Column("run_id", sa.Text),
    sa.Column("plan_hash", sa.Text),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("prev", sa.Text, nullable=False),
    sa.Column("mac", sa.Text, nullable=False),
    sa.Index("ix_audit_customer", "slug", "seq"),
    sa.Index("ix_audit_run", "run_id", "seq"),
)

rate_window = sa.Table(
    "rate_window",
    metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("document", sa.Text, nullable=False),
)

identity = sa.Table(
    "identity",
    metadata,
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("family", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Index("ix_identity_fingerprint", "family", "fingerprint"),
)

release_plan = sa.Table(
    "release_plan",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("plan_format", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("commit", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)

rollout = sa.Table(
    "rollout",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("plan_hash", sa.Text, sa.ForeignKey("release_plan.hash"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    _partial("uq_rollout_open", OPEN_ROLLOUT, "version", unique=True),
)

member = sa.Table(
    "member",
    metadata,
    sa.Column("rollout_id", sa.Text, sa.ForeignKey("rollout.id"), primary_key=True),
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("ix_member_run", "run_id"),
)

freeze = sa.Table(
    "freeze",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    _partial("ix_freeze_open", "ended_at IS NULL", "id"),
)

notice = sa.Table(
    "notice",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("next_at", sa.Text),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.UniqueConstraint("event", "recipient", name="uq_notice_once"),
    _partial("ix_notice_due", "next_at IS NOT NULL", "next_at"),
)

calendar_entry = sa.Table(
    "calendar_entry",
    metadata,
    sa.Column("uid", sa.Text, primary_key=True),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)

database_backup = sa.Table(
    "database_backup",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("taken_at", sa.Text, nullable=False),
    sa.Column("removed_at", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("ix_database_backup_customer", "slug", "taken_at"),
    sa.Index("ix_database_backup_run", "run_id"),
)
