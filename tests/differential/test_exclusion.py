"""Behind known failures the search finds the minimum over all interleavings, one by one."""

from contextlib import suppress
from itertools import combinations

import pytest
from hypothesis import assume, given

from model.interpreter import Trace, replay
from model.known import Pairs, conflicting_pairs, contains
from model.minimize import PROVED, minimize
from model.program import Program
from model.signature import Signature
from model.trace import measure
from tests.differential.lockstep import combinations_of_draws
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import COMBINATIONS_MAX, drawing
from tests.differential.test_search import TooMany, failing_traces
from tests.lost_update import lost_update
from tests.toy_programs import two_publishers

EXCLUSIONS_MAX = 6


def smallest_pairs(traces: list[Trace]) -> Pairs:
    return conflicting_pairs(min(traces, key=measure))


def exclusions(failing: dict[Signature, list[Trace]]) -> list[tuple[Pairs, ...]]:
    """What is excluded in turn: a few interleavings, small and large, alone and two together."""
    some = [trace for traces in failing.values() for trace in traces[:: max(1, len(traces) // 3)]]
    known = list(dict.fromkeys(pairs for trace in some if (pairs := conflicting_pairs(trace))))
    return [(pairs,) for pairs in known[:EXCLUSIONS_MAX]] + list(combinations(known[:3], 2))


def expect_minima_behind(program: Program) -> int:
    """With some interleavings excluded in turn; how many minima there were behind them."""
    failing, minima = failing_traces(program), 0
    for excluded in exclusions(failing):
        for traces in failing.values():
            behind = [t for t in traces if not any(contains(t, pairs) for pairs in excluded)]
            if not behind:
                continue
            minima += 1
            minimal = minimize(program, max(behind, key=measure), excluded=excluded)
            assert measure(minimal.trace) == min(map(measure, behind))
            assert set(minimal.proof.values()) == {PROVED}
            assert replay(program, minimal.trace.schedule) == minimal.trace
            assert not any(contains(minimal.trace, pairs) for pairs in excluded)
    return minima


@drawing(40)
@given(programs(tiny=True))
def test_behind_interleavings_of_random_programs(drawn: Drawn):
    assume(combinations_of_draws(drawn.program) <= COMBINATIONS_MAX)
    with suppress(TooMany):
        expect_minima_behind(drawn.program)


@pytest.mark.parametrize(
    "program",
    [two_publishers.compile(), lost_update.compile(writers=3)],
    ids=lambda program: program.title,
)
def test_behind_interleavings_of_toy_programs(program):
    assert expect_minima_behind(program)


def test_two_races_of_one_signature_come_apart():
    """The check of the reader fails after either publisher; one needs a preemption more."""
    program = two_publishers.compile()
    failing = failing_traces(program)
    ((signature, traces),) = failing.items()
    first = minimize(program, max(traces, key=measure))
    excluded = (conflicting_pairs(first.trace),)
    behind = [trace for trace in traces if not contains(trace, excluded[0])]
    second = minimize(program, max(behind, key=measure), excluded=excluded)
    names = [[program.threads[e.thread].name for e in one.trace.events] for one in (first, second)]
    assert names == [
        ["plain_publisher", "reader", "reader"],
        ["careful_publisher", "careful_publisher", "reader", "reader"],
    ], signature
    assert set(second.proof.values()) == {PROVED}
    both = (*excluded, conflicting_pairs(second.trace))
    assert all(any(contains(trace, pairs) for pairs in both) for trace in traces)


def test_behind_a_failure_what_meets_the_bound_is_local_and_contains_nothing_excluded():
    program = two_publishers.compile()
    (traces,) = failing_traces(program).values()
    excluded = (smallest_pairs(traces),)
    behind = [trace for trace in traces if not contains(trace, excluded[0])]
    minimal = minimize(program, max(behind, key=measure), excluded=excluded, bytes_max=1)
    assert minimal.proof["steps"] != PROVED
    assert not contains(minimal.trace, excluded[0])
