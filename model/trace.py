"""What a trace measures, and which of its events commute.

The minimizer compares measures; equivalence classes, fingerprints and known failures stand on
`dependent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from model.interpreter import Event, Trace


@dataclass(frozen=True, slots=True, order=True)
class Measure:
    """The size of an interleaving: smaller is easier to understand, in this order of criteria.

    `threads` counts the threads that take a step, daemons not.
    """

    preemptions: int
    switches: int
    threads: int
    steps: int


def measure(trace: Trace) -> Measure:
    """All sizes of a trace. Linear in its length."""
    threads = {e.thread for e in trace.events if not trace.program.threads[e.thread].daemon}
    return Measure(
        len(preemptions(trace)), context_switches(trace), len(threads), len(trace.events)
    )


def context_switches(trace: Trace) -> int:
    """The number of adjacent events of different threads, daemons included."""
    return sum(a.thread != b.thread for a, b in pairwise(trace.events))


def preemptions(trace: Trace) -> tuple[int, ...]:
    """The numbers (from 0) of the events after which a thread was preempted, in order.

    A preemption is a switch away from a non-daemon thread that could have gone on, to a non-daemon
    thread. A thread could have gone on where it is enabled right after its step and that step did
    not end in a cpu_relax(). Daemons are looked through: neither switching to one nor leaving one
    is a preemption, but the thread that follows is compared with the last one that is no daemon.
    Were it not, a spontaneous grace period in between would make every preemption free.
    """
    found: list[int] = []
    left: int | None = None
    for number, event in enumerate(trace.events):
        if trace.program.threads[event.thread].daemon:
            continue
        if left is not None and trace.events[left].thread != event.thread and goes_on(trace, left):
            found.append(left)
        left = number
    return tuple(found)


def goes_on(trace: Trace, number: int) -> bool:
    """True where the thread of an event, which is not the last, could have gone on after it."""
    event, following = trace.events[number], trace.events[number + 1]
    return event.thread in following.enabled and not event.yields


def dependent(a: Event, b: Event) -> bool:
    """True where the order of two events matters: one thread, a start and its child, a conflict.

    Two events conflict where one writes a place that the other reads or writes. `Event.reads` holds
    what the guard, the operations and the asserts of the step read, and what its writes bear on
    (`model.footprint`). Adjacent independent events give the same state in either order, and
    neither order ends the execution between them.
    """
    if a.thread == b.thread:
        return True
    if ("spawn", b.thread) in a.writes or ("spawn", a.thread) in b.writes:
        return True
    return bool(a.writes & (b.reads | b.writes) or b.writes & a.reads)
