"""A violation brought down to its minimal interleaving, in a worker: numbers and texts come back.

violation -> replay -> minimize within its signature -> fingerprint. The shard has replayed the
violation; its trace is made again here from the schedule, because only schedules travel.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from model.columns import diagram
from model.fingerprint import fingerprint
from model.interpreter import Event, Trace, replay
from model.known import Pairs
from model.minimize import minimize
from model.program import Program
from model.signature import Signature, signature_of
from model.stored_schedule import to_json
from model.trace import measure
from workers.shards import Replayed

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


def minimized(
    program: Program, violation: Replayed, *, excluded: tuple[Pairs, ...] = ()
) -> Minimized:
    """Minimize a violation within its signature, among what does not contain what is excluded.

    Takes up to some seconds.
    """
    trace = replay(program, violation.schedule)
    assert signature_of(trace) == violation.signature, "a schedule that was replayed replays again"
    minimal = minimize(program, trace, excluded=excluded)
    assert signature_of(minimal.trace) == violation.signature, "minimizing keeps the signature"
    return _described(minimal.trace, proof=minimal.proof, states=minimal.states)


def as_found(program: Program, violation: Replayed, *, reason: str) -> Minimized:
    """The violation as it was found, where it cannot be minimized: better long than lost."""
    trace = replay(program, violation.schedule)
    size = measure(trace)
    level = f"local (not minimized: {reason})"
    names = ("preemptions", "switches", "threads", "steps")
    assert all(hasattr(size, name) for name in names)
    return _described(trace, proof=dict.fromkeys(names, level), states=0)


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


def _described(trace: Trace, *, proof: Mapping[str, str], states: int) -> Minimized:
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
