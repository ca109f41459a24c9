"""Mutants that no oracle could tell from the program, and those that come to no end.

Of a state is seen what the program declares, which is its shared variables and its ghosts, and
whether all threads have ended, or wait where that is a fine end. Of a step is seen that it changes
any of this, and which asserts it makes of anything but locks and RCU. Hidden is what only says how
that comes about: where threads stand, their locals, locks, what RCU consists of. What is left is
silent: reads, waits, taking a lock, where a thread goes.

Where the mutant's initial state is branching bisimilar to the program's, it does visibly the same
in the same order, with the same possibilities at each point, and conversely (van Glabbeek and
Weijland, JACM 43(3), 1996). So a check that is made again is told from one that is needed. Where it
is not, the sequences of what is seen are compared, from the start to the end: of invariants,
asserts and conditions of the end, none can tell two programs apart in which the same sequences are
possible. A mutant with fewer of them is not the same. Both are statements about all oracles over
what is declared. That neither program violates those that it has would be none: it is true of every
survivor.

Spinning where the program waits is no difference, but coming to no end is: where the program can
always still end, and some state of the mutant is left from which no schedule leads to an end, a
fuzzer sees executions at the step limit, which is no pass, and the mutant is caught.

No execution ends here: an idle thread keeps each final state a state, so that it is compared, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model.circuit.successors import WORD, Rows, Successors
from model.explore import Explorer
from model.expressions import FALSE, Elem, Local, Var
from model.mutant_ops import mentions
from model.partition import SILENT, Graph, numbered, refined
from model.program import (
    END,
    UNBORN,
    Assume,
    Body,
    Check,
    Goto,
    Label,
    Oracle,
    Program,
    Step,
    Thread,
)
from model.sequences import same_sequences
from model.validation import leaves
from model.variants import WHICH, Variant, variants_of

MEMORY = 1 << 29

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Finding(StrEnum):
    """What comparing a mutant with its program says of it. The value is the sentence shown."""

    SAME = "nothing that is declared tells it from the program"
    ENDLESS = "a state is left from which no end can be reached"


def compared(
    program: Program, mutants: Sequence[Variant], *, states_max: int
) -> Iterator[tuple[int, Finding]]:
    """The mutants, by number, of which something is found.

    Of programs that discard executions or cannot always end, and of mutants with more than
    `states_max` states, nothing is said. The program must violate no oracle.
    """
    if not mutants or any(isinstance(op, Assume) for op in _all_ops(program)):
        return
    view = _View(_without_end(program), [Variant(), *mutants])
    original = view.graph(0, states_max)
    if original is None:
        return
    blocks = refined(original)
    start, original = int(blocks[0]), original.quotient(blocks)
    if not _always_ends(original):
        return
    for number in range(len(mutants)):
        graph = view.graph(number + 1, states_max)
        if graph is not None and (found := _compared(original, start, graph)) is not None:
            yield number, found


def _compared(original: Graph, start: int, graph: Graph) -> Finding | None:
    """What is found of a mutant; its initial state is its first."""
    if not _always_ends(graph):
        return Finding.ENDLESS
    if not np.array_equal(np.unique(original.seen), np.unique(graph.seen)):
        return None
    both = Graph.of([original, graph])
    blocks = refined(both)
    ours, theirs = int(blocks[start]), int(blocks[len(original.seen)])
    if ours == theirs or same_sequences(both.quotient(blocks), ours, theirs):
        return Finding.SAME
    return None


def _always_ends(graph: Graph) -> bool:
    """True where from each state one in which all threads have ended can be reached."""
    ends = graph.seen % 2 == 1
    while True:
        more = graph.sources[ends[graph.targets] & ~ends[graph.sources]]
        if not len(more):
            return bool(ends.all())
        ends[more] = True


def _all_ops(program: Program) -> Iterator[object]:
    for body in program.bodies:
        for step in body.steps:
            yield from leaves(step.ops)


def _without_end(program: Program) -> Program:
    """The program with a thread more that always can go on, and an end that never comes."""
    step = Step(Label("idle", "idle"), None, False, (Goto(0),), (), "idle", 0)
    body = Body("idle", (), (Goto(0),), (step,))
    return replace(
        program,
        bodies=(*program.bodies, body),
        threads=(*program.threads, Thread("idle", len(program.bodies), 0, daemon=True)),
        until=(FALSE,),
    )


class _View:
    """What is seen of several variants of a program."""

    def __init__(self, program: Program, variants: Sequence[Variant]) -> None:
        self.variants = variants
        self.together = variants_of(program, variants)
        self.successors = Successors(self.together.program)
        layout = self.successors.layout
        united = self.together.program
        self.hidden = {v.name for v in united.variables if v.internal or v.lock} | {WHICH}
        mask = 0
        for k, plane in enumerate(self.successors.kept):
            kind, owner, _ = layout.planes[plane]
            mask |= (kind == "variable" and layout.elements[owner][0] not in self.hidden) << k
        words = range(self.successors.words)
        self.mask = np.array([mask >> WORD * w & (1 << WORD) - 1 for w in words], np.uint64)
        self.names: dict[bytes, int] = {}
        self.asserts: dict[frozenset[int], int] = {frozenset(): SILENT}
        self.thread_of = np.array([move.thread for move in self.successors.moves])

    def graph(self, number: int, states_max: int) -> Graph | None:
        """The states of a variant, its initial one first, and the steps between them.

        What is seen of a state is an even number, or the next one where all threads have ended.
        None where there are too many states, or where it violates something.
        """
        explorer = Explorer(
            self.together.program,
            memory=MEMORY,
            successors=self.successors,
            start=self.together.start(number),
        )
        while explorer.states <= states_max and explorer.advance():
            pass
        if explorer.frontier or explorer.explored().sites:
            return None
        table = explorer.snapshot()["table"].astype(np.uint64, copy=False)
        actions = self._actions(self.variants[number])
        can_go = np.zeros((len(self.together.program.threads), len(table)), bool)
        sources, taken, after = [], [], []
        for begin in range(0, len(table), self.successors.rows_max):
            rows = np.ascontiguousarray(table[begin : begin + self.successors.rows_max])
            expanded = self.successors.expand(rows)
            row = (expanded.origins & np.uint64(0xFFFFFFFF)).astype(np.int64)
            move = (expanded.origins >> np.uint64(32) & np.uint64(0xFFFF)).astype(np.int64)
            threads = self.thread_of[move]
            can_go[threads, begin + row] = True
            sources.append(begin + row)
            taken.append(actions[threads, self.successors.codes_of_steps(rows[row], threads)])
            after.append(expanded.rows.copy())
        seen = 2 * self._seen(table) + self._ended(table, can_go)
        targets = _places(table, np.concatenate(after))
        return Graph(seen, np.concatenate(sources), np.concatenate(taken), targets)

    def _seen(self, table: Rows) -> Numbers:
        """A number for what the declared variables hold in each state, in all variants."""
        shown = table & self.mask
        which, first = numbered(*shown.T)
        rows = (shown[at].tobytes() for at in first)
        names = [self.names.setdefault(row, len(self.names)) for row in rows]
        return np.array(names, np.int64)[which]

    def _ended(self, table: Rows, can_go: Flags) -> Flags:
        """Whether all threads but daemons have ended, or wait where that is a fine end."""
        program, layout = self.together.program, self.successors.layout
        ended = np.ones(len(table), bool)
        for number, thread in enumerate(program.threads):
            if thread.daemon:
                continue
            here = self.successors.codes_of_steps(table, np.full(len(table), number, np.int64))
            codes = layout.bodies[thread.body].codes
            steps = enumerate(program.bodies[thread.body].steps)
            waits = [codes[pc] for pc, step in steps if step.may_end]
            over = [codes[pc] for pc in (END, UNBORN) if pc in codes]
            ended &= np.isin(here, over) | (np.isin(here, waits) & ~can_go[number])
        return ended

    def _actions(self, variant: Variant) -> Numbers:
        """The action of each step [thread, its code]: silent, or the asserts that it has."""
        program, layout = self.together.program, self.successors.layout
        codes = [layout.bodies[thread.body].codes for thread in program.threads]
        found = np.full((len(codes), 1 + max(max(each.values()) for each in codes)), SILENT)
        for number, thread in enumerate(program.threads):
            original = self.together.original.bodies[thread.body].steps
            for pc, united in enumerate(program.bodies[thread.body].steps):
                step = original[pc] if pc < len(original) else united
                step = variant.steps.get((thread.body, pc), step)
                asserts = frozenset(
                    op.site
                    for op in leaves(step.ops)
                    if isinstance(op, Check)
                    and program.sites[op.site].oracle is Oracle.ASSERT
                    and self._is_seen(op)
                )
                action = self.asserts.setdefault(asserts, len(self.asserts))
                found[number, codes[number][pc]] = action
        return found

    def _is_seen(self, check: Check) -> bool:
        """False for an assert about nothing but locks and RCU."""
        return mentions(
            check.test,
            lambda part: (
                isinstance(part, Local)
                or (isinstance(part, Var) and part.name not in self.hidden)
                or (isinstance(part, Elem) and part.array not in self.hidden)
            ),
        )


def _places(table: Rows, rows: Rows) -> Numbers:
    """Where in a table of distinct rows each of other rows is, all of which are in it."""
    number, _ = numbered(*np.concatenate([table, rows]).T)
    place = np.empty(len(table), np.int64)
    place[number[: len(table)]] = np.arange(len(table))
    found: Numbers = place[number[len(table) :]]
    return found
