"""Every interleaving of a program without loops, counted exactly over its states."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

from model.interpreter import Event, Machine, Trace, advance
from model.program import Outcome, Program

Key = tuple[object, ...]
FAILING = (Outcome.VIOLATION, Outcome.DEADLOCK)


class Enumeration:
    """Counts over all interleavings; a program without choose(), whose executions all end."""

    def __init__(self, program: Program) -> None:
        self.machine = Machine(program)
        self.initial = self.machine.key()
        self.enabled = cache(self._enabled)
        self.after = cache(self._after)

    def _enabled(self, key: Key) -> tuple[int, ...]:
        self.machine.restore(key, 0)
        return self.machine.enabled()

    def _after(self, key: Key, thread: int) -> tuple[Key, Outcome | None]:
        self.machine.restore(key, 0)
        self.machine.step(thread, _no_choice)
        return self.machine.key(), self.machine.outcome

    def counts(self) -> tuple[int, int, Fraction]:
        """Interleavings, those that fail, and the probability that a uniform walk fails."""

        @cache
        def count(key: Key) -> tuple[int, int, Fraction]:
            every, failing, probability = 0, 0, Fraction(0)
            able = self.enabled(key)
            for thread in able:
                then, outcome = self.after(key, thread)
                fails = int(outcome in FAILING)
                found = count(then) if outcome is None else (1, fails, Fraction(fails))
                every, failing = every + found[0], failing + found[1]
                probability += found[2] / len(able)
            return every, failing, probability

        return count(self.initial)

    def by_cost(self) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
        """Interleavings and failing ones by (preemptions, context switches)."""

        @cache
        def count(key: Key, last: int) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
            every: Counter[tuple[int, int]] = Counter()
            failing: Counter[tuple[int, int]] = Counter()
            able = self.enabled(key)
            for thread in able:
                switch = last not in (-1, thread)
                cost = (int(switch and last in able), int(switch))
                then, outcome = self.after(key, thread)
                if outcome is None:
                    below = count(then, thread)
                else:
                    below = Counter({(0, 0): 1}), Counter({(0, 0): int(outcome in FAILING)})
                for total, part in zip((every, failing), below, strict=True):
                    for (preemptions, switches), number in part.items():
                        total[cost[0] + preemptions, cost[1] + switches] += number
            return every, failing

        return count(self.initial, -1)


def executions(program: Program) -> Iterator[Trace]:
    """Every interleaving as a trace, one after the other: for thousands, not for millions."""
    machine = Machine(program)

    def visit(events: tuple[Event, ...]) -> Iterator[Trace]:
        if machine.outcome is not None:
            yield Trace(program, events, machine.outcome, machine.site)
            return
        key, steps = machine.key(), machine.steps
        for thread in machine.enabled():
            event = advance(machine, thread, _no_choice)
            yield from visit((*events, event))
            machine.restore(key, steps)

    yield from visit(())


def _no_choice(options: tuple[int, ...]) -> int:
    raise AssertionError("a program with choose()")
