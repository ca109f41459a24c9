"""The smallest interleaving of a signature: exhaustive search in the order of its criteria.

Nodes are (state, threads that have stepped, last thread, last thread that is no daemon, could it
have gone on); their cost is the Measure so far. Costs only grow along an interleaving and equal
nodes have equal futures, so that taking nodes in order of cost finds, as its first violation of the
signature, the minimum of all criteria at once: everything cheaper has been searched, all choices
included.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.circuit.block_circuit import draws_of
from model.circuit.step_circuit import Bits, Stepper
from model.interpreter import Chooser, Machine, Trace, advance
from model.program import Choose, Label
from model.schedule import Pick
from model.trace import Measure
from model.validation import leaves

NOBODY = -1
THREADS_MAX = 62
BATCH = 8192
Cost = tuple[int, int, int, int]


class Signature(NamedTuple):
    """What minimizing keeps: the oracle site and the label of the violating step."""

    site: int
    label: Label


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a search: `trace` is the minimum, or None.

    `reached` is the cost up to which all was searched. With a trace, it is the trace's measure.
    Without, either nothing of the signature exists below `reached`, or, where `exhausted`, nothing
    exists at all. `states` counts the nodes that were searched. Where the search met the step
    limit (`limited`), something smaller may have been hidden by what it passed over.
    """

    trace: Trace | None
    reached: Measure
    exhausted: bool
    states: int
    limited: bool = False


@dataclass(slots=True)
class _Layer:
    """Nodes of one cost: their states, and columns in the order of STEPPED, LAST, …, DRAW."""

    states: list[Bits]
    columns: list[NDArray[np.int64]]


STEPPED, LAST, OWN, GOES_ON, PARENT, THREAD, DRAW = range(7)


class Search:
    """One search; `nodes_max` bounds its memory (about 300 bytes a node)."""

    def __init__(
        self, stepper: Stepper, signature: Signature, *, nodes_max: int, below: Measure | None
    ) -> None:
        self.stepper, self.signature, self.nodes_max, self.below = (
            stepper,
            signature,
            nodes_max,
            below,
        )
        program = stepper.program
        self.threads = len(program.threads)
        self.daemon = np.array([t.daemon for t in program.threads])
        self.layers: dict[Cost, _Layer] = {}
        self.queue: list[Cost] = []
        self.seen: set[bytes] = set()
        self.log: list[NDArray[np.int64]] = []
        self.count = 0
        self.limited = False
        self.best: tuple[Cost, NDArray[np.int64]] | None = None
        self.draw_rows, self.draw_choices = draw_table(stepper)

    def run(self) -> Found:
        """Search until the minimum is found, everything is searched, or the bound is met."""
        start = np.array([[0, NOBODY, NOBODY, 0, -1, NOBODY, 0]])
        first = np.concatenate([self.stepper.initial, self.stepper.initially_enabled])
        self._push((0, 0, 0, 0), first[None, :], start)
        reached = Measure(0, 0, 0, 0)
        while self.queue and (self.best is None or self.queue[0] < self.best[0]):
            cost = heapq.heappop(self.queue)
            reached = Measure(*cost)
            bounded = self.below is not None and reached >= self.below
            if bounded or self.count > self.nodes_max:
                return Found(None, reached, False, self.count, self.limited)
            self._expand(cost, self.layers.pop(cost))
        if self.best is None:
            return Found(None, reached, not self.limited, self.count, self.limited)
        trace, size = self._trace(self.best[1]), Measure(*self.best[0])
        return Found(trace, size, False, self.count, self.limited)

    def _push(self, cost: Cost, states: Bits, columns: NDArray[np.int64]) -> None:
        layer = self.layers.get(cost)
        if layer is None:
            layer = self.layers[cost] = _Layer([], [])
            heapq.heappush(self.queue, cost)
        layer.states.append(np.packbits(states, axis=1))
        layer.columns.append(columns)

    def _fresh(self, packed: Bits, columns: NDArray[np.int64]) -> tuple[Bits, NDArray[np.int64]]:
        """The nodes not met before, at this cost or a smaller one; they are noted as met."""
        tail = np.ascontiguousarray(columns[:, : GOES_ON + 1])
        keys = np.ascontiguousarray(np.concatenate([packed, tail.view(np.uint8)], axis=1))
        kept = unseen(keys, self.seen)
        width = len(self.stepper.initial) + self.threads
        return np.unpackbits(packed[kept], axis=1, count=width), columns[kept]

    def _expand(self, cost: Cost, layer: _Layer) -> None:
        states, columns = self._fresh(np.concatenate(layer.states), np.concatenate(layer.columns))
        first = self.count
        self.count += len(states)
        self.log.append(columns[:, [PARENT, THREAD, DRAW]])
        for begin in range(0, len(states), BATCH):
            part = slice(begin, begin + BATCH)
            self._successors(cost, states[part], columns[part], first + begin)

    def _successors(self, cost: Cost, states: Bits, columns: NDArray[np.int64], first: int) -> None:
        planes = states.shape[1] - self.threads
        rows, threads, drawn = moves(states[:, planes:], len(self.draw_rows))
        before = states[rows, :planes]
        stepped = self.stepper.step(before, threads, self.draw_rows[drawn])
        old, daemon = columns[rows], self.daemon[threads]
        preempted = (
            ~daemon & (old[:, OWN] != NOBODY) & (old[:, OWN] != threads) & (old[:, GOES_ON] == 1)
        )
        switched = (old[:, LAST] != NOBODY) & (old[:, LAST] != threads)
        goes_on = stepped.enabled[np.arange(len(rows)), threads] & (1 - stepped.yields)
        after = np.stack(
            [
                np.where(daemon, old[:, STEPPED], old[:, STEPPED] | (1 << threads)),
                threads,
                np.where(daemon, old[:, OWN], threads),
                np.where(daemon, old[:, GOES_ON], goes_on),
                first + rows,
                threads,
                drawn,
            ],
            axis=1,
        )
        going = (stepped.codes == 0) & (stepped.ended == 0)
        if cost[3] + 1 >= self.stepper.program.steps_max:
            self.limited = self.limited or bool(going.any())
            going[:] = False
        hit = stepped.codes == 1 + self.signature.site
        for i in np.nonzero(hit)[0]:
            hit[i] = label_before(self.stepper, before[i], int(threads[i])) == self.signature.label
        counts = np.bitwise_count(after[:, STEPPED]).astype(np.int64)
        group = (preempted * 2 + switched) * 64 + counts
        for number in np.unique(group[going | hit]):
            delta, stepping = divmod(int(number), 64)
            into = (cost[0] + (delta >> 1), cost[1] + (delta & 1), stepping, cost[3] + 1)
            if self.best is not None and into >= self.best[0]:
                continue
            members = group == number
            ends, rest = np.nonzero(members & hit)[0], np.nonzero(members & going)[0]
            if len(ends):
                self.best = (into, after[ends[0]])
            elif len(rest):
                self._push(
                    into,
                    np.concatenate([stepped.states[rest], stepped.enabled[rest]], axis=1),
                    after[rest],
                )

    def _trace(self, last: NDArray[np.int64]) -> Trace:
        """The interleaving that ends with a row of columns, executed by the interpreter."""
        log = np.concatenate(self.log)
        picks = [(int(last[THREAD]), int(last[DRAW]))]
        node = int(last[PARENT])
        while node > 0:
            parent, thread, draw = (int(x) for x in log[node])
            picks.append((thread, draw))
            node = parent
        machine, events = Machine(self.stepper.program), []
        for thread, draw in reversed(picks):
            events.append(advance(machine, thread, chooser(self.draw_choices[draw])))
        trace = Trace(self.stepper.program, tuple(events), machine.outcome, machine.site)
        assert trace.site == self.signature.site, (
            "the two engines disagree on a minimal interleaving"
        )
        return trace


