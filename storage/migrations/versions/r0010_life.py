"""Life: failures get a history of decisions, notes, overrides, baselines and rechecks.

With indexes for paging through them in every order, and on PostgreSQL for searching their words.
"""

import hashlib
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
STATUSES = "status IN ('open', 'fixed', 'regressed', 'invalid', 'duplicate')"
IS_DUPLICATE = "(status = 'duplicate') = (duplicate_of IS NOT NULL)"
WORDS = (
    "to_tsvector('simple', program_name || ' ' || oracle || ' ' || sentence || ' ' || step_label)"
)
PAGED: dict[str, tuple[str | sa.TextClause, ...]] = {
    "last_seen_at_id": ("last_seen_at", "id"),
    "sightings_count_id": ("sightings_count", "id"),
    "preemptions_id": ("preemptions", sa.text("id DESC")),
    "steps_id": ("steps", sa.text("id DESC")),
    "status_id": ("status", "id"),
    "ir_hash": ("ir_hash",),
    "first_campaign_id": ("first_campaign_id",),
}


def upgrade() -> None:
    _widen_failures()
    for name, columns in PAGED.items():
        op.create_index(op.f(f"ix_failures_{name}"), "failures", columns)
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_failures_words", "failures", [sa.text(WORDS)], postgresql_using="gin")
    op.create_index(
        "ix_sightings_counted", "sightings", ["campaign_id", "block"], **_where("schedule IS NULL")
    )
    _create_statuses_and_notes()
    _create_overrides()
    _create_baselines_and_rechecks()
    _name_examples_by_hash()


def downgrade() -> None:
    """Failures are as they were found: what was said of them since is lost."""
    op.execute("DELETE FROM events WHERE failure_id IS NOT NULL")
    _name_examples_by_value()
    for table in (
        "rechecks",
        "baseline_failures",
        "baselines",
        "overrides",
        "notes",
        "failure_statuses",
    ):
        op.drop_table(table)
    op.drop_index("ix_sightings_counted", "sightings")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_failures_words", "failures")
    for name in PAGED:
        op.drop_index(op.f(f"ix_failures_{name}"), "failures")
    _narrow_failures()


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _failures() -> AbstractContextManager[BatchOperations]:
    return op.batch_alter_table("failures", table_kwargs={"sqlite_autoincrement": True})


def _widen_failures() -> None:
    with _failures() as table:
        for check in ("status", "sightings_count"):
            table.drop_constraint(op.f(f"ck_failures_{check}"), type_="check")
        table.add_column(sa.Column("duplicate_of", ROW_NUMBER, nullable=True))
        table.add_column(sa.Column("checked_at", INSTANT, nullable=True))
        table.add_column(sa.Column("verdict", sa.Text(), nullable=True))
        table.add_column(
            sa.Column("sightings_kept", sa.Integer(), nullable=False, server_default="0")
        )
    op.execute(
        "UPDATE failures SET sightings_kept = (SELECT count(*) FROM sightings "
        "WHERE sightings.failure_id = failures.id AND schedule IS NOT NULL)"
    )
    with _failures() as table:
        table.alter_column("sightings_kept", server_default=None)
        for name, check in (
            ("status", STATUSES),
            ("sightings_count", "sightings_count >= sightings_kept"),
            ("sightings_kept", "sightings_kept >= 0"),
            ("duplicate_of", IS_DUPLICATE),
            ("verdict", "(checked_at IS NULL) = (verdict IS NULL)"),
        ):
            table.create_check_constraint(op.f(f"ck_failures_{name}"), check)
        table.create_foreign_key(
            op.f("fk_failures_duplicate_of_failures"), "failures", ["duplicate_of"], ["id"]
        )


def _narrow_failures() -> None:
    with _failures() as table:
        for name in ("status", "sightings_count", "sightings_kept", "duplicate_of", "verdict"):
            table.drop_constraint(op.f(f"ck_failures_{name}"), type_="check")
        table.drop_constraint(op.f("fk_failures_duplicate_of_failures"), type_="foreignkey")
        for name in ("duplicate_of", "checked_at", "verdict", "sightings_kept"):
            table.drop_column(name)
    op.execute("UPDATE failures SET status = 'open'")
    with _failures() as table:
        table.create_check_constraint(op.f("ck_failures_status"), "status IN ('open')")
        table.create_check_constraint(op.f("ck_failures_sightings_count"), "sightings_count >= 0")


