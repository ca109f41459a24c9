"""Ledger: campaigns with wanted and observed states, leases with tokens, a leader, events, curves.

On PostgreSQL counts become numbers: as text, the database could not add them.
"""

from collections import defaultdict
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNT = sa.String(80).with_variant(sa.Numeric(80, 0), "postgresql")
INSTANT = sa.DateTime(timezone=True)
TOTALS = ("schedules", "steps", "violations")
COUNTS = {
    "campaigns": ("root_seed", *TOTALS),
    "coverage": ("executions",),
    "cells": ("schedules", "steps"),
    "cell_findings": ("schedules",),
    "site_counts": ("count",),
    "failures": ("first_schedule_ordinal",),
    "portfolio_turns": (*TOTALS, "executions", "pairs", "classes", "states"),
}
STATES = ["created", "running", "paused", "stopping", "stopped", "finished", "failed"]
OLD_STATES = ["running", "finished", "interrupted", "failed"]
ENDED = "state IN ('stopped', 'finished', 'failed')"


def upgrade() -> None:
    _counts_as(sa.Numeric(80, 0), "numeric")
    ranges = _rows("SELECT campaign_id, first_block, blocks FROM leases WHERE state = 'done'")
    op.drop_table("leases")
    _widen_campaigns()
    _create_leases()
    for campaign, done in ranges.items():
        _store_ledger(campaign, sorted(done))
    _finish_campaigns()
    _create_leader_and_quarantine()
    _create_events_and_settings()
    _create_curve_points()


def downgrade() -> None:
    """Done ranges are told from the others again. Events, curves and settings are lost."""
    not_done = _rows(
        "SELECT campaign_id, first_block, blocks FROM leases UNION ALL "
        "SELECT campaign_id, first_block, blocks FROM quarantined_ranges"
    )
    found = op.get_bind().execute(sa.text("SELECT id, next_block FROM campaigns")).all()
    ends = {campaign: end for campaign, end in found}
    for table in ("settings", "curve_points", "events", "quarantined_ranges", "leases", "leader"):
        op.drop_table(table)
    _narrow_campaigns()
    _create_old_leases()
    for campaign, end in ends.items():
        for first, blocks in _between(sorted(not_done[campaign]), end):
            op.execute(f"INSERT INTO leases VALUES ({campaign}, {first}, {blocks}, 'done', NULL)")
    _counts_as(sa.String(80), "text")


