"""Spin, reading the exported model, sees the states and the violations that the explorer sees."""

import pytest
from hypothesis import assume, given

from model.explore import Explored, explore
from model.program import Program
from tests.awkward_names import awkward
from tests.differential.lockstep import combinations_of_draws
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import COMBINATIONS_MAX, drawing
from tests.programs.test_results import CLAIMS, STATES_MAX, Claim
from tests.toy_programs import PROGRAMS
from workers.spin import SpinError, compiled_model, missing

EXAMPLES = 100
STATES_OF_RANDOM = 20_000
PAN = "-O0"  # compiling takes longer than searching
SMALL = (*PROGRAMS, awkward.compile())

pytestmark = pytest.mark.skipif(
    bool(missing()), reason=f"not installed: {', '.join(missing())} (make system-packages)"
)


def expect_agreement(program: Program, explored: Explored) -> None:
    """Spin sees equally many states, and violations of the same sites."""
    assert explored.exhausted
    with compiled_model(program, optimize=PAN, hash_bits=20) as search:
        seen = search()
    assert seen.sites == set(explored.sites)
    assert seen.states == explored.states
    assert seen.discarded == explored.discarded


@pytest.mark.parametrize("program", SMALL, ids=lambda program: program.name)
def test_spin_agrees_on_small_programs(program):
    expect_agreement(program, explore(program))


def test_a_search_that_was_cut_off_says_nothing():
    shallow = compiled_model(PROGRAMS[0], optimize=PAN, depth_max=5, hash_bits=20)
    with shallow as search, pytest.raises(SpinError, match="max search depth too small"):
        search()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@drawing(EXAMPLES)
@given(programs())
def test_spin_agrees_on_random_programs(drawn: Drawn):
    assume(combinations_of_draws(drawn.program) <= COMBINATIONS_MAX)
    explored = explore(drawn.program, states_max=STATES_OF_RANDOM)
    assume(explored.exhausted)
    expect_agreement(drawn.program, explored)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_spin_agrees_on_the_library(claim: Claim):
    program = claim.source.compile(**dict(claim.parameters))
    expect_agreement(program, explore(program, states_max=STATES_MAX))
