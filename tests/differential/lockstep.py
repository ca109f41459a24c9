"""The circuit and the interpreter side by side: lanes pass for pass, states step for step.

The circuit is stepped one pass at a time and its planes are read; the interpreter repeats what each
lane did. What the interpreter says about (state, steps so far, thread, draws) is kept, since lanes
repeat each other.
"""

import itertools
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from math import prod

import numpy as np

from model.circuit.block import HITS_PER_SITE, BlockResult, Engine, Hit, _bits, _Chunk
from model.circuit.block_circuit import _draws, draws_needed, draws_of
from model.circuit.native import LANES
from model.circuit.netlist import Netlist
from model.circuit.random_planes import generator
from model.circuit.step_circuit import Bits, Stepper
from model.interpreter import Machine
from model.program import DEADLOCK_SITE, Outcome, Program
from model.schedulers import scheduler
from model.schedulers.resources import Pending, resources

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class After:
    """What a step leads to, by the interpreter. `state` is the number of the next state."""

    state: int
    steps: int
    outcome: Outcome | None
    site: int | None
    yields: bool


def agrees(unpacked: Key, key: Key) -> bool:
    """The state of the circuit is that of the interpreter, which alone knows of unassigned locals.

    Liveness does not tell the callers of a noinline function apart: inside it, a local of one
    caller counts as alive for the others, where it may never have been assigned.
    """
    pcs, locals_, shared = key
    return (unpacked[0], unpacked[2]) == (pcs, shared) and all(
        set(mine) <= set(given) for given, mine in zip(unpacked[1], locals_, strict=True)
    )


def filled(program: Program, key: Key) -> Key:
    """The state with 0 in locals that count as alive and were never assigned."""
    pcs, locals_, shared = key
    held = []
    for thread, pc, mine in zip(program.threads, pcs, locals_, strict=True):
        zeros = dict.fromkeys(program.live[thread.body][pc], 0)
        held.append(tuple(sorted((zeros | dict(mine)).items())))
    return (pcs, tuple(held), shared)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reference of a scheduler sees before a step."""

    enabled: list[int]
    pending: list[Pending] = field(default_factory=list)


class Reference:
    """The interpreter, asked about states, which are numbered as they are met."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.machine = Machine(program)
        self.keys: list[Key] = []
        self.numbers: dict[Key, int] = {}
        self.enabled: list[int] = []
        self._after: dict[object, After] = {}
        self.initial = self.number(self.machine.key())

    def number(self, key: Key) -> int:
        """The number of a state; `enabled` gets the mask of the threads enabled in it."""
        if key not in self.numbers:
            self.numbers[key] = len(self.keys)
            self.keys.append(key)
            self.machine.restore(key, 0)
            self.enabled.append(sum(1 << thread for thread in self.machine.enabled()))
        return self.numbers[key]

    @cache  # noqa: B019
    def before(self, state: int) -> Seen:
        """What the reference of a scheduler sees in a state."""
        threads = range(len(self.program.threads))
        self.machine.restore(self.keys[state], 0)
        known = resources(self.program)
        return Seen(
            [self.enabled[state] >> thread & 1 for thread in threads],
            [known.pending(self.machine, thread) for thread in threads],
        )

    def step(self, state: int, steps: int, thread: int, draws: bytes, choose) -> After:
        """The step of a thread from a state; `draws` tells choices apart."""
        asked = (state, steps, thread, draws)
        if asked not in self._after:
            machine = self.machine
            machine.restore(self.keys[state], steps)
            machine.step(thread, choose)
            outcome, site, count = machine.outcome, machine.site, machine.steps
            after = self.number(machine.key()) if outcome is None else -1
            self._after[asked] = After(after, count, outcome, site, machine.yields)
        return self._after[asked]


@dataclass(slots=True)
class Lane:
    """Where the interpreter and the reference of the scheduler are in one lane."""

    state: int
    chooses: scheduler.Lane
    steps: int = 0
    late: bool = False


