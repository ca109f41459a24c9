"""What a program's oracles are worth: which of its mutants they catch, and what is never reached.

A mutant is caught where exploring it shows a violation of a site that the program itself never
violates. A survivor is equivalent only where the explorer proves it: its `difference` has every
state seen, and in none of them does a mutated operation do other than the original one. So in each
execution each operation does the same; of a split RMW, that the value read is still there at the
write, so that both act as one at that moment. Other survivors, and what was not explored to the
end, count against the score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from model.circuit.successors import WORD, Successors
from model.explore import Explored, Explorer
from model.expressions import FALSE
from model.mutants import Kind, Mutant, mutants
from model.program import Check, If, Op, Oracle, Program, Step, Switch
from model.validation import leaves

MEMORY = 1 << 30
ORACLES_TO_REACH = (Oracle.ASSERT, Oracle.INVARIANT, Oracle.AT_END)


class TooLarge(ValueError):
    """The program itself has more states than may be visited; the message says what to do."""


class Fate(StrEnum):
    """What became of a mutant. The value is the word shown."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    BOUNDED = "bounded"
    EQUIVALENT = "equivalent"
    BARRIER = "not visible"


SURVIVING = (Fate.SURVIVED, Fate.BOUNDED)


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant with its fate; `site` is the first new violation, `states` what was visited."""

    mutant: Mutant
    fate: Fate
    site: int | None
    states: int


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
    original = _explore(explorer, states_max, frozenset(range(len(program.sites))))
    if not original.exhausted:
        raise TooLarge(
            f"{program.title} has more than {original.states:,} states\n"
            "    give more with --states, or smaller parameters with --param"
        )
    derived = mutants(program)
    judged: list[Judged] = []
    for number, mutant in enumerate(derived):
        note(number, len(derived))
        judged.append(_judge(mutant, original, states_max))
    note(len(derived), len(derived))
    sites = tuple(
        number
        for number, site in enumerate(program.sites)
        if site.oracle in ORACLES_TO_REACH and not _is_reached(program, number, states_max)
    )
    return Mutation(program, original, tuple(judged), _unreached_steps(explorer), sites)


def _explore(explorer: Explorer, states_max: int, known: frozenset[int]) -> Explored:
    """Explore until every state is seen, too many are, or a site that is not known is violated."""
    while explorer.states <= states_max and explorer.advance():
        if explorer.explored().sites.keys() - known:
            break
    return explorer.explored()


def _judge(mutant: Mutant, original: Explored, states_max: int) -> Judged:
    if mutant.kind is Kind.BARRIER:
        return Judged(mutant, Fate.BARRIER, None, 0)
    known = frozenset(original.sites)
    explored = _explore(Explorer(mutant.program, memory=MEMORY, symmetry=True), states_max, known)
    fresh = sorted((depth, site) for site, depth in explored.sites.items() if site not in known)
    if fresh:
        return Judged(mutant, Fate.CAUGHT, fresh[0][1], explored.states)
    if mutant.difference is not None and _never(mutant.difference, states_max):
        return Judged(mutant, Fate.EQUIVALENT, None, explored.states)
    fate = Fate.SURVIVED if explored.exhausted else Fate.BOUNDED
    return Judged(mutant, fate, None, explored.states)


def _never(program: Program, states_max: int) -> bool:
    """True where every state was seen and the last site was never violated."""
    last = len(program.sites) - 1
    explorer = Explorer(program, memory=MEMORY, symmetry=True)
    explored = _explore(explorer, states_max, frozenset(range(last)))
    return explored.exhausted and last not in explored.sites


def _is_reached(program: Program, site: int, states_max: int) -> bool:
    """True unless it was proved that no execution evaluates a check of the site.

    What says of itself that it is never reached (`assert False`) need not be.
    """
    if all(check.test == FALSE for check in _checks(program, site)):
        return True
    failing = replace(
        program,
        bodies=tuple(
            replace(
                body,
                entry=_failing(body.entry, site),
                steps=tuple(replace(step, ops=_failing(step.ops, site)) for step in body.steps),
            )
            for body in program.bodies
        ),
        invariants=_failing(program.invariants, site),
        at_end=_failing(program.at_end, site),
    )
    explorer = Explorer(failing, memory=MEMORY, symmetry=True)
    others = frozenset(range(len(program.sites))) - {site}
    explored = _explore(explorer, states_max, others)
    return site in explored.sites or not explored.exhausted


def _checks(program: Program, site: int) -> list[Check]:
    trees = [program.invariants, program.at_end]
    for body in program.bodies:
        trees += [body.entry, *(step.ops for step in body.steps)]
    found = [op for ops in trees for op in leaves(ops) if isinstance(op, Check)]
    return [check for check in found if check.site == site]


def _failing(ops: tuple[Op, ...], site: int) -> tuple[Op, ...]:
    """The operations with every check of a site failing."""
    made: list[Op] = []
    for op in ops:
        match op:
            case Check(number, _) if number == site:
                made.append(Check(site, FALSE))
            case If(test, then, orelse):
                made.append(If(test, _failing(then, site), _failing(orelse, site)))
            case Switch(local, arms):
                made.append(Switch(local, tuple((n, _failing(arm, site)) for n, arm in arms)))
            case _:
                made.append(op)
    return tuple(made)


def _unreached_steps(explorer: Explorer) -> tuple[Step, ...]:
    """The steps before which no thread ever stands, of a program that was explored to its end."""
    program, rows = explorer.program, explorer.snapshot()["table"].astype(np.uint64, copy=False)
    successors = Successors(program)
    layout, number = successors.layout, {plane: k for k, plane in enumerate(successors.kept)}
    reached = set()
    for thread, made in enumerate(program.threads):
        codes = np.zeros(len(rows), np.uint64)
        body = layout.bodies[made.body]
        for q in range(body.pc_width):
            k = number.get(layout.position["pc", thread, q])
            if k is not None:
                bit = rows[:, k // WORD] >> np.uint64(k % WORD) & np.uint64(1)
                codes |= bit << np.uint64(q)
        here = set(np.unique(codes).tolist())
        reached |= {(made.body, pc) for pc, code in body.codes.items() if code in here}
    return tuple(
        step
        for number_of_body, body in enumerate(program.bodies)
        for pc, step in enumerate(body.steps)
        if (number_of_body, pc) not in reached
    )
