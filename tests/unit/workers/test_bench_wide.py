"""The wide program is what its figures are said to be of."""

from model.circuit.block import Engine
from model.program import Outcome
from workers.bench_wide_program import wide


def test_the_wide_program_has_25_threads_and_130_steps_and_ends_well():
    program = wide.compile()
    assert len(program.threads) == 25
    assert sum(len(body.steps) for body in program.bodies) == 130
    result = Engine(program).run_block(root_seed=1, block=0, passes=700)
    assert result.outcomes[Outcome.OK] == result.schedules >= 512
