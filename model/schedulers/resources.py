"""What the pending step of a thread touches, and which two of them race.

Schedulers that look at races (POS, SURW) need to know whether two pending steps touch one place and
one of them writes it. Places that only one thread touches, or that nobody writes, do not count.
Places that one step touches together form a group: most groups have one place. A step that touches
several places at once (`atomic()`, what hardware does at once, RCU's own steps), or one that is
chosen in the step itself, counts as touching its whole group, which can only find more races than
there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from model.expressions import Const, Expr, Instance, Local, ThreadIndex, walk
from model.interpreter import Machine
from model.program import END, UNBORN, Assign, Choose, Program, Step
from model.validation import leaves

Place = tuple[str, int]
Touch = tuple[str, Expr]
"""A variable and an index, which a step touches."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A pending step: its group of places (0: none), which of them, and how it touches it.

    A thread that has ended, or has not been spawned, has no pending step.
    """

    group: int = 0
    member: int = 0
    writes: bool = False
    several: bool = False
    unborn: bool = False
    ended: bool = False

    def races(self, other: Pending) -> bool:
        """True where the order of the two may matter. Symmetric."""
        same = self.member == other.member or self.several or other.several
        return (self.writes or other.writes) and self.group == other.group and same


@dataclass(frozen=True, slots=True)
class Resources:
    """The places of a program that threads compete for, numbered: (group from 1 on, member)."""

    program: Program
    number: dict[Place, tuple[int, int]]

    @property
    def groups(self) -> int:
        """The largest number of a group."""
        return max((group for group, _ in self.number.values()), default=0)

    @property
    def members(self) -> int:
        """The largest number of a member in a group."""
        return max((member for _, member in self.number.values()), default=0)

    def touches(self, thread: int, step: Step) -> list[Touch]:
        """What a step of a thread touches of them, each once."""
        return [
            touch
            for touch in touches(step)
            if any(place in self.number for place in places(self.program, thread, touch))
        ]

    def several(self, thread: int, step: Step) -> bool:
        """True where the step touches several of them, or which one is settled in the step."""
        wanted = self.touches(thread, step)
        return len(wanted) > 1 or any(_settled_within(step, index) for _, index in wanted)

    def writes(self, thread: int, step: Step) -> bool:
        """True where the step writes any of them."""
        wanted = self.touches(thread, step)
        return any(a.writes and (a.variable, a.index or Const(0)) in wanted for a in step.accesses)

    def pending(self, machine: Machine, thread: int) -> Pending:
        """What the pending step of a thread touches in a state."""
        pc = machine.pcs[thread]
        if pc < 0:
            return Pending(unborn=pc == UNBORN, ended=pc == END)
        step = self.program.step_at(thread, pc)
        touched = self.touches(thread, step)
        if not touched:
            return Pending()
        writes, (variable, index) = self.writes(thread, step), touched[0]
        if self.several(thread, step):
            # Any of them tells the group.
            known = [p for p in places(self.program, thread, touched[0]) if p in self.number]
            return Pending(self.number[known[0]][0], writes=writes, several=True)
        place = (variable, machine.evaluate(index, thread))
        if place not in self.number:
            return Pending()
        return Pending(*self.number[place], writes=writes)


def touches(step: Step) -> list[Touch]:
    """The variables and indices of a step's accesses, each once, in order."""
    return list(dict.fromkeys((a.variable, a.index or Const(0)) for a in step.accesses))


def places(program: Program, thread: int, touch: Touch) -> list[Place]:
    """The places that an access may touch: all elements where the index is a computed one."""
    variable, index = touch
    match index:
        case Const(value):
            return [(variable, value)]
        case Instance():
            return [(variable, program.threads[thread].instance)]
        case ThreadIndex():
            return [(variable, thread)]
    return [(variable, at) for at in range(len(program.variable[variable].init))]


@lru_cache(maxsize=4)
def resources(program: Program) -> Resources:
    """The places that several threads touch and some thread writes, in groups."""
    users: dict[Place, set[int]] = defaultdict(set)
    written: set[Place] = set()
    for thread, step in _steps(program):
        for access in step.accesses:
            for place in places(program, thread, (access.variable, access.index or Const(0))):
                users[place].add(thread)
                if access.writes:
                    written.add(place)
    shared = [place for place in users if len(users[place]) > 1 and place in written]
    leader = {place: place for place in shared}

    def find(place: Place) -> Place:
        while leader[place] != place:
            place = leader[place]
        return place

    known = Resources(program, dict.fromkeys(shared, (1, 0)))
    for thread, step in _steps(program):
        touched = known.touches(thread, step)
        if known.several(thread, step):
            first, *rest = [
                place
                for touch in touched
                for place in places(program, thread, touch)
                if place in leader
            ]
            for place in rest:
                leader[find(place)] = find(first)
    members: dict[Place, list[Place]] = defaultdict(list)
    for place in shared:
        members[find(place)].append(place)
    return Resources(
        program,
        {
            place: (group, member)
            for group, (_, together) in enumerate(members.items(), 1)
            for member, place in enumerate(together)
        },
    )


def _settled_within(step: Step, index: Expr) -> bool:
    """True where a local of the index is assigned in the step: its value before says nothing."""
    assigned = {
        op.target.name
        for op in leaves(step.ops)
        if isinstance(op, Assign | Choose) and isinstance(op.target, Local)
    }
    return any(isinstance(part, Local) and part.name in assigned for part in walk(index))


def _steps(program: Program) -> Iterator[tuple[int, Step]]:
    for thread in range(len(program.threads)):
        for step in program.body_of(thread).steps:
            yield thread, step