def _of_failure(table: str, column: str = "failure_id") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_failures")
    return sa.ForeignKeyConstraint([column], ["failures.id"], name=name)


def _create_statuses_and_notes() -> None:
    op.create_table(
        "failure_statuses",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("failure_id", ROW_NUMBER, nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("duplicate_of", ROW_NUMBER, nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.CheckConstraint(IS_DUPLICATE, name=op.f("ck_failure_statuses_duplicate_of")),
        sa.CheckConstraint(STATUSES, name=op.f("ck_failure_statuses_status")),
        _of_failure("failure_statuses"),
        _of_failure("failure_statuses", "duplicate_of"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failure_statuses")),
    )
    op.create_index(
        op.f("ix_failure_statuses_failure_id_id"), "failure_statuses", ["failure_id", "id"]
    )
    op.create_table(
        "notes",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("failure_id", ROW_NUMBER, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        _of_failure("notes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_index(op.f("ix_notes_failure_id_id"), "notes", ["failure_id", "id"])


def _create_overrides() -> None:
    op.create_table(
        "overrides",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("failure_id", ROW_NUMBER, nullable=False),
        sa.Column("other_id", ROW_NUMBER, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.CheckConstraint("failure_id <> other_id", name=op.f("ck_overrides_other_id")),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_overrides_revoked_by")
        ),
        sa.CheckConstraint("kind IN ('merge', 'split')", name=op.f("ck_overrides_kind")),
        _of_failure("overrides"),
        _of_failure("overrides", "other_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    op.create_index(
        "ix_overrides_merged",
        "overrides",
        ["failure_id"],
        unique=True,
        **_where("kind = 'merge' AND revoked_at IS NULL"),
    )
    op.create_index(op.f("ix_overrides_other_id"), "overrides", ["other_id"])


def _create_baselines_and_rechecks() -> None:
    op.create_table(
        "baselines",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_baselines")),
    )
    op.create_table(
        "baseline_failures",
        sa.Column("baseline_name", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["baseline_name"],
            ["baselines.name"],
            name=op.f("fk_baseline_failures_baseline_name_baselines"),
        ),
        sa.PrimaryKeyConstraint("baseline_name", "fingerprint", name=op.f("pk_baseline_failures")),
    )
    from sqlalchemy.dialects.postgresql import JSONB

    op.create_table(
        "rechecks",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("failure_id", ROW_NUMBER, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("ir_hash", sa.String(length=128), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("states", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.CheckConstraint("states >= 0", name=op.f("ck_rechecks_states")),
        _of_failure("rechecks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rechecks")),
    )
    op.create_index(op.f("ix_rechecks_failure_id_id"), "rechecks", ["failure_id", "id"])
    op.create_index(op.f("ix_rechecks_at"), "rechecks", ["at"])


def _examples() -> list[tuple[bytes, bytes]]:
    rows = op.get_bind().execute(sa.text("SELECT key, value FROM hypothesis_examples")).all()
    op.drop_table("hypothesis_examples")
    return [(bytes(key), bytes(value)) for key, value in rows]


def _name_examples_by_hash() -> None:
    """An index of PostgreSQL holds no more than 2,704 bytes a row; a value may be longer."""
    rows = _examples()
    table = op.create_table(
        "hypothesis_examples",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", "value_sha256", name=op.f("pk_hypothesis_examples")),
    )
    op.bulk_insert(
        table,
        [
            {"key": key, "value_sha256": hashlib.sha256(value).digest(), "value": value}
            for key, value in rows
        ],
    )


def _name_examples_by_value() -> None:
    rows = _examples()
    table = op.create_table(
        "hypothesis_examples",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", "value", name=op.f("pk_hypothesis_examples")),
    )
    op.bulk_insert(table, [{"key": key, "value": value} for key, value in rows])
