"""Make a failing schedule smaller by trial: the best of 512 candidates, until none is better.

Candidates move or drop blocks of steps of one thread (after Jalbert and Sen, "A trace
simplification technique", FSE 2010). A pick of a thread that is not enabled is skipped. The result
is a local minimum; `model.search` finds the true one where it fits into memory.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from model.circuit.step_circuit import Bits, Stepper
from model.interpreter import Trace, replay
from model.known import Pairs, contains
from model.schedule import Pick, Schedule
from model.signature import Signature, signature_at, signature_of
from model.trace import measure

CANDIDATES_MAX = 512


def simplify(
    stepper: Stepper,
    trace: Trace,
    signature: Signature,
    *,
    excluded: tuple[Pairs, ...] = (),
    rounds_max: int = 64,
) -> Trace:
    """A trace of the same signature from which no single move leads to a smaller one.

    Where the rounds run out, the smallest so far. None that contains what is excluded is taken.
    """
    best, size = trace, measure(trace)
    for _ in range(rounds_max):
        candidates = _candidates(best.schedule)[:CANDIDATES_MAX]
        better = [
            (measure(shorter), number, shorter)
            for number, schedule in enumerate(run_candidates(stepper, candidates, signature))
            if schedule is not None
            for shorter in [replay(stepper.program, schedule)]
            if measure(shorter) < size
            and signature_of(shorter) == signature
            and not any(contains(shorter, pairs) for pairs in excluded)
        ]
        if not better:
            return best
        size, _, best = min(better, key=lambda entry: entry[:2])
    return best


def _candidates(schedule: Schedule) -> list[Schedule]:
    """Every way to drop a thread or a block, or to join a block with the next of its thread."""
    blocks = [tuple(picks) for _, picks in groupby(schedule, key=lambda pick: pick.thread)]
    owners = [block[0].thread for block in blocks]
    made: list[list[tuple[Pick, ...]]] = []
    for thread in sorted(set(owners)):
        made.append([b for b in blocks if b[0].thread != thread])
    for i, owner in enumerate(owners):
        made.append(blocks[:i] + blocks[i + 1 :])
        later = next((j for j in range(i + 1, len(blocks)) if owners[j] == owner), None)
        if later is not None:
            between, rest = blocks[i + 1 : later], blocks[later + 1 :]
            made.append([*blocks[: i + 1], blocks[later], *between, *rest])
            made.append([*blocks[:i], *between, blocks[i], blocks[later], *rest])
    return [tuple(pick for block in candidate for pick in block) for candidate in made]


def run_candidates(
    stepper: Stepper, candidates: list[Schedule], signature: Signature
) -> list[Schedule | None]:
    """For each candidate what it executes up to a violation of the signature; None without one."""
    count, width = len(candidates), len(stepper.initial)
    states = np.tile(stepper.initial, (count, 1))
    enabled = np.tile(stepper.initially_enabled, (count, 1))
    executed: list[list[Pick]] = [[] for _ in candidates]
    results: list[Schedule | None] = [None] * count
    going = np.ones(count, bool)
    for position in range(max(map(len, candidates), default=0)):
        threads = _picked(candidates, position)
        lanes = np.nonzero(going & (threads >= 0))[0]
        lanes = lanes[enabled[lanes, threads[lanes]] == 1]
        if len(lanes) == 0:
            continue
        rows = np.array(
            [stepper.draw_row(candidates[i][position], states[i]) for i in lanes], np.uint8
        )
        before = states[lanes]
        stepped = stepper.step(before, threads[lanes], rows.reshape(len(lanes), -1))
        states[lanes], enabled[lanes] = stepped.states, stepped.enabled
        for k, lane in enumerate(lanes):
            executed[lane].append(candidates[lane][position])
            if stepped.codes[k] or stepped.ended[k]:
                going[lane] = False
                site, thread = int(stepped.codes[k]) - 1, int(threads[lane])
                if _is_of(signature, stepper, before[k], site=site, thread=thread):
                    results[lane] = tuple(executed[lane])
    assert states.shape == (count, width)
    return results


def _is_of(signature: Signature, stepper: Stepper, before: Bits, *, site: int, thread: int) -> bool:
    """True where what a step ended in is a violation of the signature."""
    program = stepper.program
    if not 0 <= site < len(program.sites):
        return False
    return signature_at(program, site, thread, stepper.pc_of(before, thread)) == signature


def _picked(candidates: list[Schedule], position: int) -> NDArray[np.int64]:
    return np.array([c[position].thread if position < len(c) else -1 for c in candidates], np.int64)
