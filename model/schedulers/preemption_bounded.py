"""At most c preemptions, at random steps (after Musuvathi and Qadeer, PLDI 2007).

The thread that stepped last goes on while it can. At c points, drawn from 1 to k, independently and
uniformly among the steps at which threads compete, it is preempted: another thread steps, each as
likely as the others. Where it cannot go on, or has yielded by cpu_relax(), any enabled thread
steps, and that is no preemption. A point at which nobody can be preempted waits for the next step.

Daemons are looked through: each enabled daemon is as likely as the thread that goes on, and the
thread before it goes on after it. Whether that thread can go on is judged when another would step.
k, unless it is given, is estimated as PCT's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.circuit.netlist import FALSE
from model.program import Program
from model.schedulers import numbers, points
from model.schedulers.points import Points, PointsLane
from model.schedulers.profile import profile
from model.schedulers.scheduler import (
    Before,
    Choice,
    RandomBit,
    SchedulerError,
    Stepped,
    Turn,
)
from model.schedulers.uniform_walk import chosen_uniformly, uniform_choice


@dataclass(frozen=True, slots=True)
class PreemptionBounded:
    """The scheduler; `k` is the number of steps that points are drawn from, 0: estimated."""

    c: int = 2
    k: int = 0

    def __post_init__(self) -> None:
        if self.c < 0 or self.k < 0:
            raise SchedulerError(
                "preemption_bounded: c is at least 0, and k at least 0 (estimated)"
            )

    def prepared(self, program: Program) -> PreemptionBounded:
        """With k estimated."""
        return self if self.k else replace(self, k=max(1, *profile(program).contested))

    def initial(self, program: Program) -> tuple[bool | None, ...]:
        """At the beginning; nobody has stepped, and no point has been drawn or met."""
        return (True, *[False] * len(program.threads), *points.initial(self.c, self.k))

    def circuit(self, program: Program, turn: Turn) -> Choice:
        """Gates grow as T log T with T threads."""
        net, enabled, threads = turn.net, turn.enabled, len(program.threads)
        beginning, last = turn.kept[0], turn.kept[1 : threads + 1]
        drawn = Points(net, turn.kept[threads + 1 :], self.c, self.k)
        ready = drawn.draw(beginning, turn.random_bit)
        daemon = [int(thread.daemon) for thread in program.threads]
        goes_on = net.any(net.and_(was, can) for was, can in zip(last, enabled, strict=True))
        others = [
            net.all([can, was ^ 1, free ^ 1])
            for can, was, free in zip(enabled, last, daemon, strict=True)
        ]
        due = numbers.first_of(net, drawn.due())
        preempts = net.all([goes_on, net.any(others), net.any(due)])
        able = [
            net.and_(can, net.or_(goes_on ^ 1, net.mux(preempts, other, net.or_(was, free))))
            for can, other, was, free in zip(enabled, others, last, daemon, strict=True)
        ]
        chosen = uniform_choice(net, able, turn.random_bit)

        def after(stepped: Stepped) -> list[int]:
            steps = net.any(stepped.threads)
            changes = net.any(
                line for line, free in zip(stepped.threads, daemon, strict=True) if not free
            )
            stays = [
                FALSE if free else net.and_(line, stepped.yields ^ 1)
                for line, free in zip(stepped.threads, daemon, strict=True)
            ]
            met = [net.all([line, preempts, steps]) for line in due]
            counts = net.and_(steps, points.at_least_two(net, enabled))
            return [FALSE, *numbers.mux(net, changes, stays, last), *drawn.after(counts, met)]

        return Choice([net.and_(line, ready) for line in chosen], after)

    def reference(self, program: Program) -> PreemptionBoundedLane:
        """The reference form."""
        return PreemptionBoundedLane(self, [thread.daemon for thread in program.threads])


class PreemptionBoundedLane:
    """The reference form."""

    def __init__(self, scheduler: PreemptionBounded, daemon: Sequence[bool]) -> None:
        self.points, self.daemon = PointsLane(scheduler.c, scheduler.k), daemon
        self.last: int | None = None
        self.preempting: int | None = None
        self.contested = False

    def choose(self, before: Before, random_bit: RandomBit) -> int | None:
        """The thread that goes on, or at a point another, or any where it cannot go on."""
        ready = self.points.draw(random_bit)
        able = {thread for thread, can in enumerate(before.enabled) if can}
        self.contested, self.preempting = len(able) > 1, None
        if self.last in able:
            others = {t for t in able if t != self.last and not self.daemon[t]}
            if ready and others and self.points.due():
                self.preempting = self.points.due()[0]
                able = others
            else:
                able = {t for t in able if t == self.last or self.daemon[t]}
        lines = [int(thread in able) for thread in range(len(self.daemon))]
        chosen = chosen_uniformly(lines, random_bit)
        return chosen if ready else None

    def stepped(self, thread: int, *, yields: bool) -> None:
        """Remember who can go on, and count."""
        if self.preempting is not None:
            self.points.met.add(self.preempting)
        if self.contested:
            self.points.count()
        if not self.daemon[thread]:
            self.last = None if yields else thread
