"""The benchmark programs fail as they should, by interleavings of the stated size."""

import pytest

from model.circuit.block import Engine
from model.circuit.block_circuit import build_block_circuit
from model.circuit.successors import Successors
from model.explore import explore
from model.language import READ_ONCE, WRITE_ONCE, Param, program, uint
from model.program import Program
from model.schedulers.named import SCHEDULERS
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


@pytest.mark.parametrize("benchmark", [b for b in BENCHMARKS if b.preemptions is not None], ids=str)
def test_a_benchmark_fails_with_the_stated_number_of_preemptions(benchmark: Benchmark):
    assert fewest_preemptions(benchmark.program) == benchmark.preemptions


def test_one_round_of_safe_stack_is_safe():
    explored = explore(structures.safe_stack.compile(rounds=1))
    assert explored.exhausted and not explored.sites


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_choice_takes_no_more_gates_than_threads_times_their_logarithm(name):
    """Measured from 8 threads; the rest of the circuit is linear."""

    def gates(threads: int) -> int:
        program = many_counters.compile(threads=threads)
        scheduler = SCHEDULERS[name]().prepared(program)
        return len(build_block_circuit(program, scheduler).net.gates)

    assert gates(32) <= gates(8) * (32 * 5) / (8 * 3)


@pytest.mark.slow
def test_128_threads_are_executed_as_the_interpreter_says():
    engine = Engine(many_counters.compile(threads=128))
    result = engine.run_block(root_seed=1, block=0, passes=1024)
    assert result.schedules >= 512 and result.hits
    traces = engine.recover(result.hits, root_seed=1, block=0, passes=1024)
    assert [trace.site for trace in traces] == [hit.site for hit in result.hits]


@pytest.mark.slow
def test_the_largest_benchmark_is_fuzzed():
    (benchmark,) = (b for b in BENCHMARKS if b.name == "reorder_100")
    result = Engine(benchmark.program).run_block(root_seed=1, block=0, passes=512)
    assert len(benchmark.program.threads) == 101 and result.schedules >= 512


@program(steps_max=400, threads=Param(2, 128, default=2))
def many_counters(p):
    """An even number of threads add one to a bit, by a read and a write: often wrongly."""
    counter = p.shared("counter", uint(1, wrapping=True))

    @p.thread(instances=p.threads)
    def add():
        old = READ_ONCE(counter)
        WRITE_ONCE(counter, old + 1)

    @p.at_end
    def every_addition_counts():
        assert counter == 0, "an addition is lost"
