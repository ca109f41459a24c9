"""Every program of the library does what the `Result:` lines in its own header say."""

import pytest

from model.claims import Claim, claims_of
from model.explore import explore
from model.language.declare import Operation, Option, Patch, ProgramSource
from model.library import PROGRAMS

STATES_MAX = 4_000_000

CLAIMS = [claim for source in PROGRAMS.values() for claim in claims_of(source)]


def test_every_program_states_its_result():
    assert all(any(claim.source is source for claim in CLAIMS) for source in PROGRAMS.values())


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=list(PROGRAMS))
def test_a_program_states_what_breaks_it(source: ProgramSource):
    """A clean verdict is worth something only where another design is not clean."""
    assert {claim.verdict for claim in CLAIMS if claim.source is source} == {"ok", "violation"}


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=list(PROGRAMS))
def test_every_value_of_a_parameter_has_a_result(source: ProgramSource):
    """But for numbers and operations: one more thread, or what it does, is the same design."""
    stated = {pair for claim in CLAIMS if claim.source is source for pair in claim.parameters}
    for name, parameter in source.parameters.items():
        if isinstance(parameter, Operation):
            continue
        if isinstance(parameter, Option):
            values = parameter.names[1:]
        elif isinstance(parameter, Patch):
            values = ("off",) if parameter.default else ("on",)
        else:
            continue
        assert {(name, value) for value in values} <= stated


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_a_program_does_what_its_header_says(claim: Claim):
    """A violation is found; `ok` is proved by exploring every reachable state."""
    program = claim.source.compile(**dict(claim.parameters))
    explored = explore(program, states_max=STATES_MAX)
    if claim.verdict == "violation":
        found = {program.sites[site].sentence for site in explored.sites}
        assert claim.sentence in found if claim.sentence else found
    else:
        assert explored.exhausted and not explored.sites
