"""The smallest interleavings of a program: exhaustive search in the order of their criteria.

Nodes are (state, threads that have stepped, last thread, last thread that is no daemon, could it
have gone on); their cost is the Measure so far. Costs only grow along an interleaving and equal
nodes have equal futures, so that taking nodes in order of cost meets, as the first violation of
each signature, its minimum of all criteria at once: everything cheaper has been searched, all
choices included. One search serves all signatures of a program, in whatever order they are asked
for: it goes on from where it is, and what it has met on the way is known.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.circuit.block_circuit import draws_of
from model.circuit.step_circuit import Bits, Stepped, Stepper
from model.interpreter import Chooser, Machine, Trace, advance
from model.program import Choose
from model.schedule import Pick
from model.signature import Signature, signature_at, signature_of
from model.trace import Measure
from model.validation import leaves

THREADS_MAX = 62
BATCH = 8192
# What a node takes in the visited set besides its own bytes: a bytes object and its place.
ENTRY_BYTES = 33 + 32

Cost = tuple[int, int, int, int]
Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search knows of a signature.

    `trace` is its smallest known interleaving, or None. Nothing of the signature is cheaper than
    `reached`, or than the trace where that is cheaper; where `exhausted`, nothing exists at all.
    Where the step limit was met below that (`limited`), something smaller may have been hidden by
    what was passed over. `states` counts the nodes that were searched.
    """

    trace: Trace | None
    reached: Measure
    exhausted: bool
    states: int
    limited: bool = False


@dataclass(slots=True)
class _Layer:
    """Nodes of one cost: their rows, and where each comes from."""

    rows: list[Words] = field(default_factory=list)
    origins: list[Numbers] = field(default_factory=list)


@dataclass(slots=True)
class _Moves:
    """Steps out of a batch: of which node, by which thread, with which draws, and their results."""

    nodes: Numbers
    threads: Numbers
    drawn: Numbers
    before: Bits
    stepped: Stepped


