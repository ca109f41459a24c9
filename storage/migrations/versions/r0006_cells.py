"""Cells: what a matrix knows of a program, so that it is judged once."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cells",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("folded_hash", sa.String(length=128), nullable=False),
        sa.Column("blocks", sa.BigInteger(), nullable=False),
        sa.Column("schedules", sa.String(length=80), nullable=False),
        sa.Column("steps", sa.String(length=80), nullable=False),
        sa.Column("engine_seconds", sa.Double(), nullable=False),
        sa.CheckConstraint("blocks >= 0", name=op.f("ck_cells_blocks")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_cells_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_cells")),
    )
    op.create_index(op.f("ix_cells_folded_hash"), "cells", ["folded_hash"])
    op.create_table(
        "cell_findings",
        sa.Column("campaign_id", ROW_NUMBER, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("failure_id", ROW_NUMBER, nullable=False),
        sa.Column("shortest", sa.BigInteger(), nullable=False),
        sa.Column("schedules", sa.String(length=80), nullable=True),
        sa.Column("engine_seconds", sa.Double(), nullable=True),
        sa.CheckConstraint("shortest > 0", name=op.f("ck_cell_findings_shortest")),
        sa.CheckConstraint(
            "(schedules IS NULL) = (engine_seconds IS NULL)",
            name=op.f("ck_cell_findings_schedules"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["cells.campaign_id"],
            name=op.f("fk_cell_findings_campaign_id_cells"),
        ),
        sa.ForeignKeyConstraint(
            ["failure_id"], ["failures.id"], name=op.f("fk_cell_findings_failure_id_failures")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "site", "step", name=op.f("pk_cell_findings")),
    )


def downgrade() -> None:
    """Matrices are judged anew; campaigns and failures stay."""
    op.drop_table("cell_findings")
    op.drop_index(op.f("ix_cells_folded_hash"), table_name="cells")
    op.drop_table("cells")
