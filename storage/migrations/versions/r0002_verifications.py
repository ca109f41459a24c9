"""Verifications: campaigns have a kind, and those that explore say how far they have come."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("campaigns", table_kwargs={"sqlite_autoincrement": True}) as table:
        # What is there already has fuzzed; from here on everybody says so.
        kind = sa.Column("kind", sa.String(length=20), nullable=False, server_default="fuzz")
        table.add_column(kind)
    with op.batch_alter_table("campaigns", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("kind", server_default=None)
        table.create_check_constraint(op.f("ck_campaigns_kind"), "kind IN ('fuzz', 'verify')")
    _create_verifications()


def downgrade() -> None:
    """Verifications are lost, and with them nothing but numbers: their failures stay."""
    op.drop_table("verifications")
    with op.batch_alter_table("campaigns", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.drop_constraint(op.f("ck_campaigns_kind"), type_="check")
        table.drop_column("kind")


def _create_verifications() -> None:
    op.create_table(
        "verifications",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("symmetry", sa.Boolean(), nullable=False),
        sa.Column("bitstate", sa.Boolean(), nullable=False),
        sa.Column("states", sa.BigInteger(), nullable=False),
        sa.Column("transitions", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.BigInteger(), nullable=False),
        sa.Column("depth", sa.BigInteger(), nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("exhausted", sa.Boolean(), nullable=False),
        sa.Column("reduced", sa.Boolean(), nullable=False),
        sa.Column("discarded", sa.Boolean(), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=True),
        sa.Column("checkpoint_file", sa.Text(), nullable=True),
        sa.Column("checkpoint_sha256", sa.String(length=64), nullable=True),
        sa.CheckConstraint("memory_bytes > 0", name=op.f("ck_verifications_memory_bytes")),
        sa.CheckConstraint(
            "frontier >= 0 AND frontier <= states", name=op.f("ck_verifications_frontier")
        ),
        sa.CheckConstraint("transitions >= 0", name=op.f("ck_verifications_transitions")),
        sa.CheckConstraint("depth >= 0", name=op.f("ck_verifications_depth")),
        sa.CheckConstraint("used_bytes >= 0", name=op.f("ck_verifications_used_bytes")),
        sa.CheckConstraint(
            "(checkpoint_file IS NULL) = (checkpoint_sha256 IS NULL)",
            name=op.f("ck_verifications_checkpoint"),
        ),
        sa.CheckConstraint(
            "verdict IN ('proved', 'refuted', 'bounded')", name=op.f("ck_verifications_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_verifications_campaign_id_campaigns"),
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_verifications")),
    )
