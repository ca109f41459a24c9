"""What a program's oracles are worth: which of its mutants they catch, and what is never reached.

A mutant is caught where exploring it shows a violation of a site that the program itself never
violates, or that a state is left from which no end can be reached, as from none of the program's.
A survivor is equivalent only where the explorer proves it: its `difference` has every state seen,
and in none of them does a mutated operation do other than the original one. So in each execution
each operation does the same; of a split RMW, that the value read is still there at the write, so
that both act as one at that moment. Or nothing that is declared tells it from the program
(`model/bisimulation.py`). Other survivors, and what was not explored to the end, count against the
score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from model.bisimulation import Finding, compared
from model.explore import Explored, Explorer, successors_of
from model.expressions import FALSE
from model.mutants import Kind, Mutant, mutants
from model.program import Check, Oracle, Program, Step
from model.validation import leaves
from model.variants import Place, Variant, variants_of

MEMORY = 1 << 30
COMPARED_MAX = 300_000
ORACLES_TO_REACH = (Oracle.ASSERT, Oracle.INVARIANT, Oracle.AT_END)


class TooLarge(ValueError):
    """The program itself has more states than may be visited; the message says what to do."""


class Fate(StrEnum):
    """What became of a mutant. The value is the word shown."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    BOUNDED = "bounded"
    EQUIVALENT = "equivalent"
    UNREACHED = "not reached"
    BARRIER = "not visible"