@dataclass
class Expected:
    """What the interpreter makes of a block."""

    schedules: int = 0
    steps: int = 0
    outcomes: Counter = field(default_factory=Counter)
    sites: Counter = field(default_factory=Counter)
    hits: list[Hit] = field(default_factory=list)


def code_of(engine: Engine, after: After) -> int:
    """The code with which the circuit reports the end of an execution."""
    if after.site is not None:
        return 1 + after.site
    codes = engine.circuit.codes
    return {Outcome.DISCARDED: codes.discarded, Outcome.STEP_LIMIT: codes.step_limit}.get(
        after.outcome, 0
    )


class RandomBits:
    """The bits that the scheduler's part of a pass reads in each lane, pass for pass."""

    def __init__(self, engine: Engine, chunk: _Chunk, *, root_seed: int, block: int) -> None:
        first = chunk.first_lane // 64
        self.sources = [
            generator(root_seed, block, first + word) for word in range(engine.lanes // 64)
        ]
        drawn, net = [], Netlist()
        _draws(net, engine.program, lambda: drawn.append(None) or net.input())
        self.planes, self.skipped = len(engine.circuit.random), len(drawn)

    def next_pass(self):
        """Bits [plane, lane]."""
        words = [[source.next() for source in self.sources] for _ in range(self.planes)]
        planes = np.array(words, np.uint64).reshape(self.planes, len(self.sources))
        return _bits(planes)[self.skipped :].tolist()


class Follower:
    """Follows one block of an engine; `expected` gets the interpreter's counts."""

    def __init__(self, engine: Engine, *, root_seed: int, block: int, passes: int) -> None:
        self.engine, self.passes = engine, passes
        self.circuit, self.layout = engine.circuit, engine.circuit.layout
        self.threads = len(engine.program.threads)
        self.reference = Reference(engine.program)
        self.expected = Expected()
        self._agreed: dict[tuple[bytes, int], bool] = {}
        for chunk in engine._chunks(root_seed, block):
            self._follow(chunk, RandomBits(engine, chunk, root_seed=root_seed, block=block))

    def _begin(self) -> scheduler.Lane:
        return self.engine.scheduler.reference(self.engine.program)

    def _follow(self, chunk: _Chunk, random_bits: RandomBits) -> None:
        lanes = [
            Lane(self.reference.initial, self._begin()) for _ in range(self.engine.lanes)
        ]
        self._compare_states(chunk, lanes)
        while not all(lane.late for lane in lanes):
            number = chunk.number
            record, codes = self._advance(chunk)
            stepping = record[:, : self.threads]
            assert stepping.sum(axis=1).max() <= 1, "two threads step at once"
            who = np.where(stepping.any(axis=1), stepping.argmax(axis=1), -1).tolist()
            dead, ends = record[:, -1].tolist(), codes.tolist()
            drawn, bits = self._drawn(record).tolist(), random_bits.next_pass()
            for index, lane in enumerate(lanes):
                chosen = self._choose(lane, [plane[index] for plane in bits])
                expected = chosen if drawn[index] and chosen is not None else -1
                assert who[index] == expected, f"lane {index}, pass {number}: {expected} steps"
                if who[index] < 0:
                    assert not dead[index] and not ends[index], "an execution ends without a step"
                    continue
                at = (chunk.first_lane + index, number)
                self._follow_lane(at, lane, who[index], record[index], dead[index], ends[index])
            self._compare_states(chunk, lanes)
        assert number == chunk.number - 1

    def _choose(self, lane: Lane, bits: list[int]) -> int | None:
        """Whom the reference of the scheduler chooses. It reads every bit that the circuit asks."""
        rest = iter(bits)
        chosen = lane.chooses.choose(self.reference.before(lane.state), lambda: next(rest))
        assert next(rest, None) is None, "the reference reads fewer bits than the circuit"
        return chosen

    def _drawn(self, record):
        """Where every draw of choose() has succeeded [lane]: each has one line that is true."""
        at, succeeded = self.threads, np.ones(len(record), bool)
        for _, options in draws_needed(self.engine.program):
            succeeded &= record[:, at : at + options].any(axis=1)
            at += options
        return succeeded

    def _advance(self, chunk: _Chunk):
        """One pass: the record lines [lane, line] and the codes [lane]."""
        engine, words = self.engine, self.engine._words
        width = len(self.circuit.code)
        record = np.zeros(len(self.circuit.record) * words + 8, np.uint64)
        offset = (-record.ctypes.data // 8) % 8
        record = record[offset : offset + len(self.circuit.record) * words]
        engine._call(
            chunk.state.ctypes.data,
            chunk.generators.ctypes.data,
            chunk.number,
            chunk.number + 1,
            self.passes,
            chunk.counts.ctypes.data,
            engine._hits.ctypes.data,
            2,
            record.ctypes.data,
        )
        chunk.number += 1
        codes = np.zeros(engine.lanes, np.int64)
        if chunk.counts[2 * words]:
            row = engine._hits[: (1 + width) * words].reshape(1 + width, words)
            assert row[0, 0] == chunk.number - 1
            codes = (1 << np.arange(width)) @ _bits(row[1:]).astype(np.int64)
        return _bits(record.reshape(-1, words)).T.copy(), codes

    def _follow_lane(
        self, at: tuple[int, int], lane: Lane, thread: int, row, dead: int, code: int
    ) -> None:
        number, passed = at
        assert self.reference.enabled[lane.state] >> thread & 1, "a disabled thread steps"
        draws = row[self.threads : -1].tobytes()
        after = self.reference.step(lane.state, lane.steps, thread, draws, self.engine.chooser(row))
        assert bool(dead) == (after.outcome is not None), (
            f"lane {number}, pass {passed}: {after.outcome}"
        )
        expected = 0 if lane.late else code_of(self.engine, after)
        assert code == expected, f"lane {number}, pass {passed}: code {code}, not {expected}"
        if not lane.late:
            self.expected.steps += 1
            self._count(number, passed, after)
        if dead:
            lane.late = lane.late or passed >= self.passes
            lane.state, lane.steps, lane.chooses = self.reference.initial, 0, self._begin()
        else:
            lane.state, lane.steps = after.state, after.steps
            lane.chooses.stepped(thread, yields=after.yields)

    def _count(self, number: int, at: int, after: After) -> None:
        if after.outcome is None:
            return
        self.expected.schedules += 1
        self.expected.outcomes[after.outcome] += 1
        if after.site is not None:
            assert (after.outcome is Outcome.DEADLOCK) == (after.site == DEADLOCK_SITE)
            self.expected.sites[after.site] += 1
            self.expected.hits.append(Hit(at, number, after.site))

    def _compare_states(self, chunk: _Chunk, lanes: list[Lane]) -> None:
        """States, clocks, enabled threads and lateness, as the next pass will read them."""
        words, kept = self.engine._words, len(self.circuit.kept)
        start = (chunk.number & 1) * kept * words
        bits = _bits(chunk.state[start : start + kept * words].reshape(kept, words)).T
        planes = len(self.layout.planes)
        late = kept - 1 - len(self.engine.scheduler.initial(self.engine.program))
        clock = late - self.threads - planes
        packed = np.packbits(bits[:, :planes], axis=1, bitorder="little")
        raw, width = packed.tobytes(), packed.shape[1]
        rows = [raw[k * width : (k + 1) * width] for k in range(len(lanes))]
        enabled = (
            bits[:, planes + clock : late].astype(np.int64) @ (1 << np.arange(self.threads))
        ).tolist()
        steps = (
            bits[:, planes : planes + clock].astype(np.int64) @ (1 << np.arange(clock))
        ).tolist()
        assert bits[:, late].tolist() == [lane.late for lane in lanes]
        assert not clock or steps == [lane.steps for lane in lanes]
        for index, lane in enumerate(lanes):
            at = f"lane {chunk.first_lane + index}, before pass {chunk.number}"
            assert self._agrees(rows[index], lane.state), at
            assert enabled[index] == self.reference.enabled[lane.state], at

    def _agrees(self, row: bytes, state: int) -> bool:
        if (row, state) not in self._agreed:
            unpacked = self.layout.unpack(int.from_bytes(row, "little"))
            self._agreed[row, state] = agrees(unpacked, self.reference.keys[state])
        return self._agreed[row, state]


def expect_block(result: BlockResult, expected: Expected) -> None:
    """The result of run_block() is exactly what the interpreter makes of the block."""
    assert (result.schedules, result.steps) == (expected.schedules, expected.steps)
    assert {o: n for o, n in result.outcomes.items() if n} == dict(expected.outcomes)
    assert {s: n for s, n in enumerate(result.site_hits) if n} == dict(expected.sites)
    kept: Counter = Counter()
    first = []
    for hit in sorted(expected.hits):
        kept[hit.site] += 1
        if kept[hit.site] <= HITS_PER_SITE:
            first.append(hit)
    assert result.hits == tuple(first)


def expect_recovered(engine: Engine, result: BlockResult, *, root_seed: int, passes: int) -> None:
    """The schedule of every hit, executed by the interpreter, ends at the site of the hit."""
    traces = engine.recover(result.hits, root_seed=root_seed, block=result.block, passes=passes)
    assert [trace.site for trace in traces] == [hit.site for hit in result.hits]
    assert LANES % engine.lanes == 0


@dataclass(frozen=True)
class Reached:
    """What stepping from every reachable state has shown; `sites` holds their least depth."""

    states: int
    exhausted: bool
    sites: dict[int, int]


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


def combinations_of_draws(program: Program) -> int:
    """How many rows `draw_table` has: the product over all draws of all steps."""
    return prod(options for _, options in draws_needed(program))


def expect_steps(stepper: Stepper, *, states_max: int) -> Reached:
    """From each reachable state, breadth first, every step by every thread with every choice."""
    program = stepper.program
    reference = Machine(program)
    rows, choices = draw_table(stepper)
    initial = filled(program, reference.key())
    bits_of = {initial: stepper.initial}
    layer, depth = [initial], 0
    sites: dict[int, int] = {}
    while layer and len(bits_of) <= states_max:
        depth += 1
        asked = []
        for key in layer:
            reference.restore(key, 0)
            asked += [(key, t, d) for t in reference.enabled() for d in range(len(rows))]
        states = np.array([bits_of[key] for key, _, _ in asked])
        stepped = stepper.step(
            states, np.array([t for _, t, _ in asked]), rows[[d for _, _, d in asked]]
        )
        layer = []
        for number, (key, thread, draw) in enumerate(asked):
            _step_by_interpreter(reference, key, thread, choices[draw])
            _expect_ending(stepper, stepped, number, reference)
            if reference.site is not None:
                sites.setdefault(reference.site, depth)
            if reference.outcome is not None:
                continue
            after, bits = filled(program, reference.key()), stepped.states[number]
            packed = int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
            unpacked = stepper.layout.unpack(packed)
            assert unpacked == after, f"thread {thread} from {key}: {unpacked} and not {after}"
            enabled = tuple(int(t) for t in np.nonzero(stepped.enabled[number])[0])
            assert enabled == reference.enabled()
            assert bool(stepped.yields[number]) == reference.yields
            if after not in bits_of:
                bits_of[after] = bits
                layer.append(after)
            assert (bits_of[after] == bits).all(), "equal states have unequal bits"
    return Reached(len(bits_of), not layer, sites)


def _step_by_interpreter(reference: Machine, key: Key, thread: int, chosen) -> None:
    reference.restore(key, -(10**9))
    drawn = 0

    def choose(options: tuple[int, ...]) -> int:
        nonlocal drawn
        drawn += 1
        return options[chosen[drawn - 1, len(options)]]

    reference.step(thread, choose)


def _expect_ending(stepper: Stepper, stepped, number: int, reference: Machine) -> None:
    codes = stepper.circuit.codes
    expected = 0 if reference.site is None else 1 + reference.site
    if reference.outcome is Outcome.DISCARDED:
        expected = codes.discarded
    assert stepped.codes[number] == expected
    going_on = reference.outcome is None
    if expected == 0:
        assert bool(stepped.ended[number]) != going_on
