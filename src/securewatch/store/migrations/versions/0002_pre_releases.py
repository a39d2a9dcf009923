"""Releases over many customers: plans, rollouts and their members, freezes, notices, calendar entries."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OPEN_ROLLOUT = sa.text("state NOT IN ('done', 'aborted')")


def upgrade() -> None:
    """Make every table; those that others refer to come first."""
    _make_release_plan()
    _make_rollout()
    _make_member()
    _make_freeze()
    _make_notice()
    _make_calendar_entry()


def _make_release_plan() -> None:
    op.create_table(
        "release_plan",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("plan_format", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )


def _make_rollout() -> None:
    op.create_table(
        "rollout",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("plan_hash", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan_hash"], ["release_plan.hash"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_rollout_open", "rollout", ["version"], unique=True, sqlite_where=_OPEN_ROLLOUT)


def _make_member() -> None:
    op.create_table(
        "member",
        sa.Column("rollout_id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"]),
        sa.PrimaryKeyConstraint("rollout_id", "slug"),
    )
    op.create_index("ix_member_run", "member", ["run_id"], unique=False)


def _make_freeze() -> None:
    op.create_table(
        "freeze",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_freeze_open", "freeze", ["id"], unique=False, sqlite_where=sa.text("ended_at IS NULL"))


def _make_notice() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("next_at", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event", "recipient", name="uq_notice_once"),
    )
    op.create_index("ix_notice_due", "notice", ["next_at"], unique=False, sqlite_where=sa.text("next_at IS NOT NULL"))


def _make_calendar_entry() -> None:
    op.create_table(
        "calendar_entry",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uid"),
    )
