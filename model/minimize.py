"""From a failing execution to the smallest interleaving with the same signature, with its proof.

Minimal means, in this order: fewest preemptions, fewest context switches, fewest threads that take
a step, fewest steps. Where the exhaustive search ends, all four are proved. Where it meets its
bound, the failing schedule is simplified by trial instead, and each criterion says up to where it
is proved.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

from model.circuit.step_circuit import Stepper
from model.interpreter import Trace
from model.program import Program
from model.search import THREADS_MAX, Found, Search, Signature
from model.simplify import simplify
from model.trace import Measure, measure

NODES_MAX = 1_500_000
PROVED = "proved"


@dataclass(frozen=True, slots=True)
class Minimal:
    """A minimal interleaving.

    `proof` says for each criterion `proved` or `local (…)`; `states` counts the nodes searched.
    """

    trace: Trace
    preemptions: int
    switches: int
    threads: int
    steps: int
    proof: dict[str, str]
    states: int


@lru_cache(maxsize=2)
def _stepper(program: Program) -> Stepper:
    """Compiling takes as long as a search: the failures of one program share it."""
    return Stepper(program)


def signature_of(trace: Trace) -> Signature:
    """The signature of a trace that ends in a violation or a deadlock."""
    assert trace.site is not None and trace.events, "only a failing execution has a signature"
    return Signature(trace.site, trace.events[-1].label)


def minimize(program: Program, trace: Trace, *, nodes_max: int = NODES_MAX) -> Minimal:
    """The smallest interleaving of the trace's signature.

    `nodes_max` bounds the search: 300 bytes a node.
    """
    stepper, signature = _stepper(program), signature_of(trace)
    found = Found(None, Measure(0, 0, 0, 0), False, 0)
    if len(program.threads) <= THREADS_MAX:
        found = Search(stepper, signature, nodes_max=nodes_max, below=measure(trace)).run()
    if found.trace is not None:
        return _minimal(found.trace, found)
    return _minimal(simplify(stepper, trace, signature), found)


def _minimal(trace: Trace, found: Found) -> Minimal:
    size = measure(trace)
    proof: dict[str, str] = {}
    known = True
    for field in fields(Measure):
        own, searched = getattr(size, field.name), getattr(found.reached, field.name)
        complete = not found.limited and (found.trace is not None or (known and searched >= own))
        below = f"local (nothing below {searched}, {found.states:,} nodes)" if known else "local"
        below = "local (the step limit was met)" if found.limited else below
        proof[field.name] = PROVED if complete else below
        known = known and searched == own
    return Minimal(
        trace, size.preemptions, size.switches, size.threads, size.steps, proof, found.states
    )
