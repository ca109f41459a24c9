"""What the steps of recorded executions touch, without executing each of them again.

What a step does depends on little: its own locals, what it reads, what it chooses. Events that are
equal in that do the same, so the interpreter executes one of each kind, and what it did holds for
all. For a program of six threads that is some thousand kinds for millions of events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.circuit.block_circuit import BlockCircuit, draws_of
from model.circuit.sampled_states import hashed
from model.expressions import Elem, Expr, Local, Var, walk
from model.interpreter import Chooser, Event, Machine, Place, advance
from model.program import Assign, Assume, Check, If, Op, Spawn, Switch
from model.step_pairs import touched_by
from model.validation import leaves

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]

FIELDS = 5
THREAD, STEP, HASH, FIRST, STOP = range(FIELDS)
READS, WRITES, PAIR_READS, PAIR_WRITES, PLACE = 1, 2, 4, 8, 16
WORD = 64


class EventTable:
    """The kinds of events of a program, found as they occur.

    `kinds` [n, FIELDS] are thread, number of the step, hash of (thread, step, choices), and where
    its places lie in `places`: numbers of places times PLACE, with what is done to each. Steps are
    numbered through all bodies, places through all elements and then the starts of threads.
    """

    def __init__(self, circuit: BlockCircuit, chooser: Callable[[Words], Chooser]) -> None:
        self._layout, self._circuit, self._chooser = circuit.layout, circuit, chooser
        self.program = circuit.layout.program
        self.steps = [
            (body, step)
            for body, declared in enumerate(self.program.bodies)
            for step in range(len(declared.steps))
        ]
        self._step_number = {step: number for number, step in enumerate(self.steps)}
        names = [*self._layout.elements, *(("spawn", t) for t in range(len(self.program.threads)))]
        self._place_number: dict[Place, int] = {name: number for number, name in enumerate(names)}
        self.places_count = len(names)
        self.kinds = np.zeros((0, FIELDS), np.int64)
        self.places = np.zeros(0, np.int64)
        self._machine = Machine(self.program)
        # What the oracles read is no access of the step.
        self._bare = Machine(replace(self.program, invariants=(), at_end=()))
        self._keys, self._numbers = np.array([2**64 - 1], np.uint64), np.array([-1])
        self._state_words = -(-len(self._layout.planes) // WORD)
        self._masks = self._bits_that_matter()

    def numbers_of(
        self, rows: Words, threads: Numbers, codes: Numbers, last: NDArray[np.bool_]
    ) -> Numbers:
        """The kind of each event.

        `rows` [n, words] are the planes of the state before it in whole words, then the record
        lines of its pass and the planes of how its execution ended; `codes` are program counters
        of `threads` as the planes hold them; `last` says where an execution ended.
        """
        keys = hashed(rows & self._masks[last.astype(np.int64), threads, codes])
        at = np.searchsorted(self._keys, keys)
        # The last of the known keys is the largest there is, so every place is inside.
        new = np.nonzero(self._keys[at] != keys)[0]
        if len(new):
            found, first = np.unique(keys[new], return_index=True)
            self._learn(found, rows[new[first]], threads[new[first]])
            at = np.searchsorted(self._keys, keys)
        numbers: Numbers = self._numbers[at]
        return numbers

    def _learn(self, keys: Words, rows: Words, threads: Numbers) -> None:
        kinds, places = [], list[int]()
        for row, thread in zip(rows, threads.tolist(), strict=True):
            number, name, touched = self._kind(row, thread)
            first = len(self.places) + len(places)
            places += touched
            kinds.append((thread, number, name, first, first + len(touched)))
        fresh = np.arange(len(self.kinds), len(self.kinds) + len(kinds))
        self.kinds = np.concatenate([self.kinds, np.array(kinds, np.uint64).view(np.int64)])
        self.places = np.concatenate([self.places, np.array(places, np.int64)])
        keys, numbers = np.concatenate([self._keys, keys]), np.concatenate([self._numbers, fresh])
        order = np.argsort(keys)
        self._keys, self._numbers = keys[order], numbers[order]

    def _kind(self, row: Words, thread: int) -> tuple[int, int, list[int]]:
        """Have the interpreter execute one event: its step, its hash, what it does to places."""
        packed = int.from_bytes(row[: self._state_words].astype("<u8").tobytes(), "little")
        key = self._layout.unpack(packed)
        lines = row[self._state_words :].astype("<u8").view(np.uint8)
        chooser = self._chooser(np.unpackbits(lines, bitorder="little").astype(np.uint64))
        self._machine.restore(key, 0)
        event = advance(self._machine, thread, chooser)
        self._bare.restore(key, 0)
        chosen = iter(event.choices)
        self._bare.step(thread, lambda options: next(chosen))
        body = self.program.threads[thread].body
        step = self._step_number[body, event.pc]
        name = np.array([[thread, step, *event.choices]], np.uint64)
        return step, int(hashed(name)[0]), self._touched(event, self._bare)

    def _touched(self, event: Event, bare: Machine) -> list[int]:
        declared = touched_by(self.program, event.thread, event.pc)
        done: dict[Place, int] = {("spawn", event.thread): READS}
        for places, bit in (
            (event.reads, READS),
            (event.writes, WRITES),
            (bare.reads & declared.reads, PAIR_READS),
            (bare.writes & declared.writes, PAIR_WRITES),
        ):
            for place in places:
                done[place] = done.get(place, 0) | bit
        return sorted(self._place_number[place] * PLACE + bits for place, bits in done.items())

    # -- what matters ------------------------------------------------------------------------------

    def _bits_that_matter(self) -> Words:
        """[last of its execution, thread, code of the program counter, word] of a row."""
        layout, program = self._layout, self.program
        # The record begins with the threads, then come the draws.
        lines = len(self._circuit.record) + self._circuit.codes.width
        words = self._state_words + -(-lines // WORD)
        width = max(body.pc_width for body in layout.bodies)
        masks = np.zeros((2, len(program.threads), 1 << width, words * WORD), np.uint8)
        oracles = set(self._planes_read(0, program.at_end))
        start = self._state_words * WORD
        for number, thread in enumerate(program.threads):
            for pc, step in enumerate(program.bodies[thread.body].steps):
                bits = masks[:, number, layout.code(number, pc)]
                matter = set(self._planes_read(number, step.ops))
                if step.guard is not None:
                    matter.update(self._planes_of(number, step.guard))
                counter = layout.position["pc", number, 0]
                matter.update(range(counter, counter + layout.bodies[thread.body].pc_width))
                bits[:, sorted(matter)] = 1
                bits[:, start : start + len(program.threads)] = 1
                for ordinal, options in draws_of(step.ops):
                    first = start + self._circuit.draw_position(ordinal, options)
                    bits[:, first : first + options] = 1
                # How the execution ended tells whether it came to what is asserted at the end.
                bits[1, sorted(oracles)] = 1
                bits[1, start + len(self._circuit.record) : start + lines] = 1
        return np.packbits(masks, axis=3, bitorder="little").view("<u8").astype(np.uint64)

    def _planes_read(self, thread: int, ops: tuple[Op, ...]) -> Iterator[int]:
        for op in leaves(ops):
            match op:
                case Assign(target, value):
                    yield from self._planes_of(thread, value)
                    if isinstance(target, Elem):
                        yield from self._planes_of(thread, target.index)
                case Check(_, test) | Assume(test) | If(test, _, _):
                    yield from self._planes_of(thread, test)
                case Switch(local, _):
                    yield from self._planes_of(thread, local)
                case Spawn(child, _):
                    first = self._layout.position["pc", child, 0]
                    body = self._layout.bodies[self.program.threads[child].body]
                    yield from range(first, first + body.pc_width)
                case _:
                    pass

    def _planes_of(self, thread: int, expr: Expr) -> Iterator[int]:
        """The planes that an expression may read; all elements of an array that is indexed."""
        layout = self._layout
        for part in walk(expr):
            match part:
                case Local(name):
                    body = layout.bodies[self.program.threads[thread].body]
                    # A local that is dead everywhere has no register, and is written only.
                    start, width = body.registers.get(name, (0, 0))
                    if width:
                        first = layout.position["register", thread, start]
                        yield from range(first, first + width)
                case Var(name) | Elem(name, _):
                    for at in range(len(self.program.variable[name].init)):
                        first = layout.position["variable", layout.element_number[name, at], 0]
                        yield from range(first, first + self.program.variable[name].type.width)
                case _:
                    pass

