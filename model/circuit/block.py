"""Blocks: 512 lanes of executions, a pure function of program, scheduler, root seed and number.

A block starts all lanes afresh, restarts lanes that end for a fixed number of passes, and is done
when every execution that was started has ended, so that rates favour neither short executions nor
long ones. Hits are counted exactly; the schedule of a hit is recovered by running its block again
with recording, so that the hot loop records nothing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.circuit.block_circuit import BlockCircuit, build_block_circuit
from model.circuit.emit import emit_block
from model.circuit.native import LANES, aligned, chunk_lanes, compile_ir
from model.circuit.random_planes import generator
from model.circuit.sampled_executions import SLICE, Observer, Slice
from model.coverage import Coverage
from model.interpreter import Event, Machine, Trace, advance
from model.program import DEADLOCK_SITE, Outcome, Program
from model.schedulers.scheduler import Scheduler
from model.schedulers.uniform_walk import UniformWalk

ENGINE_REVISION = 1
PASSES = 16384
HITS_PER_SITE = 4
FOREVER = 1 << 62

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A lane that ended wrongly in a pass of a block. `site` is the oracle site."""

    number: int
    lane: int
    site: int


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What a block showed: addable counts, and a bounded choice of its hits.

    `site_hits[s]` counts the executions that ended at oracle site s, exactly; `hits` are
    HITS_PER_SITE of each site, by pass and lane.
    """

    block: int
    schedules: int
    steps: int
    outcomes: dict[Outcome, int]
    site_hits: tuple[int, ...]
    hits: tuple[Hit, ...]


@dataclass(slots=True)
class _Chunk:
    """The memory of one call: lanes [first_lane, first_lane + lanes)."""

    first_lane: int
    state: Words
    generators: Words
    counts: Words
    number: int = 0
    rows: list[Words] = field(default_factory=list)


class Engine:
    """A program compiled for one scheduler.

    Compiling takes time; running a block only reads and writes memory. `lanes` is the vector width
    in lanes, by default that of this CPU: it changes the speed, never a result.
    """

    def __init__(
        self,
        program: Program,
        scheduler: Scheduler | None = None,
        *,
        lanes: int | None = None,
    ) -> None:
        self.program = program
        self.scheduler = (scheduler if scheduler is not None else UniformWalk()).prepared(program)
        self.lanes = lanes if lanes is not None else chunk_lanes()
        self.circuit: BlockCircuit = build_block_circuit(program, self.scheduler)
        self._code = compile_ir(emit_block(self.circuit, lanes=self.lanes), "block")
        address, number = ctypes.c_void_p, ctypes.c_int64
        self._call: Callable[..., int] = self._code.function(
            number, address, address, number, number, number, address, address, number, address
        )
        self._words = self.lanes // 64
        self._hits = _aligned(4096 * (1 + len(self.circuit.code)) * self._words)

    @cached_property
    def _observer(self) -> Observer:
        return Observer(self.circuit, self.chooser)

    # -- running -----------------------------------------------------------------------------------

    def run_block(
        self, *, root_seed: int, block: int, passes: int = PASSES, hits_from: int = 0
    ) -> BlockResult:
        """Run one block: a pure function of its arguments, the program and the scheduler.

        The hits that are kept are the first from pass `hits_from` on, then those before it. In the
        first passes of a block all lanes are young, and only the shortest executions can hit.
        """
        hits: list[Hit] = []
        site_hits = np.zeros(len(self.program.sites), np.int64)
        other = {Outcome.DISCARDED: 0, Outcome.STEP_LIMIT: 0}
        schedules = steps = 0
        for chunk in self._chunks(root_seed, block):
            self._advance(chunk, FOREVER, passes)
            schedules += int(chunk.counts[: self._words].sum())
            steps += int(chunk.counts[self._words : 2 * self._words].sum())
            self._collect(chunk, hits, site_hits, other, hits_from)
        deadlocks, violations = int(site_hits[DEADLOCK_SITE]), int(site_hits.sum())
        outcomes = {
            Outcome.OK: schedules - violations - sum(other.values()),
            Outcome.VIOLATION: violations - deadlocks,
            Outcome.DEADLOCK: deadlocks,
            **other,
        }
        assert min(outcomes.values()) >= 0
        return BlockResult(
            block,
            schedules,
            steps,
            outcomes,
            tuple(map(int, site_hits)),
            _first(hits, hits_from),
        )

    def ended_within(self, passes: int, *, root_seed: int, block: int) -> int:
        """How many executions of a block have ended after so many of its passes."""
        ended = 0
        for chunk in self._chunks(root_seed, block):
            self._advance(chunk, passes, PASSES)
            ended += int(chunk.counts[: self._words].sum())
        return ended

    def coverage(self, *, root_seed: int, block: int) -> Coverage:
        """What the first execution of every lane of a block has shown: as pure as `run_block`.

        Takes about as long as the block itself; at first longer, while kinds of events are new.
        """
        chunks = map(self._first_executions, self._chunks(root_seed, block))
        return self._observer.coverage(chunks, block=block)

    def recover(
        self, hits: tuple[Hit, ...], *, root_seed: int, block: int, passes: int = PASSES
    ) -> list[Trace]:
        """The trace of each hit of a block, executed by the interpreter along the lane's decisions.

        The caller compares the outcome with the hit: that is the comparison of the two engines.
        """
        traces: dict[Hit, Trace] = {}
        for chunk in self._chunks(root_seed, block):
            mine = [h for h in hits if chunk.first_lane <= h.lane < chunk.first_lane + self.lanes]
            if mine:
                last = max(h.number for h in mine) + 1
                record = self._record(chunk, last, passes)
                for hit in mine:
                    traces[hit] = self._follow(record, hit.lane - chunk.first_lane, hit.number)
        return [traces[hit] for hit in hits]

    def decisions(self, *, root_seed: int, block: int, passes: int) -> list[NDArray[np.uint8]]:
        """For each chunk of lanes, the record lines of the first passes: [pass, line, lane]."""
        found = []
        for chunk in self._chunks(root_seed, block):
            record = self._record(chunk, passes, PASSES)
            found.append(_bits(record))
        return found

    def _chunks(self, root_seed: int, block: int) -> list[_Chunk]:
        kept, words = len(self.circuit.kept), self._words
        start = np.repeat(np.where(self.circuit.initial, np.uint64(2**64 - 1), np.uint64(0)), words)
        chunks = []
        for first_lane in range(0, LANES, self.lanes):
            state = _aligned(2 * kept * words)
            state[: kept * words] = start
            seeds = [generator(root_seed, block, first_lane // 64 + k) for k in range(words)]
            generators = _aligned(4 * words)
            generators[:] = (
                [s.a for s in seeds]
                + [s.b for s in seeds]
                + [s.c for s in seeds]
                + [s.counter for s in seeds]
            )
            chunks.append(_Chunk(first_lane, state, generators, _aligned(3 * words)))
        return chunks

    def _advance(self, chunk: _Chunk, until: int, restart_until: int) -> None:
        """Run passes up to `until`, or until every lane is late."""
        row = (1 + len(self.circuit.code)) * self._words
        while chunk.number < until:
            room = len(self._hits) // row
            before = chunk.number
            chunk.number = self._call(
                chunk.state.ctypes.data, chunk.generators.ctypes.data,
                chunk.number, until, restart_until,
                chunk.counts.ctypes.data, self._hits.ctypes.data, room, None,
            )  # fmt: skip
            found = int(chunk.counts[2 * self._words])
            if found:
                chunk.rows.append(self._hits[: found * row].copy())
            if found < room and chunk.number < until:
                return
            assert chunk.number > before

    def _record(self, chunk: _Chunk, until: int, restart_until: int) -> Words:
        """The record lines of passes 0 to `until`, as words [pass, line, word]."""
        lines = len(self.circuit.record)
        record = _aligned(until * lines * self._words)
        room = len(self._hits) // ((1 + len(self.circuit.code)) * self._words)
        while chunk.number < until:
            offset = chunk.number * lines * self._words * 8
            chunk.number = self._call(
                chunk.state.ctypes.data, chunk.generators.ctypes.data,
                chunk.number, until, restart_until,
                chunk.counts.ctypes.data, self._hits.ctypes.data, room, record.ctypes.data + offset,
            )  # fmt: skip
        return record.reshape(until, lines, self._words)

    def _first_executions(self, chunk: _Chunk) -> Iterator[Slice]:
        """Every pass until each lane has ended once; those that end are late, and go no further."""
        kept, words, width = len(self.circuit.kept), self._words, len(self.circuit.code)
        planes, record = len(self.circuit.layout.planes), len(self.circuit.record)
        state, code = chunk.state.reshape(2, kept, words), self._hits[words : (1 + width) * words]
        arrays = (state, chunk.generators, chunk.counts, self._hits)
        at, generators, counts, hits = (array.ctypes.data for array in arrays)
        ended = np.zeros(words, np.uint64)
        while (~ended).any():
            states = np.empty((SLICE, planes, words), np.uint64)
            lines = _aligned(SLICE * (record + width) * words).reshape(SLICE, -1, words)
            target = lines.ctypes.data
            for k in range(SLICE):
                number = chunk.number
                states[k] = state[number & 1, :planes]
                chunk.number = self._call(
                    at, generators, number, number + 1, 0,
                    counts, hits, 1, target + k * lines.strides[0],
                )  # fmt: skip
                if chunk.counts[2 * words]:
                    lines[k, record:] = code.reshape(width, words)
            ended |= np.bitwise_or.reduce(lines[:, record - 1], axis=0)
            yield Slice(states, lines)

    # -- reading -----------------------------------------------------------------------------------

    def _collect(
        self,
        chunk: _Chunk,
        hits: list[Hit],
        site_hits: NDArray[np.int64],
        other: dict[Outcome, int],
        hits_from: int,
    ) -> None:
        width, codes = len(self.circuit.code), self.circuit.codes
        for rows in chunk.rows:
            table = rows.reshape(-1, 1 + width, self._words)
            for code, lanes in _lanes_by_code(table[:, 1:, :]):
                count = int(np.bitwise_count(lanes).sum())
                if code == codes.discarded:
                    other[Outcome.DISCARDED] += count
                elif code == codes.step_limit:
                    other[Outcome.STEP_LIMIT] += count
                else:
                    site_hits[code - 1] += count
                    found = np.nonzero(lanes.any(axis=1))[0]
                    young = table[found, 0, 0] < hits_from
                    for at in np.concatenate([found[~young], found[young]])[:HITS_PER_SITE]:
                        number = int(table[at, 0, 0])
                        hits += [
                            Hit(number, chunk.first_lane + int(lane), code - 1)
                            for lane in np.nonzero(_bits(lanes[at]))[0][:HITS_PER_SITE]
                        ]

    def _follow(self, record: Words, lane: int, last: int) -> Trace:
        """Execute, in the interpreter, the execution that a lane was in at pass `last`."""
        lines = (record[: last + 1, :, lane // 64] >> np.uint64(lane % 64)) & np.uint64(1)
        ends = np.nonzero(lines[:last, -1])[0]
        first = int(ends[-1]) + 1 if len(ends) else 0
        machine, events = Machine(self.program), list[Event]()
        threads = len(self.program.threads)
        for row in lines[first:]:
            stepping = np.nonzero(row[:threads])[0]
            if len(stepping) == 0 or machine.outcome is not None:
                continue
            thread = int(stepping[0])
            if not machine.is_enabled(thread):
                break
            events.append(advance(machine, thread, self.chooser(row)))
        return Trace(self.program, tuple(events), machine.outcome, machine.site)

    def chooser(self, row: NDArray[np.uint64]) -> Callable[[tuple[int, ...]], int]:
        """What the choose() calls of one step gave in a lane, from its record lines."""
        count = 0

        def choose(options: tuple[int, ...]) -> int:
            nonlocal count
            position = self.circuit.draw_position(count, len(options))
            count += 1
            return options[int(np.nonzero(row[position : position + len(options)])[0][0])]

        return choose


def _first(hits: list[Hit], hits_from: int) -> tuple[Hit, ...]:
    """HITS_PER_SITE of each site: the first from a pass on, by pass and lane, then those before."""
    kept: dict[int, int] = {}
    chosen = []
    for hit in sorted(hits, key=lambda hit: (hit.number < hits_from, hit)):
        kept[hit.site] = kept.get(hit.site, 0) + 1
        if kept[hit.site] <= HITS_PER_SITE:
            chosen.append(hit)
    return tuple(chosen)


def _aligned(words: int) -> Words:
    return aligned(8 * words).view(np.uint64)


def _bits(words: Words) -> NDArray[np.uint8]:
    """[..., word] to [..., lane]."""
    flat = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(flat, axis=-1, bitorder="little")


def _lanes_by_code(planes: Words) -> list[tuple[int, Words]]:
    """[pass, bit, word] to each number but 0 that some lane has, and its lanes [pass, word]."""
    found = [(0, np.bitwise_or.reduce(planes, axis=1))]
    for q in range(planes.shape[1]):
        halves = [
            (code | high << q, lanes & (planes[:, q] if high else ~planes[:, q]))
            for code, lanes in found
            for high in (0, 1)
        ]
        found = [(code, lanes) for code, lanes in halves if lanes.any()]
    return sorted(found, key=lambda one: one[0])
