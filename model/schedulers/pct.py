"""PCT: random priorities, lowered at d - 1 random steps (Burckhardt et al., ASPLOS 2010).

n threads get a random permutation of the priorities d to d + n - 1; k_1 to k_(d-1) are drawn from
1 to k, independently and uniformly; the enabled thread of the highest priority steps, and whoever
executes step k_i gets priority i. A violation of depth d shows itself in an execution with
probability 1 / (n k^(d-1)) at least.

Variants, where the paper leaves room or others differ:
- Steps are counted only where more than one thread is enabled. No other step could be scheduled
  differently, so the bound holds with a smaller k.
- k, unless it is given, is the largest number of such steps in the walks of `profile`: an estimate.
  An execution that is longer keeps its priorities from there on.
- `demotes=before` lowers the thread that would execute step k_i instead, before it does (Coyote,
  Fray). Where two change points fall on one step, `after` demotes once, to the lower priority,
  `before` the two threads that would step one after the other.
- cpu_relax() lowers a thread below all others and all change points (Shuttle), so that a thread
  that waits in a loop does not starve the one it waits for.
- All threads, children and daemons too, have their priority from the beginning.

The permutation is made by inserting one thread a pass at a random rank; the lane stands still until
all have theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from model.circuit.netlist import FALSE, TRUE
from model.program import Goto, Program
from model.schedulers import numbers, points
from model.schedulers.points import Points, PointsLane
from model.schedulers.profile import profile
from model.schedulers.scheduler import Before, Choice, RandomBit, SchedulerError, Stepped, Turn
from model.validation import leaves

Word = list[int]


class Demotes(StrEnum):
    """When a change point lowers a thread: after it has executed the step, or instead."""

    AFTER = "after"
    BEFORE = "before"


@dataclass(frozen=True, slots=True)
class Pct:
    """The scheduler; `k` is the number of steps change points are drawn from, 0: estimated."""

    d: int = 3
    k: int = 0
    demotes: Demotes = Demotes.AFTER

    def __post_init__(self) -> None:
        if self.d < 1 or self.k < 0:
            raise SchedulerError("pct: the depth d is at least 1, and k at least 0 (estimated)")

    def prepared(self, program: Program) -> Pct:
        """With k estimated."""
        return self if self.k else replace(self, k=max(1, *profile(program).contested))

    def initial(self, program: Program) -> tuple[bool | None, ...]:
        """Nobody has a priority, no change point has been drawn or met."""
        return _Planes(self, program).initial

    def circuit(self, program: Program, turn: Turn) -> Choice:
        """Gates grow as T log T with T threads."""
        return _PctCircuit(_Planes(self, program), turn).choice()

    def reference(self, program: Program) -> PctLane:
        """The reference form."""
        return PctLane(self, len(program.threads))


class _Planes:
    """How the planes are laid out: who has been placed, change points, priorities.

    A priority has a top bit, which those that were lowered lack; below it, ranks. Where a program
    has no cpu_relax(), the priorities of the change points are constants.
    """

    def __init__(self, scheduler: Pct, program: Program) -> None:
        self.scheduler, self.threads = scheduler, len(program.threads)
        self.points = scheduler.d - 1
        self.yielding = any(
            isinstance(op, Goto) and op.yields
            for body in program.bodies
            for step in body.steps
            for op in leaves(step.ops)
        )
        lowest = self.threads + self.points - 1 if self.yielding else self.points - 1
        self.placed_width = (self.threads - 1).bit_length() + 1
        self.priority_width = 1 + max(self.threads - 1, lowest, 0).bit_length()

    @property
    def initial(self) -> tuple[bool | None, ...]:
        """As the scheduler's."""
        marks = [
            bool(bit)
            for point in range(self.points if self.yielding else 0)
            for bit in numbers.constant(point, self.priority_width)
        ]
        priorities: list[bool | None] = [None] * (self.threads * self.priority_width)
        drawn = points.initial(self.points, self.scheduler.k)
        return (*[False] * self.placed_width, *drawn, *marks, *priorities)

    def taken_apart(self, kept: Sequence[int]) -> tuple[Word, Word, list[Word]]:
        """Who is placed, the change points, and priorities (those of points, then of threads)."""
        planes = iter(kept)

        def take(width: int) -> Word:
            return [next(planes) for _ in range(width)]

        placed = take(self.placed_width)
        drawn = take(len(points.initial(self.points, self.scheduler.k)))
        marks = [
            take(self.priority_width)
            if self.yielding
            else numbers.constant(point, self.priority_width)
            for point in range(self.points)
        ]
        return placed, drawn, marks + [take(self.priority_width) for _ in range(self.threads)]

    def put_together(self, placed: Word, drawn: Word, priorities: list[Word]) -> list[int]:
        """The reverse."""
        kept = priorities if self.yielding else priorities[self.points :]
        return [*placed, *drawn, *(bit for word in kept for bit in word)]


