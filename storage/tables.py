"""Programs, campaigns and what they found; one class a table.

A program is stored with its IR, so that a failure replays for ever. Campaign totals change only in
the transaction that ends a lease. A failure is one row; what showed it are its sightings. What is
being executed stands in `storage.ledger_tables`, what people say of failures in
`storage.life_tables`.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from model.coverage import Shown
from model.step_pairs import StepPair
from storage.base import LANES, Base, row_number, state_column
from storage.columns import (
    ExactCount,
    ExactCounts,
    JsonText,
    Labels,
    Numbers,
    ShownPairs,
    UtcDateTime,
)


class CampaignState(StrEnum):
    """Where a campaign stands, as its coordinator has observed it.

    created -> running <-> paused, running or paused -> stopping -> stopped; finished where its
    budget is spent, failed where it could not go on.
    """

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


class DesiredState(StrEnum):
    """What people want of a campaign; its coordinator follows."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class CampaignKind(StrEnum):
    """What a campaign does with its program: random schedules, or every reachable state."""

    FUZZ = "fuzz"
    VERIFY = "verify"


class VerificationVerdict(StrEnum):
    """What exploring said: nothing is wrong anywhere, something is, or it did not see all."""

    PROVED = "proved"
    REFUTED = "refuted"
    BOUNDED = "bounded"


class FailureStatus(StrEnum):
    """What people have decided about a failure."""

    OPEN = "open"
    FIXED = "fixed"
    REGRESSED = "regressed"
    INVALID = "invalid"
    DUPLICATE = "duplicate"


# True of a campaign that will do no more unless it is opened again.
ENDED = "state IN ('stopped', 'finished', 'failed')"

# What a search for words looks at, as PostgreSQL indexes it.
FAILURE_WORDS = (
    "to_tsvector('simple', program_name || ' ' || oracle || ' ' || sentence || ' ' || step_label)"
)