class Search:
    """One search of a program, which goes on whenever it is asked for more.

    A row is a node in words: bits of its state and of who is enabled, then who has stepped, then
    the last thread, the last that is no daemon (both + 1, in bytes), and whether that could have
    gone on. `bytes_max` bounds what nodes take in memory, waiting ones included; once it is met,
    the search stands still for good. Where it stands depends on nothing but the program and the
    bound.
    """

    def __init__(self, stepper: Stepper, *, bytes_max: int) -> None:
        program = stepper.program
        assert len(program.threads) <= THREADS_MAX
        self.stepper, self.bytes_max = stepper, bytes_max
        self.threads = len(program.threads)
        self.daemon = np.array([thread.daemon for thread in program.threads])
        self.draw_rows, self.draw_choices = draw_table(stepper)
        self.width = len(stepper.initial) + self.threads
        self.state_words = -(-self.width // 64)
        self.layers: dict[Cost, _Layer] = {}
        self.queue: list[Cost] = []
        self.seen: set[bytes] = set()
        self.waiting = 0
        self.origins: list[Numbers] = []
        self.costs: list[Cost] = []
        self.counts = [0]
        self.limited_at: Cost | None = None
        self.best: dict[Signature, tuple[Cost, int]] = {}
        first = np.concatenate([stepper.initial, stepper.initially_enabled])[None, :]
        self._push((0, 0, 0, 0), self._rows(first, np.zeros((1, 2), np.uint64)), np.full(1, -1))

    def minimum(self, signature: Signature, *, below: Measure | None = None) -> Found:
        """Search until the signature's minimum is known, all is searched, or the bound is met.

        Ends also when nothing of it is cheaper than `below`, the measure of what is known already.
        """
        while not self._is_settled(signature, below) and self._advance():
            pass
        return self._found(signature, below)

    @property
    def nodes(self) -> int:
        """How many have been searched."""
        return self.counts[-1]

    @property
    def bytes(self) -> int:
        """What the nodes take in memory, about; the same on every machine."""
        row = 8 * (self.state_words + 2)
        return self.nodes * (row + 8 + ENTRY_BYTES) + self.waiting * (row + 8)

    def _is_settled(self, signature: Signature, below: Measure | None) -> bool:
        if not self.queue:
            return True
        front, candidate = self.queue[0], self.best.get(signature)
        known = candidate is not None and candidate[0] <= front
        return known or (below is not None and below <= Measure(*front))

    def _found(self, signature: Signature, below: Measure | None) -> Found:
        front = self.queue[0] if self.queue else None
        cost, origin = self.best.get(signature, (None, -1))
        if cost is not None and (front is None or cost <= front):
            states = self.counts[bisect_left(self.costs, cost)]
            return Found(
                self._trace(signature, origin), Measure(*cost), False, states, self._limited(cost)
            )
        if front is None:
            reached = Measure(*self.costs[-1])
            return Found(None, reached, self.limited_at is None, self.nodes, self._limited(None))
        if below is not None and below <= Measure(*front):
            limited = self.limited_at is not None and Measure(*self.limited_at) < below
            return Found(None, below, False, self.nodes, limited)
        trace = None if cost is None else self._trace(signature, origin)
        return Found(trace, Measure(*front), False, self.nodes, self._limited(front))

    def _limited(self, cost: Cost | None) -> bool:
        """Whether a step limit was met below a cost."""
        return self.limited_at is not None and (cost is None or self.limited_at < cost)

    # -- going on ----------------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Take the nodes of the smallest cost; False where none is left or the bound is met."""
        if not self.queue or self.bytes > self.bytes_max:
            return False
        cost = heapq.heappop(self.queue)
        layer = self.layers.pop(cost)
        rows, origins = np.concatenate(layer.rows), np.concatenate(layer.origins)
        self.waiting -= len(rows)
        kept = unseen(rows, self.seen)
        rows, first = rows[kept], self.nodes
        self.origins.append(origins[kept])
        self.costs.append(cost)
        self.counts.append(first + len(rows))
        for begin in range(0, len(rows), BATCH):
            self._successors(cost, rows[begin : begin + BATCH], first + begin)
        return True

    def _successors(self, cost: Cost, rows: Words, first: int) -> None:
        moves = self._moves(rows)
        after, delta = self._after(rows, moves)
        origins = self._origins(moves, first)
        stepped = moves.stepped
        going = (stepped.codes == 0) & (stepped.ended == 0)
        if cost[3] + 1 >= self.stepper.program.steps_max:
            if self.limited_at is None and going.any():
                self.limited_at = cost
            going[:] = False
        hit = (stepped.codes > 0) & (stepped.codes <= len(self.stepper.program.sites))
        group = delta * 64 + np.bitwise_count(after[:, 0])
        kept = np.concatenate([stepped.states, stepped.enabled], axis=1)[going]
        targets, next_rows = group[going], self._rows(kept, after[going])
        for number in np.unique(targets):
            members = targets == number
            self._push(_into(cost, int(number)), next_rows[members], origins[going][members])
        for number in np.unique(group[hit]):
            ends = np.nonzero(hit & (group == number))[0]
            self._note(_into(cost, int(number)), moves, ends, origins)

    def _moves(self, rows: Words) -> _Moves:
        packed = np.ascontiguousarray(rows[:, : self.state_words]).view(np.uint8)
        bits = np.unpackbits(packed, axis=1, count=self.width)
        planes = self.width - self.threads
        nodes, threads, drawn = moves(bits[:, planes:], len(self.draw_rows))
        before = bits[nodes, :planes]
        stepped = self.stepper.step(before, threads, self.draw_rows[drawn])
        return _Moves(nodes, threads, drawn, before, stepped)

    def _after(self, rows: Words, moves: _Moves) -> tuple[Words, Numbers]:
        """The last two words of the next rows, and what each move adds: 2 preempted + switched."""
        who, threads, stepped = rows[moves.nodes, -1].astype(np.int64), moves.threads, moves.stepped
        last, own, went_on = who & 255, who >> 8 & 255, who >> 16
        daemon, number = self.daemon[threads], threads + 1
        preempted = ~daemon & (own != 0) & (own != number) & (went_on == 1)
        switched = (last != 0) & (last != number)
        goes_on = stepped.enabled[np.arange(len(threads)), threads] & (1 - stepped.yields)
        ran = rows[moves.nodes, -2]
        after = np.empty((len(threads), 2), np.uint64)
        after[:, 0] = np.where(daemon, ran, ran | (np.uint64(1) << threads.astype(np.uint64)))
        after[:, 1] = number + np.where(
            daemon, who & ~np.int64(255), (number << 8) + (goes_on.astype(np.int64) << 16)
        )
        return after, preempted * 2 + switched.astype(np.int64)

    def _origins(self, moves: _Moves, first: int) -> Numbers:
        parents = first + moves.nodes
        return (parents * len(self.draw_rows) + moves.drawn) * self.threads + moves.threads

    def _rows(self, bits: Bits, last: Words) -> Words:
        rows = np.zeros((len(bits), self.state_words + 2), np.uint64)
        packed = np.packbits(bits, axis=1)
        rows.view(np.uint8)[:, : packed.shape[1]] = packed
        rows[:, self.state_words :] = last
        return rows

    def _push(self, cost: Cost, rows: Words, origins: Numbers) -> None:
        if cost not in self.layers:
            self.layers[cost] = _Layer()
            heapq.heappush(self.queue, cost)
        self.layers[cost].rows.append(rows)
        self.layers[cost].origins.append(origins)
        self.waiting += len(rows)

    def _note(self, cost: Cost, moves: _Moves, ends: Numbers, origins: Numbers) -> None:
        """Keep the violations that are the cheapest of their signature, the first of equal ones."""
        for i in ends:
            site, thread = int(moves.stepped.codes[i]) - 1, int(moves.threads[i])
            pc = self.stepper.pc_of(moves.before[i], thread)
            signature = signature_at(self.stepper.program, site, thread, pc)
            if signature not in self.best or cost < self.best[signature][0]:
                self.best[signature] = cost, int(origins[i])

    # -- telling -----------------------------------------------------------------------------------

    def _trace(self, signature: Signature, origin: int) -> Trace:
        """The interleaving that ends with a move, executed by the interpreter."""
        log, picks = np.concatenate(self.origins), list[tuple[int, int]]()
        while origin >= 0:
            rest, thread = divmod(origin, self.threads)
            parent, draw = divmod(rest, len(self.draw_rows))
            picks.append((thread, draw))
            origin = int(log[parent])
        machine, events = Machine(self.stepper.program), []
        for thread, draw in reversed(picks):
            events.append(advance(machine, thread, chooser(self.draw_choices[draw])))
        trace = Trace(self.stepper.program, tuple(events), machine.outcome, machine.site)
        assert trace.site is not None and signature_of(trace) == signature, (
            "the two engines disagree on a minimal interleaving"
        )
        return trace


def chooser(chosen: dict[tuple[int, int], int]) -> Chooser:
    """The choices of one step from a row of `draw_table`."""
    count = itertools.count()
    return lambda options: options[chosen[next(count), len(options)]]


def _into(cost: Cost, group: int) -> Cost:
    """The cost after a move: 64 (2 preempted + switched) + threads that have stepped by then."""
    delta, threads = divmod(group, 64)
    return cost[0] + (delta >> 1), cost[1] + (delta & 1), threads, cost[3] + 1


def unseen(keys: Bits | Words, seen: set[bytes]) -> list[int]:
    """The rows whose bytes have not been seen before; they are noted as seen."""
    width, raw, kept = keys.shape[1] * keys.itemsize, keys.tobytes(), []
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
