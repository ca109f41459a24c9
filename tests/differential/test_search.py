"""The minimum that the search finds is the minimum over all interleavings, one by one."""

import pytest
from hypothesis import assume, given

from model.interpreter import Event, Machine, Trace, advance, replay
from model.minimize import PROVED, minimize
from model.program import Choose, Program
from model.signature import Signature, signature_of
from model.trace import Measure, measure
from model.validation import leaves
from tests.differential.lockstep import combinations_of_draws
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import COMBINATIONS_MAX, drawing
from tests.lost_update import lost_update
from tests.toy_programs import crossed_locks, stale_lookup

TRACES_MAX = 1000


class TooMany(Exception):
    """More interleavings than can be enumerated in a moment."""


def choices_from(machine: Machine, thread: int) -> list[tuple[int, ...]]:
    """Every sequence of values that the choose() calls of a thread's next step can give."""
    step = machine.program.step_at(thread, machine.pcs[thread])
    if not any(isinstance(op, Choose) for op in leaves(step.ops)):
        return [()]
    key, steps, found, open_ = machine.key(), machine.steps, [], [()]
    while open_:
        prefix = open_.pop()
        offered: list[tuple[int, ...]] = []

        def choose(options: tuple[int, ...], prefix=prefix, offered=offered) -> int:
            offered.append(options)
            return prefix[len(offered) - 1] if len(offered) <= len(prefix) else options[0]

        machine.restore(key, steps)
        machine.step(thread, choose)
        if len(offered) == len(prefix):
            found.append(prefix)
        else:
            open_ += [(*prefix, value) for value in dict.fromkeys(offered[len(prefix)])]
    machine.restore(key, steps)
    return found


def failing_traces(program: Program) -> dict[Signature, list[Trace]]:
    """Every failing interleaving, by signature. Raises TooMany."""
    machine, found, number = Machine(program), {}, 0

    def visit(events: tuple[Event, ...]) -> None:
        nonlocal number
        if machine.outcome is not None:
            number += 1
            if number > TRACES_MAX:
                raise TooMany
            if machine.site is not None:
                trace = Trace(program, events, machine.outcome, machine.site)
                found.setdefault(signature_of(trace), []).append(trace)
            return
        key, steps = machine.key(), machine.steps
        for thread in machine.enabled():
            for choices in choices_from(machine, thread):
                values = iter(choices)
                event = advance(machine, thread, lambda options, values=values: next(values))
                visit((*events, event))
                machine.restore(key, steps)

    visit(())
    return found


def expect_minima(program: Program) -> int:
    """Minimizing the largest trace of each signature gives the least; how many there are."""
    failing = failing_traces(program)
    for signature, traces in failing.items():
        minimal = minimize(program, max(traces, key=measure))
        assert signature_of(minimal.trace) == signature
        assert set(minimal.proof.values()) == {PROVED}
        least = min(map(measure, traces))
        assert measure(minimal.trace) == least
        assert (
            Measure(minimal.preemptions, minimal.switches, minimal.threads, minimal.steps) == least
        )
        assert replay(program, minimal.trace.schedule) == minimal.trace
    return len(failing)


@drawing(15)
@given(programs(tiny=True))
def test_the_search_finds_the_minimum_of_random_programs(drawn: Drawn):
    assume(combinations_of_draws(drawn.program) <= COMBINATIONS_MAX)
    try:
        assume(expect_minima(drawn.program))
    except TooMany:
        assume(False)


@pytest.mark.parametrize(
    "program",
    [
        stale_lookup.compile(),
        crossed_locks.compile(),
        lost_update.compile(),
        lost_update.compile(writers=3),
    ],
    ids=lambda program: program.title,
)
def test_the_search_finds_the_minimum_of_toy_programs(program):
    assert expect_minima(program)