class ProgramRow(Base):
    """A program: its IR for replaying, its source for reading."""

    __tablename__ = "programs"

    ir_hash: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    parameters: Mapped[str] = mapped_column(JsonText)
    ir: Mapped[str] = mapped_column(JsonText)
    source: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CampaignRow(Base):
    """A program, a scheduler, a root seed, a budget, a state; and the exact totals so far.

    `budget` is what was asked for in the beginning; the columns that end in `_max` are what holds
    now, and may be changed while the campaign runs (None: no bound). `saturation_blocks`: it ends
    when so many blocks in a row have covered nothing new. `weight` is its share of the workers
    beside other campaigns of its `priority`; a higher one is served first.

    Blocks below `next_block` are done, but for those in `leases` and in `quarantined_ranges`.
    """

    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint("blocks_done >= 0", name="blocks_done"),
        CheckConstraint("next_block >= blocks_done", name="next_block"),
        CheckConstraint(f"({ENDED}) = (ended_at IS NOT NULL)", name="ended_at"),
        CheckConstraint(f"({ENDED}) = (ending IS NOT NULL)", name="ending"),
        CheckConstraint("weight > 0", name="weight"),
        CheckConstraint("seconds_max >= 0", name="seconds_max"),
        CheckConstraint("blocks_max >= 0", name="blocks_max"),
        CheckConstraint("saturation_blocks > 0", name="saturation_blocks"),
        CheckConstraint("active_seconds >= 0", name="active_seconds"),
        Index(None, "state", "priority"),
        Index(None, "program_ir_hash"),
        Index(None, "ended_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    kind: Mapped[CampaignKind] = mapped_column(state_column(CampaignKind, name="kind"))
    program_ir_hash: Mapped[str] = mapped_column(ForeignKey("programs.ir_hash"))
    scheduler: Mapped[str] = mapped_column(Text)
    root_seed: Mapped[int] = mapped_column(ExactCount)
    engine_revision: Mapped[str] = mapped_column(Text)
    budget: Mapped[str] = mapped_column(JsonText)
    excluded_failures: Mapped[tuple[int, ...]] = mapped_column(Numbers)
    desired_state: Mapped[DesiredState] = mapped_column(
        state_column(DesiredState, name="desired_state")
    )
    state: Mapped[CampaignState] = mapped_column(state_column(CampaignState, name="state"))
    weight: Mapped[int] = mapped_column(Integer)
    priority: Mapped[int] = mapped_column(Integer)
    schedules_max: Mapped[int | None] = mapped_column(ExactCount)
    steps_max: Mapped[int | None] = mapped_column(ExactCount)
    violations_max: Mapped[int | None] = mapped_column(ExactCount)
    seconds_max: Mapped[float | None]
    blocks_max: Mapped[int | None] = mapped_column(BigInteger)
    saturation_blocks: Mapped[int | None] = mapped_column(BigInteger)
    ending: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    active_seconds: Mapped[float]
    next_block: Mapped[int] = mapped_column(BigInteger)
    next_token: Mapped[int] = mapped_column(BigInteger)
    blocks_done: Mapped[int] = mapped_column(BigInteger)
    schedules: Mapped[int] = mapped_column(ExactCount)
    steps: Mapped[int] = mapped_column(ExactCount)
    violations: Mapped[int] = mapped_column(ExactCount)
    outcomes: Mapped[Mapping[str, int]] = mapped_column(ExactCounts)
    steps_reached: Mapped[frozenset[str]] = mapped_column(Labels)


class VerificationRow(Base):
    """How far a campaign that explores every state has come, and where it can go on from.

    Its numbers of states are bounded by a machine's memory, those of transitions by its time:
    neither comes near 2^63.
    """

    __tablename__ = "verifications"
    __table_args__ = (
        CheckConstraint("memory_bytes > 0", name="memory_bytes"),
        CheckConstraint("frontier >= 0 AND frontier <= states", name="frontier"),
        CheckConstraint("transitions >= 0", name="transitions"),
        CheckConstraint("depth >= 0", name="depth"),
        CheckConstraint("used_bytes >= 0", name="used_bytes"),
        CheckConstraint(
            "(checkpoint_file IS NULL) = (checkpoint_sha256 IS NULL)", name="checkpoint"
        ),
    )

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    symmetry: Mapped[bool]
    bitstate: Mapped[bool]
    states: Mapped[int] = mapped_column(BigInteger)
    transitions: Mapped[int] = mapped_column(BigInteger)
    frontier: Mapped[int] = mapped_column(BigInteger)
    depth: Mapped[int] = mapped_column(BigInteger)
    used_bytes: Mapped[int] = mapped_column(BigInteger)
    exhausted: Mapped[bool]
    reduced: Mapped[bool]
    discarded: Mapped[bool]
    sites: Mapped[Mapping[str, int]] = mapped_column(ExactCounts)
    verdict: Mapped[VerificationVerdict | None] = mapped_column(
        state_column(VerificationVerdict, name="verdict")
    )
    checkpoint_file: Mapped[str | None] = mapped_column(Text)
    checkpoint_sha256: Mapped[str | None] = mapped_column(String(64))


class CoverageRow(Base):
    """What the sampled executions of a fuzzing campaign have shown, as `model.coverage` keeps it.

    `classes` are (hash, executions, first block) in 64-bit words that begin with their lowest byte.
    """

    __tablename__ = "coverage"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    executions: Mapped[int] = mapped_column(ExactCount)
    pairs: Mapped[Mapping[StepPair, Shown]] = mapped_column(ShownPairs)
    classes: Mapped[bytes]


class StatesSeenRow(Base):
    """The distinct states among samples of a fuzzing campaign, as `model.coverage` keeps them."""

    __tablename__ = "states_seen"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    kept: Mapped[bytes]


class CellRow(Base):
    """What judging a program for a matrix took: its campaign has explored and fuzzed it.

    `folded_hash` is that of the program without its parameters: other values may fold to the same.
    """

    __tablename__ = "cells"
    __table_args__ = (Index(None, "folded_hash"), CheckConstraint("blocks >= 0", name="blocks"))

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    folded_hash: Mapped[str] = mapped_column(String(128))
    blocks: Mapped[int] = mapped_column(BigInteger)
    schedules: Mapped[int] = mapped_column(ExactCount)
    steps: Mapped[int] = mapped_column(ExactCount)
    engine_seconds: Mapped[float]


class CellFindingRow(Base):
    """A signature that a judged program violates, and after how much fuzzing it showed, if it did.

    `shortest` counts the steps of the shortest violation, which need not be the minimal one.
    """

    __tablename__ = "cell_findings"
    __table_args__ = (
        CheckConstraint("shortest > 0", name="shortest"),
        CheckConstraint("(schedules IS NULL) = (engine_seconds IS NULL)", name="schedules"),
    )

    campaign_id: Mapped[int] = mapped_column(ForeignKey("cells.campaign_id"), primary_key=True)
    site: Mapped[str] = mapped_column(Text, primary_key=True)
    step: Mapped[str] = mapped_column(Text, primary_key=True)
    failure_id: Mapped[int] = mapped_column(ForeignKey("failures.id"))
    shortest: Mapped[int] = mapped_column(BigInteger)
    schedules: Mapped[int | None] = mapped_column(ExactCount)
    engine_seconds: Mapped[float | None]


class PortfolioTurnRow(Base):
    """Which scheduler of a portfolio was chosen for a range of blocks, and what they have shown.

    Of coverage, what the campaign had not seen before. A campaign of n blocks has some 64 log n.
    """

    __tablename__ = "portfolio_turns"
    __table_args__ = (
        CheckConstraint("first_block >= 0", name="first_block"),
        CheckConstraint("blocks_done >= 0 AND blocks_done <= blocks", name="blocks_done"),
    )

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    first_block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    blocks: Mapped[int] = mapped_column(BigInteger)
    scheduler: Mapped[str] = mapped_column(Text)
    blocks_done: Mapped[int] = mapped_column(BigInteger)
    schedules: Mapped[int] = mapped_column(ExactCount)
    steps: Mapped[int] = mapped_column(ExactCount)
    violations: Mapped[int] = mapped_column(ExactCount)
    executions: Mapped[int] = mapped_column(ExactCount)
    pairs: Mapped[int] = mapped_column(ExactCount)
    classes: Mapped[int] = mapped_column(ExactCount)
    states: Mapped[int] = mapped_column(ExactCount)


class SiteCountRow(Base):
    """How often an oracle site was violated in a campaign: an exact count."""

    __tablename__ = "site_counts"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    site: Mapped[str] = mapped_column(Text, primary_key=True)
    count: Mapped[int] = mapped_column(ExactCount)


class FailureRow(Base):
    """One way to break a program: its minimal interleaving, once, whoever found it.

    `status` is the last of its history in `failure_statuses`. `checked_at` and `verdict` are of the
    last recheck; `sightings_kept` of the `sightings_count` have a row with their schedule.
    """

    __tablename__ = "failures"
    __table_args__ = (
        UniqueConstraint("fingerprint"),
        Index(None, "program_name", "status"),
        # One for each order in which a search pages through them.
        Index("ix_failures_last_seen_at_id", "last_seen_at", "id"),
        Index("ix_failures_sightings_count_id", "sightings_count", "id"),
        Index("ix_failures_preemptions_id", "preemptions", text("id DESC")),
        Index("ix_failures_steps_id", "steps", text("id DESC")),
        Index(None, "status", "id"),
        Index(None, "ir_hash"),
        Index(None, "first_campaign_id"),
        Index(
            "ix_failures_words", text(FAILURE_WORDS), info={"postgresql": {"using": "gin"}}
        ).ddl_if(dialect="postgresql"),
        CheckConstraint("preemptions >= 0", name="preemptions"),
        CheckConstraint("switches >= preemptions", name="switches"),
        CheckConstraint("threads >= 0", name="threads"),
        CheckConstraint("steps >= 0", name="steps"),
        CheckConstraint("sightings_count >= sightings_kept", name="sightings_count"),
        CheckConstraint("sightings_kept >= 0", name="sightings_kept"),
        CheckConstraint("(status = 'duplicate') = (duplicate_of IS NOT NULL)", name="duplicate_of"),
        CheckConstraint("(checked_at IS NULL) = (verdict IS NULL)", name="verdict"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    program_name: Mapped[str] = mapped_column(Text)
    oracle: Mapped[str] = mapped_column(Text)
    sentence: Mapped[str] = mapped_column(Text)
    step_label: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(128))
    status: Mapped[FailureStatus] = mapped_column(state_column(FailureStatus, name="status"))
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("failures.id"))
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verdict: Mapped[str | None] = mapped_column(Text)
    preemptions: Mapped[int] = mapped_column(BigInteger)
    switches: Mapped[int] = mapped_column(BigInteger)
    threads: Mapped[int] = mapped_column(BigInteger)
    steps: Mapped[int] = mapped_column(BigInteger)
    schedule: Mapped[str] = mapped_column(JsonText)
    interleaving: Mapped[str] = mapped_column(JsonText)
    diagram: Mapped[str] = mapped_column(Text)
    proof: Mapped[str] = mapped_column(JsonText)
    ir_hash: Mapped[str] = mapped_column(ForeignKey("programs.ir_hash"))
    first_campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    first_block: Mapped[int] = mapped_column(BigInteger)
    first_lane: Mapped[int] = mapped_column(Integer)
    first_schedule_ordinal: Mapped[int] = mapped_column(ExactCount)
    sightings_count: Mapped[int] = mapped_column(BigInteger)
    sightings_kept: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SightingRow(Base):
    """One schedule that showed a failure. Without a schedule the row only says "counted"."""

    __tablename__ = "sightings"
    __table_args__ = (
        UniqueConstraint("failure_id", "campaign_id", "block", "lane", "step"),
        Index(None, "campaign_id", "block"),
        Index(
            "ix_sightings_counted",
            "campaign_id",
            "block",
            sqlite_where=text("schedule IS NULL"),
            info={"postgresql": {"where": text("schedule IS NULL")}},
        ),
        CheckConstraint("block >= 0", name="block"),
        CheckConstraint(f"lane >= 0 AND lane < {LANES}", name="lane"),
        CheckConstraint("step >= 0", name="step"),
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    failure_id: Mapped[int] = mapped_column(ForeignKey("failures.id"))
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    ir_hash: Mapped[str] = mapped_column(ForeignKey("programs.ir_hash"))
    block: Mapped[int] = mapped_column(BigInteger)
    lane: Mapped[int] = mapped_column(Integer)
    step: Mapped[int] = mapped_column(BigInteger)
    schedule: Mapped[str | None] = mapped_column(JsonText)


class HypothesisExampleRow(Base):
    """A mapping of bytes to sets of bytes, as Hypothesis keeps its examples. No row points here.

    A value is named by its hash: it may be longer than what an index of PostgreSQL holds.
    """

    __tablename__ = "hypothesis_examples"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    value_sha256: Mapped[bytes] = mapped_column(primary_key=True)
    value: Mapped[bytes]


class DisagreementRow(Base):
    """A hit of the circuit that the interpreter did not confirm: our defect, kept for ever."""

    __tablename__ = "disagreements"
    __table_args__ = (
        UniqueConstraint("campaign_id", "ir_hash", "block", "lane", "step"),
        CheckConstraint("block >= 0", name="block"),
        CheckConstraint(f"lane >= 0 AND lane < {LANES}", name="lane"),
        CheckConstraint("step >= 0", name="step"),
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    ir_hash: Mapped[str] = mapped_column(ForeignKey("programs.ir_hash"))
    block: Mapped[int] = mapped_column(BigInteger)
    lane: Mapped[int] = mapped_column(Integer)
    step: Mapped[int] = mapped_column(BigInteger)
    detail: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