def chooser(chosen: dict[tuple[int, int], int]) -> Chooser:
    """The choices of one step from a row of `draw_table`."""
    count = itertools.count()
    return lambda options: options[chosen[next(count), len(options)]]


def unseen(keys: Bits, seen: set[bytes]) -> list[int]:
    """The rows whose bytes have not been seen before; they are noted as seen."""
    width, raw, kept = keys.shape[1], keys.tobytes(), []
    for row in range(len(keys)):
        key = raw[row * width : (row + 1) * width]
        if key not in seen:
            seen.add(key)
            kept.append(row)
    return kept


def moves(
    enabled: Bits, draws: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Every (state, enabled thread, combination of draws), as three columns of equal length."""
    rows, threads = np.nonzero(enabled)
    drawn = np.zeros(len(rows), np.int64)
    if draws > 1:
        drawn = np.tile(np.arange(draws), len(rows))
        rows, threads = np.repeat(rows, draws), np.repeat(threads, draws)
    return rows, threads, drawn


def label_before(stepper: Stepper, state: Bits, thread: int) -> Label:
    """The label of the step before which a thread stands in a state."""
    return stepper.program.step_at(thread, stepper.pc_of(state, thread)).label


def draw_row(stepper: Stepper, pick: Pick, state: Bits) -> list[int]:
    """The one-hot draw lines that give a pick its choices, in the order in which its step draws."""
    lines = {key: 0 for key in stepper.draws}
    if pick.choices:
        step = stepper.program.step_at(pick.thread, stepper.pc_of(state, pick.thread))
        offered = [op.options for op in leaves(step.ops) if isinstance(op, Choose)]
        for number, value in enumerate(pick.choices):
            for options in offered:
                if (number, len(options)) in lines and value in options:
                    lines[number, len(options)] = options.index(value)
    return [int(lines[key] == value) for key in stepper.draws for value in range(key[1])]


def draw_table(stepper: Stepper) -> tuple[Bits, list[dict[tuple[int, int], int]]]:
    """Every combination of the draws of a step: its one-hot lines, and the choice of each draw.

    What a step does not draw is 0: the combinations of different steps add, they do not multiply.
    """
    steps = (step for body in stepper.program.bodies for step in body.steps)
    every: dict[tuple[int, ...], None] = {}
    for drawn in dict.fromkeys(tuple(draws_of(step.ops)) for step in steps):
        ranges = [range(key[1]) if key in drawn else range(1) for key in stepper.draws]
        every.update(dict.fromkeys(itertools.product(*ranges)))
    choices = [dict(zip(stepper.draws, combination, strict=True)) for combination in every]
    lines = [
        [int(combination[key] == value) for key in stepper.draws for value in range(key[1])]
        for combination in choices
    ]
    width = sum(options for _, options in stepper.draws)
    return np.array(lines, np.uint8).reshape(len(choices), width), choices
