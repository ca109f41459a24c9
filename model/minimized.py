"""A minimal interleaving as it is stored and sent: numbers and texts, nothing of the engine.

What a trace is called, how it is shown and stored, is settled in one place: a worker that has
minimized a violation and whoever takes in a failure from elsewhere get the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from model.columns import diagram
from model.fingerprint import fingerprint
from model.interpreter import Event, Trace
from model.program import Program
from model.signature import Signature, signature_of
from model.stored_schedule import to_json
from model.trace import measure

INTERLEAVING_VERSION = 1


@dataclass(frozen=True, slots=True)
class Minimized:
    """The smallest interleaving of a signature; `proof` says of each criterion how far it is sure.

    `schedule` and `interleaving` are JSON text; `states` is how many were searched, now.
    """

    signature: Signature
    oracle: str
    sentence: str
    fingerprint: str
    preemptions: int
    switches: int
    threads: int
    steps: int
    schedule: str
    interleaving: str
    diagram: str
    proof: Mapping[str, str]
    states: int

    @property
    def is_proved(self) -> bool:
        """True where every criterion is proved."""
        return all(level == "proved" for level in self.proof.values())


def described(trace: Trace, *, proof: Mapping[str, str], states: int) -> Minimized:
    """All that is stored of a trace that ended in a violation or a deadlock.

    `proof` says of each criterion of the measure how far it is sure; `states` counts what was
    searched.
    """
    assert trace.site is not None
    site, size = trace.program.sites[trace.site], measure(trace)
    return Minimized(
        signature=signature_of(trace),
        oracle=site.oracle.value,
        sentence=site.sentence,
        fingerprint=fingerprint(trace),
        preemptions=size.preemptions,
        switches=size.switches,
        threads=size.threads,
        steps=size.steps,
        schedule=to_json(trace),
        interleaving=interleaving_json(trace),
        diagram=diagram(trace, sentence=site.sentence),
        proof=dict(proof),
        states=states,
    )


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
