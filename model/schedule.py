"""The input of an execution: which thread steps next, and what it chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Pick:
    """One step by the thread at position `thread`, with the values that its choose() calls gave."""

    thread: int
    choices: tuple[int, ...] = ()


Schedule = tuple[Pick, ...]


def to_lists(schedule: Schedule) -> list[list[object]]:
    """A schedule as JSON-ready lists: [thread, choice, …] a step."""
    return [[pick.thread, *pick.choices] for pick in schedule]


def from_lists(lists: Sequence[Sequence[int]]) -> Schedule:
    """The schedule that `to_lists` was given."""
    return tuple(Pick(thread, tuple(choices)) for thread, *choices in lists)
