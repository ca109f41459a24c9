"""Cells of matrices: what exploring and fuzzing a program has shown, to be used again.

A cell belongs to a campaign, which says of which program, from which seed, within which budget; it
is stored when that campaign ends, in the same transaction.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.tables import (
    CampaignRow,
    CampaignState,
    CellFindingRow,
    CellRow,
    FailureRow,
    VerificationRow,
    VerificationVerdict,
)


@dataclass(frozen=True, slots=True)
class CellKey:
    """What decides what a cell says: the program without its parameters, and how it is judged."""

    folded_hash: str
    root_seed: int
    engine_revision: str
    budget: str


@dataclass(frozen=True, slots=True)
class CellEffort:
    """What was fuzzed."""

    blocks: int
    schedules: int
    steps: int
    engine_seconds: float


@dataclass(frozen=True, slots=True)
class CellFinding:
    """A violated signature; the last two are None where fuzzing has not shown it."""

    site: str
    step: str
    failure_id: int
    shortest: int
    schedules: int | None
    engine_seconds: float | None


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """The same with what is known of its failure: the sizes are those of the minimum."""

    found: CellFinding
    preemptions: int
    switches: int
    threads: int
    steps: int
    proof: str


@dataclass(frozen=True, slots=True)
class StoredCell:
    """A judged program: the states that were seen, of all where `exhausted`, and what was found.

    It is refuted without findings where all that violates it is beyond its step limit.
    """

    campaign_id: int
    states: int
    exhausted: bool
    verdict: VerificationVerdict
    effort: CellEffort
    findings: tuple[StoredFinding, ...]


def record_cell(
    session: Session,
    campaign_id: int,
    folded_hash: str,
    effort: CellEffort,
    findings: tuple[CellFinding, ...],
) -> None:
    """Store what judging a program has shown, once a campaign."""
    session.add(
        CellRow(
            campaign_id=campaign_id,
            folded_hash=folded_hash,
            blocks=effort.blocks,
            schedules=effort.schedules,
            steps=effort.steps,
            engine_seconds=effort.engine_seconds,
        )
    )
    session.flush()
    session.add_all(
        CellFindingRow(
            campaign_id=campaign_id,
            site=each.site,
            step=each.step,
            failure_id=each.failure_id,
            shortest=each.shortest,
            schedules=each.schedules,
            engine_seconds=each.engine_seconds,
        )
        for each in findings
    )


def find_cell(session: Session, key: CellKey) -> StoredCell | None:
    """The latest cell that was judged so; None where there is none."""
    query = (
        select(CellRow, VerificationRow)
        .join(CampaignRow, CampaignRow.id == CellRow.campaign_id)
        .join(VerificationRow, VerificationRow.campaign_id == CellRow.campaign_id)
        .where(
            CellRow.folded_hash == key.folded_hash,
            CampaignRow.root_seed == key.root_seed,
            CampaignRow.engine_revision == key.engine_revision,
            CampaignRow.budget == key.budget,
            CampaignRow.state == CampaignState.FINISHED,
        )
        .order_by(CellRow.campaign_id.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    if found is None:
        return None
    row, told = found
    assert told.verdict is not None, "a campaign that has finished has its verdict"
    return StoredCell(
        campaign_id=row.campaign_id,
        states=told.states,
        exhausted=told.exhausted,
        verdict=told.verdict,
        effort=CellEffort(row.blocks, row.schedules, row.steps, row.engine_seconds),
        findings=_findings(session, row.campaign_id),
    )


def _findings(session: Session, campaign_id: int) -> tuple[StoredFinding, ...]:
    query = (
        select(CellFindingRow, FailureRow)
        .join(FailureRow, FailureRow.id == CellFindingRow.failure_id)
        .where(CellFindingRow.campaign_id == campaign_id)
        .order_by(CellFindingRow.site, CellFindingRow.step)
    )
    names = CellFinding.__dataclass_fields__
    return tuple(
        StoredFinding(
            CellFinding(**{name: getattr(row, name) for name in names}),
            failure.preemptions,
            failure.switches,
            failure.threads,
            failure.steps,
            failure.proof,
        )
        for row, failure in session.execute(query)
    )
