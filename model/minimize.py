"""From a failing execution to the smallest interleaving with the same signature, with its proof.

Minimal means, in this order: fewest preemptions, fewest context switches, fewest threads that take
a step, fewest steps. Where the exhaustive search ends, all four are proved. Where it meets its
bound, the failing schedule is simplified by trial instead, and each criterion says up to where it
is proved. A process keeps the search of its last program: what it met on the way to one signature
is known when another is asked for.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache

from model.circuit.step_circuit import Stepper
from model.circuit.successors import Successors
from model.exclusion import Exclusion, TooManyPatterns
from model.interpreter import Trace
from model.known import Pairs, contains
from model.program import Program
from model.search import THREADS_MAX, Found, Search
from model.signature import Signature, signature_of
from model.simplify import simplify
from model.trace import Measure, measure

BYTES_MAX = 512 * 2**20
NODES_AHEAD = 1 << 18
PROVED = "proved"
NOTHING = Measure(0, 0, 0, 0)


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


def minimize(
    program: Program,
    trace: Trace,
    *,
    excluded: tuple[Pairs, ...] = (),
    bytes_max: int = BYTES_MAX,
) -> Minimal:
    """The smallest interleaving of the trace's signature that contains nothing `excluded`.

    `bytes_max` bounds the nodes of the search, which all signatures of the program share.
    """
    assert not any(contains(trace, pairs) for pairs in excluded), "the trace is passed over itself"
    signature, found = signature_of(trace), Found(None, NOTHING, False, 0)
    if len(program.threads) <= THREADS_MAX:
        with suppress(TooManyPatterns):
            search = _search(program, excluded, bytes_max)
            found = search.minimum(signature, below=measure(trace))
    smallest = trace if found.trace is None else min(found.trace, trace, key=measure)
    if found.trace is None or found.reached < measure(smallest):
        smallest = simplify(Stepper(program), smallest, signature, excluded=excluded)
    return _minimal(smallest, found)


def search_for(
    program: Program, signature: Signature, *, below: Measure, bytes_max: int = BYTES_MAX
) -> Found:
    """What searching says of a signature among all interleavings that cost less than `below`.

    Of a program with more threads than can be searched, that nothing is known.
    """
    if len(program.threads) > THREADS_MAX:
        return Found(None, NOTHING, False, 0)
    return _search(program, (), bytes_max).minimum(signature, below=below)


def search_ahead(program: Program) -> bool:
    """Search for what may be asked later; False where enough is done, or nothing is left.

    One call takes up to a second when it compiles what the search needs, else milliseconds. What
    `minimize` gives does not depend on it.
    """
    if len(program.threads) > THREADS_MAX:
        return False
    search = _search(program, (), BYTES_MAX)
    return search.nodes < NODES_AHEAD and search.advance()


@lru_cache(maxsize=1)
def _successors(program: Program) -> Successors:
    return Successors(program, quickly=True)


@lru_cache(maxsize=1)
def _search(program: Program, excluded: tuple[Pairs, ...], bytes_max: int) -> Search:
    """The search that all signatures of a program share. Raises TooManyPatterns."""
    successors = _successors(program)
    exclusion = Exclusion(successors, excluded) if excluded else None
    return Search(successors, bytes_max=bytes_max, exclusion=exclusion)


def _minimal(trace: Trace, found: Found) -> Minimal:
    """A criterion is proved where all that is smaller has been searched, without a limit in it."""
    size = measure(trace)
    proof: dict[str, str] = {}
    known = True
    for field in fields(Measure):
        own, searched = getattr(size, field.name), getattr(found.reached, field.name)
        below = f"local (nothing below {searched}, {found.states:,} nodes)" if known else "local"
        below = "local (the step limit was met)" if found.limited else below
        proof[field.name] = PROVED if not found.limited and known and searched >= own else below
        known = known and searched == own
    return Minimal(
        trace, size.preemptions, size.switches, size.threads, size.steps, proof, found.states
    )
