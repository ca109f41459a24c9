"""What a block's coverage says is what the interpreter shows of the same executions."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from model.circuit.block import Engine, _bits
from model.foata import normal_form, step_key
from model.interpreter import Machine, Trace
from model.program import Outcome, Program
from model.step_pairs import PairKind, StepPair, possible_pairs, touched_by
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import drawing
from tests.programs.schedulers_4_4.table import ROWS
from tests.toy_programs import PROGRAMS

BLOCK, LANES_COMPARED = 3, 128


def first_executions(engine: Engine, *, root_seed: int) -> list[Trace]:
    """The first execution of every lane of a chunk, executed by the interpreter."""
    traces, known = [], dict[bytes, Trace]()
    for chunk in engine._chunks(root_seed, BLOCK)[:1]:
        lines = np.concatenate([each.lines for each in engine._first_executions(chunk)])
        record = np.ascontiguousarray(lines[:, : len(engine.circuit.record)])
        bits = _bits(record)
        for lane, last in enumerate(bits[:, -1].argmax(axis=0).tolist()):
            key = bits[: last + 1, :, lane].tobytes()
            if key not in known:
                known[key] = engine._follow(record, lane, last)
            traces.append(known[key])
    assert all(trace.outcome is not None for trace in traces)
    return [trace for trace in traces if trace.outcome is not Outcome.DISCARDED]


def pairs_of(trace: Trace) -> set[StepPair]:
    """By the definition: looking back from every event over all that were before it."""
    program = trace.program
    machine = Machine(replace(program, invariants=(), at_end=()))
    accesses, found = [], set()
    for event in trace.events:
        chosen = iter(event.choices)
        machine.step(event.thread, lambda options, chosen=chosen: next(chosen))
        declared = touched_by(program, event.thread, event.pc)
        reads, writes = machine.reads & declared.reads, machine.writes & declared.writes
        step = program.threads[event.thread].body, event.pc
        for place in reads | writes:
            met: set[int] = set()
            for thread, earlier, had_read, had_written in reversed(accesses):
                if thread != event.thread and place in had_written:
                    if place in reads:
                        found.add(StepPair(PairKind.READS, earlier, step))
                    if place in writes:
                        found.add(StepPair(PairKind.OVERWRITES, earlier, step))
                elif thread != event.thread and place in had_read and place in writes:
                    if thread not in met:
                        found.add(StepPair(PairKind.OVERWRITES, earlier, step))
                    met.add(thread)
                if place in had_written:
                    break
        accesses.append((event.thread, step, reads, writes))
    return found & possible_pairs(program)


def states_of(trace: Trace) -> set[object]:
    machine, found = Machine(trace.program), set()
    for event in trace.events:
        found.add(machine.key())
        chosen = iter(event.choices)
        machine.step(event.thread, lambda options, chosen=chosen: next(chosen))
    return found


def compare(program: Program, root_seed: int) -> None:
    engine = Engine(program, lanes=LANES_COMPARED)
    chunk = engine._chunks(root_seed, BLOCK)[0]
    shown = engine._observer.coverage([engine._first_executions(chunk)], block=BLOCK)
    traces = first_executions(engine, root_seed=root_seed)
    schedules = Counter(trace.schedule for trace in traces)
    different = {trace.schedule: trace for trace in traces}
    classes: Counter[object] = Counter()
    pairs: Counter[StepPair] = Counter()
    for schedule, trace in different.items():
        classes[normal_form(trace.events, step_key)] += schedules[schedule]
        for pair in pairs_of(trace):
            pairs[pair] += schedules[schedule]
    assert shown.executions == len(traces)
    events = [event for trace in different.values() for event in trace.events]
    assert shown.steps == {(program.threads[e.thread].body, e.pc) for e in events}
    assert {pair: each.executions for pair, each in shown.pairs.items()} == pairs
    assert {each.first_block for each in shown.pairs.values()} <= {BLOCK}
    assert sorted(shown.classes.rows[:, 1].tolist()) == sorted(classes.values())
    assert shown.states.count == len(set().union(*map(states_of, different.values())))


SLOW = ("early_free", "late_child", "stale_lookup")


@pytest.mark.parametrize(
    "program",
    [pytest.param(p, marks=[pytest.mark.slow] if p.name in SLOW else []) for p in PROGRAMS],
    ids=lambda program: program.name,
)
def test_coverage_of_the_toy_programs_is_what_the_interpreter_shows(program):
    compare(program, 7)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_coverage_of_the_published_programs_is_what_the_interpreter_shows(row):
    compare(row.program, 11)


@pytest.mark.slow
@drawing(8)
@given(programs(tiny=True))
def test_coverage_of_random_programs_is_what_the_interpreter_shows(drawn: Drawn):
    compare(drawn.program, 13)


def test_coverage_depends_on_the_block_only():
    """Not on the vector width, nor on what was sampled before."""
    program = PROGRAMS[0]
    narrow, wide = Engine(program, lanes=64), Engine(program, lanes=512)
    for block in range(3):
        wide.coverage(root_seed=1, block=block)
    assert wide.coverage(root_seed=1, block=9) == narrow.coverage(root_seed=1, block=9)
    assert wide.coverage(root_seed=1, block=9) != wide.coverage(root_seed=1, block=10)
