"""Verifications: campaigns that explore every reachable state, and how far they have come."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.checkpoints import Checkpoint
from storage.tables import CampaignRow, VerificationRow, VerificationVerdict


@dataclass(frozen=True, slots=True)
class VerificationPlan:
    """How to explore: within so many bytes, with symmetric states as one, in one bit a state."""

    memory_bytes: int
    symmetry: bool
    bitstate: bool


@dataclass(frozen=True, slots=True)
class VerificationFigures:
    """How far exploring has come.

    `frontier` counts the states that have not been stepped; `sites` gives, for each violated oracle
    site, the steps of its shortest violation; `reduced` says that states stand for others.
    """

    states: int = 0
    transitions: int = 0
    frontier: int = 0
    depth: int = 0
    used_bytes: int = 0
    exhausted: bool = False
    reduced: bool = False
    discarded: bool = False
    sites: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredVerification:
    """All that is known of a verification; `verdict` is None until it has ended."""

    plan: VerificationPlan
    figures: VerificationFigures
    verdict: VerificationVerdict | None
    checkpoint: Checkpoint | None


def store_figures(session: Session, campaign_id: int, figures: VerificationFigures) -> None:
    """Say how far exploring has come."""
    row = session.get_one(VerificationRow, campaign_id)
    for name in VerificationFigures.__dataclass_fields__:
        setattr(row, name, getattr(figures, name))
    session.get_one(CampaignRow, campaign_id).violations = len(figures.sites)


def store_checkpoint(session: Session, campaign_id: int, checkpoint: Checkpoint | None) -> None:
    """Name the file from which exploring can go on; None where there is none any more."""
    row = session.get_one(VerificationRow, campaign_id)
    row.checkpoint_file = None if checkpoint is None else checkpoint.file
    row.checkpoint_sha256 = None if checkpoint is None else checkpoint.sha256


def store_verdict(session: Session, campaign_id: int, verdict: VerificationVerdict) -> None:
    """Say what came of it."""
    session.get_one(VerificationRow, campaign_id).verdict = verdict


def reachable_states(session: Session, ir_hash: str) -> int | None:
    """How many states a program has, where an exhaustive, unreduced verification has told."""
    query = (
        select(VerificationRow.states)
        .join(CampaignRow)
        .where(
            CampaignRow.program_ir_hash == ir_hash,
            VerificationRow.exhausted,
            ~VerificationRow.reduced,
            ~VerificationRow.bitstate,
        )
    )
    return session.scalar(query.order_by(VerificationRow.campaign_id.desc()).limit(1))


def verification_of(row: VerificationRow) -> StoredVerification:
    """The values of a row, for this package only."""
    checkpoint = None
    if row.checkpoint_file is not None:
        assert row.checkpoint_sha256 is not None
        checkpoint = Checkpoint(row.checkpoint_file, row.checkpoint_sha256)
    return StoredVerification(
        VerificationPlan(row.memory_bytes, row.symmetry, row.bitstate),
        VerificationFigures(
            **{name: getattr(row, name) for name in VerificationFigures.__dataclass_fields__}
        ),
        row.verdict,
        checkpoint,
    )
