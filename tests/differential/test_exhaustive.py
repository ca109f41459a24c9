"""Every schedule with at most c preemptions is executed, once, as the interpreter enumerates."""

from collections import Counter

import pytest
from hypothesis import given

from model import exhaustive_engine
from model.exhaustive_engine import ExhaustiveEngine, Tally
from model.interpreter import Machine, Trace, advance
from model.language import READ_ONCE, WRITE_ONCE, choose, cpu_relax, program, uint
from model.program import Outcome, Program
from model.schedulers.exhaustive import Exhaustive
from model.trace import preemptions
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import drawing
from tests.programs.schedulers_4_4.table import ROWS, Row
from tests.toy_programs import PROGRAMS

STEPS_MAX = 4000


class TooMany(Exception):
    """More steps than a test waits for."""


def enumerated(program: Program, c: int) -> list[Trace]:
    """All executions with at most c preemptions, each followed from its first step."""
    found: list[Trace] = []
    machine, steps_left = Machine(program), iter(range(STEPS_MAX))

    def visit(events: tuple) -> None:
        if machine.outcome is not None:
            found.append(Trace(program, events, machine.outcome, machine.site))
            return
        key, steps = machine.key(), machine.steps
        for thread in machine.enabled():
            waiting = [()]
            while waiting:
                script = waiting.pop(0)
                offered = []

                def chosen(options, script=script, offered=offered):
                    offered.append(options)
                    number = len(offered) - 1
                    return options[script[number] if number < len(script) else 0]

                if next(steps_left, None) is None:
                    raise TooMany
                machine.restore(key, steps)
                event = advance(machine, thread, chosen)
                if len(offered) > len(script):
                    waiting += [(*script, n) for n in range(len(offered[len(script)]))]
                    continue
                # Who could have gone on is known from the next event, where there is one.
                if len(preemptions(Trace(program, (*events, event), None, None))) <= c:
                    visit((*events, event))
            machine.restore(key, steps)

    visit(())
    return found


def total_of(engine: ExhaustiveEngine) -> dict[int, Tally]:
    """What all blocks give, by preemptions."""
    found: dict[int, Tally] = {}
    for block in range(engine.blocks):
        tally = engine.run_block(block)
        total = found.setdefault(engine.preemptions_of(block), Tally())
        total.outcomes += tally.outcomes
        total.sites += tally.sites
        total.hits += tally.hits
    return found


def compare(program: Program, c: int) -> bool:
    try:
        expected = enumerated(program, c)
    except TooMany:
        return False
    found = total_of(ExhaustiveEngine(program, Exhaustive(c)))
    for number, tally in found.items():
        traces = [trace for trace in expected if len(preemptions(trace)) == number]
        assert +tally.outcomes == Counter(trace.outcome for trace in traces)
        sites = Counter(trace.site for trace in traces if trace.site is not None)
        assert +tally.sites == sites
        engine = ExhaustiveEngine(program, Exhaustive(c))
        for site, moves in tally.hits:
            trace = engine.trace(moves)
            assert trace.site == site and len(preemptions(trace)) == number
            assert trace.schedule in {each.schedule for each in traces}
    return True


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_counts_are_those_that_are_published(row: Row):
    engine, every, failing, counts = ExhaustiveEngine(row.program, Exhaustive(2)), 0, 0, []
    for _, tally in sorted(total_of(engine).items()):
        every, failing = every + tally.schedules, failing + tally.sites.total()
        counts.append((every, failing))
    assert tuple(counts) == row.by_preemptions


@pytest.mark.parametrize("name", ["crossed_locks", "lost_update"])
def test_toy_programs_have_the_schedules_that_the_interpreter_enumerates(name):
    assert compare(next(each for each in PROGRAMS if each.name == name), 1)


@pytest.mark.slow
@drawing(8)
@given(programs())
def test_random_programs_have_the_schedules_that_the_interpreter_enumerates(drawn: Drawn):
    for c in (0, 1, 2):
        if not compare(drawn.program, c):
            break


@pytest.mark.parametrize(("width", "block_steps"), [(1, 1), (40, 300), (1 << 16, 1 << 18)])
def test_blocks_divide_the_schedules_whatever_their_size(monkeypatch, width, block_steps):
    program = next(row.program for row in ROWS if row.name == "reorder_4")
    whole = total_of(ExhaustiveEngine(program, Exhaustive(2)))
    monkeypatch.setattr(exhaustive_engine, "WIDTH", width)
    monkeypatch.setattr(exhaustive_engine, "BLOCK_STEPS", block_steps)
    engine = ExhaustiveEngine(program, Exhaustive(2))
    parts = total_of(engine)
    assert {n: (t.outcomes, t.sites) for n, t in parts.items()} == {
        n: (t.outcomes, t.sites) for n, t in whole.items()
    }
    assert engine.blocks > 3 or width != 40
    # A block is a pure function: in any order, and by another engine.
    other = ExhaustiveEngine(program, Exhaustive(2))
    for block in reversed(range(engine.blocks)):
        assert other.run_block(block) == engine.run_block(block)


@program(steps_max=7)
def waiting(p):
    """One waits for the other, which may choose not to come."""
    flag = p.shared("flag", uint(1))

    @p.thread()
    def waits():
        while READ_ONCE(flag) == 0:
            cpu_relax()

    @p.thread()
    def comes():
        which = choose(0, 1)
        WRITE_ONCE(flag, which)


def test_executions_that_never_end_are_counted_at_the_step_limit():
    program = waiting.compile()
    assert compare(program, 2)
    outcomes = total_of(ExhaustiveEngine(program, Exhaustive(0)))[0].outcomes
    assert outcomes[Outcome.STEP_LIMIT] and outcomes[Outcome.OK]


def test_the_steps_that_were_reached_are_known():
    program = next(row.program for row in ROWS if row.name == "twostage")
    engine = ExhaustiveEngine(program, Exhaustive(1))
    reached = set().union(*(engine.run_block(block).reached for block in range(engine.blocks)))
    assert reached == {
        (body, step)
        for body, each in enumerate(program.bodies)
        for step in range(len(each.steps))
    }
