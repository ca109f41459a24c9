"""Schedulers for up to 128 threads: what their choice costs in gates, and that it is right."""

from collections.abc import Callable
from itertools import pairwise
from math import log2

import pytest

from model.circuit.block import Engine
from model.circuit.layout import layout_of
from model.circuit.netlist import INPUT, Netlist
from model.circuit.pending import pending_lines
from model.language import ME, READ_ONCE, WRITE_ONCE, Param, cpu_relax, program, uint
from model.minimize import PROVED, minimize
from model.program import Program
from model.schedulers.named import SCHEDULERS
from model.schedulers.scheduler import Scheduler, Stepped, Turn
from model.schedulers.surw import Surw
from model.trace import Measure, measure
from tests.programs.benchmark.table import BENCHMARKS
from tests.programs.schedulers_4_4 import small_programs as small

THREADS = (4, 8, 16, 32, 64, 128)
# The report executes every pair; these are enough for a test.
WIDEST = [("reorder_100", name) for name in SCHEDULERS] + [("twostage_100", "surw")]


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


@program(steps_max=400, threads=Param(2, 128, default=2))
def many_loops(p):
    """Threads wait in a loop: priorities then move at every turn of it."""
    go = p.shared("go", uint(1))

    @p.thread(instances=p.threads)
    def wait():
        while READ_ONCE(go) == 0:
            cpu_relax()


@program(steps_max=400, threads=Param(2, 128, default=2))
def many_places(p):
    """Each thread takes a number, and writes the place of that number: any of many."""
    ticket = p.shared("ticket", uint(7, wrapping=True))
    places = p.array("places", p.threads, uint(1))

    @p.thread(instances=p.threads)
    def take():
        mine = READ_ONCE(ticket)
        WRITE_ONCE(ticket, mine + 1)
        WRITE_ONCE(places[mine], 1)
        READ_ONCE(places[ME])


SHAPES: dict[str, Callable[[int], Program]] = {
    "counters": lambda threads: many_counters.compile(threads=threads),
    "loops": lambda threads: many_loops.compile(threads=threads),
    "places": lambda threads: many_places.compile(threads=threads),
    "spawned": lambda threads: small.reorder.compile(setters=threads - 2),
}
SLOW = ("loops", "places")


def gates_of_choice(compiled: Program, scheduler: Scheduler) -> int:
    """Gates for who steps next and what the scheduler keeps, pending steps included.

    Counted as they are built: what is saved later by looking at the whole circuit is not.
    """
    prepared, net, layout = scheduler.prepared(compiled), Netlist(), layout_of(compiled)
    state = [net.input() for _ in layout.planes]
    enabled = [net.input() for _ in compiled.threads]
    kept = [net.input() for _ in prepared.initial(compiled)]
    turn = Turn(net, enabled, kept, net.input, lambda: pending_lines(layout, net, state))
    choice = prepared.circuit(compiled, turn)
    choice.kept_after(Stepped(choice.threads, net.input()))
    return sum(kind != INPUT for kind, _, _ in net.gates)


@pytest.mark.parametrize(
    "shape", [pytest.param(s, marks=[pytest.mark.slow] if s in SLOW else []) for s in SHAPES]
)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_choice_grows_no_faster_than_threads_times_their_logarithm(name, shape):
    """From 4 threads to 128: gates divided by T log T never rise with T."""
    shares = [
        gates_of_choice(SHAPES[shape](threads), SCHEDULERS[name]()) / (threads * log2(threads))
        for threads in THREADS
    ]
    assert all(more <= fewer for fewer, more in pairwise(shares)), shares


@pytest.mark.slow
@pytest.mark.parametrize(("widest", "name"), WIDEST)
def test_a_hundred_threads_are_executed_as_the_interpreter_says(widest, name):
    (benchmark,) = (b for b in BENCHMARKS if b.name == widest)
    compiled = benchmark.program
    engine = Engine(compiled, SCHEDULERS[name]())
    result = engine.run_block(root_seed=1, block=0, passes=16)
    assert len(compiled.threads) == 101 and result.schedules >= 512
    traces = engine.recover(result.hits, root_seed=1, block=0, passes=16)
    assert [trace.site for trace in traces] == [hit.site for hit in result.hits]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"), [("reorder_50", Measure(1, 2, 3, 54)), ("twostage_50", Measure(1, 2, 3, 60))]
)
def test_what_fails_with_fifty_threads_is_minimized_with_proof(name, least):
    (benchmark,) = (b for b in BENCHMARKS if b.name == name)
    engine, hits, block = Engine(benchmark.program, Surw()), (), -1
    while not hits:
        block += 1
        hits = engine.run_block(root_seed=1, block=block, passes=64).hits
    for failing in engine.recover(hits[:4], root_seed=1, block=block, passes=64):
        assert measure(failing) > least
        minimal = minimize(benchmark.program, failing)
        assert measure(minimal.trace) == least and set(minimal.proof.values()) == {PROVED}


@pytest.mark.slow
def test_128_threads_are_executed_as_the_interpreter_says():
    engine = Engine(many_counters.compile(threads=128))
    result = engine.run_block(root_seed=1, block=0, passes=16)
    assert result.schedules >= 512 and result.hits
    traces = engine.recover(result.hits, root_seed=1, block=0, passes=16)
    assert [trace.site for trace in traces] == [hit.site for hit in result.hits]
