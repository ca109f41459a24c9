"""All reachable states of a program, breadth first, where they fit into memory.

This says what a fuzzer cannot: where every state has been seen and no oracle is violated, none can
be. Step limits do not apply: what is explored is the state space, not executions of bounded length.
An execution that has ended has no state any more; the initial state counts.

States lie in one table in the order in which they were met, so that a layer is a slice of it, the
frontier is what follows the last state that was stepped, and no parents are kept: a chunk of the
table is stepped at a time, what it leads to is appended, and `_chunks` tells which chunk a state
came from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from model.circuit.bitstate import BitState
from model.circuit.successors import Expanded, Move, Successors, came_from
from model.circuit.visited import Rows, Visited
from model.interpreter import Event, Machine, Trace, advance
from model.program import Program
from model.signature import Signature, signature_at, signature_of
from model.symmetry import NO_SYMMETRY
from model.symmetry import symmetry as interchangeable

MEMORY = 2 << 30
STEPS_AT_ONCE = 1 << 19

Snapshot = dict[str, NDArray[np.generic]]
Kind = int
"""A way in which executions end: oracle site << 32 | thread << 16 | code of its step."""
Name = TypeVar("Name")


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
    of steps of its shortest violation, `signatures` each signature; `exhausted` says that every
    reachable state was stepped, `reduced` that states stand for others of the same kind,
    `discarded` that some step was.
    Where states were told apart by their hashes only, `exact` is false, and `coverage` estimates
    the share of the states met that were not taken for others.
    """

    states: int
    transitions: int
    depth: int
    frontier: int
    exhausted: bool
    reduced: bool
    discarded: bool
    sites: dict[int, int]
    signatures: dict[Signature, int]
    exact: bool = True
    coverage: float = 1.0

    @property
    def verdict(self) -> Verdict:
        """`proved` only where every state was seen and no oracle is violated."""
        if self.sites:
            return Verdict.REFUTED
        return Verdict.PROVED if self.exhausted and self.exact else Verdict.BOUNDED


