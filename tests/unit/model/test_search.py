"""One search serves all signatures of a program, in any order, and says where it stands still."""

from itertools import permutations

import pytest

from model.circuit.block import Engine
from model.circuit.successors import Successors
from model.minimize import PROVED, minimize
from model.program import Program
from model.programs.thp_split import REFERENCE, thp_split
from model.search import Found, Search
from model.signature import Signature, signature_of
from model.trace import Measure, measure
from tests.lost_update import lost_update
from tests.toy_programs import crossed_locks, stale_lookup

ENOUGH = 1 << 28
NOT_THERE = Signature("none", "assert: nothing says this", "nobody: no step")


def search(program: Program, *, bytes_max: int = ENOUGH) -> Search:
    return Search(Successors(program), bytes_max=bytes_max)


def signatures(program: Program) -> list[Signature]:
    """All of the program, in the order of their minima."""
    everything = search(program)
    assert everything.minimum(NOT_THERE).trace is None
    return list(everything.best)


def facts(found: Found) -> tuple[object, ...]:
    schedule = None if found.trace is None else found.trace.schedule
    return schedule, found.reached, found.exhausted, found.states, found.limited


@pytest.mark.parametrize(
    "program",
    [stale_lookup.compile(), crossed_locks.compile(), lost_update.compile(writers=3)],
    ids=lambda program: program.title,
)
def test_what_is_found_does_not_depend_on_what_was_asked_before(program):
    names = signatures(program)
    alone = {name: facts(search(program).minimum(name)) for name in names}
    for order in list(permutations(names))[:24]:
        together = search(program)
        assert {name: facts(together.minimum(name)) for name in order} == alone


def test_a_signature_that_does_not_exist_exhausts_the_search():
    found = search(crossed_locks.compile()).minimum(NOT_THERE)
    assert (found.trace, found.exhausted, found.limited) == (None, True, False)


def test_a_search_ends_where_what_is_known_is_the_smallest():
    program = lost_update.compile(writers=3)
    limit = Measure(1, 2, 2, 4)
    one = search(program)
    found = one.minimum(NOT_THERE, below=limit)
    assert (found.trace, found.reached, found.exhausted) == (None, limit, False)
    nodes = one.nodes
    assert one.minimum(NOT_THERE).states > nodes


def failing(program: Program):
    engine = Engine(program)
    for block in range(5):
        result = engine.run_block(root_seed=1, block=block)
        if result.hits:
            return engine.recover(result.hits[:1], root_seed=1, block=block)[0]
    raise AssertionError("not found in 5 blocks")


def test_a_search_that_met_its_bound_stands_still_and_says_so():
    """The bound is a promise about memory, and what lies beyond it is local."""
    program = thp_split.compile(**REFERENCE)
    trace = failing(program)
    bounded = search(program, bytes_max=1 << 21)
    first = bounded.minimum(signature_of(trace), below=measure(trace))
    assert bounded.bytes < 1 << 22 and not first.exhausted
    assert facts(bounded.minimum(signature_of(trace), below=measure(trace))) == facts(first)
    assert first.trace is None or first.reached < measure(first.trace)
    minimal = minimize(program, trace, bytes_max=1 << 21)
    assert signature_of(minimal.trace) == signature_of(trace)
    assert measure(minimal.trace) <= measure(trace)
    levels = list(minimal.proof.values())
    assert levels[0] != PROVED or minimal.preemptions == first.reached.preemptions
    assert levels[-1].startswith("local")
    proved = minimize(program, trace)
    assert set(proved.proof.values()) == {PROVED}
    assert measure(proved.trace) <= measure(minimal.trace)
