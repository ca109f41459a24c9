"""Ordered conflicting pairs of steps: what coverage counts, and which of them a program can have.

The step of one thread *reads from* that of another where it reads an element that the other wrote
last. It *overwrites* the other where it writes an element that the other wrote last, or has read
since. These are the neighbours in the order of dependent steps, so equivalent executions have equal
pairs. A pair is of steps of bodies, not of threads: instances of one body do not multiply the
denominator, and a person reads lines, not instances.

Pairs that are possible are computed from the accesses that the steps declare (asserts, invariants
and ghosts are none): different threads, one element, at least one writing. What values forbid is
not seen, so some of them may never happen. Of a lock, only who takes it after whom counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from model.expressions import Const, Expr, Instance, ThreadIndex
from model.interpreter import Place
from model.program import Access, Program

BodyStep = tuple[int, int]
"""The number of a body, and of a step in it."""


class PairKind(StrEnum):
    """What the later step does to the earlier; the value stands between the two."""

    READS = "reads from"
    OVERWRITES = "overwrites"


@dataclass(frozen=True, slots=True, order=True)
class StepPair:
    """Two steps of different threads in the order in which they were executed."""

    kind: PairKind
    earlier: BodyStep
    later: BodyStep


@dataclass(frozen=True, slots=True)
class Touched:
    """The places that a step may read and write by the accesses it declares."""

    reads: frozenset[Place]
    writes: frozenset[Place]


def touched_by(program: Program, thread: int, step: int) -> Touched:
    """What a step may touch when this thread executes it.

    Taking a lock reads it and releasing it writes it, so that who takes it reads from who released.
    """
    reads, writes = set[Place](), set[Place]()
    for access in program.step_at(thread, step).accesses:
        places = list(_places(program, thread, access))
        lock = program.variable[access.variable].lock
        releases = lock and access.kind.endswith("unlock")
        if access.reads and not releases:
            reads.update(places)
        if access.writes and (releases or not lock):
            writes.update(places)
    return Touched(frozenset(reads), frozenset(writes))


def possible_pairs(program: Program) -> frozenset[StepPair]:
    """Every pair that the declared accesses allow. Quadratic in the steps that touch a place."""
    readers = defaultdict[Place, dict[BodyStep, set[int]]](lambda: defaultdict(set))
    writers = defaultdict[Place, dict[BodyStep, set[int]]](lambda: defaultdict(set))
    for number, thread in enumerate(program.threads):
        for step in range(len(program.bodies[thread.body].steps)):
            touched = touched_by(program, number, step)
            for places, found in ((touched.reads, readers), (touched.writes, writers)):
                for place in places:
                    found[place][thread.body, step].add(number)
    pairs: set[StepPair] = set()
    for place, writing in writers.items():
        reading = readers[place]
        locked = program.variable[place[0]].lock
        pairs.update(_between(PairKind.READS, writing, reading))
        if not locked:
            pairs.update(_between(PairKind.OVERWRITES, writing, writing))
            pairs.update(_between(PairKind.OVERWRITES, reading, writing))
    return frozenset(pairs)


def _between(
    kind: PairKind, earlier: dict[BodyStep, set[int]], later: dict[BodyStep, set[int]]
) -> Iterator[StepPair]:
    for first, ours in earlier.items():
        for second, theirs in later.items():
            if len(ours | theirs) > 1:
                yield StepPair(kind, first, second)


def _places(program: Program, thread: int, access: Access) -> Iterator[Place]:
    """The elements that an access may touch: all of them where the index is computed."""
    index = _known(program, thread, access.index)
    if index is not None:
        yield access.variable, index
    else:
        length = program.variable[access.variable].length or 1
        yield from ((access.variable, at) for at in range(length))


def _known(program: Program, thread: int, index: Expr | None) -> int | None:
    match index:
        case None:
            return 0
        case Const(value):
            return value
        case ThreadIndex():
            return thread
        case Instance():
            return program.threads[thread].instance
        case _:
            return None