def _rows(query: str) -> dict[int, list[tuple[int, int]]]:
    """Ranges by campaign."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for campaign, first, blocks in op.get_bind().execute(sa.text(query)):
        found[campaign].append((first, blocks))
    return found


def _between(ranges: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """What lies before, between and behind sorted ranges, up to `end`."""
    found, at = [], 0
    for first, blocks in [*ranges, (end, 0)]:
        if first > at:
            found.append((at, first - at))
        at = first + blocks
    return found


def _store_ledger(campaign: int, done: list[tuple[int, int]]) -> None:
    """Blocks between done ones wait to be executed: nobody holds them any more."""
    end = max(first + blocks for first, blocks in done)
    op.execute(f"UPDATE campaigns SET next_block = {end} WHERE id = {campaign}")
    for first, blocks in _between(done, end):
        op.execute(
            "INSERT INTO leases (campaign_id, first_block, blocks, state, token, attempt, epoch) "
            f"VALUES ({campaign}, {first}, {blocks}, 'free', 0, 1, 0)"
        )


def _counts_as(kind: sa.types.TypeEngine[Any], word: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in COUNTS.items():
        for column in columns:
            op.alter_column(table, column, type_=kind, postgresql_using=f'"{column}"::{word}')


def _states(words: list[str]) -> str:
    return "state IN (" + ", ".join(f"'{word}'" for word in words) + ")"


def _widen_campaigns() -> None:
    with _campaigns() as table:
        for check in ("state", "ended_at", "ending"):
            table.drop_constraint(op.f(f"ck_campaigns_{check}"), type_="check")
        for name, kind, default in (
            ("desired_state", sa.String(20), "running"),
            ("weight", sa.Integer(), "1"),
            ("priority", sa.Integer(), "0"),
            ("active_seconds", sa.Double(), "0"),
            ("next_block", sa.BigInteger(), "0"),
            ("next_token", sa.BigInteger(), "1"),
        ):
            table.add_column(sa.Column(name, kind, nullable=False, server_default=default))
        for name, kind in (
            ("schedules_max", COUNT),
            ("steps_max", COUNT),
            ("violations_max", COUNT),
            ("seconds_max", sa.Double()),
            ("blocks_max", sa.BigInteger()),
            ("saturation_blocks", sa.BigInteger()),
        ):
            table.add_column(sa.Column(name, kind, nullable=True))
    op.execute("UPDATE campaigns SET state = 'stopped' WHERE state = 'interrupted'")
    op.execute("UPDATE campaigns SET desired_state = 'stopped' WHERE state = 'stopped'")


CHECKS = {
    "state": _states(STATES),
    "desired_state": "desired_state IN ('running', 'paused', 'stopped')",
    "ended_at": f"({ENDED}) = (ended_at IS NOT NULL)",
    "ending": f"({ENDED}) = (ending IS NOT NULL)",
    "next_block": "next_block >= blocks_done",
    "weight": "weight > 0",
    "seconds_max": "seconds_max >= 0",
    "blocks_max": "blocks_max >= 0",
    "saturation_blocks": "saturation_blocks > 0",
    "active_seconds": "active_seconds >= 0",
}
DEFAULTED = ("desired_state", "weight", "priority", "active_seconds", "next_block", "next_token")
BOUNDS = (
    "schedules_max",
    "steps_max",
    "violations_max",
    "seconds_max",
    "blocks_max",
    "saturation_blocks",
)
INDEXES = (("state", "priority"), ("program_ir_hash",), ("ended_at",))


def _finish_campaigns() -> None:
    """From here on whoever stores a campaign says all of it."""
    with _campaigns() as table:
        for name in DEFAULTED:
            table.alter_column(name, server_default=None)
        for name, check in CHECKS.items():
            table.create_check_constraint(op.f(f"ck_campaigns_{name}"), check)
    for columns in INDEXES:
        op.create_index(op.f("ix_campaigns_" + "_".join(columns)), "campaigns", columns)


def _narrow_campaigns() -> None:
    for columns in INDEXES:
        op.drop_index(op.f("ix_campaigns_" + "_".join(columns)), "campaigns")
    with _campaigns() as table:
        for name in CHECKS:
            table.drop_constraint(op.f(f"ck_campaigns_{name}"), type_="check")
        for name in (*DEFAULTED, *BOUNDS):
            table.drop_column(name)
    op.execute("UPDATE campaigns SET state = 'interrupted' WHERE state = 'stopped'")
    # What runs under a coordinator now has nobody who would go on with it then.
    op.execute(
        "UPDATE campaigns SET state = 'interrupted', ended_at = started_at, "
        "ending = 'was not executed by this version' "
        "WHERE state IN ('created', 'paused', 'stopping')"
    )
    with _campaigns() as table:
        table.create_check_constraint(op.f("ck_campaigns_state"), _states(OLD_STATES))
        for column in ("ended_at", "ending"):
            check = f"(state = 'running') = ({column} IS NULL)"
            table.create_check_constraint(op.f(f"ck_campaigns_{column}"), check)


def _campaigns() -> AbstractContextManager[BatchOperations]:
    return op.batch_alter_table("campaigns", table_kwargs={"sqlite_autoincrement": True})


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("first_block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("blocks", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("given_at", INSTANT, nullable=True),
        sa.Column("deadline", INSTANT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("first_block >= 0", name=op.f("ck_leases_first_block")),
        sa.CheckConstraint("blocks > 0", name=op.f("ck_leases_blocks")),
        sa.CheckConstraint("attempt > 0", name=op.f("ck_leases_attempt")),
        sa.CheckConstraint(
            "(state = 'held') = (worker IS NOT NULL)", name=op.f("ck_leases_worker")
        ),
        sa.CheckConstraint(
            "(state = 'held') = (given_at IS NOT NULL)", name=op.f("ck_leases_given_at")
        ),
        sa.CheckConstraint("state IN ('held', 'free')", name=op.f("ck_leases_state")),
        _of_campaign("leases"),
        sa.PrimaryKeyConstraint("campaign_id", "first_block", name=op.f("pk_leases")),
    )
    op.create_index(op.f("ix_leases_state_deadline"), "leases", ["state", "deadline"])


def _create_old_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("first_block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("blocks", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'held') = (worker IS NOT NULL)", name=op.f("ck_leases_worker")
        ),
        sa.CheckConstraint("blocks > 0", name=op.f("ck_leases_blocks")),
        sa.CheckConstraint("first_block >= 0", name=op.f("ck_leases_first_block")),
        sa.CheckConstraint("state IN ('held', 'done')", name=op.f("ck_leases_state")),
        _of_campaign("leases"),
        sa.PrimaryKeyConstraint("campaign_id", "first_block", name=op.f("pk_leases")),
    )


def _of_campaign(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_campaign_id_campaigns")
    return sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=name)


def _create_leader_and_quarantine() -> None:
    op.create_table(
        "leader",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("beat_at", INSTANT, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_leader_id")),
        sa.CheckConstraint("epoch >= 0", name=op.f("ck_leader_epoch")),
        sa.CheckConstraint("beat >= 0", name=op.f("ck_leader_beat")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leader")),
    )
    op.create_table(
        "quarantined_ranges",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("first_block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("blocks", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("first_block >= 0", name=op.f("ck_quarantined_ranges_first_block")),
        sa.CheckConstraint("blocks > 0", name=op.f("ck_quarantined_ranges_blocks")),
        sa.CheckConstraint("attempts > 0", name=op.f("ck_quarantined_ranges_attempts")),
        _of_campaign("quarantined_ranges"),
        sa.PrimaryKeyConstraint("campaign_id", "first_block", name=op.f("pk_quarantined_ranges")),
    )


def _json() -> sa.types.TypeEngine[Any]:
    from sqlalchemy.dialects.postgresql import JSONB

    return sa.Text().with_variant(JSONB(), "postgresql")


def _create_events_and_settings() -> None:
    op.create_table(
        "events",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("campaign_id", ROW_NUMBER, nullable=True),
        sa.Column("failure_id", ROW_NUMBER, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("details", _json(), nullable=False),
        _of_campaign("events"),
        sa.ForeignKeyConstraint(
            ["failure_id"], ["failures.id"], name=op.f("fk_events_failure_id_failures")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    for columns in (("campaign_id", "id"), ("failure_id", "id"), ("at",)):
        op.create_index(op.f("ix_events_" + "_".join(columns)), "events", columns)
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", _json(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )


def _create_curve_points() -> None:
    counts = [sa.Column(name, COUNT, nullable=False) for name in TOTALS]
    sizes = [
        sa.Column(name, sa.BigInteger(), nullable=False)
        for name in ["failures", "steps_reached", "pairs", "classes"]
    ]
    op.create_table(
        "curve_points",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("blocks", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("active_seconds", sa.Double(), nullable=False),
        *counts,
        *sizes,
        sa.CheckConstraint("blocks >= 0", name=op.f("ck_curve_points_blocks")),
        _of_campaign("curve_points"),
        sa.PrimaryKeyConstraint("campaign_id", "blocks", name=op.f("pk_curve_points")),
    )
