"""A search over canonical nodes finds the minima of the search over all nodes, in fewer nodes."""

import pytest
from hypothesis import given

from model import alike
from model import search as searching
from model.circuit.successors import Successors
from model.program import Program
from model.search import Search
from model.signature import Signature
from model.trace import Measure, measure
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import drawing
from tests.lost_update import lost_update
from tests.programs.benchmark.races import wronglock
from tests.programs.schedulers_4_4 import small_programs as small
from tests.toy_programs import stale_lookup

BYTES_MAX = 1 << 26
NOT_THERE = Signature("none", "assert: nothing says this", "nobody: no step")


def minima(program: Program, *, threads_min: int, words: bool = False):
    """The measure of the smallest interleaving of each signature, and how many nodes it took.

    With `words`, nearly all that have stepped are kept in words of their own, as of many threads.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "THREADS_MIN", threads_min)
        if words:
            patch.setattr(searching, "STEPPED_BITS", 1)
        search = Search(Successors(program, quickly=True), bytes_max=BYTES_MAX)
        assert (search.alike is not None) <= (threads_min == 2)
        everything = search.minimum(NOT_THERE)
        # Executes each trace: its signature is that of the violation that was found.
        found = {name: search.minimum(name).trace for name in search.best}
        return {name: measure(trace) for name, trace in found.items()}, everything


@drawing(12)
@given(programs(tiny=True))
def test_minima_of_random_programs(drawn: Drawn):
    apart, _ = minima(drawn.program, threads_min=99)
    for words in (False, True):
        assert minima(drawn.program, threads_min=2, words=words)[0] == apart


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize(
    "program",
    [
        lost_update.compile(writers=3),
        lost_update.compile(writers=3, locked=True),
        stale_lookup.compile(lookups=2),
        small.lost_update.compile(threads=3),
        small.reorder.compile(setters=3),
        small.reorder.compile(setters=2, checkers=2),
        small.twostage.compile(writers=3),
        small.carter01.compile(),
        wronglock.compile(writers=3),
    ],
    ids=lambda program: program.title,
)
def test_minima_of_programs_with_threads_that_are_alike(program, words):
    apart, nodes = minima(program, threads_min=99)
    together, fewer = minima(program, threads_min=2, words=words)
    assert together == apart
    assert fewer.exhausted == nodes.exhausted and fewer.states <= nodes.states


def test_of_a_hundred_threads_that_are_alike_few_nodes_are_left():
    search = Search(Successors(small.reorder.compile(setters=99), quickly=True), bytes_max=1 << 24)
    while not search.best:
        assert search.advance()
    (trace,) = (search.minimum(signature).trace for signature in search.best)
    assert measure(trace) == Measure(1, 2, 3, 104) and search.nodes < 10_000