SURVIVING = (Fate.SURVIVED, Fate.BOUNDED)


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant with its fate; `site` is the first new violation, `states` what was visited.

    A mutant that is caught without a site comes to no end.
    """

    mutant: Mutant
    fate: Fate
    site: int | None
    states: int

    @property
    def violated(self) -> str | None:
        """What caught the mutant, as a sentence; None where nothing did."""
        if self.fate is not Fate.CAUGHT:
            return None
        if self.site is None:
            return Finding.ENDLESS.value
        return self.mutant.original.sites[self.site].sentence


@dataclass(frozen=True, slots=True)
class Mutation:
    """All mutants of a program, judged; `original` is what exploring the program itself showed.

    `unreached_steps` (with their bodies' names in their labels) and `unreached_sites` are what no
    execution of it ever reaches.
    """

    program: Program
    original: Explored
    judged: tuple[Judged, ...]
    unreached_steps: tuple[Step, ...]
    unreached_sites: tuple[int, ...]

    def count(self, *fates: Fate) -> int:
        """How many mutants had one of these fates."""
        return sum(each.fate in fates for each in self.judged)

    @property
    def survivors(self) -> tuple[Judged, ...]:
        """The mutants that count against the score."""
        return tuple(each for each in self.judged if each.fate in SURVIVING)

    @property
    def score(self) -> float | None:
        """The share caught of those that count, 0 to 1; None where none does."""
        counted = self.count(Fate.CAUGHT, *SURVIVING)
        return self.count(Fate.CAUGHT) / counted if counted else None


Note = Callable[[int, int], None]


def mutate(program: Program, *, states_max: int, note: Note = lambda done, of: None) -> Mutation:
    """Derive all mutants and explore each; `note` hears how many of how many are judged.

    Raises TooLarge where the program itself was not explored to its end: what of a mutant is new
    could not be said.
    """
    explorer = Explorer(program, memory=MEMORY, symmetry=True)
    original = _explored(explorer, states_max, frozenset(range(len(program.sites))))
    if not original.exhausted:
        raise TooLarge(
            f"{program.title} has more than {original.states:,} states\n"
            "    give more with --states, or smaller parameters with --param"
        )
    derived, unreached = mutants(program), _unreached_steps(explorer)
    judged = {m: Judged(m, fate, None, 0) for m in derived if (fate := _early(m, unreached))}
    seen = [mutant for mutant in derived if mutant not in judged]
    asked = _sites_to_reach(program)
    note(0, len(seen))
    found = _Exploration(
        program,
        [*(mutant.variant for mutant in seen), *(Variant(failing=site) for site in asked)],
        states_max,
    )
    known = frozenset(original.sites)
    for number, mutant in enumerate(seen):
        judged[mutant] = _judged(mutant, found.explored(number, known), known)
        note(number + 1, len(seen))
    every = frozenset(range(len(program.sites)))
    reached = {site: found.explored(len(seen) + k, every - {site}) for k, site in enumerate(asked)}
    clean = not original.sites
    left = [m for m in seen if judged[m].fate in SURVIVING and (clean or m.kind is not Kind.SWAP)]
    for mutant in _equivalent(left, states_max):
        judged[mutant] = replace(judged[mutant], fate=Fate.EQUIVALENT)
    if clean:
        left = [m for m in seen if judged[m].fate is Fate.SURVIVED]
        found_of = compared(program, [m.variant for m in left], states_max=COMPARED_MAX)
        for number, finding in found_of:
            fate = Fate.EQUIVALENT if finding is Finding.SAME else Fate.CAUGHT
            judged[left[number]] = replace(judged[left[number]], fate=fate)
    return Mutation(
        program,
        original,
        tuple(judged[mutant] for mutant in derived),
        tuple(program.bodies[body].steps[pc] for body, pc in sorted(unreached)),
        tuple(s for s, seen in reached.items() if seen.exhausted and s not in seen.sites),
    )


def _early(mutant: Mutant, unreached: frozenset[Place]) -> Fate | None:
    """What becomes of a mutant that need not be explored.

    Where no thread ever stands before a step that is replaced, none stands before a new one, and
    all reachable states are those of the program itself.
    """
    if mutant.kind is Kind.BARRIER:
        return Fate.BARRIER
    program = mutant.original
    replaced = [(b, pc) for b, pc in mutant.variant.steps if pc < len(program.bodies[b].steps)]
    return Fate.UNREACHED if unreached.issuperset(replaced) else None


class _Exploration:
    """Variants of one program, each explored from its own start by the same circuit."""

    def __init__(self, program: Program, variants: Sequence[Variant], states_max: int) -> None:
        self.variants = variants_of(program, variants)
        self.successors = successors_of(self.variants.program, symmetry=True)
        self.states_max = states_max

    def explored(self, number: int, known: frozenset[int]) -> Explored:
        """Every state of a variant, or those until a site that is not known is violated."""
        explorer = Explorer(
            self.variants.program,
            memory=MEMORY,
            symmetry=True,
            successors=self.successors,
            start=self.variants.start(number),
        )
        return _explored(explorer, self.states_max, known)


def _explored(explorer: Explorer, states_max: int, known: frozenset[int]) -> Explored:
    """Explore until every state is seen, too many are, or a site that is not known is violated."""
    while explorer.states <= states_max and explorer.advance():
        if explorer.explored().sites.keys() - known:
            break
    return explorer.explored()


def _judged(mutant: Mutant, explored: Explored, known: frozenset[int]) -> Judged:
    fresh = sorted((depth, site) for site, depth in explored.sites.items() if site not in known)
    if fresh:
        return Judged(mutant, Fate.CAUGHT, fresh[0][1], explored.states)
    fate = Fate.SURVIVED if explored.exhausted else Fate.BOUNDED
    return Judged(mutant, fate, None, explored.states)


def _equivalent(survivors: Sequence[Mutant], states_max: int) -> Iterator[Mutant]:
    """The survivors of whose proofs every state is seen, and the last site is never violated."""
    groups: dict[int, list[tuple[Mutant, Variant]]] = {}
    for mutant in survivors:
        if mutant.proof is not None:
            groups.setdefault(id(mutant.watched), []).append((mutant, mutant.proof))
    for group in groups.values():
        found = _Exploration(group[0][0].watched, [proof for _, proof in group], states_max)
        last = len(found.variants.program.sites) - 1
        for number, (mutant, _) in enumerate(group):
            explored = found.explored(number, frozenset(range(last)))
            if explored.exhausted and last not in explored.sites:
                yield mutant


def _sites_to_reach(program: Program) -> list[int]:
    """The asserts and invariants that some step can evaluate.

    What says of itself that it is never reached (`assert False`) need not be.
    """
    trees = [program.invariants, program.at_end]
    trees += [step.ops for body in program.bodies for step in body.steps]
    checks = [op for ops in trees for op in leaves(ops) if isinstance(op, Check)]
    wanted = {check.site for check in checks if check.test != FALSE}
    return [n for n in sorted(wanted) if program.sites[n].oracle in ORACLES_TO_REACH]


def _unreached_steps(explorer: Explorer) -> frozenset[Place]:
    """The steps before which no thread ever stands, of a program that was explored to its end."""
    program, successors = explorer.program, explorer.successors
    rows = explorer.snapshot()["table"].astype(np.uint64, copy=False)
    every = {(b, pc) for b, body in enumerate(program.bodies) for pc in range(len(body.steps))}
    for thread, made in enumerate(program.threads):
        threads = np.full(len(rows), thread, np.int64)
        here = np.unique(successors.codes_of_steps(rows, threads)).tolist()
        codes = successors.layout.bodies[made.body].codes
        every -= {(made.body, pc) for pc, code in codes.items() if code in here}
    return frozenset(every)
