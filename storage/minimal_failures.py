"""A minimal interleaving as the row of its failure, and back."""

import json

from model.minimized import Minimized
from model.signature import Signature
from storage.failures import FailureRecord


def failure_record(minimal: Minimized, *, ir_hash: str, ordinal: int) -> FailureRecord:
    """The row of a failure; `ordinal`: how many schedules the campaign had executed by then."""
    return FailureRecord(
        program_name=minimal.signature.program,
        oracle=minimal.oracle,
        sentence=minimal.sentence,
        step_label=minimal.signature.step,
        fingerprint=minimal.fingerprint,
        preemptions=minimal.preemptions,
        switches=minimal.switches,
        threads=minimal.threads,
        steps=minimal.steps,
        schedule=minimal.schedule,
        interleaving=minimal.interleaving,
        diagram=minimal.diagram,
        proof=json.dumps(dict(minimal.proof)),
        ir_hash=ir_hash,
        first_schedule_ordinal=ordinal,
    )


def minimal_of(record: FailureRecord) -> Minimized:
    """What `failure_record` was made from; how many states were searched is not kept."""
    return Minimized(
        signature=Signature(
            record.program_name, f"{record.oracle}: {record.sentence}", record.step_label
        ),
        oracle=record.oracle,
        sentence=record.sentence,
        fingerprint=record.fingerprint,
        preemptions=record.preemptions,
        switches=record.switches,
        threads=record.threads,
        steps=record.steps,
        schedule=record.schedule,
        interleaving=record.interleaving,
        diagram=record.diagram,
        proof=json.loads(record.proof),
        states=0,
    )
