"""Recognizing executions that show a known failure, so that one behind it can be found.

What identifies a failure here is the order of the conflicting steps of its minimal interleaving.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.fingerprint import canonical_threads, uses_instance_number
from model.interpreter import Event, Trace
from model.program import Program
from model.trace import dependent


@dataclass(frozen=True, slots=True, order=True)
class Actor:
    """A step of a thread: its body, the canonical instance, and the label's text and ordinal."""

    body: str
    instance: int
    text: str
    ordinal: int


@dataclass(frozen=True, slots=True, order=True)
class ConflictingPair:
    """Two conflicting steps of different threads, in the order in which they were executed."""

    earlier: Actor
    later: Actor


Pairs = frozenset[ConflictingPair]
Instance = tuple[str, int]


def conflicting_pairs(trace: Trace) -> Pairs:
    """All ordered conflicting pairs of a trace, adjacent or not. Quadratic in its length.

    Steps conflict where they are dependent: at least one writes what both touch. Which visit of a
    step it was does not count.
    """
    names = canonical_threads(trace)

    def actor(event: Event) -> Actor:
        return Actor(*names[event.thread], event.label.text, event.label.ordinal)

    return frozenset(
        ConflictingPair(actor(earlier), actor(later))
        for number, later in enumerate(trace.events)
        for earlier in trace.events[:number]
        if earlier.thread != later.thread and dependent(earlier, later)
    )


def contains(trace: Trace, excluded: Pairs) -> bool:
    """True where the trace has all ordered conflicting pairs of an excluded minimal interleaving.

    Threads are matched one to one, so that no pair is borrowed from a third thread: instances of a
    body that does not use its instance number in any way, all others with themselves. Without a
    pair there is nothing to recognize: such a failure (of one thread alone) is never passed over.
    Exponential in the number of identical instances.

    What it does not see: how often a step was visited, and values. A trace that makes the same
    steps in the same order in different rounds of a loop counts as known.
    """
    if not excluded:
        return False
    present = conflicting_pairs(trace)
    wanted = sorted({i for pair in excluded for i in _instances(pair)})
    offered = sorted({i for pair in present for i in _instances(pair)})
    return any(
        all(_renamed(pair, matching) in present for pair in sorted(excluded))
        for matching in matchings(wanted, offered, interchangeable(trace.program), {})
    )


def _instances(pair: ConflictingPair) -> tuple[Instance, Instance]:
    return instance_of(pair.earlier), instance_of(pair.later)


def instance_of(actor: Actor) -> Instance:
    """The thread of a step, by its body and canonical instance."""
    return actor.body, actor.instance


def interchangeable(program: Program) -> frozenset[str]:
    """The names of the bodies whose instances can stand for each other."""
    bodies = (body for body in program.bodies if not uses_instance_number(body, program))
    return frozenset(body.name for body in bodies)


def matchings(
    wanted: list[Instance],
    offered: list[Instance],
    alike: frozenset[str],
    chosen: dict[Instance, Instance],
) -> Iterator[dict[Instance, Instance]]:
    """Every way of giving each wanted instance one of the trace's that no other one has."""
    if not wanted:
        yield chosen
        return
    first, *rest = wanted
    for candidate in offered:
        same = candidate[0] == first[0] and first[0] in alike
        if (candidate == first or same) and candidate not in chosen.values():
            yield from matchings(rest, offered, alike, {**chosen, first: candidate})


def _renamed(pair: ConflictingPair, matching: dict[Instance, Instance]) -> ConflictingPair:
    return ConflictingPair(
        _as(pair.earlier, matching[instance_of(pair.earlier)]),
        _as(pair.later, matching[instance_of(pair.later)]),
    )


def _as(actor: Actor, instance: Instance) -> Actor:
    return Actor(*instance, actor.text, actor.ordinal)
