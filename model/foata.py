"""The Foata normal form: equal for two traces exactly when they differ by commuting neighbours.

An event is one level above the highest earlier event that it depends on; the events of one level
could all happen at once (Cartier and Foata, "Problèmes combinatoires de commutation et
réarrangements", 1969; Diekert and Rozenberg, "The Book of Traces", 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from model.interpreter import Event, Place

K = TypeVar("K")


def levels(events: Sequence[Event]) -> tuple[int, ...]:
    """The level of each event, from 0. Linear in the number of accesses."""
    thread_at: dict[int, int] = {}
    read_at: dict[Place, int] = {}
    written_at: dict[Place, int] = {}
    found: list[int] = []
    for event in events:
        touched = sorted(event.reads | event.writes)
        level = 1 + max(
            thread_at.get(event.thread, -1),
            written_at.get(("spawn", event.thread), -1),
            *(written_at.get(place, -1) for place in touched),
            *(read_at.get(place, -1) for place in sorted(event.writes)),
        )
        thread_at[event.thread] = level
        for place in touched:
            if place in event.reads:
                read_at[place] = max(level, read_at.get(place, -1))
            if place in event.writes:
                written_at[place] = level
        found.append(level)
    return tuple(found)


def normal_form(events: Sequence[Event], key: Callable[[Event], K]) -> tuple[tuple[K, ...], ...]:
    """The levels of a trace, each the sorted keys of its events; keys are ordered and hashable.

    Equivalent traces have equal forms under any key that the order of the events does not change.
    Under a key that tells the events of a level apart (`step_key`), equal forms mean equivalence.
    """
    numbers = levels(events)
    rows: list[list[K]] = [[] for _ in range(1 + max(numbers, default=-1))]
    for number, event in zip(numbers, events, strict=True):
        rows[number].append(key(event))
    assert all(rows), "every level stands on an event of the level below"
    return tuple(tuple(sorted(row)) for row in rows)  # type: ignore[type-var]


def step_key(event: Event) -> tuple[int, int, tuple[int, ...]]:
    """An event as its thread, its step and what it chose: no two events of a level are the same."""
    return event.thread, event.pc, event.choices
