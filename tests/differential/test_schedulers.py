"""Every scheduler's circuit chooses what its reference form does, lane for lane, pass for pass."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from model.schedulers.named import scheduler_named
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import PASSES, ROOT_SEEDS, compare_block, drawing
from tests.toy_programs import PROGRAMS

NAMES = (
    "pct",
    "pct:d=1",
    "pct:d=5,k=5",
    "pct:d=4,demotes=before",
    "pct:k=8,demotes=before",
    "pos",
    "pos:bits=2",
    "urw",
    "surw",
    "preemption_bounded",
    "preemption_bounded:c=1,k=5",
)


@drawing(7)
@given(programs(), st.sampled_from(NAMES), ROOT_SEEDS, PASSES)
def test_every_lane_chooses_as_the_reference_does(drawn: Drawn, name, root_seed, passes):
    scheduler = scheduler_named(name)
    compare_block(drawn.program, root_seed, passes, scheduler=scheduler, widths=())


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_a_block_does_not_depend_on_the_vector_width(number):
    program = PROGRAMS[number % len(PROGRAMS) - 1]
    compare_block(program, number, 12, scheduler=scheduler_named(NAMES[number]), widths=(64,))
