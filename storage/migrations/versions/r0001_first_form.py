"""First form: programs, campaigns with their leases and counts, failures with their sightings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_programs()
    _create_campaigns()
    _create_leases()
    _create_site_counts()
    _create_failures()
    _create_sightings()
    _create_disagreements()


def downgrade() -> None:
    for table in (
        "disagreements",
        "sightings",
        "failures",
        "site_counts",
        "leases",
        "campaigns",
        "programs",
    ):
        op.drop_table(table)


def _create_programs() -> None:
    op.create_table(
        "programs",
        sa.Column("ir_hash", sa.String(length=128), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("ir", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("ir_hash", name=op.f("pk_programs")),
    )


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("program_ir_hash", sa.String(length=128), nullable=False),
        sa.Column("scheduler", sa.Text(), nullable=False),
        sa.Column("root_seed", sa.String(length=80), nullable=False),
        sa.Column("engine_revision", sa.Text(), nullable=False),
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("excluded_failures", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocks_done", sa.BigInteger(), nullable=False),
        sa.Column("schedules", sa.String(length=80), nullable=False),
        sa.Column("steps", sa.String(length=80), nullable=False),
        sa.Column("violations", sa.String(length=80), nullable=False),
        sa.Column("outcomes", sa.Text(), nullable=False),
        sa.Column("steps_reached", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state = 'running') = (ended_at IS NULL)", name=op.f("ck_campaigns_ended_at")
        ),
        sa.CheckConstraint(
            "(state = 'running') = (ending IS NULL)", name=op.f("ck_campaigns_ending")
        ),
        sa.CheckConstraint("blocks_done >= 0", name=op.f("ck_campaigns_blocks_done")),
        sa.ForeignKeyConstraint(
            ["program_ir_hash"],
            ["programs.ir_hash"],
            name=op.f("fk_campaigns_program_ir_hash_programs"),
        ),
        sa.CheckConstraint(
            "state IN ('running', 'finished', 'interrupted', 'failed')",
            name=op.f("ck_campaigns_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sqlite_autoincrement=True,
    )


def _create_disagreements() -> None:
    op.create_table(
        "disagreements",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("ir_hash", sa.String(length=128), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("block >= 0", name=op.f("ck_disagreements_block")),
        sa.CheckConstraint("lane >= 0 AND lane < 512", name=op.f("ck_disagreements_lane")),
        sa.CheckConstraint("step >= 0", name=op.f("ck_disagreements_step")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_disagreements_campaign_id_campaigns")
        ),
        sa.ForeignKeyConstraint(
            ["ir_hash"], ["programs.ir_hash"], name=op.f("fk_disagreements_ir_hash_programs")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disagreements")),
        sa.UniqueConstraint(
            "campaign_id",
            "ir_hash",
            "block",
            "lane",
            "step",
            name=op.f("uq_disagreements_campaign_id_ir_hash_block_lane_step"),
        ),
    )


def _create_failures() -> None:
    op.create_table(
        "failures",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("program_name", sa.Text(), nullable=False),
        sa.Column("oracle", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("step_label", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("preemptions", sa.BigInteger(), nullable=False),
        sa.Column("switches", sa.BigInteger(), nullable=False),
        sa.Column("threads", sa.BigInteger(), nullable=False),
        sa.Column("steps", sa.BigInteger(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("interleaving", sa.Text(), nullable=False),
        sa.Column("diagram", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("ir_hash", sa.String(length=128), nullable=False),
        sa.Column("first_campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("first_lane", sa.Integer(), nullable=False),
        sa.Column("first_schedule_ordinal", sa.String(length=80), nullable=False),
        sa.Column("sightings_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("preemptions >= 0", name=op.f("ck_failures_preemptions")),
        sa.CheckConstraint("sightings_count >= 0", name=op.f("ck_failures_sightings_count")),
        sa.CheckConstraint("steps >= 0", name=op.f("ck_failures_steps")),
        sa.CheckConstraint("switches >= preemptions", name=op.f("ck_failures_switches")),
        sa.CheckConstraint("threads >= 0", name=op.f("ck_failures_threads")),
        sa.ForeignKeyConstraint(
            ["first_campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_failures_first_campaign_id_campaigns"),
        ),
        sa.ForeignKeyConstraint(
            ["ir_hash"], ["programs.ir_hash"], name=op.f("fk_failures_ir_hash_programs")
        ),
        sa.CheckConstraint("status IN ('open')", name=op.f("ck_failures_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failures")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_failures_fingerprint")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_failures_program_name_status"),
        "failures",
        ["program_name", "status"],
        unique=False,
    )


def _create_leases() -> None:
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
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_leases_campaign_id_campaigns")
        ),
        sa.CheckConstraint("state IN ('held', 'done')", name=op.f("ck_leases_state")),
        sa.PrimaryKeyConstraint("campaign_id", "first_block", name=op.f("pk_leases")),
    )


def _create_site_counts() -> None:
    op.create_table(
        "site_counts",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("count", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_site_counts_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "site", name=op.f("pk_site_counts")),
    )


def _create_sightings() -> None:
    op.create_table(
        "sightings",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("failure_id", ROW_NUMBER, nullable=False),
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("ir_hash", sa.String(length=128), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.CheckConstraint("block >= 0", name=op.f("ck_sightings_block")),
        sa.CheckConstraint("lane >= 0 AND lane < 512", name=op.f("ck_sightings_lane")),
        sa.CheckConstraint("step >= 0", name=op.f("ck_sightings_step")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_sightings_campaign_id_campaigns")
        ),
        sa.ForeignKeyConstraint(
            ["failure_id"], ["failures.id"], name=op.f("fk_sightings_failure_id_failures")
        ),
        sa.ForeignKeyConstraint(
            ["ir_hash"], ["programs.ir_hash"], name=op.f("fk_sightings_ir_hash_programs")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sightings")),
        sa.UniqueConstraint(
            "failure_id",
            "campaign_id",
            "block",
            "lane",
            "step",
            name=op.f("uq_sightings_failure_id_campaign_id_block_lane_step"),
        ),
    )
    op.create_index(
        op.f("ix_sightings_campaign_id_block"), "sightings", ["campaign_id", "block"], unique=False
    )
