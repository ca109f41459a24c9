"""Mutants of the whole library: of each program in every configuration that its header calls clean.

What such a verdict is worth is what is asked, so that configurations which the header calls broken
do not count: they catch anything. Several clean configurations of one program are as several tests
of one function: a mutant (what is left out, of which step, in which line) is caught where one of
them catches it, and left out of the score only where each that has it leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.claims import clean_configurations
from model.library import PROGRAMS
from model.mutation import SURVIVING, Fate, Mutation, mutate

STRONGEST = (
    Fate.CAUGHT,
    Fate.SURVIVED,
    Fate.BOUNDED,
    Fate.EQUIVALENT,
    Fate.UNREACHED,
    Fate.BARRIER,
)

Configuration = tuple[str, tuple[tuple[str, str], ...]]
"""A program's name, and parameters."""


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A mutant by what it leaves out and where, the same in all configurations that have it."""

    line: int
    step: str
    function: str
    kind: str
    change: str


@dataclass(frozen=True, slots=True)
class Told:
    """What one configuration says of its mutants, and of the steps and oracles that it has."""

    program: str
    fates: Mapping[Named, Fate]
    unreached: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Score:
    """What a program says of its mutants, all clean configurations together.

    `unreached` are the steps and oracles that no execution of any of them reaches.
    """

    program: str
    configurations: int
    fates: Mapping[Named, Fate]
    unreached: tuple[str, ...]

    def count(self, *fates: Fate) -> int:
        """How many mutants had one of these fates."""
        return sum(fate in fates for fate in self.fates.values())

    @property
    def score(self) -> float | None:
        """The share caught of those that count, 0 to 1; None where none does."""
        counted = self.count(Fate.CAUGHT, *SURVIVING)
        return self.count(Fate.CAUGHT) / counted if counted else None

    @property
    def survivors(self) -> tuple[Named, ...]:
        """The mutants that count against the score, by line."""
        return tuple(sorted(named for named, fate in self.fates.items() if fate in SURVIVING))


def configurations() -> list[Configuration]:
    """Every clean configuration of the library, that which takes longest first."""
    return [
        (source.name, tuple(given.items()))
        for source in PROGRAMS.values()
        for given in clean_configurations(source)
    ]


def told(configuration: Configuration, *, states_max: int) -> Told:
    """The mutants of one configuration, judged. Takes seconds, for thp_split half a minute."""
    name, parameters = configuration
    return _told(mutate(PROGRAMS[name].compile(**dict(parameters)), states_max=states_max))


def _told(found: Mutation) -> Told:
    program = found.program
    fates = {
        Named(m.line, m.step, m.function, m.kind.value, m.change): each.fate
        for each in found.judged
        for m in (each.mutant,)
    }
    steps = [step for body in program.bodies for step in body.steps]
    missing = set(found.unreached_steps)
    unreached: dict[str, bool] = {}
    for step in steps:
        what = f"line {step.line}: {step.label.text}"
        unreached[what] = step in missing and unreached.get(what, True)
    sites = set(found.unreached_sites)
    unreached |= {
        f"{site.oracle}: {site.sentence}": number in sites
        for number, site in enumerate(program.sites)
    }
    return Told(program.name, fates, unreached)


def scores(found: Iterable[Told]) -> list[Score]:
    """One score a program, in the order of the library."""
    by_program: dict[str, list[Told]] = {}
    for each in found:
        by_program.setdefault(each.program, []).append(each)
    return [_score(by_program[name]) for name in PROGRAMS if name in by_program]


def _score(found: list[Told]) -> Score:
    fates: dict[Named, Fate] = {}
    unreached: dict[str, bool] = {}
    for each in found:
        for named, fate in each.fates.items():
            fates[named] = min(fate, fates.get(named, fate), key=STRONGEST.index)
        for what, missing in each.unreached.items():
            unreached[what] = missing and unreached.get(what, True)
    never = tuple(sorted(what for what, missing in unreached.items() if missing))
    return Score(found[0].program, len(found), fates, never)


def library_score(found: Iterable[Score]) -> float:
    """The share caught of all mutants that count, 0 to 1. Some must."""
    caught = counted = 0
    for score in found:
        caught += score.count(Fate.CAUGHT)
        counted += score.count(Fate.CAUGHT, *SURVIVING)
    return caught / counted
