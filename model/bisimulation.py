"""Mutants that no other thread and no oracle can tell from the program: branching bisimulation.

Of a state is seen all but where the threads of the mutated body stand and what their locals hold:
shared and ghost variables, the other threads, and which of those threads have ended. Of a step of
theirs is seen that it changes any of this, and which asserts it has. What is left is silent: reads,
and where a thread goes. A mutant whose initial state is branching bisimilar to the program's does
visibly the same in the same order, with the same possibilities at each point, and conversely (van
Glabbeek and Weijland, JACM 43(3), 1996; divergence is not seen: a thread may spin where it waited).
So a check that others repeat can be told from one that is needed.

No execution ends here: an idle thread keeps each final state a state, so that it is compared, too.
Blocks are refined by signatures (Blom and Orzan, STTT 7, 2005) until nothing changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.circuit.successors import WORD, Rows, Successors, came_from
from model.explore import Explorer
from model.expressions import FALSE
from model.program import (
    END,
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
from model.validation import leaves
from model.variants import Variant, Variants, variants_of

MEMORY = 1 << 28
SILENT = 0

Edge = tuple[int, int, int]
"""From a state, by an action, to a state."""


def bisimilar(
    program: Program, mutants: Sequence[tuple[int, Variant]], *, states_max: int
) -> Iterator[int]:
    """The numbers of the mutants, each (its body, what is other), that are bisimilar to a program.

    Of programs that discard executions, and of mutants with more than `states_max` states, nothing
    is said. The program must violate no oracle.
    """
    if not mutants or any(isinstance(op, Assume) for op in _all_ops(program)):
        return
    idle = _without_end(program)
    together = variants_of(idle, [Variant(), *(variant for _, variant in mutants)])
    successors = Successors(together.program)
    for body in sorted({body for body, _ in mutants}):
        view = _View(together, successors, body)
        graph = _Graph()
        first = view.add(graph, 0, Variant(), states_max)
        starts = {
            number: view.add(graph, number + 1, variant, states_max)
            for number, (where, variant) in enumerate(mutants)
            if where == body
        }
        if first is None:
            continue
        blocks = graph.blocks()
        for number, start in starts.items():
            if start is not None and blocks[start] == blocks[first]:
                yield number


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
    """What is seen of variants whose own body is `body`."""

    def __init__(self, together: Variants, successors: Successors, body: int) -> None:
        self.together, self.successors, self.body = together, successors, body
        program, layout = together.program, successors.layout
        self.own = [n for n, thread in enumerate(program.threads) if thread.body == body]
        last = len(layout.elements) - 1
        mask = 0
        for k, plane in enumerate(successors.kept):
            kind, owner, _ = layout.planes[plane]
            hidden = owner == last if kind == "variable" else owner in self.own
            mask |= (not hidden) << k
        words = range(successors.words)
        self.mask = np.array([mask >> WORD * w & (1 << WORD) - 1 for w in words], np.uint64)
        self.asserts: dict[int, frozenset[int]] = {}

    def add(self, graph: _Graph, number: int, variant: Variant, states_max: int) -> int | None:
        """Add all states and steps of a variant; its initial state, or None where it is too large.

        Also None where it violates something.
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
        first = graph.add_states(self._seen(table))
        index = {row.tobytes(): first + n for n, row in enumerate(table)}
        actions = self._actions(graph, variant)
        for begin in range(0, len(table), self.successors.rows_max):
            rows = np.ascontiguousarray(table[begin : begin + self.successors.rows_max])
            codes = {t: self._codes(rows, t) for t in self.own}
            expanded = self.successors.expand(rows)
            for after, origin in zip(expanded.rows, expanded.origins.tolist(), strict=True):
                row, move = came_from(origin)
                thread = self.successors.moves[move].thread
                action = actions[int(codes[thread][row])] if thread in codes else SILENT
                graph.edges.append((first + begin + row, action, index[after.tobytes()]))
        return first

    def _seen(self, table: Rows) -> list[object]:
        hidden = table & self.mask
        end = {t: self.successors.layout.code(t, END) for t in self.own}
        ended = np.stack([self._codes(table, t) == end[t] for t in self.own], axis=1)
        return [
            (self.body, row.tobytes(), over.tobytes())
            for row, over in zip(hidden, ended, strict=True)
        ]

    def _codes(self, rows: Rows, thread: int) -> NDArray[np.int64]:
        return self.successors.codes_of_steps(rows, np.full(len(rows), thread, np.int64))

    def _actions(self, graph: _Graph, variant: Variant) -> dict[int, int]:
        """The action of each step of the body, by its code: silent, or the asserts that it has."""
        steps = self.together.program.bodies[self.body].steps
        codes = self.successors.layout.bodies[self.body].codes
        original = self.together.original.bodies[self.body].steps
        found = {}
        for pc, united in enumerate(steps):
            step = original[pc] if pc < len(original) else united
            found[codes[pc]] = graph.action(
                frozenset(
                    op.site
                    for op in leaves(variant.steps.get((self.body, pc), step).ops)
                    if isinstance(op, Check)
                    and self.together.program.sites[op.site].oracle is Oracle.ASSERT
                )
            )
        return found


class _Graph:
    """States by number, what is seen of each, and steps between them."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.edges: list[Edge] = []
        self._actions: dict[frozenset[int], int] = {frozenset(): SILENT}

    def action(self, asserts: frozenset[int]) -> int:
        """The number of an action."""
        return self._actions.setdefault(asserts, len(self._actions))

    def add_states(self, seen: Sequence[object]) -> int:
        """Add states; gives the number of the first."""
        first = len(self.seen)
        self.seen += seen
        return first

    def blocks(self) -> list[int]:
        """The class of each state: the coarsest branching bisimulation."""
        ids: dict[object, int] = {}
        block = [ids.setdefault(seen, len(ids)) for seen in self.seen]
        count = len(ids)
        while True:
            block, after = self._refined(block)
            if after == count:
                return block
            count = after

    def _refined(self, block: list[int]) -> tuple[list[int], int]:
        """Blocks split by what their states can do next, after silent steps within the block."""
        signature: list[set[tuple[int, int]]] = [set() for _ in block]
        before: dict[int, list[int]] = defaultdict(list)
        for source, action, target in self.edges:
            if action == SILENT and block[source] == block[target]:
                before[target].append(source)
            else:
                signature[source].add((action, block[target]))
        waiting = [state for state in before if signature[state]]
        while waiting:
            state = waiting.pop()
            for source in before.get(state, ()):
                size = len(signature[source])
                signature[source] |= signature[state]
                if len(signature[source]) > size:
                    waiting.append(source)
        ids: dict[object, int] = {}
        made = [
            ids.setdefault((block[state], frozenset(signature[state])), len(ids))
            for state in range(len(block))
        ]
        return made, len(ids)