class Explorer:
    """One exploration; `memory` bounds what it allocates, in bytes: states, index and buffers.

    With `symmetry`, a state stands for all that differ from it in the order of interchangeable
    threads (`model.symmetry`). Verdicts and lengths of shortest violations stay the same. With
    `bitstate`, a state takes some bits, and what is seen is a bound, never a proof. Several
    explorations may share `successors`; `start` is a state of the program, else the initial one.
    """

    def __init__(
        self,
        program: Program,
        *,
        memory: int = MEMORY,
        symmetry: bool = False,
        bitstate: bool = False,
        successors: Successors | None = None,
        start: Machine | None = None,
    ) -> None:
        self.program, self.memory = program, memory
        self.symmetry, self.bitstate = symmetry, bitstate
        self.successors = successors or successors_of(program, symmetry=symmetry)
        rest = memory - self.successors.bytes
        self._visited: Visited | BitState = (
            BitState(self.successors.words, memory=rest)
            if bitstate
            else Visited(self.successors.words, memory=rest)
        )
        self._start = Machine(program) if start is None else start
        self._visited.insert(self.successors.row_of(self._start))
        self._expanded, self._layer_end = 0, 1
        self._chunks: list[tuple[int, int]] = []
        self._threads = np.array([move.thread for move in self.successors.moves])
        self._found: dict[Kind, tuple[int, int]] = {}
        self._wanted: dict[int, Rows] = {}
        self.transitions, self.depth = 0, 1
        self.discarded = False

    @property
    def states(self) -> int:
        """The distinct states met so far."""
        return self._visited.count

    @property
    def frontier(self) -> int:
        """The states that have not been stepped."""
        return self.states - self._expanded

    @property
    def bytes(self) -> int:
        """The memory in use."""
        return self._visited.bytes + self.successors.bytes

    def advance(self) -> bool:
        """Take about half a million steps; False where nothing is left or the memory is full."""
        enough = self.transitions + STEPS_AT_ONCE
        while self.frontier and self.transitions < enough:
            if self._expanded == self._layer_end:
                self._layer_end, self.depth = self.states, self.depth + 1
                if isinstance(self._visited, BitState):
                    self._visited.forget(self._expanded)
            rows = self._visited.rows(*self._bounds(len(self._chunks)))
            if len(self._chunks) in self._wanted:
                self._wanted[len(self._chunks)] = rows.copy()
            expanded = self.successors.expand(rows)
            self._note(rows, expanded)
            self._visited.insert(expanded.rows)
            if self._visited.full:
                # The chunk is stepped again where an exploration with more memory goes on.
                return False
            self.transitions += expanded.steps
            self._chunks.append((self._expanded, self.states))
            self._expanded += len(rows)
        return self.frontier > 0

    def explored(self) -> Explored:
        """What has been seen so far."""
        return Explored(
            self.states,
            self.transitions,
            self.depth,
            self.frontier,
            exhausted=not self.frontier,
            reduced=bool(self.successors.alike),
            discarded=self.discarded,
            sites=_shortest((kind >> 32, depth) for kind, (depth, _) in self._found.items()),
            signatures=_shortest(
                (self._signature(kind), depth) for kind, (depth, _) in self._found.items()
            ),
            exact=not self.bitstate,
            coverage=self._visited.coverage if isinstance(self._visited, BitState) else 1.0,
        )

    def trace(self, site: int) -> Trace:
        """A shortest execution that violates a site, executed by the interpreter.

        Raises KeyError where no violation of the site has been found. After a bitstate exploration
        this takes as long as exploring up to that depth.
        """
        return self._trace({kind: at for kind, at in self._found.items() if kind >> 32 == site})

    def trace_of(self, signature: Signature) -> Trace:
        """The same for a signature."""
        found = self._found.items()
        return self._trace({kind: at for kind, at in found if self._signature(kind) == signature})

    def _trace(self, found: dict[Kind, tuple[int, int]]) -> Trace:
        """A shortest execution that ends in one of these ways."""
        if not found:
            raise KeyError("no such violation has been found")
        kind = min(found, key=found.__getitem__)
        steps, chunk = found[kind]
        rows_of = self._rows_of(chunk)
        rows = rows_of(chunk)
        expanded = self.successors.expand(rows)
        of_kind = self._kinds(rows, expanded) == kind
        number, move = came_from(int(expanded.ends[of_kind][0]))
        path = [(self.successors.moves[move], rows[:0])]
        while row := self._chunk_begin(chunk) + number:
            after = rows[number : number + 1]
            chunk = self._chunk_of(row)
            rows = rows_of(chunk)
            expanded = self.successors.expand(rows)
            same = (expanded.rows == after).all(axis=1)
            number, move = came_from(int(expanded.origins[same][0]))
            path.append((self.successors.moves[move], after))
        assert len(path) == steps
        machine, events = Machine(self.program), []
        machine.restore(self._start.key(), 0)
        for made, after in reversed(path):
            events.append(self._executed(machine, made, after, self._signature(kind)))
        return Trace(self.program, tuple(events), machine.outcome, machine.site)

    def _executed(self, machine: Machine, move: Move, after: Rows, end: Signature) -> Event:
        """The step to a row, or, with none, to the violation that is meant.

        Where states are canonical, the thread of a move is one of several that are alike.
        """
        key = machine.key()
        for thread in self.successors.like(move.thread):
            machine.restore(key, -1)
            if not machine.is_enabled(thread):
                continue
            event = advance(machine, thread, move.chooser())
            if machine.outcome is None and len(after):
                if (self.successors.row_of(machine) == after).all():
                    return event
            elif machine.site is not None and not len(after):
                ended = Trace(self.program, (event,), machine.outcome, machine.site)
                if signature_of(ended) == end:
                    return event
        raise AssertionError("the two engines disagree on a shortest execution")

    def snapshot(self) -> Snapshot:
        """All that is needed to go on, as plain arrays; the table of states is no copy."""
        found = [(kind, depth, chunk) for kind, (depth, chunk) in self._found.items()]
        numbers = (
            self._expanded,
            self._layer_end,
            self.transitions,
            self.depth,
            self.discarded,
            self.symmetry,
            self.bitstate,
            self.states,
            self.memory,
        )
        made: Snapshot = {
            "chunks": np.array(self._chunks, np.int64).reshape(-1, 2),
            "violations": np.array(found, np.int64).reshape(-1, 3),
            "numbers": np.array(numbers, np.int64),
        }
        if isinstance(self._visited, BitState):
            made["bits"] = self._visited.bits.copy()
            made["omitted"] = np.array([self._visited.omitted])
            made["table"] = self._visited.rows(self._expanded, self.states).copy()
        else:
            made["table"] = self._visited.rows(0, self.states)
        return made

    @classmethod
    def resumed(cls, program: Program, snapshot: Snapshot, *, memory: int = MEMORY) -> Explorer:
        """An exploration that goes on where the snapshot of one of the same program was taken.

        A bitstate exploration keeps the memory that it began with. Raises ValueError where the
        states do not fit into the memory.
        """
        numbers = [int(number) for number in snapshot["numbers"]]
        symmetry, bitstate, states, before = numbers[5:]
        made = cls(
            program,
            memory=before if bitstate else memory,
            symmetry=bool(symmetry),
            bitstate=bool(bitstate),
        )
        table = snapshot["table"].astype(np.uint64, copy=False)
        if isinstance(made._visited, BitState):
            bits = snapshot["bits"].astype(np.uint8, copy=False)
            made._visited.restore(bits, table, states, float(snapshot["omitted"].real[0]))
        else:
            made._visited.extend(table[1:])
        made._chunks = [(int(begin), int(after)) for begin, after in snapshot["chunks"]]
        for kind, depth, chunk in snapshot["violations"].astype(np.int64).tolist():
            made._found[kind] = depth, chunk
        made._expanded, made._layer_end, made.transitions, made.depth, discarded = numbers[:5]
        made.discarded = bool(discarded)
        return made

    def _note(self, rows: Rows, expanded: Expanded) -> None:
        """Keep the first violation of each kind, with the chunk in which it was met."""
        if not len(expanded.codes):
            return
        for kind in np.unique(self._kinds(rows, expanded)).tolist():
            if 1 + (kind >> 32) == self.successors.circuit.codes.discarded:
                self.discarded = True
            else:
                self._found.setdefault(kind, (self.depth, len(self._chunks)))

    def _kinds(self, rows: Rows, expanded: Expanded) -> NDArray[np.int64]:
        """How executions ended, in the order of `expanded.ends`."""
        ends = expanded.ends.astype(np.int64)
        threads = self._threads[ends >> 32 & 0xFFFF]
        codes = self.successors.codes_of_steps(rows[ends & 0xFFFFFFFF], threads)
        sites = expanded.codes.astype(np.int64) - 1
        kinds: NDArray[np.int64] = (sites << 16 | threads) << 16 | codes
        return kinds

    def _signature(self, kind: Kind) -> Signature:
        site, thread, code = kind >> 32, kind >> 16 & 0xFFFF, kind & 0xFFFF
        return signature_at(self.program, site, thread, self.successors.pc_of(thread, code))

    def _rows_of(self, chunk: int) -> Callable[[int], Rows]:
        """The rows of the chunks from which a chunk came; what was forgotten is explored again."""
        if isinstance(self._visited, Visited):
            table = self._visited
            return lambda number: table.rows(*self._bounds(number))
        wanted: dict[int, Rows] = {}
        low = high = chunk
        while True:
            wanted.update(dict.fromkeys(range(low, high + 1), np.empty((0, 0), np.uint64)))
            begin, end = self._bounds(low)[0], self._bounds(high)[1]
            if begin == 0:
                break
            low, high = self._chunk_of(begin), self._chunk_of(end - 1)
        again = Explorer(
            self.program,
            memory=self.memory,
            symmetry=self.symmetry,
            bitstate=True,
            successors=self.successors,
            start=self._start,
        )
        again._wanted = wanted
        while len(again._chunks) <= chunk and again.advance():
            pass
        return again._wanted.__getitem__

    def _chunk_of(self, row: int) -> int:
        """The chunk during whose expansion a row was met."""
        return bisect_right(self._chunks, row, key=lambda entry: entry[1])

    def _bounds(self, chunk: int) -> tuple[int, int]:
        """The rows of a chunk."""
        return self._chunk_begin(chunk), self._chunk_begin(chunk + 1)

    def _chunk_begin(self, chunk: int) -> int:
        """Where a chunk begins, up to the one after the next: a full memory may cut that off."""
        if chunk < len(self._chunks):
            return self._chunks[chunk][0]
        if chunk == len(self._chunks):
            return self._expanded
        return min(self._expanded + self.successors.rows_max, self._layer_end)


def successors_of(program: Program, *, symmetry: bool) -> Successors:
    """What an exploration of a program steps with; compiling it may take a second."""
    return Successors(program, symmetry=interchangeable(program) if symmetry else NO_SYMMETRY)


def explore(
    program: Program,
    *,
    memory: int = MEMORY,
    states_max: int | None = None,
    symmetry: bool = False,
    bitstate: bool = False,
) -> Explored:
    """Explore until every state is seen, the memory is full, or there are `states_max` states.

    That number is looked at every half a million steps.
    """
    explorer = Explorer(program, memory=memory, symmetry=symmetry, bitstate=bitstate)
    while states_max is None or explorer.states <= states_max:
        if not explorer.advance():
            break
    return explorer.explored()


def _shortest(found: Iterable[tuple[Name, int]]) -> dict[Name, int]:
    """The least number for each name."""
    least: dict[Name, int] = {}
    for name, steps in found:
        least[name] = min(steps, least.get(name, steps))
    return least
