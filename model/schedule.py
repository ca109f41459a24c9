"""The input of an execution: which thread steps next, and what it chooses."""

from __future__ import annotations

import json
from dataclasses import dataclass

PICKS_VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Pick:
    """One step by the thread at position `thread`, with the values that its choose() calls gave."""

    thread: int
    choices: tuple[int, ...] = ()


Schedule = tuple[Pick, ...]


def to_lists(schedule: Schedule) -> list[list[object]]:
    """A schedule as JSON-ready lists: [thread, choice, …] a step."""
    return [[pick.thread, *pick.choices] for pick in schedule]


def picks_json(schedule: Schedule) -> str:
    """A schedule as a sighting keeps it; `from_picks_json` reads it."""
    return json.dumps({"version": PICKS_VERSION, "picks": to_lists(schedule)})


def from_picks_json(text: str) -> Schedule:
    """The schedule of a sighting."""
    document = json.loads(text)
    assert document["version"] == PICKS_VERSION
    return tuple(Pick(thread, tuple(choices)) for thread, *choices in document["picks"])
