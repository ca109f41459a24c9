"""What is said to be equivalent is, on random programs: by brute force on the interpreter."""

import pytest
from hypothesis import assume, given

from model.explore import explore as explorer_says
from model.mutation import Fate, mutate
from tests.differential.lockstep import combinations_of_draws
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import COMBINATIONS_MAX, drawing
from tests.exploring import Exploration, explore

STATES, STATES_MAX = 100_000, 3_000


@pytest.mark.slow
@pytest.mark.timeout(600)
@drawing(25)
@given(programs(tiny=True))
def test_equivalent_mutants_of_random_programs_end_as_they_do(drawn: Drawn):
    """With the same verdicts, and the same values of all that is shared but RCU's own."""
    program = drawn.program
    assume(combinations_of_draws(program) <= COMBINATIONS_MAX)
    assume(explorer_says(program).states <= STATES_MAX)
    original = explore(program)
    kept = [v.name for v in program.variables if not v.internal and not v.lock]
    for each in mutate(program, states_max=STATES).judged:
        if each.fate is Fate.EQUIVALENT:
            found = explore(each.mutant.program)
            assert found.endings == original.endings, each.mutant
            assert last(found, kept) == last(original, kept), each.mutant


def last(found: Exploration, names: list[str]) -> set[tuple[tuple[int, ...], ...]]:
    return {tuple(values[name] for name in names) for values in found.last_values}
