"""POS, partial order sampling (Yuan, Yang, Gu, CAV 2018): random priorities of pending events.

Every pending step of a thread has a random priority, drawn when it becomes pending; the enabled one
of the highest priority is executed; then every pending step that races with it gets a fresh one.
What races is said in `resources`; steps of blocked threads are pending, too.

Priorities are numbers of `bits` bits. Where two enabled steps have the same, the first thread's is
executed: with m enabled threads that happens in at most m (m - 1) / 2 of 2^bits choices, by which
the choice is off from that of real numbers at most.

Two numbers are drawn a pass, for the first two enabled threads that need one; the lane stands still
until no enabled thread needs one. A priority that nobody has looked at may be drawn late: a blocked
thread gets its own when it is enabled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.program import Program
from model.schedulers import numbers
from model.schedulers.resources import Pending
from model.schedulers.scheduler import (
    Before,
    Choice,
    RandomBit,
    SchedulerError,
    Stepped,
    Turn,
)

NUMBERS_A_PASS = 2
BITS_MAX = 32


@dataclass(frozen=True, slots=True)
class Pos:
    """The scheduler; `bits` is the width of a priority."""

    bits: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= BITS_MAX:
            raise SchedulerError(f"pos: a priority has 1 to {BITS_MAX} bits")

    def prepared(self, program: Program) -> Pos:
        """Nothing is estimated."""
        return self

    def initial(self, program: Program) -> tuple[bool | None, ...]:
        """Every thread needs a priority."""
        threads = len(program.threads)
        return (*[True] * threads, *[None] * (threads * self.bits))

    def circuit(self, program: Program, turn: Turn) -> Choice:
        """Gates grow as T with T threads."""
        net, threads = turn.net, len(program.threads)
        needs = list(turn.kept[:threads])
        rows = [
            list(turn.kept[at : at + self.bits]) for at in range(threads, len(turn.kept), self.bits)
        ]
        for _ in range(NUMBERS_A_PASS):
            fresh = [turn.random_bit() for _ in range(self.bits)]
            asking = [net.and_(need, can) for need, can in zip(needs, turn.enabled, strict=True)]
            for thread, gets in enumerate(numbers.first_of(net, asking)):
                rows[thread] = numbers.mux(net, gets, fresh, rows[thread])
                needs[thread] = net.and_(needs[thread], gets ^ 1)
        waiting = net.any(
            net.and_(need, can) for need, can in zip(needs, turn.enabled, strict=True)
        )
        highest = numbers.first_of(net, numbers.highest(net, turn.enabled, rows))

        def after(stepped: Stepped) -> Sequence[int]:
            racing = _racing(turn, stepped.threads)
            needing = [net.any(three) for three in zip(needs, stepped.threads, racing, strict=True)]
            return [*needing, *(bit for row in rows for bit in row)]

        return Choice([net.and_(line, waiting ^ 1) for line in highest], after)

    def reference(self, program: Program) -> PosLane:
        """The reference form."""
        return PosLane(self, len(program.threads))


def _racing(turn: Turn, stepped: Sequence[int]) -> list[int]:
    """For each thread, whether its pending step races with the one that has been executed."""
    net, pending = turn.net, turn.pending()
    group, member = (
        numbers.selected(net, stepped, rows)
        for rows in ([each.group for each in pending], [each.member for each in pending])
    )
    writes, several = numbers.selected(
        net, stepped, [(each.writes, each.several) for each in pending]
    )
    races = []
    for each in pending:
        same = numbers.equal(net, member, each.member)
        same_group = [net.any(group), numbers.equal(net, group, each.group)]
        conflict = [net.or_(writes, each.writes), net.any([same, several, each.several])]
        races.append(net.all([*same_group, *conflict]))
    return races


class PosLane:
    """The reference form."""

    def __init__(self, scheduler: Pos, threads: int) -> None:
        self.bits = scheduler.bits
        self.priorities: list[int | None] = [None] * threads
        self.pending: Sequence[Pending] = ()

    def choose(self, before: Before, random_bit: RandomBit) -> int | None:
        """Draw two priorities where they are needed, then choose if no more are."""
        able = [thread for thread, can in enumerate(before.enabled) if can]
        for _ in range(NUMBERS_A_PASS):
            number = sum(random_bit() << q for q in range(self.bits))
            needing = [thread for thread in able if self.priorities[thread] is None]
            if needing:
                self.priorities[needing[0]] = number
        if any(self.priorities[thread] is None for thread in able):
            return None
        self.pending = before.pending
        return max(able, key=lambda thread: (self.priorities[thread], -thread))

    def stepped(self, thread: int, *, yields: bool) -> None:
        """The thread's next step, and all that race with this one, get a fresh priority."""
        for other, pending in enumerate(self.pending):
            if other == thread or pending.races(self.pending[thread]):
                self.priorities[other] = None
