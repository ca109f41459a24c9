"""What schedulers must know of a program before its first block: a few executions of it.

They are executed by the interpreter with a generator of their own, so that a profile is a function
of the program and of nothing else. Uniform walks say what threads do beside each other. Where a
thread that comes too late finds nothing to do, they are all short: executions in which one thread
goes first, as far as it can, say how long the others may get.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from model.circuit.random_planes import Sfc64
from model.interpreter import Machine
from model.program import Outcome, Program, Spawn
from model.schedulers.resources import resources
from model.validation import leaves

# Of each kind so many, or fewer where a program is large: when steps times threads are spent.
EXECUTIONS, EXECUTIONS_MIN = 16, 3
SPENT_MAX = 200_000
SEED = (0x50, 0x52, 0x4F)


@dataclass(frozen=True, slots=True)
class Profile:
    """What some executions of a program have shown.

    `contested` counts, for each execution that ended, the steps before which more than one thread
    was enabled; `steps[t]` are those of thread t in a walk, the mean over all, at least 1.
    """

    contested: tuple[int, ...]
    steps: tuple[int, ...]


@lru_cache(maxsize=4)
def profile(program: Program) -> Profile:
    """Execute a program some dozen times; some milliseconds for each hundred steps."""
    contested, steps = Counter[int](), [0] * len(program.threads)
    for walk, _, enabled, thread in _executions(program):
        contested[walk] += len(enabled) > 1
        steps[thread] += 1
    walks = len(contested)
    means = tuple(max(1, (2 * count + walks) // (2 * walks)) for count in steps)
    return Profile((*contested.values(), *_contested_in_order(program)), means)


@lru_cache(maxsize=4)
def touches_of_walks(program: Program) -> tuple[int, dict[tuple[int, int], list[int]]]:
    """How many walks; for each place (numbered by `resources`), each thread's touches in all."""
    walks, known = 0, resources(program)
    counts = {number: [0] * len(program.threads) for number in sorted(known.number.values())}
    for walk, machine, _, thread in _executions(program):
        walks = walk + 1
        step = known.pending(machine, thread)
        for (group, member), by_thread in counts.items():
            touches = group == step.group and (step.several or member == step.member)
            by_thread[thread] += touches
    touched = {number: by_thread for number, by_thread in counts.items() if any(by_thread)}
    return walks, touched


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


def _contested_in_order(program: Program) -> list[int]:
    """The contested steps of executions whose threads have a random order: the first that can.

    One that spins for a thread after it never ends, and says nothing.
    """
    contested, machines = Counter[int](), dict[int, Machine]()
    for number, machine, enabled, _ in _executions(program, in_order=True):
        contested[number] += len(enabled) > 1
        machines[number] = machine
    return [contested[n] for n, m in machines.items() if m.outcome is not Outcome.STEP_LIMIT]


def _executions(
    program: Program, *, in_order: bool = False
) -> Iterator[tuple[int, Machine, tuple[int, ...], int]]:
    """(number of the execution, state before a step, who can step, who does) of every step.

    Uniform walks, or executions in a random order of the threads; some thread can always begin.
    """
    source, spent = Sfc64(*SEED), 0

    def below(count: int) -> int:
        # Of 64 bits: what is uneven does not matter in an estimate.
        return source.next() % count

    for number in range(EXECUTIONS):
        if spent > SPENT_MAX and number >= EXECUTIONS_MIN:
            return
        rank = [source.next() for _ in program.threads] if in_order else []
        machine = Machine(program)
        while machine.outcome is None:
            spent += len(program.threads)
            enabled = machine.enabled()
            thread = min(enabled, key=rank.__getitem__) if rank else enabled[below(len(enabled))]
            yield number, machine, enabled, thread
            machine.step(thread, lambda options: options[below(len(options))])
