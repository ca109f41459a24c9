"""What tells the executions that a campaign passes over."""

import typer

from model.interpreter import replay
from model.known import Pairs, conflicting_pairs
from model.program import Program
from model.program_json import from_json
from model.stored_schedule import reconstruct
from storage.failures import get_failure
from storage.programs import get_program
from storage.session import Database


def excluded_pairs(
    database: Database, program: Program, failures: tuple[int, ...]
) -> tuple[Pairs, ...]:
    """What tells the executions to pass over: the conflicting pairs of minimal interleavings.

    Raises UnknownFailure, and BadParameter for a failure of another program.
    """
    excluded = []
    with database.read() as session:
        for failure_id in failures:
            record = get_failure(session, failure_id).record
            if record.program_name != program.name:
                raise typer.BadParameter(
                    f"failure {failure_id} is one of {record.program_name}, not of {program.name}"
                )
            stored = from_json(get_program(session, record.ir_hash).ir)
            trace = replay(stored, reconstruct(stored, record.schedule))
            pairs = conflicting_pairs(trace)
            if not pairs:
                raise typer.BadParameter(
                    f"failure {failure_id} needs no other thread: it cannot be passed over"
                )
            excluded.append(pairs)
    return tuple(excluded)
