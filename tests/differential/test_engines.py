"""Random programs: in every lane and from every state, the circuit does what it should."""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from model.circuit.block import PASSES as PASSES_OF_BLOCK
from model.circuit.block import Engine
from model.circuit.step_circuit import Stepper
from model.explore import explore
from tests.differential.lockstep import (
    Follower,
    combinations_of_draws,
    expect_block,
    expect_recovered,
    expect_steps,
)
from tests.differential.random_programs import Drawn, programs
from tests.lost_update import lost_update
from tests.toy_programs import PROGRAMS

EXAMPLES, EXAMPLES_SLOW = 25, 50
COMBINATIONS_MAX = 24
ROOT_SEEDS = st.integers(0, 2**70)
PASSES = st.integers(1, 30)


def drawing(examples: int):
    """Settings for tests whose example takes about a second: a fixed sequence of examples."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )


def compare_block(
    program, root_seed: int, passes: int, *, widths: tuple[int, ...], scheduler=None
) -> None:
    engine = Engine(program, scheduler, lanes=512)
    result = engine.run_block(root_seed=root_seed, block=3, passes=passes)
    follower = Follower(engine, root_seed=root_seed, block=3, passes=passes)
    expect_block(result, follower.expected)
    expect_recovered(engine, result, root_seed=root_seed, passes=passes)
    for lanes in widths:
        narrow = Engine(program, scheduler, lanes=lanes)
        assert narrow.run_block(root_seed=root_seed, block=3, passes=passes) == result


def compare_steps(program, *, states_max: int) -> None:
    reached = expect_steps(Stepper(program), states_max=states_max)
    if reached.exhausted:
        explored = explore(program, states_max=states_max)
        assert (explored.states, explored.exhausted) == (reached.states, True)
        assert explored.sites == reached.sites


@drawing(EXAMPLES)
@given(programs(), ROOT_SEEDS, PASSES)
def test_every_lane_of_a_block_does_what_the_interpreter_does(drawn: Drawn, root_seed, passes):
    compare_block(drawn.program, root_seed, passes, widths=())


@drawing(EXAMPLES)
@given(programs())
def test_every_step_from_every_state_is_the_interpreters(drawn: Drawn):
    assume(combinations_of_draws(drawn.program) <= COMBINATIONS_MAX)
    compare_steps(drawn.program, states_max=200)


@drawing(4)
@given(programs(), ROOT_SEEDS, PASSES)
def test_a_block_does_not_depend_on_the_vector_width(drawn: Drawn, root_seed, passes):
    compare_block(drawn.program, root_seed, passes, widths=(128, 256))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_the_engines_agree_on_the_toy_programs(program):
    compare_block(program, 1, 10, widths=(64,))
    compare_steps(program, states_max=600)


@pytest.mark.parametrize("lanes", [128, 512])
def test_executions_are_counted_as_they_end(lanes):
    """Those of the lost update take four steps each, and every lane restarts at once."""
    engine = Engine(lost_update.compile(), lanes=lanes)
    for passes in range(12):
        assert engine.ended_within(passes, root_seed=7, block=3) == 512 * (passes // 4)
    whole = engine.run_block(root_seed=7, block=3)
    assert engine.ended_within(2 * PASSES_OF_BLOCK, root_seed=7, block=3) == whole.schedules


@pytest.mark.slow
@pytest.mark.timeout(1200)
@drawing(EXAMPLES_SLOW)
@given(programs(), ROOT_SEEDS, PASSES)
def test_every_lane_of_many_blocks_does_what_the_interpreter_does(drawn: Drawn, root_seed, passes):
    compare_block(drawn.program, root_seed, passes, widths=(128,))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@drawing(EXAMPLES_SLOW)
@given(programs())
def test_every_step_from_many_states_is_the_interpreters(drawn: Drawn):
    assume(combinations_of_draws(drawn.program) <= COMBINATIONS_MAX)
    compare_steps(drawn.program, states_max=2000)
