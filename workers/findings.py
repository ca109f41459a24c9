"""From replayed violations to stored failures: minimized once a signature, then only sighted.

violation -> replay -> minimize within its signature -> fingerprint -> row. The replay has been done
by the shard; here the trace is made again from its schedule, because only schedules travel.
"""

import json
from dataclasses import dataclass

from model.interpreter import Event, Trace, replay
from model.program import Program
from model.schedule import Schedule, to_lists
from storage.failures import FailureRecord, SightingRecord
from workers.shards import Replayed, Signature, signature_of

SCHEDULE_VERSION = 1
INTERLEAVING_VERSION = 1
# Sightings reported for one signature in one campaign; later hits are counted by their site only.
SIGHTINGS_PER_SIGNATURE_MAX = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """A signature of this campaign, with the failure that its first violation came down to."""

    signature: Signature
    record: FailureRecord
    states: int

    @property
    def is_proved(self) -> bool:
        """True where every criterion of the minimal interleaving is proved."""
        return all(level == "proved" for level in json.loads(self.record.proof).values())


def finding_of(program: Program, violation: Replayed, *, ordinal: int) -> Finding:
    """Minimize a violation within its signature; takes up to about a second.

    `ordinal` says how many schedules the campaign had executed when it showed.
    """
    from model.columns import diagram
    from model.fingerprint import fingerprint
    from model.minimize import minimize
    from model.stored_schedule import to_json

    trace = replay(program, violation.schedule)
    assert signature_of(trace) == violation.signature, "a schedule that was replayed replays again"
    minimal = minimize(program, trace)
    assert signature_of(minimal.trace) == violation.signature, "minimizing keeps the signature"
    assert minimal.trace.site is not None
    site = program.sites[minimal.trace.site]
    record = FailureRecord(
        program_name=program.name,
        oracle=site.oracle.value,
        sentence=site.sentence,
        step_label=violation.signature.step,
        fingerprint=fingerprint(minimal.trace),
        preemptions=minimal.preemptions,
        switches=minimal.switches,
        threads=minimal.threads,
        steps=minimal.steps,
        schedule=to_json(minimal.trace),
        interleaving=interleaving_json(minimal.trace),
        diagram=diagram(minimal.trace, sentence=site.sentence),
        proof=json.dumps(dict(minimal.proof), sort_keys=True),
        ir_hash=program.hash,
        first_schedule_ordinal=ordinal,
    )
    return Finding(violation.signature, record, minimal.states)


def sighting_of(violation: Replayed, *, campaign_id: int, ir_hash: str) -> SightingRecord:
    """The row of one schedule that showed a failure."""
    return SightingRecord(
        campaign_id=campaign_id,
        ir_hash=ir_hash,
        block=violation.block,
        lane=violation.lane,
        step=violation.number,
        schedule=picks_json(violation.schedule),
    )


def picks_json(schedule: Schedule) -> str:
    """A schedule as JSON text: `[thread, choice, ...]` a step, for the program of its sighting."""
    return json.dumps({"version": SCHEDULE_VERSION, "picks": to_lists(schedule)})


def interleaving_json(trace: Trace) -> str:
    """Who did what in a trace, and which values it changed, as JSON text for pages and exports."""
    threads = [thread.name for thread in trace.program.threads]
    assert trace.outcome is not None
    return json.dumps(
        {
            "version": INTERLEAVING_VERSION,
            "threads": threads,
            "outcome": trace.outcome.value,
            "events": [_event(trace.program, event) for event in trace.events],
        }
    )


def _event(program: Program, event: Event) -> dict[str, object]:
    changes = []
    for change in event.changes:
        variable = program.variable[change.variable]
        changes.append(
            {
                "variable": variable.element(change.index),
                "before": variable.type.show(change.before),
                "after": variable.type.show(change.after),
            }
        )
    return {
        "thread": program.threads[event.thread].name,
        "step": str(event.label),
        "choices": list(event.choices),
        "changes": changes,
    }
