"""What a campaign's sampled executions have shown, once a campaign; changed by leases only."""

from sqlalchemy.orm import Session

from model.class_sample import ClassSample
from model.coverage import Coverage, StatesSeen
from storage.tables import CoverageRow, StatesSeenRow


def add_coverage(session: Session, campaign_id: int, coverage: Coverage) -> None:
    """Add what a lease has shown, in the transaction that ends the lease."""
    if not coverage.executions:
        return
    row = session.get(CoverageRow, campaign_id, with_for_update=True)
    states = session.get(StatesSeenRow, campaign_id, with_for_update=True)
    if row is None or states is None:
        row = row or CoverageRow(campaign_id=campaign_id, executions=0, pairs={}, classes=b"")
        states = states or StatesSeenRow(campaign_id=campaign_id, kept=b"")
        session.add_all([row, states])
    joined = _coverage(row, states) + coverage
    row.executions, row.pairs = joined.executions, joined.pairs
    # An equal value is not written again: after a while most leases show no new state.
    row.classes, states.kept = joined.classes.kept, joined.states.kept


def coverage_of(session: Session, campaign_id: int) -> Coverage:
    """What a campaign has shown so far, but for the steps, which its own row keeps."""
    row = session.get(CoverageRow, campaign_id)
    states = session.get(StatesSeenRow, campaign_id)
    if row is None or states is None:
        # A campaign of an earlier gracefuzz may have states, and nothing else.
        return Coverage() if states is None else Coverage(states=StatesSeen(states.kept))
    return _coverage(row, states)


def _coverage(row: CoverageRow, states: StatesSeenRow) -> Coverage:
    return Coverage(
        executions=row.executions,
        pairs=row.pairs,
        classes=ClassSample(row.classes),
        states=StatesSeen(states.kept),
    )
