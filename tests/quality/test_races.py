"""Each race of the kernel is found within its budget and comes down to the interleaving it tells.

What is held to stands in the header of the program: `Result:` lines, and after `Found within …` the
smallest interleaving. The broken program is the mutant of the mended one: that is what makes its
proof of cleanness mean something.
"""

import re
import textwrap
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from model.circuit.block import Engine
from model.columns import diagram
from model.explore import explore
from model.language.declare import ProgramSource
from model.library import PROGRAMS
from model.minimize import PROVED, Minimal, minimize
from model.program import Program
from model.programs import races
from model.signature import signature_of
from tests.programs.test_results import CLAIMS, Claim

STATES_MAX = 100_000
FOUND = re.compile(
    r"^Found within (?P<schedules>[\d,]+) schedules(?: \((?P<given>.*)\))?,"
    r" smallest with (?P<preemptions>\d) preemptions?:\n\n(?P<told>(?:    .*\n|\n)+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Race:
    """A broken variant: what its header says of it."""

    source: ProgramSource
    given: str
    schedules_max: int
    preemptions: int
    told: str

    def __str__(self) -> str:
        return f"{self.source.name}({self.given})"

    @property
    def passes(self) -> int:
        """Of a block: few, so that the budget is many blocks."""
        return max(1, self.schedules_max // 2000)

    def compile(self) -> Program:
        return self.source.compile(**values(self.given))


def values(given: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given.split(", ") if pair]
    return {name: value for name, _, value in pairs}


def header(source: ProgramSource) -> str:
    return Path(source.file).read_text(encoding="utf-8").split('"""')[1]


def races_of(source: ProgramSource) -> list[Race]:
    return [
        Race(
            source,
            match["given"] or "",
            int(match["schedules"].replace(",", "")),
            int(match["preemptions"]),
            textwrap.dedent(match["told"]).rstrip(),
        )
        for match in FOUND.finditer(header(source))
    ]


SOURCES = [source for source in PROGRAMS.values() if Path(source.file).parent.name == "races"]
RACES = [race for source in PROGRAMS.values() for race in races_of(source)]
MENDED = [claim for claim in CLAIMS if claim.verdict == "ok" and claim.source in SOURCES]


def drawn(program: Program, minimal: Minimal) -> str:
    sentence = program.sites[minimal.trace.site or 0].sentence
    return textwrap.dedent(diagram(minimal.trace, sentence=sentence)).rstrip()


def minimal_as_told(race: Race) -> Minimal:
    """The minimum that the header tells, of a failure that the fuzzer meets within the budget."""
    program = race.compile()
    engine, spent, known, others = Engine(program), 0, set(), []
    for block in count():
        result = engine.run_block(root_seed=1, block=block, passes=race.passes)
        spent += result.schedules
        for trace in engine.recover(result.hits, root_seed=1, block=block):
            if signature_of(trace) not in known:
                known.add(signature_of(trace))
                minimal = minimize(program, trace)
                if drawn(program, minimal) == race.told:
                    assert spent <= race.schedules_max
                    return minimal
                others.append(drawn(program, minimal))
        if spent > race.schedules_max:
            break
    pytest.fail("\n\n".join([f"not met within {spent:,} schedules; but:", *others]))


def test_every_broken_variant_tells_its_interleaving():
    files = {path.stem for path in Path(races.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == {source.name for source in SOURCES}
    told = [(race.source, tuple(values(race.given).items())) for race in RACES]
    broken = [claim for claim in CLAIMS if claim.verdict == "violation" and claim.source in SOURCES]
    assert {(claim.source, claim.parameters) for claim in broken} <= set(told)
    assert len(told) == len(set(told))


@pytest.mark.parametrize("race", RACES, ids=str)
def test_a_race_is_found_and_minimized_to_exactly_the_interleaving_of_its_header(race: Race):
    minimal = minimal_as_told(race)
    assert minimal.preemptions == race.preemptions
    assert set(minimal.proof.values()) == {PROVED}


@pytest.mark.parametrize("claim", MENDED, ids=str)
def test_what_the_fix_leaves_is_proved_clean(claim: Claim):
    program = claim.source.compile(**dict(claim.parameters))
    explored = explore(program, states_max=STATES_MAX)
    assert explored.exhausted and not explored.sites and not explored.discarded