class _PctCircuit:
    """One pass under construction."""

    def __init__(self, planes: _Planes, turn: Turn) -> None:
        self.planes, self.net, self.enabled = planes, turn.net, turn.enabled
        self.placed, drawn, self.priorities = planes.taken_apart(turn.kept)
        self.drawn = Points(self.net, drawn, planes.points, planes.scheduler.k)
        self.ready = self.drawn.draw(self.net.any(self.placed) ^ 1, turn.random_bit)
        self._place(turn.random_bit)

    def choice(self) -> Choice:
        """Who steps, and what is kept."""
        net = self.net
        ready = net.and_(self.ready, net.equals(self.placed, self.planes.threads))
        ranking = numbers.highest(net, self.enabled, self.priorities[self.planes.points :])
        highest = [net.and_(ready, line) for line in ranking]
        contested = points.at_least_two(net, self.enabled)
        due = [net.and_(contested, line) for line in self.drawn.due()]
        first = numbers.first_of(net, due)
        if self.planes.scheduler.demotes is Demotes.AFTER:
            return Choice(highest, lambda s: self._after(s, contested, s.threads, due, first))
        standing = net.and_(ready, net.any(due))
        demoted = [net.and_(line, standing) for line in highest]
        chosen = [net.and_(line, standing ^ 1) for line in highest]
        met = [net.and_(ready, line) for line in first]
        return Choice(chosen, lambda s: self._after(s, contested, demoted, met, first))

    def _place(self, random_bit: RandomBit) -> None:
        """Insert one thread at a random rank among those that have theirs."""
        net, threads, marks = self.net, self.planes.threads, self.planes.points
        count = numbers.increased(net, self.placed, TRUE)
        rank, drawn = numbers.draw_below(net, count, random_bit)
        places = net.and_(drawn, net.equals(self.placed, threads) ^ 1)
        for thread in range(threads):
            *word, top = self.priorities[marks + thread]
            above = net.and_(places, numbers.less(net, word, rank) ^ 1)
            here = net.and_(places, net.equals(self.placed, thread))
            moved = numbers.increased(net, word, above)
            padded = [*rank, *[FALSE] * (len(word) - len(rank))]
            self.priorities[marks + thread] = [
                *numbers.mux(net, here, padded, moved),
                net.or_(here, top),
            ]
        self.placed = numbers.increased(net, self.placed, places)

    def _after(
        self,
        stepped: Stepped,
        contested: int,
        demoted: Sequence[int],
        met: Sequence[int],
        first: Sequence[int],
    ) -> list[int]:
        """`demoted` threads get the priority of the `first` point that is due; it is then met."""
        net, marks = self.net, self.planes.points
        counts = net.and_(contested, net.any(stepped.threads))
        if self.planes.scheduler.demotes is Demotes.AFTER:
            met = [net.and_(line, counts) for line in met]
        priorities = list(self.priorities)
        if marks:
            given = numbers.selected(net, first, priorities[:marks])
            due = net.any(first)
            for thread, line in enumerate(demoted):
                lowers, old = net.and_(line, due), priorities[marks + thread]
                priorities[marks + thread] = numbers.mux(net, lowers, given, old)
        if self.planes.yielding:
            priorities = self._yielded(stepped, priorities)
        return self.planes.put_together(self.placed, self.drawn.after(counts, met), priorities)

    def _yielded(self, stepped: Stepped, priorities: list[Word]) -> list[Word]:
        """A thread that yields gets the lowest priority, all below it one more."""
        net, marks = self.net, self.planes.points
        left = numbers.selected(net, stepped.threads, priorities[marks:])
        moved = []
        for number, word in enumerate(priorities):
            below = net.and_(stepped.yields, numbers.less(net, word, left))
            word = [*numbers.increased(net, word[:-1], below), word[-1]]
            if number >= marks:
                leaves_it = net.and_(stepped.yields, stepped.threads[number - marks])
                word = [net.and_(bit, leaves_it ^ 1) for bit in word]
            moved.append(word)
        return moved


class PctLane:
    """The reference form: threads from the highest priority to the lowest, with the points."""

    def __init__(self, scheduler: Pct, threads: int) -> None:
        self.scheduler, self.threads, self.contested = scheduler, threads, False
        self.points = PointsLane(scheduler.d - 1, scheduler.k)
        # Threads from 0 on, change point i as -i, which is a place that a thread can be given.
        self.ranking = [-i for i in range(scheduler.d - 1, 0, -1)]
        self.placed = 0

    def choose(self, before: Before, random_bit: RandomBit) -> int | None:
        """Place a thread, or else choose the enabled one of the highest priority."""
        drawn = self.points.draw(random_bit)
        ready = self.placed == self.threads
        rank_width = (self.threads - 1).bit_length() + 1
        rank = numbers.drawn_below(min(self.placed + 1, self.threads), rank_width, random_bit)
        if not ready and rank is not None:
            # Ranks count from the lowest.
            self.ranking.insert(self.placed - rank, self.placed)
            self.placed += 1
        if self.placed < self.threads or not drawn:
            return None
        self.contested = sum(before.enabled) > 1
        thread = next(t for t in self.ranking if t >= 0 and before.enabled[t])
        due = self._due()
        if due and self.scheduler.demotes is Demotes.BEFORE:
            self._lower(thread, due[:1])
            return None
        return thread

    def stepped(self, thread: int, *, yields: bool) -> None:
        """Count, and lower the thread where a change point says so or it yields."""
        due = self._due()
        if due and self.scheduler.demotes is Demotes.AFTER:
            self._lower(thread, due)
        if self.contested:
            self.points.count()
        if yields:
            self.ranking.remove(thread)
            self.ranking.append(thread)

    def _due(self) -> list[int]:
        return self.points.due() if self.contested else []

    def _lower(self, thread: int, due: Sequence[int]) -> None:
        """Put the thread where the first of the points lies; they have been met."""
        self.ranking.remove(thread)
        self.ranking[self.ranking.index(-1 - due[0])] = thread
        self.points.met.update(due)
