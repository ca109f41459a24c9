"""The benchmark programs fail as they should, by interleavings of the stated size."""

import pytest

from model.circuit.successors import Successors
from model.explore import explore
from model.program import Program
from model.search import Search
from tests.programs.benchmark import structures
from tests.programs.benchmark.table import BENCHMARKS, Benchmark

BYTES_MAX = 512 * 2**20


def fewest_preemptions(program: Program) -> int:
    """Of all failing interleavings, by searching everything smaller."""
    search = Search(Successors(program, quickly=True), bytes_max=BYTES_MAX)
    while search.front is not None:
        found = [cost[0] for cost, _ in search.best.values()]
        if found and min(found) <= search.front[0]:
            return min(found)
        assert search.advance(), "the search met its bound"
    raise AssertionError("nothing fails")


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=str)
def test_a_benchmark_fails_with_the_stated_number_of_preemptions(benchmark: Benchmark):
    assert fewest_preemptions(benchmark.program) == benchmark.preemptions


def test_one_round_of_safe_stack_is_safe():
    explored = explore(structures.safe_stack.compile(rounds=1))
    assert explored.exhausted and not explored.sites
