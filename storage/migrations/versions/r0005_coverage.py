"""Coverage: pairs of steps and classes of executions that sampled ones have shown."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coverage",
        sa.Column(
            "campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("executions", sa.String(length=80), nullable=False),
        sa.Column("pairs", sa.Text(), nullable=False),
        sa.Column("classes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_coverage_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_coverage")),
    )


def downgrade() -> None:
    op.drop_table("coverage")
