"""What a scheduler is: who steps next in every lane, as a circuit and as a reference in Python.

Both forms read the same random bits in the same order, so that tests hold them equal lane for lane.
A scheduler may keep planes of its own: they are part of a lane, begin at constants where its
execution begins, and what is drawn for an execution is drawn in its first passes, in which the lane
stands still. What a scheduler must know of a program beforehand (its length, its threads' weights)
it computes from the program alone in `prepared`, so that a block stays a pure function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from model.circuit.netlist import Netlist
from model.program import Program
from model.schedulers.resources import Pending

RandomBit = Callable[[], int]
"""The next random bit: 0 or 1 for a reference, the literal of a new random plane for a circuit."""


@dataclass(frozen=True, slots=True)
class PendingLines:
    """The pending step of one thread, as `model.schedulers.resources.Pending`, in literals."""

    group: Sequence[int]
    member: Sequence[int]
    writes: int
    several: int
    unborn: int
    ended: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What a circuit sees before a step, as literals: who is enabled, and the planes it keeps.

    `pending` gives the pending step of each thread; only those who ask for it pay for its gates.
    """

    net: Netlist
    enabled: Sequence[int]
    kept: Sequence[int]
    random_bit: RandomBit
    pending: Callable[[], Sequence[PendingLines]]


class Before(Protocol):
    """What a reference sees before a step: for each thread 0 or 1, and its pending step."""

    @property
    def enabled(self) -> Sequence[int]:
        """1 for every thread that can step."""
        ...

    @property
    def pending(self) -> Sequence[Pending]:
        """The pending step of each thread."""
        ...


@dataclass(frozen=True, slots=True)
class Stepped:
    """What happened in the pass, as literals: which thread has stepped, and whether it yielded.

    A lane may have stood still although a thread was chosen: a draw of choose() failed.
    """

    threads: Sequence[int]
    yields: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A line for each thread, at most one of them true, only of an enabled thread.

    `kept_after` gives the next values of the scheduler's planes in a lane whose execution goes on.
    """

    threads: Sequence[int]
    kept_after: Callable[[Stepped], Sequence[int]] = lambda stepped: ()


class Lane(Protocol):
    """The reference form in one execution."""

    def choose(self, before: Before, random_bit: RandomBit) -> int | None:
        """The thread that steps, or None where the lane stands still."""
        ...

    def stepped(self, thread: int, *, yields: bool) -> None:
        """The thread that was chosen has stepped."""
        ...


class Scheduler(Protocol):
    """A scheduler; a frozen value, whose fields are its options."""

    def __hash__(self) -> int:
        """Equal schedulers share compiled code."""
        ...

    def prepared(self, program: Program) -> Self:
        """The same scheduler with everything settled that it estimates from the program.

        Raises SchedulerError where it does not fit the program.
        """
        ...

    def initial(self, program: Program) -> tuple[bool | None, ...]:
        """The value of each of its planes when an execution begins; None where it does not matter.

        What does not matter holds what the lane's execution before has left there.
        """
        ...

    def circuit(self, program: Program, turn: Turn) -> Choice:
        """The circuit of one pass."""
        ...

    def reference(self, program: Program) -> Lane:
        """The reference form at the beginning of an execution."""
        ...


class SchedulerError(ValueError):
    """An unknown scheduler, an option that it does not have, or one that makes no sense."""
