"""Executions around a given one: they follow it for a while, and go on at random.

512 at a time, in machine code. Half of them follow it to its end, the others leave it after a
random number of its steps. What is random depends on the seed and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.circuit.step_circuit import Bits, Stepper
from model.interpreter import Machine, Trace, replay
from model.schedule import Pick, Schedule
from model.signature import Signature, signature_of

LANES = 512
Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Around:
    """What `executions` executions showed: the first of each signature, in order of lanes."""

    executions: int
    violations: tuple[Trace, ...]


def search_around(
    stepper: Stepper, schedule: Schedule, *, root_seed: int, rounds_max: int = 64
) -> Around:
    """Rounds of 512 executions up to the first with a violation. The schedule must not violate."""
    prefixes = _prefixes(stepper, schedule)
    for number in range(rounds_max):
        found = _round(stepper, schedule, prefixes, root_seed=root_seed, number=number)
        if found:
            return Around((number + 1) * LANES, found)
    return Around(rounds_max * LANES, ())


def _prefixes(stepper: Stepper, schedule: Schedule) -> tuple[Bits, Bits]:
    """The states after 0, 1, … steps of a schedule, and who is enabled in them."""
    state, enabled = stepper.initial[None, :], stepper.initially_enabled[None, :]
    states, able = [state[0]], [enabled[0]]
    for pick in schedule:
        row = np.array([stepper.draw_row(pick, state[0])], np.uint8)
        stepped = stepper.step(state, np.array([pick.thread]), row.reshape(1, -1))
        assert not stepped.ended[0] and not stepped.codes[0], "the execution has not ended"
        state, enabled = stepped.states, stepped.enabled
        states.append(state[0])
        able.append(enabled[0])
    return np.array(states), np.array(able)


def _round(
    stepper: Stepper,
    schedule: Schedule,
    prefixes: tuple[Bits, Bits],
    *,
    root_seed: int,
    number: int,
) -> tuple[Trace, ...]:
    cuts = _below(_words(root_seed, number, 0), np.full(LANES, len(schedule) + 1))
    cuts[: LANES // 2] = len(schedule)
    states, enabled = prefixes[0][cuts], prefixes[1][cuts]
    picked: list[NDArray[np.int64]] = []
    drawn: list[NDArray[np.int64]] = []
    going, hits = np.arange(LANES), dict[int, int]()
    for step in range(stepper.program.steps_max):
        going = going[cuts[going] + step < stepper.program.steps_max]
        if len(going) == 0:
            break
        stream = 1 + step * (1 + len(stepper.draws))
        threads, draws = np.full(LANES, -1), np.zeros((LANES, len(stepper.draws)), np.int64)
        rank = _below(_words(root_seed, number, stream), enabled.sum(axis=1))
        threads[going] = _nth(enabled[going], rank[going])
        for column, (_, options) in enumerate(stepper.draws):
            words = _words(root_seed, number, stream + 1 + column)
            draws[:, column] = _below(words, np.full(LANES, options))
        stepped = stepper.step(states[going], threads[going], _one_hot(stepper, draws[going]))
        states[going], enabled[going] = stepped.states, stepped.enabled
        picked.append(threads)
        drawn.append(draws)
        over = (stepped.codes > 0) | (stepped.ended > 0)
        hits.update({int(lane): step for lane in going[stepped.codes > 0]})
        going = going[~over]
    found: dict[Signature, Trace] = {}
    for lane in sorted(hits):
        prefix = schedule[: int(cuts[lane])]
        rows = [(int(picked[k][lane]), drawn[k][lane]) for k in range(hits[lane] + 1)]
        trace = replay(stepper.program, _recovered(stepper, prefix, rows))
        if trace.site is not None:
            found.setdefault(signature_of(trace), trace)
    return tuple(found.values())


def _recovered(
    stepper: Stepper, prefix: Schedule, rows: list[tuple[int, NDArray[np.int64]]]
) -> Schedule:
    """The schedule of a lane, with the values that its draws gave."""
    machine, schedule = Machine(stepper.program), list(prefix)
    for pick in prefix:
        rest = list(pick.choices)
        machine.step(pick.thread, lambda _options, rest=rest: rest.pop(0))  # type: ignore[misc]
    for thread, draws in rows:
        chosen: list[int] = []

        def choose(
            options: tuple[int, ...],
            chosen: list[int] = chosen,
            draws: NDArray[np.int64] = draws,
        ) -> int:
            column = stepper.draws.index((len(chosen), len(options)))
            chosen.append(options[int(draws[column])])
            return chosen[-1]

        machine.step(thread, choose)
        schedule.append(Pick(thread, tuple(chosen)))
    return tuple(schedule)


def _one_hot(stepper: Stepper, draws: NDArray[np.int64]) -> Bits:
    lines = [
        draws[:, column] == value
        for column, (_, options) in enumerate(stepper.draws)
        for value in range(options)
    ]
    return np.array(lines, np.uint8).reshape(len(lines), len(draws)).T


def _nth(enabled: Bits, rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row the thread that `rank` others which are enabled come before."""
    order = enabled.astype(np.int64).cumsum(axis=1)
    threads: NDArray[np.int64] = ((order == rank[:, None] + 1) & (enabled > 0)).argmax(axis=1)
    return threads


def _below(words: Words, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers below the bounds; by remainder, so that the bias is below 2^-50."""
    return (words % np.maximum(bounds, 1).astype(np.uint64)).astype(np.int64)


def _words(root_seed: int, number: int, stream: int) -> Words:
    """A word for each lane: SplitMix64 (Steele, Lea and Flood, 2014), from a counter."""
    with np.errstate(over="ignore"):
        word = np.arange(LANES, dtype=np.uint64)
        for part in (root_seed, number, stream):
            word = _mixed(word + np.uint64(part) * np.uint64(0x9E3779B97F4A7C15))
    return word


def _mixed(word: Words) -> Words:
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
