"""Every program of the library does what the `Result:` lines in its own header say."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from model.explore import explore
from model.language.declare import Operation, Option, Patch, ProgramSource
from model.library import PROGRAMS

STATES_MAX = 4_000_000
LINE = re.compile(r"Result: (?P<verdict>\w+)(?: \((?P<given>[^)]*)\))?(?:: (?P<sentence>.+))?")


@dataclass(frozen=True)
class Claim:
    """One line of a header: what a program with these parameters does, and which oracle says so."""

    source: ProgramSource
    verdict: str
    parameters: tuple[tuple[str, str], ...]
    sentence: str | None

    def __str__(self) -> str:
        given = ",".join(f"{name}={value}" for name, value in self.parameters)
        return f"{self.source.name}({given})"


def claims_of(source: ProgramSource) -> list[Claim]:
    """The claims in the header of a program's file, every one of which must parse."""
    header = Path(source.file).read_text(encoding="utf-8").split('"""')[1]
    claims = []
    for line in header.splitlines():
        if not line.startswith("Result:"):
            continue
        match = LINE.fullmatch(line)
        assert match is not None and match["verdict"] in ("ok", "violation"), line
        pairs = [pair.partition("=") for pair in (match["given"] or "").split(", ") if pair]
        claims.append(
            Claim(
                source,
                match["verdict"],
                tuple((name, value) for name, _, value in pairs),
                match["sentence"],
            )
        )
    return claims


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
