"""What `exhaustive:c=2` asks for: every schedule with at most c preemptions, none at random."""

from __future__ import annotations

from dataclasses import dataclass

from model.program import Program
from model.schedulers.scheduler import SchedulerError

EXHAUSTIVE = "exhaustive"


@dataclass(frozen=True, slots=True)
class Exhaustive:
    """What was asked for: at most `c` preemptions."""

    c: int = 2

    def __post_init__(self) -> None:
        if self.c < 0:
            raise SchedulerError(f"{EXHAUSTIVE}: c is at least 0")

    def prepared(self, program: Program) -> Exhaustive:
        """Nothing is estimated."""
        return self

    @property
    def name(self) -> str:
        """How it is written."""
        return f"{EXHAUSTIVE}:c={self.c}"


def exhaustive_named(text: str) -> Exhaustive | None:
    """That of `exhaustive` or `exhaustive:c=NUMBER`; None for any other name.

    Raises SchedulerError.
    """
    name, _, written = text.partition(":")
    if name != EXHAUSTIVE:
        return None
    if not written:
        return Exhaustive()
    option, _, value = written.partition("=")
    if option != "c" or not value.isdecimal():
        raise SchedulerError(f"{EXHAUSTIVE} has one option, c\n    write {EXHAUSTIVE}:c=NUMBER")
    return Exhaustive(int(value))
