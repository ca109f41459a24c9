"""The races, by the interpreter alone: brute force reaches what the explorer reaches."""

from pathlib import Path

import pytest

from model.explore import explore
from tests import exploring
from tests.programs.test_results import CLAIMS, Claim

RACES = [claim for claim in CLAIMS if Path(claim.source.file).parent.name == "races"]


@pytest.mark.slow
@pytest.mark.parametrize("claim", RACES, ids=str)
def test_brute_force_reaches_the_same_states_and_violations(claim: Claim):
    program = claim.source.compile(**dict(claim.parameters))
    by_circuit, by_hand = explore(program, states_max=10_000), exploring.explore(program)
    assert by_circuit.exhausted and by_circuit.states == by_hand.states
    assert {program.sites[site].sentence for site in by_circuit.sites} == by_hand.sentences
