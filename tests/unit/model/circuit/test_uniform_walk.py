"""The uniform walk is exactly uniform, counted over every pattern of random bits."""

import pytest

from model.circuit.block_circuit import CHOICE_DRAWS, _draws
from model.circuit.netlist import Netlist
from model.expressions import Local
from model.program import BOOL, Body, Choose, Goto, Label, Oracle, Program, Site, Step, Thread
from model.schedulers.uniform_walk import UniformLane, uniform_choice
from tests.differential.lockstep import Seen
from tests.unit.model.circuit.truth_tables import truth_tables


def tables_of_walk(threads: int, draws: int) -> tuple[list[int], int]:
    """The table of each thread's line over (enabled, random bits), and the number of bits."""
    net, random = Netlist(), []

    def random_bit() -> int:
        random.append(net.input())
        return random[-1]

    enabled = [net.input() for _ in range(threads)]
    lines = uniform_choice(net, enabled, random_bit, draws=draws)
    return truth_tables(net, [*enabled, *random], lines), len(random)


@pytest.mark.parametrize("threads", range(1, 9))
@pytest.mark.parametrize("draws", [1, 2])
def test_every_enabled_thread_steps_for_as_many_bit_patterns(threads, draws):
    tables, bits = tables_of_walk(threads, draws)
    for enabled in range(1, 1 << threads):
        counts = [
            sum(table >> (enabled | pattern << threads) & 1 for pattern in range(1 << bits))
            for table in tables
        ]
        able = [enabled >> thread & 1 for thread in range(threads)]
        assert {c for c, can in zip(counts, able, strict=True) if not can} <= {0}
        assert len({c for c, can in zip(counts, able, strict=True) if can}) == 1
        assert sum(counts) > 0


@pytest.mark.parametrize("threads", range(1, 9))
def test_the_circuit_chooses_as_the_reference_does(threads):
    lane = UniformLane()
    tables, bits = tables_of_walk(threads, lane.draws)
    for enabled in range(1 << threads):
        for pattern in range(1 << bits):
            source = iter([pattern >> k & 1 for k in range(bits)])
            able = [enabled >> t & 1 for t in range(threads)]
            expected = lane.choose(Seen(able), lambda source=source: next(source))
            case = enabled | pattern << threads
            stepping = [t for t, table in enumerate(tables) if table >> case & 1]
            assert stepping == ([] if expected is None or not enabled else [expected])


def choosing(options: int) -> Program:
    """One step that chooses among so many options."""
    ops = (Choose(Local("a"), tuple(range(options))), Goto(-1))
    step = Step(Label("t", "choose", 0), None, False, ops, (), "t", 1)
    body = Body("t", (("a", BOOL),), (Goto(0),), (step,))
    return Program("p", (), 9, (), (body,), (Thread("t", 0, 0),), (Site(Oracle.DEADLOCK, "stuck"),))


@pytest.mark.parametrize("options", range(1, 8))
def test_every_option_is_chosen_for_as_many_bit_patterns(options):
    net, random = Netlist(), []

    def random_bit() -> int:
        random.append(net.input())
        return random[-1]

    draws, drawn = _draws(net, choosing(options), random_bit)
    *tables, accepted = truth_tables(net, random, [*draws[0, options], drawn])
    counts = {(table & accepted).bit_count() for table in tables}
    assert (
        len(counts) == 1 and sum((t & accepted).bit_count() for t in tables) == accepted.bit_count()
    )
    assert not any(a & b & accepted for i, a in enumerate(tables) for b in tables[:i])
    assert len(random) <= 3 * CHOICE_DRAWS
