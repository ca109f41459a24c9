"""From a hint to an execution: what it leaves out is filled in, with as few steps as found.

Best first: states that have followed more of the hint, then those that needed fewer steps of other
threads, then fewer steps. So the way is short, but not always the shortest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from model.hint import Hint, Wanted
from model.interpreter import Event, Machine, Trace, advance, replay
from model.program import END, UNBORN, Program
from model.schedule import Pick
from model.steps_table import choices_of

STATES_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Followed:
    """An execution that contains the first `matched` steps of a hint in their order.

    It ends with the last of all, or with a violation on the way there.
    """

    trace: Trace
    matched: int

    @property
    def filled(self) -> int:
        """The steps that the hint does not name."""
        return len(self.trace.events) - self.matched


@dataclass(frozen=True, slots=True)
class _Node:
    state: tuple[object, ...]
    parent: _Node | None
    pick: Pick | None
    steps: int
    position: int
    foreign: int


def follow(program: Program, hint: Hint, *, states_max: int = STATES_MAX) -> Followed:
    """An execution that follows the hint, or violates an oracle on the way without other threads.

    Raises LanguageError at the first line that none reaches. Takes some seconds at most.
    """
    machine = Machine(program)
    furthest = _Node(machine.key(), None, None, 0, 0, 0)
    early: _Node | None = None
    heap = [(0, 0, 0, 0, furthest)]
    seen = {(furthest.state, 0)}
    while heap and len(seen) < states_max:
        node = heappop(heap)[-1]
        if node.position > furthest.position:
            furthest = node
        wanted = hint.wanted[node.position]
        for event in _events(machine, node):
            position = node.position + _is(program, event, wanted)
            foreign = node.foreign + (event.thread != wanted.thread)
            pick = Pick(event.thread, event.choices)
            after = _Node(machine.key(), node, pick, node.steps + 1, position, foreign)
            if position == len(hint.wanted):
                return Followed(replay(program, _schedule(after)), position)
            violates = machine.site is not None and foreign == 0
            if violates and (early is None or position > early.position):
                early = after
            if machine.outcome is None and (after.state, position) not in seen:
                seen.add((after.state, position))
                heappush(heap, (-position, foreign, after.steps, len(seen), after))
    if early is not None and early.position >= furthest.position:
        return Followed(replay(program, _schedule(early)), early.position)
    raise _unreachable(machine, hint, furthest, exhausted=not heap)


def _events(machine: Machine, node: _Node) -> Iterator[Event]:
    """Every step from a state, with all combinations of choices; the machine has taken it."""
    machine.restore(node.state, node.steps)
    for thread in machine.enabled():
        scripts: list[tuple[int, ...]] = [()]
        while scripts:
            script, chosen = scripts.pop(), list[int]()

            def choose(
                options: tuple[int, ...],
                script: tuple[int, ...] = script,
                chosen: list[int] = chosen,
                scripts: list[tuple[int, ...]] = scripts,
            ) -> int:
                if len(chosen) < len(script):
                    chosen.append(script[len(chosen)])
                else:
                    scripts += [(*chosen, other) for other in reversed(options[1:])]
                    chosen.append(options[0])
                return chosen[-1]

            machine.restore(node.state, node.steps)
            yield advance(machine, thread, choose)


def _is(program: Program, event: Event, wanted: Wanted) -> bool:
    if event.thread != wanted.thread or event.pc not in wanted.steps:
        return False
    return not wanted.choices or choices_of(program, event) == wanted.choices


def _schedule(node: _Node) -> tuple[Pick, ...]:
    picks: list[Pick] = []
    at: _Node | None = node
    while at is not None and at.pick is not None:
        picks.append(at.pick)
        at = at.parent
    return tuple(reversed(picks))


def _unreachable(machine: Machine, hint: Hint, node: _Node, *, exhausted: bool) -> Exception:
    """Which line cannot come, and where the threads stand when those before it have come."""
    program, wanted = machine.program, hint.wanted[node.position]
    machine.restore(node.state, node.steps)
    stand = [
        f"{program.threads[thread].name} before `{program.step_at(thread, pc).label.text}`"
        for thread, pc in enumerate(machine.pcs)
        if pc not in (END, UNBORN) and not program.threads[thread].daemon
    ]
    name = program.threads[wanted.thread].name
    how = "no execution" if exhausted else "no execution that was tried"
    return hint.error(
        wanted.line,
        hint.lines[wanted.line - 1].strip(),
        f"{how} does this step of {name} after the lines above",
        f"after those it is {', '.join(stand) or 'the end'}",
    )
