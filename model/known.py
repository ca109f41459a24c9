"""Recognizing executions that show a known failure, so that one behind it can be found.

What identifies a failure here is the order in which its minimal interleaving makes conflicting steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.fingerprint import canonical_threads, uses_instance_number
from model.interpreter import Event, Trace
from model.trace import dependent


@dataclass(frozen=True, slots=True, order=True)
class Actor:
    """A step of a thread: its body, the canonical instance, and the label's text and ordinal.

    `interchangeable` says that the body does not use its instance number.
    """

    body: str
    instance: int
    interchangeable: bool
    text: str
    ordinal: int


@dataclass(frozen=True, slots=True, order=True)
class ConflictingPair:
    """Two conflicting steps of different threads, in the order in which they were executed."""

    earlier: Actor
    later: Actor


Pairs = frozenset[ConflictingPair]
Instance = tuple[str, int, bool]


def conflicting_pairs(trace: Trace) -> Pairs:
    """All ordered conflicting pairs of a trace, adjacent or not. Quadratic in its length.

    Steps conflict where they are dependent: at least one writes what both touch. Which visit of a
    step it was does not count.
    """
    names = canonical_threads(trace)
    free = {
        thread: not uses_instance_number(trace.program.body_of(thread), trace.program)
        for thread in names
    }

    def actor(event: Event) -> Actor:
        body, instance = names[event.thread]
        return Actor(body, instance, free[event.thread], event.label.text, event.label.ordinal)

    return frozenset(
        ConflictingPair(actor(earlier), actor(later))
        for number, later in enumerate(trace.events)
        for earlier in trace.events[:number]
        if earlier.thread != later.thread and dependent(earlier, later)
    )


def contains(trace: Trace, excluded: Pairs) -> bool:
    """True where the trace has all ordered conflicting pairs of an excluded minimal interleaving.

    Threads are matched one to one, so that no pair is borrowed from a third thread: the instances of
    a body that does not use its instance number in any way, all others with themselves. Without a
    pair there is nothing to recognize: such a failure (of one thread alone) is never passed over.

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
        for matching in _matchings(wanted, offered, {})
    )


def _instances(pair: ConflictingPair) -> tuple[Instance, Instance]:
    return _instance(pair.earlier), _instance(pair.later)


def _instance(actor: Actor) -> Instance:
    return actor.body, actor.instance, actor.interchangeable


def _matchings(
    wanted: list[Instance], offered: list[Instance], chosen: dict[Instance, Instance]
) -> Iterator[dict[Instance, Instance]]:
    """Every way of giving each wanted instance one of the trace's that no other one has."""
    if not wanted:
        yield chosen
        return
    for candidate in offered:
        fits = candidate == wanted[0] or (candidate[0] == wanted[0][0] and candidate[2])
        if fits and candidate not in chosen.values():
            yield from _matchings(wanted[1:], offered, {**chosen, wanted[0]: candidate})


def _renamed(pair: ConflictingPair, matching: dict[Instance, Instance]) -> ConflictingPair:
    return ConflictingPair(
        _as(pair.earlier, matching[_instance(pair.earlier)]),
        _as(pair.later, matching[_instance(pair.later)]),
    )


def _as(actor: Actor, instance: Instance) -> Actor:
    return Actor(*instance, actor.text, actor.ordinal)
