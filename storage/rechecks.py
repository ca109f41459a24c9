"""Stored failures in today's programs: what became of each, and what differs."""

from model.recheck import Sought
from model.signature import Signature
from storage.failures import FailureRecord


def sought_of(record: FailureRecord) -> Sought:
    """What of a stored failure is looked for in another version of its program."""
    site = f"{record.oracle}: {record.sentence}"
    signature = Signature(record.program_name, site, record.step_label)
    return Sought(signature, record.schedule, record.preemptions)
