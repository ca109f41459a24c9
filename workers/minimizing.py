"""A violation brought down to its minimal interleaving, in a worker: numbers and texts come back.

violation -> replay -> minimize within its signature -> fingerprint. The shard has replayed the
violation; its trace is made again here from the schedule, because only schedules travel.
"""

from model.interpreter import replay
from model.known import Pairs
from model.minimize import minimize
from model.minimized import Minimized, described
from model.program import Program
from model.signature import signature_of
from model.trace import measure
from workers.shards import Replayed

__all__ = ["Minimized", "as_found", "minimized"]


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
    return described(minimal.trace, proof=minimal.proof, states=minimal.states)


def as_found(program: Program, violation: Replayed, *, reason: str) -> Minimized:
    """The violation as it was found, where it cannot be minimized: better long than lost."""
    trace = replay(program, violation.schedule)
    size = measure(trace)
    level = f"local (not minimized: {reason})"
    names = ("preemptions", "switches", "threads", "steps")
    assert all(hasattr(size, name) for name in names)
    return described(trace, proof=dict.fromkeys(names, level), states=0)
