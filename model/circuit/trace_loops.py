"""From the events of many executions to their equivalence classes and conflicting pairs, in loops.

The same as `model.foata.levels` and the pairs of `model.step_pairs`, for executions whose events
are numbers of an `EventTable`. The sum over all events of a mixed (level, thread, step, choices) is
the same for two orders of the same events on the same levels: it is the hash of the Foata form.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from model.circuit.event_table import (
    FIELDS,
    FIRST,
    HASH,
    PAIR_READS,
    PAIR_WRITES,
    PLACE,
    READS,
    STEP,
    STOP,
    THREAD,
    WRITES,
    EventTable,
    Numbers,
    Words,
)
from model.circuit.loops import Function, Module, Value, i64
from model.circuit.native import Compiled, compile_ir
from model.circuit.sampled_states import FIRST as FIRST_FACTOR
from model.circuit.sampled_states import GOLDEN
from model.circuit.sampled_states import SECOND as SECOND_FACTOR
from model.step_pairs import PairKind, StepPair

KINDS = (PairKind.READS, PairKind.OVERWRITES)
HALF = 32


class TraceLoops:
    """The loops with their memory for one program."""

    def __init__(self, table: EventTable) -> None:
        self._table = table
        self._steps, self._threads = len(table.steps), len(table.program.threads)
        self._code = _compiled()
        p, n = ctypes.c_void_p, ctypes.c_int64
        self._follow: Callable[..., int] = self._code.function(
            n, p, p, n, p, p, p, n, n, n, p, p, p
        )
        pairs = len(KINDS) * self._steps**2
        # How many executions have shown each pair, the last of them, and which pairs there are.
        self._pairs = np.zeros(3 * pairs, np.int64)
        self._names: dict[int, StepPair] = {}
        self._room = np.zeros(table.places_count * (3 + self._threads) + self._threads, np.int64)

    def follow(self, events: Numbers, starts: Numbers) -> tuple[Words, dict[StepPair, int]]:
        """The hash of the class of each execution, and how many executions show each pair.

        `events` are kinds of the table, one execution after the other; `starts` [n + 1] says where
        each begins.
        """
        table, count = self._table, len(starts) - 1
        hashes = np.zeros(count, np.uint64)
        arrays = (events, starts, table.kinds, table.places, self._room, self._pairs, hashes)
        assert all(array.flags.c_contiguous for array in arrays)
        data = [array.ctypes.data for array in arrays]
        pairs = len(self._pairs) // 3
        found = self._follow(
            data[0], data[1], count, data[2], data[3], data[4], table.places_count, self._threads,
            self._steps, data[5], data[5] + 8 * pairs, data[6],
        )  # fmt: skip
        numbers = self._pairs[2 * pairs : 2 * pairs + found].copy()
        shown = zip(map(self._pair, numbers.tolist()), self._pairs[numbers].tolist(), strict=True)
        counted = dict(shown)
        self._pairs[numbers] = self._pairs[numbers + pairs] = 0
        return hashes, counted

    def _pair(self, number: int) -> StepPair:
        if number not in self._names:
            rest, later = divmod(number, self._steps)
            kind, earlier = divmod(rest, self._steps)
            steps = self._table.steps
            self._names[number] = StepPair(KINDS[kind], steps[earlier], steps[later])
        return self._names[number]


@cache
def _compiled() -> Compiled:
    return compile_ir(str(_Loops().module), "follow", optimized=True)


class _Loops:
    """The module: follow(events, starts, executions, kinds, places, room, places, threads, steps,
    pairs, lasts, hashes), where `lasts` goes on with the numbers of the pairs that were found.
    """

    def __init__(self) -> None:
        self.module = Module("traces")
        self.mix = self._mix()
        self.note = self._note()
        self.level = self._level()
        self.conflicts = self._conflicts()
        self._follow()

    def _mix(self) -> Function:
        """The finalizer of SplitMix64."""
        f = Function(self.module, "mix", [i64])
        word = f.integer(0) + int(GOLDEN)
        word = (word ^ (word >> 30)) * int(FIRST_FACTOR)
        word = (word ^ (word >> 27)) * int(SECOND_FACTOR)
        f.result(word ^ (word >> 31))
        return f

    def _note(self) -> Function:
        """note(pair, execution, pairs, lasts, list, found): count it once an execution."""
        p = i64.as_pointer()
        f = Function(self.module, "note", [i64, i64, p, p, p, p])
        pair, execution, (pairs, lasts, numbers, found) = (
            f.integer(0), f.integer(1), (f.array(k) for k in range(2, 6))
        )  # fmt: skip
        with f.if_(lasts[pair].is_(0)):
            numbers[found[0]] = pair
            found[0] = found[0] + 1
        with f.if_(lasts[pair].is_not(execution)):
            lasts[pair] = execution
            pairs[pair] = pairs[pair] + 1
        f.result(0)
        return f

    def _level(self) -> Function:
        """level(first, stop, places, written, read, thread's): one above what it depends on.

        Levels are kept plus one, 0 where there is none; the level goes into the two arrays.
        """
        p = i64.as_pointer()
        f = Function(self.module, "level", [i64, i64, p, p, p, i64])
        places, written, read = f.array(2), f.array(3), f.array(4)
        below = f.variable(f.integer(5))

        def above(other: Value) -> None:
            below.set((below.now < other).choose(other, below.now))

        with f.for_range(f.integer(1), start=f.integer(0)) as number:
            place, done = _place_of(places[number])
            above(written[place])
            with f.if_((done & WRITES).is_not(0)):
                above(read[place])
        level = below.now + 1
        with f.for_range(f.integer(1), start=f.integer(0)) as number:
            place, done = _place_of(places[number])
            with f.if_((done & READS).is_not(0)):
                read[place] = (read[place] < level).choose(level, read[place])
            with f.if_((done & WRITES).is_not(0)):
                written[place] = level
        f.result(level)
        return f

    def _conflicts(self) -> Function:
        """conflicts(place, done, thread, step, execution, threads, steps, wrote, reading, pairs,
        lasts, list, found): the pairs that a step makes on one place.

        `wrote` holds who wrote last: the thread in its upper half, the step plus one in its lower;
        `reading` the step plus one of each thread that has read since.
        """
        p = i64.as_pointer()
        f = Function(self.module, "conflicts", [i64] * 7 + [p] * 6)
        place, done, thread, step, execution, threads, steps = (f.integer(k) for k in range(7))
        wrote, reading, *noted = (f.array(k) for k in range(7, 13))
        writer = wrote[place]

        def note(kind: int, earlier: Value) -> None:
            pair = (f.constant(kind) * steps + earlier) * steps + step
            f.call(self.note, pair, execution, *noted)

        with f.if_(writer.is_not(0)), f.if_((writer >> HALF).is_not(thread)):
            for kind, bit in ((0, PAIR_READS), (1, PAIR_WRITES)):
                with f.if_((done & bit).is_not(0)):
                    note(kind, (writer & ((1 << HALF) - 1)) - 1)
        with f.if_((done & PAIR_WRITES).is_not(0)):
            with f.for_range(threads) as other:
                reader = reading[place * threads + other]
                with f.if_(other.is_not(thread)), f.if_(reader.is_not(0)):
                    note(1, reader - 1)
                reading[place * threads + other] = 0
            wrote[place] = (thread << HALF) + step + 1
        with f.if_((done & (PAIR_READS | PAIR_WRITES)).is_(PAIR_READS)):
            reading[place * threads + thread] = step + 1
        f.result(0)
        return f

    def _follow(self) -> None:
        p = i64.as_pointer()
        f = Function(self.module, "follow", [p, p, i64, p, p, p, i64, i64, i64, p, p, p])
        events, starts, kinds, places, room = (f.array(k) for k in (0, 1, 3, 4, 5))
        pairs, lasts, hashes = (f.array(k) for k in (9, 10, 11))
        executions, count, threads, steps = (f.integer(k) for k in (2, 6, 7, 8))
        numbers = lasts.at(steps * steps * len(KINDS))
        found = f.room(1)
        found[0] = 0
        # The room: levels of writes and of reads, who wrote, who has read since, threads' levels.
        written, read, wrote = (room.at(count * k) for k in range(3))
        reading = room.at(count * 3)
        at_level = reading.at(count * threads)
        size = count * (threads + 3) + threads
        with f.for_range(executions) as execution:
            with f.for_range(size) as number:
                room[number] = 0
            total = f.variable(0)
            with f.for_range(starts[execution + 1], start=starts[execution]) as number:
                kind = kinds.at(events[number] * FIELDS)
                thread, first, stop = kind[THREAD], kind[FIRST], kind[STOP]
                level = f.call(self.level, first, stop, places, written, read, at_level[thread])
                at_level[thread] = level
                total.add(f.call(self.mix, kind[HASH] + f.call(self.mix, level)))
                with f.for_range(stop, start=first) as item:
                    place, done = _place_of(places[item])
                    with f.if_((done & (PAIR_READS | PAIR_WRITES)).is_not(0)):
                        f.call(
                            self.conflicts, place, done, thread, kind[STEP], execution + 1,
                            threads, steps, wrote, reading, pairs, lasts, numbers, found,
                        )  # fmt: skip
            hashes[execution] = f.call(self.mix, total.now)
        f.result(found[0])


def _place_of(item: Value) -> tuple[Value, Value]:
    return item >> (PLACE.bit_length() - 1), item & (PLACE - 1)

