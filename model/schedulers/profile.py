"""What schedulers must know of a program before its first block: a few uniform walks of it.

The walks are executed by the interpreter with a generator of their own, so that a profile is a
function of the program and of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from model.circuit.random_planes import Sfc64
from model.interpreter import Machine
from model.program import Program, Spawn
from model.schedulers.resources import resources
from model.validation import leaves

WALKS = 16
SEED = (0x50, 0x52, 0x4F)


@dataclass(frozen=True, slots=True)
class Profile:
    """What the walks of a program have shown.

    `contested[w]` counts the steps of walk w before which more than one thread was enabled;
    `steps[t]` are those of thread t in a walk, the mean over all, at least 1.
    """

    contested: tuple[int, ...]
    steps: tuple[int, ...]


@lru_cache(maxsize=4)
def profile(program: Program) -> Profile:
    """Walk a program WALKS times; some milliseconds for each hundred steps."""
    contested, steps = [0] * WALKS, [0] * len(program.threads)
    for walk, _, enabled, thread in _walks(program):
        contested[walk] += len(enabled) > 1
        steps[thread] += 1
    means = tuple(max(1, (2 * count + WALKS) // (2 * WALKS)) for count in steps)
    return Profile(tuple(contested), means)


@lru_cache(maxsize=4)
def touches_of_walks(program: Program) -> dict[tuple[int, int], list[int]]:
    """For each place (numbered by `resources`), how often each thread touches it in all walks."""
    known = resources(program)
    counts = {number: [0] * len(program.threads) for number in sorted(known.number.values())}
    for _, machine, _, thread in _walks(program):
        step = known.pending(machine, thread)
        for (group, member), by_thread in counts.items():
            touches = group == step.group and (step.several or member == step.member)
            by_thread[thread] += touches
    return {number: by_thread for number, by_thread in counts.items() if any(by_thread)}


@lru_cache(maxsize=4)
def children(program: Program) -> tuple[tuple[int, ...], ...]:
    """For each thread those that it spawns: a forest. A child has one parent, the first found."""
    found: list[list[int]] = [[] for _ in program.threads]
    queue = [number for number, thread in enumerate(program.threads) if not thread.child]
    known = set(queue)
    for parent in queue:
        for step in program.body_of(parent).steps:
            for op in leaves(step.ops):
                if isinstance(op, Spawn) and op.thread not in known:
                    known.add(op.thread)
                    found[parent].append(op.thread)
                    queue.append(op.thread)
    return tuple(map(tuple, found))


def _walks(program: Program) -> Iterator[tuple[int, Machine, tuple[int, ...], int]]:
    """(number of the walk, state before a step, who can step, who does) of every step."""
    source = Sfc64(*SEED)

    def below(count: int) -> int:
        # Of 64 bits: what is uneven does not matter in an estimate.
        return source.next() % count

    for walk in range(WALKS):
        machine = Machine(program)
        while machine.outcome is None:
            enabled = machine.enabled()
            thread = enabled[below(len(enabled))]
            yield walk, machine, enabled, thread
            machine.step(thread, lambda options: options[below(len(options))])
