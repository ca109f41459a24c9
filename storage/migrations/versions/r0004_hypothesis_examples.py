"""Hypothesis' examples: which configurations of a program's parameters have failed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hypothesis_examples",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", "value", name=op.f("pk_hypothesis_examples")),
    )


def downgrade() -> None:
    """Examples are lost: Hypothesis finds them again."""
    op.drop_table("hypothesis_examples")
