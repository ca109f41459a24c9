"""The rows of failures and what points to them, for this package only."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.errors import UnknownFailure
from storage.life_tables import OverrideKind, OverrideRow
from storage.tables import FailureRow, ProgramRow, SightingRow


def failure_row(session: Session, failure_id: int, *, lock: bool = False) -> FailureRow:
    """The row itself; locked where the database locks rows. Raises `UnknownFailure`."""
    row = session.get(FailureRow, failure_id, with_for_update=lock)
    if row is None:
        raise UnknownFailure(
            f"no failure has the number {failure_id}\n    list them to see which there are"
        )
    return row


def split_off(session: Session, failure_id: int, ir_hash: str) -> int | None:
    """The failure that was split off another for what this program shows of it."""
    query = (
        select(OverrideRow.failure_id)
        .join(FailureRow, FailureRow.id == OverrideRow.failure_id)
        .where(
            OverrideRow.other_id == failure_id,
            OverrideRow.kind == OverrideKind.SPLIT,
            OverrideRow.revoked_at.is_(None),
            FailureRow.ir_hash == ir_hash,
        )
    )
    return session.scalar(query)


def is_later_version(session: Session, row: FailureRow, ir_hash: str, campaign_id: int) -> bool:
    """True for a program with the failure's parameters in which no campaign has shown it before."""
    if ir_hash == row.ir_hash:
        return False
    then, now = session.get(ProgramRow, row.ir_hash), session.get(ProgramRow, ir_hash)
    if then is None or now is None or then.parameters != now.parameters:
        return False
    shown = select(SightingRow.id).where(
        SightingRow.failure_id == row.id,
        SightingRow.ir_hash == ir_hash,
        SightingRow.campaign_id != campaign_id,
    )
    return session.scalar(shown.limit(1)) is None
