"""Turns of a portfolio: which scheduler has which blocks of a campaign, and what they gave."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTS = ("schedules", "steps", "violations", "executions", "pairs", "classes", "states")


def upgrade() -> None:
    op.create_table(
        "portfolio_turns",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("first_block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("blocks", sa.BigInteger(), nullable=False),
        sa.Column("scheduler", sa.Text(), nullable=False),
        sa.Column("blocks_done", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(length=80), nullable=False) for name in COUNTS),
        sa.CheckConstraint("first_block >= 0", name=op.f("ck_portfolio_turns_first_block")),
        sa.CheckConstraint(
            "blocks_done >= 0 AND blocks_done <= blocks",
            name=op.f("ck_portfolio_turns_blocks_done"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_portfolio_turns_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "first_block", name=op.f("pk_portfolio_turns")),
    )


def downgrade() -> None:
    op.drop_table("portfolio_turns")
