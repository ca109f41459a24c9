"""All reachable states of a program, breadth first, where they fit into memory.

This says what a fuzzer cannot. States are stepped 512 at a time by the circuit; the visited set
holds every state. Step limits do not apply: what is explored is the state space, not executions of
bounded length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.circuit.step_circuit import Bits, Stepper
from model.program import Program
from model.search import draw_table, moves, unseen

BATCH = 16384


@dataclass(frozen=True, slots=True)
class Explored:
    """What exploring showed.

    `sites` maps each violated oracle site to the number of steps of its shortest violation. A
    program is proved clean where `exhausted` holds and `sites` is empty. `depth` counts the layers.
    """

    states: int
    exhausted: bool
    sites: dict[int, int]
    discarded: bool
    depth: int


def explore(program: Program, *, states_max: int) -> Explored:
    """Explore up to `states_max` states (about 150 bytes each)."""
    stepper = Stepper(program)
    rows, _ = draw_table(stepper)
    seen: set[bytes] = set()
    sites: dict[int, int] = {}
    discarded, depth = False, 0
    layer = _fresh(np.concatenate([stepper.initial, stepper.initially_enabled])[None, :], seen)
    while len(layer) and len(seen) <= states_max:
        depth += 1
        found: list[Bits] = []
        for begin in range(0, len(layer), BATCH):
            codes, states = _successors(stepper, layer[begin : begin + BATCH], rows)
            for code in codes:
                discarded = discarded or code == stepper.circuit.codes.discarded
                if 0 < code <= len(program.sites):
                    sites.setdefault(code - 1, depth)
            found.append(_fresh(states, seen))
        layer = np.concatenate(found)
    return Explored(len(seen), len(layer) == 0, sites, discarded, depth)


def _successors(stepper: Stepper, layer: Bits, rows: Bits) -> tuple[list[int], Bits]:
    """The codes of what went wrong, and the states in which executions go on."""
    planes = layer.shape[1] - len(stepper.program.threads)
    parents, threads, drawn = moves(layer[:, planes:], len(rows))
    stepped = stepper.step(layer[parents, :planes], threads, rows[drawn])
    going = (stepped.codes == 0) & (stepped.ended == 0)
    states = np.concatenate([stepped.states[going], stepped.enabled[going]], axis=1)
    return [int(code) for code in np.unique(stepped.codes)], states


def _fresh(states: Bits, seen: set[bytes]) -> Bits:
    """The states not seen before; they are noted as seen."""
    return states[unseen(np.packbits(states, axis=1), seen)]
