"""Successors of rows: those of the interpreter, from every reachable state of random programs."""

from collections import Counter

import pytest
from hypothesis import assume, given

from model.circuit.successors import GOES_ON, Successors, came_from
from model.circuit.visited import Visited
from model.interpreter import Machine
from model.program import Outcome
from tests.differential.lockstep import combinations_of_draws, filled
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import COMBINATIONS_MAX, drawing
from tests.toy_programs import PROGRAMS

STATES_MAX = 150


def expect_successors(program) -> bool:
    """Every move of every state does what the interpreter does; False where there are many."""
    successors, machine = Successors(program), Machine(program)
    visited = Visited(successors.words, memory=1 << 20)
    visited.insert(successors.initial)
    keys, done = [machine.key()], 0
    while done < visited.count:
        if visited.count > STATES_MAX:
            return False
        begin, done = done, min(visited.count, done + successors.rows_max)
        expanded = successors.expand(visited.rows(begin, done))
        met: Counter = Counter()
        for row, origin in zip(expanded.rows, expanded.origins.tolist(), strict=True):
            number, move = came_from(origin)
            met[number] += 1
            after = expect_step(machine, keys[begin + number], successors.moves[move])
            assert machine.outcome is None
            unpacked = successors.layout.unpack(*successors.unpacked(row[None]))
            assert unpacked == filled(program, after)
            thread = successors.moves[move].thread
            goes_on = machine.is_enabled(thread) and not machine.yields
            assert goes_on == bool(origin & int(GOES_ON))
            if len(visited.insert(row[None].copy())):
                keys.append(after)
        for code, origin in zip(expanded.codes.tolist(), expanded.ends.tolist(), strict=True):
            number, move = came_from(origin)
            met[number] += 1
            expect_step(machine, keys[begin + number], successors.moves[move])
            discarded = machine.outcome is Outcome.DISCARDED
            assert code == (successors.circuit.codes.discarded if discarded else 1 + machine.site)
        assert met.total() <= expanded.steps
        for number in range(done - begin):
            machine.restore(keys[begin + number], -(10**9))
            assert met[number] > 0 or machine.enabled()
    return True


def expect_step(machine: Machine, key, move) -> tuple[object, ...]:
    machine.restore(key, -(10**9))
    machine.step(move.thread, move.chooser())
    return machine.key()


@drawing(30)
@given(programs(tiny=True))
def test_successors_of_random_programs_are_the_interpreters(drawn: Drawn):
    assume(combinations_of_draws(drawn.program) <= COMBINATIONS_MAX)
    assume(expect_successors(drawn.program))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_successors_of_the_toy_programs_are_the_interpreters(program):
    expect_successors(program)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_rows_are_states_and_back(program):
    successors = Successors(program)
    assert successors.unpacked(successors.initial) == [successors.layout.initial]
    rows = successors.expand(successors.initial).rows
    assert (successors.packed(successors.unpacked(rows)) == rows).all()
