"""Stored failures in today's programs: what became of each, what differs, and what follows.

A failure that is fixed is `fixed`, and `regressed` when it shows again. What people have called
invalid or a duplicate is asked too, and keeps its status.
"""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.language import LanguageError, ParameterError, ProgramSource
from model.program import Program
from model.program_diff import program_diff
from model.program_json import from_json
from model.recheck import BYTES_MAX, Rechecked, Sought, Verdict, recheck
from model.signature import Signature
from storage.failure_rows import failure_row
from storage.failures import FailureRecord, StoredFailure, get_failure
from storage.life_tables import RecheckRow
from storage.lives import set_status
from storage.programs import ProgramRecord, get_program
from storage.session import Database
from storage.sources import SourceError, compile_source, find_source, library, text_of
from storage.tables import FailureRow, FailureStatus

ACTOR = "recheck"
SHOWN_MAX = 200
_STANDING = (FailureStatus.OPEN, FailureStatus.REGRESSED)


@dataclass(frozen=True, slots=True)
class FailureRecheck:
    """What became of a failure today. Without a program, `rechecked` is None and `reason` says why.

    `differences` are those of the programs, `text_diff` those of the files they are written in.
    """

    failure_id: int
    program: str
    ir_hash: str | None
    rechecked: Rechecked | None
    reason: str
    differences: tuple[str, ...]
    text_diff: tuple[str, ...]
    before: FailureStatus
    after: FailureStatus


@dataclass(frozen=True, slots=True)
class StoredRecheck:
    """What became of a failure at some time, as it is stored."""

    at: datetime
    ir_hash: str | None
    verdict: str
    reason: str
    states: int
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Today:
    """A program as it is compiled today, or why it is not."""

    program: Program | None
    reason: str
    text: str


def sought_of(record: FailureRecord) -> Sought:
    """What of a stored failure is looked for in another version of its program."""
    site = f"{record.oracle}: {record.sentence}"
    signature = Signature(record.program_name, site, record.step_label)
    return Sought(signature, record.schedule, record.preemptions)


def sources_in(given: Sequence[str]) -> dict[str, ProgramSource]:
    """Programs by their names, from what a person types. Raises SourceError and LanguageError."""
    found = [find_source(each) for each in given]
    return {source.name: source for source in found}


def recheck_stored(
    database: Database,
    *,
    numbers: Sequence[int] | None = None,
    sources: Mapping[str, ProgramSource] | None = None,
    bytes_max: int = BYTES_MAX,
    only_changed: bool = False,
    actor: str = ACTOR,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    is_stopping: Callable[[], bool] = lambda: False,
) -> Iterator[FailureRecheck]:
    """Ask today's programs for stored failures, one transaction each, as it goes on.

    `sources` are programs that the library does not have. With `only_changed`, failures are left
    out whose program is the one that was asked last, or in which they were found: for whoever asks
    again and again. Searching takes up to seconds for each. Raises StorageError.
    """
    known = {**library(), **(sources or {})}
    today: dict[tuple[str, str], _Today] = {}
    for failure_id in _in_order(database, numbers):
        if is_stopping():
            return
        with database.read() as session:
            failure = get_failure(session, failure_id)
            stored = get_program(session, failure.record.ir_hash)
            last = _last_hash(session, failure_id) or failure.record.ir_hash
        key = stored.name, stored.parameters
        if key not in today:
            today[key] = _compiled(known.get(stored.name), stored)
        current = today[key]
        if only_changed and (current.program is None or current.program.hash == last):
            continue
        yield _recheck(database, failure, stored, current, bytes_max, actor, clock())


def list_rechecks(session: Session, failure_id: int) -> tuple[StoredRecheck, ...]:
    """All rechecks of a failure, oldest first. Raises UnknownFailure."""
    failure_row(session, failure_id)
    query = select(RecheckRow).where(RecheckRow.failure_id == failure_id).order_by(RecheckRow.id)
    return tuple(
        StoredRecheck(
            row.at, row.ir_hash, row.verdict, row.reason, row.states, _differences(row.details)
        )
        for row in session.scalars(query)
    )


def _differences(details: object) -> tuple[str, ...]:
    assert isinstance(details, dict)
    return tuple(details["differences"])


def _recheck(
    database: Database,
    failure: StoredFailure,
    stored: ProgramRecord,
    today: _Today,
    bytes_max: int,
    actor: str,
    now: datetime,
) -> FailureRecheck:
    before = failure.status
    number, program = failure.failure_id, today.program
    if program is None:
        nothing = (number, stored.name, None, None, today.reason, (), (), before, before)
        return FailureRecheck(*nothing)
    found = recheck(program, sought_of(failure.record), bytes_max=bytes_max)
    differences = tuple(str(each) for each in program_diff(from_json(stored.ir), program))
    after = _decided(before, found.verdict)
    with database.write() as session:
        _record(session, number, program.hash, found, differences, now=now)
        if after is not before:
            why = f"recheck: {found.reason}"
            set_status(session, number, after, actor=actor, why=why, now=now)
    diff = _text_diff(stored, today.text) if program.hash != stored.ir_hash else ()
    return FailureRecheck(
        number, program.title, program.hash, found, found.reason, differences, diff, before, after
    )


def _decided(status: FailureStatus, verdict: Verdict) -> FailureStatus:
    """What follows from a verdict; only what was searched to its end says that it is fixed."""
    if verdict is Verdict.FIXED and status in _STANDING:
        return FailureStatus.FIXED
    if verdict is Verdict.REPRODUCED and status is FailureStatus.FIXED:
        return FailureStatus.REGRESSED
    return status


def _record(
    session: Session,
    failure_id: int,
    ir_hash: str,
    found: Rechecked,
    differences: tuple[str, ...],
    *,
    now: datetime,
) -> None:
    row = failure_row(session, failure_id, lock=True)
    row.checked_at, row.verdict = now, found.verdict.value
    session.add(
        RecheckRow(
            failure_id=failure_id,
            at=now,
            ir_hash=ir_hash,
            verdict=found.verdict.value,
            reason=found.reason,
            states=found.states,
            details={"differences": list(differences[:SHOWN_MAX])},
        )
    )


def _compiled(source: ProgramSource | None, stored: ProgramRecord) -> _Today:
    """Today's program with the stored parameters; those that it no longer has are left out."""
    if source is None:
        reason = (
            f"{stored.name} is no program of the library: say in which file it is with --source"
        )
        return _Today(None, reason, "")
    given = json.loads(stored.parameters)
    known = {name: value for name, value in given.items() if name in source.parameters}
    try:
        return _Today(compile_source(source, known), "", text_of(source))
    except (LanguageError, ParameterError, SourceError) as error:
        return _Today(None, f"today's program does not compile: {error}", "")


def _in_order(database: Database, numbers: Sequence[int] | None) -> list[int]:
    """Failures of one program after each other: they share what is compiled and searched."""
    query = select(FailureRow.id).order_by(
        FailureRow.program_name, FailureRow.ir_hash, FailureRow.id
    )
    with database.read() as session:
        if numbers is None:
            return list(session.scalars(query))
        for number in numbers:
            failure_row(session, number)
        return list(session.scalars(query.where(FailureRow.id.in_(numbers))))


def _last_hash(session: Session, failure_id: int) -> str | None:
    query = select(RecheckRow.ir_hash).where(RecheckRow.failure_id == failure_id)
    return session.scalars(query.order_by(RecheckRow.id.desc()).limit(1)).first()


def _text_diff(stored: ProgramRecord, today: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(
        stored.source.splitlines(), today.splitlines(), "stored", "today", lineterm="", n=2
    )
    return tuple(lines)
