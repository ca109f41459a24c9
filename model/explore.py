"""All reachable states of a program, breadth first, where they fit into memory.

This says what a fuzzer cannot: where every state has been seen and no oracle is violated, none can
be. Step limits do not apply: what is explored is the state space, not executions of bounded length.
An execution that has ended has no state any more; the initial state counts.

States lie in one table in the order in which they were met, so that a layer is a slice of it and
no parents are kept: a chunk of the table is expanded at a time, what it leads to is appended, and
`_chunks` tells which chunk a state came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model.circuit.block_circuit import draws_of
from model.circuit.step_circuit import Bits, Stepper
from model.interpreter import Machine, Trace, advance
from model.program import Program
from model.search import chooser, draw_table, unseen

MEMORY = 2 << 30
CHUNK = 4096
STATE_BYTES = 250
"""What a state costs beside its row: an entry of the visited set."""

Snapshot = dict[str, NDArray[np.generic]]


class Verdict(StrEnum):
    """What exploring says about a program. A bound is never a proof."""

    PROVED = "proved"
    REFUTED = "refuted"
    BOUNDED = "bounded"


@dataclass(frozen=True, slots=True)
class Explored:
    """What exploring showed.

    `states` counts the distinct states from which executions go on, `frontier` those of them that
    have not been stepped, `transitions` the steps taken: each enabled thread with each combination
    of its choices. `depth` counts the layers. `sites` maps each violated oracle site to the number
    of steps of its shortest violation; `exhausted` says that every reachable state was stepped,
    `reduced` that states stand for others of the same kind, `discarded` that some step was.
    """

    states: int
    transitions: int
    depth: int
    frontier: int
    exhausted: bool
    reduced: bool
    discarded: bool
    sites: dict[int, int]

    @property
    def verdict(self) -> Verdict:
        """`proved` only where every state was seen and no oracle is violated."""
        if self.sites:
            return Verdict.REFUTED
        return Verdict.PROVED if self.exhausted else Verdict.BOUNDED


class Explorer:
    """One exploration; `memory` bounds it in bytes."""

    def __init__(self, program: Program, *, memory: int = MEMORY) -> None:
        self.program, self.memory = program, memory
        self._stepper = Stepper(program)
        self._draws, self._choices = draw_table(self._stepper)
        self._drawn_at = _drawn_at(self._stepper, self._choices)
        first = np.concatenate([self._stepper.initial, self._stepper.initially_enabled])
        self._width = len(first)
        self._table = np.packbits(first)[None, :]
        self._seen = {self._table.tobytes()}
        self._expanded, self._layer_end = 0, 1
        self._chunks: list[tuple[int, int]] = []
        self._found: dict[int, tuple[int, int]] = {}
        self.states, self.transitions, self.depth = 1, 0, 1
        self.discarded = False

    @property
    def frontier(self) -> int:
        """The states that have not been stepped."""
        return self.states - self._expanded

    @property
    def bytes(self) -> int:
        """The memory in use."""
        return self.states * (STATE_BYTES + len(self._table[0]))

    def advance(self) -> bool:
        """Step the next chunk of states; False where none is left or the memory is full."""
        if not self.frontier or self.bytes > self.memory:
            return False
        if self._expanded == self._layer_end:
            self._layer_end, self.depth = self.states, self.depth + 1
        end = min(self._expanded + CHUNK, self._layer_end)
        _, _, _, codes, states = self._successors(self._expanded, end)
        self.transitions += len(codes)
        for code in np.unique(codes):
            self.discarded = self.discarded or code == self._stepper.circuit.codes.discarded
            if 0 < code <= len(self.program.sites):
                self._found.setdefault(int(code) - 1, (self.depth, len(self._chunks)))
        fresh = unseen(states, self._seen)
        self._append(states[fresh])
        self._chunks.append((self._expanded, self.states))
        self._expanded = end
        return self.frontier > 0

    def explored(self) -> Explored:
        """What has been seen so far."""
        return Explored(
            self.states,
            self.transitions,
            self.depth,
            self.frontier,
            exhausted=not self.frontier,
            reduced=False,
            discarded=self.discarded,
            sites={site: depth for site, (depth, _) in self._found.items()},
        )

    def trace(self, site: int) -> Trace:
        """A shortest execution that violates a site, executed by the interpreter.

        Raises KeyError where no violation of the site has been found.
        """
        steps, chunk = self._found[site]
        parents, threads, draws, codes, _ = self._expand_chunk(chunk)
        last = int(np.nonzero(codes == 1 + site)[0][0])
        picks = [(int(threads[last]), int(draws[last]))]
        row = int(parents[last])
        while row:
            chunk = next(k for k, (_, after) in enumerate(self._chunks) if row < after)
            parents, threads, draws, codes, states = self._expand_chunk(chunk)
            going = np.nonzero(codes == 0)[0]
            found = going[(states == self._table[row]).all(axis=1)][0]
            picks.append((int(threads[found]), int(draws[found])))
            row = int(parents[found])
        machine, events = Machine(self.program), []
        for thread, draw in reversed(picks):
            events.append(advance(machine, thread, chooser(self._choices[draw])))
        assert machine.site == site and len(events) == steps, "the two engines disagree"
        return Trace(self.program, tuple(events), machine.outcome, machine.site)

    def snapshot(self) -> Snapshot:
        """All that is needed to go on, as plain arrays."""
        found = [(site, depth, chunk) for site, (depth, chunk) in self._found.items()]
        numbers = (self._expanded, self._layer_end, self.transitions, self.depth, self.discarded)
        return {
            "table": self._table[: self.states].copy(),
            "chunks": np.array(self._chunks, np.int64).reshape(-1, 2),
            "found": np.array(found, np.int64).reshape(-1, 3),
            "numbers": np.array(numbers, np.int64),
        }

    @classmethod
    def resumed(cls, program: Program, snapshot: Snapshot, *, memory: int = MEMORY) -> Explorer:
        """An exploration that goes on where the snapshot of one of the same program was taken."""
        made = cls(program, memory=memory)
        made._append(snapshot["table"][1:].astype(np.uint8))
        unseen(made._table[: made.states], made._seen)
        made._chunks = [(int(begin), int(after)) for begin, after in snapshot["chunks"]]
        made._found = {int(s): (int(depth), int(chunk)) for s, depth, chunk in snapshot["found"]}
        numbers = [int(number) for number in snapshot["numbers"]]
        made._expanded, made._layer_end, made.transitions, made.depth, discarded = numbers
        made.discarded = bool(discarded)
        return made

    def _append(self, rows: Bits) -> None:
        after = self.states + len(rows)
        if after > len(self._table):
            grown = np.empty((2 * after, self._table.shape[1]), np.uint8)
            grown[: self.states] = self._table[: self.states]
            self._table = grown
        self._table[self.states : after] = rows
        self.states = after

    def _expand_chunk(self, chunk: int) -> _Steps:
        begin, _ = self._chunks[chunk]
        ends = [*(begin for begin, _ in self._chunks[1:]), self._expanded]
        parents, threads, draws, codes, states = self._successors(begin, ends[chunk])
        return parents, threads, draws, codes, states

    def _successors(self, begin: int, end: int) -> _Steps:
        """Every step from rows of the table: row, thread, draws, code; next states that go on.

        The code is -1 where the execution has ended well.
        """
        planes = len(self._stepper.initial)
        states = np.unpackbits(self._table[begin:end], axis=1, count=self._width)
        offered = self._drawn_at[
            np.arange(len(self.program.threads)), self._codes_of(states[:, :planes])
        ]
        rows, threads, draws = np.nonzero(states[:, planes:, None] & offered)
        stepped = self._stepper.step(states[rows, :planes], threads, self._draws[draws])
        codes = np.where(stepped.ended & (stepped.codes == 0), -1, stepped.codes)
        going = codes == 0
        after = np.concatenate([stepped.states[going], stepped.enabled[going]], axis=1)
        return rows + begin, threads, draws, codes, np.packbits(after, axis=1)

    def _codes_of(self, planes: Bits) -> NDArray[np.int64]:
        """The code of every thread's program counter in every state."""
        layout, columns = self._stepper.layout, []
        for number, thread in enumerate(self.program.threads):
            start, width = layout.position["pc", number, 0], layout.bodies[thread.body].pc_width
            columns.append(planes[:, start : start + width] @ (1 << np.arange(width)))
        return np.stack(columns, axis=1)


_Steps = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Bits]


def _drawn_at(stepper: Stepper, choices: list[dict[tuple[int, int], int]]) -> Bits:
    """[thread, code of its program counter, combination of draws]: 1 where the step offers it."""
    layout, program = stepper.layout, stepper.program
    size = 1 << max(body.pc_width for body in layout.bodies)
    offered = np.zeros((len(program.threads), size, len(choices)), np.uint8)
    for number, thread in enumerate(program.threads):
        for pc, step in enumerate(program.bodies[thread.body].steps):
            drawn = set(draws_of(step.ops))
            for row, chosen in enumerate(choices):
                offered[number, layout.code(number, pc), row] = all(
                    value == 0 or key in drawn for key, value in chosen.items()
                )
    return offered


def explore(program: Program, *, memory: int = MEMORY, states_max: int | None = None) -> Explored:
    """Explore until every state is seen, the memory is full, or there are `states_max` states."""
    explorer = Explorer(program, memory=memory)
    while states_max is None or explorer.states <= states_max:
        if not explorer.advance():
            break
    return explorer.explored()
