"""Searching behind known failures: what an execution has shown of them so far, as a number.

`known.contains` looks at a whole trace. A search has nodes instead, which many executions reach,
and of each it must know how far the excluded interleavings have been shown: equal states that
differ in this have different futures. Where an excluded interleaving can no more be completed, how
far it went does not matter, and its nodes fall together again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from model.circuit.layout import targets
from model.circuit.successors import WORD, Rows, Successors
from model.expressions import Elem, Expr, Var, walk
from model.interpreter import Event, Machine, advance
from model.known import Actor, Instance, Pairs, instance_of, interchangeable, matchings
from model.program import Assign, Assume, Check, If, Program, Spawn, Step
from model.trace import dependent
from model.validation import leaves

KNOWN = (1 << 32) - 1
PATTERNS_MAX = 64

Numbers = NDArray[np.int64]
# A step of a thread of this program: its position, and the label's text and ordinal.
Doing = tuple[int, str, int]
# What has been shown of a pattern: numbers of pairs, and (doing, event) that a pair waits for.
# None where it cannot be completed any more.
Shown = frozenset[int | tuple[Doing, int]] | None


class TooManyPatterns(ValueError):
    """There are more ways to give the instances of an interleaving to threads than are tracked."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An excluded interleaving with a thread for each of its instances."""

    pairs: tuple[tuple[Doing, Doing], ...]


class Exclusion:
    """The excluded interleavings of a program, and what steps add to what was shown of them.

    `start` is the number of nothing shown; KNOWN says that one of them has been shown. Raises
    TooManyPatterns. Events are what the interpreter makes of a step; it is asked once for each
    combination of values that the step depends on.
    """

    def __init__(self, successors: Successors, excluded: tuple[Pairs, ...]) -> None:
        self.successors, self.program = successors, successors.program
        every = (pattern for pairs in excluded for pattern in _patterns(self.program, pairs))
        self.patterns = list(islice(every, 1 + PATTERNS_MAX))
        if len(self.patterns) > PATTERNS_MAX:
            raise TooManyPatterns(f"more than {PATTERNS_MAX} patterns")
        doings = {doing for p in self.patterns for pair in p.pairs for doing in pair}
        self.reach = _Reach(self.program, doings)
        self.events: list[Event] = []
        self._event_numbers: dict[tuple[object, ...], int] = {}
        self._by_row: dict[bytes, int] = {}
        self._states: list[tuple[Shown, ...]] = []
        self._numbers: dict[tuple[Shown, ...], int] = {}
        self._next: dict[tuple[int, int], int] = {}
        self.start = self._number(tuple(frozenset() for _ in self.patterns))
        self.lost = self._number(tuple(None for _ in self.patterns))
        self._masks, self._matters = self._of_steps(doings)

    def after(self, rows: Rows, shown: Numbers, moves: Numbers, *, ending: bool = False) -> Numbers:
        """What has been shown after move i of row i [n, words], before which it was shown[i].

        `ending` says that these steps end their executions: then all of a state may matter.
        """
        thread = np.array([move.thread for move in self.successors.moves])[moves]
        codes = self.successors.codes_of_steps(rows, thread)
        asked = np.nonzero(self._matters[thread, codes] & (shown != self.lost))[0]
        if len(asked) == 0:
            return shown
        kept = rows[asked]
        masked = kept if ending else kept & self._masks[thread[asked], codes[asked]]
        key = np.concatenate([masked, moves[asked, None].astype(np.uint64)], axis=1)
        _, first, number = np.unique(key, axis=0, return_index=True, return_inverse=True)
        events = np.array(
            [self._event(key[i], kept[i], int(moves[asked[i]]), ending) for i in first], np.int64
        )[number.ravel()]
        pairs, number = np.unique(shown[asked] << 32 | events, return_inverse=True)
        follow = [self._after(int(pair) >> 32, int(pair) & KNOWN) for pair in pairs]
        result = shown.copy()
        result[asked] = np.array(follow, np.int64)[number.ravel()]
        return result

    def _event(self, key: Rows, row: Rows, move: int, ending: bool) -> int:
        """The number of the event that a move of a state is."""
        name = bytes([ending]) + key.tobytes()
        if name not in self._by_row:
            machine, made = Machine(self.program), self.successors.moves[move]
            (state,) = self.successors.unpacked(row[None])
            machine.restore(self.successors.layout.unpack(state), 0)
            event = advance(machine, made.thread, made.chooser())
            same = (event.thread, event.pc, event.next_pc, event.reads, event.writes)
            if same not in self._event_numbers:
                self._event_numbers[same] = len(self.events)
                self.events.append(event)
            self._by_row[name] = self._event_numbers[same]
        return self._by_row[name]

    def _number(self, state: tuple[Shown, ...]) -> int:
        if state not in self._numbers:
            self._numbers[state] = len(self._states)
            self._states.append(state)
        return self._numbers[state]

    def _after(self, state: int, event: int) -> int:
        if (state, event) not in self._next:
            follow: list[Shown] = []
            for pattern, shown in zip(self.patterns, self._states[state], strict=True):
                follow.append(None if shown is None else self._show(pattern, shown, event))
            known = any(
                shown is not None and all(n in shown for n in range(len(pattern.pairs)))
                for pattern, shown in zip(self.patterns, follow, strict=True)
            )
            self._next[state, event] = KNOWN if known else self._number(tuple(follow))
        return self._next[state, event]

    def _show(
        self, pattern: _Pattern, shown: frozenset[int | tuple[Doing, int]], number: int
    ) -> Shown:
        """What is shown of a pattern after an event."""
        event = self.events[number]
        doing = (event.thread, event.label.text, event.label.ordinal)
        ran = [fact for fact in shown if not isinstance(fact, int)]
        done = {fact for fact in shown if isinstance(fact, int)}
        for n, (earlier, later) in enumerate(pattern.pairs):
            if later == doing and n not in done:
                before = (self.events[e] for d, e in ran if d == earlier)
                if any(dependent(one, event) for one in before):
                    done.add(n)
        ran.append((doing, number))
        still = self.reach.from_step(event.thread, event.next_pc)
        waiting = set()
        for n, (earlier, later) in enumerate(pattern.pairs):
            if n in done:
                continue
            waiting.add(earlier)
            gone = [d for d in (earlier, later) if d[0] == event.thread and d not in still]
            if later in gone or (earlier in gone and all(d != earlier for d, _ in ran)):
                return None
        return frozenset(done) | {fact for fact in ran if fact[0] in waiting}

    def _of_steps(self, doings: set[Doing]) -> tuple[Rows, NDArray[np.bool_]]:
        """By thread and code: what of a row a step depends on, and whether it can matter here."""
        program, layout = self.program, self.successors.layout
        bodies = [layout.bodies[thread.body] for thread in program.threads]
        shape = len(bodies), 1 << max(body.pc_width for body in bodies)
        masks = np.zeros((*shape, self.successors.words), np.uint64)
        matters = np.zeros(shape, np.bool_)
        number = {plane: k for k, plane in enumerate(self.successors.kept)}
        for thread, body in enumerate(bodies):
            for pc, step in enumerate(program.body_of(thread).steps):
                code = body.codes[pc]
                doing = (thread, step.label.text, step.label.ordinal)
                matters[thread, code] = doing in doings or self.reach.narrows(thread, pc)
                owners = _owners(program, step, thread)
                for plane, k in number.items():
                    kind, owner, _ = layout.planes[plane]
                    name = layout.elements[owner][0] if kind == "variable" else owner
                    if (kind == "variable", name) in owners:
                        masks[thread, code, k // WORD] |= np.uint64(1 << k % WORD)
        return masks, matters


class _Reach:
    """Which doings a thread can still come to."""

    def __init__(self, program: Program, doings: set[Doing]) -> None:
        self.program, self.doings = program, doings
        self._known: dict[tuple[int, int], frozenset[Doing]] = {}

    def from_step(self, thread: int, pc: int) -> frozenset[Doing]:
        """Those at a step or after it."""
        if (thread, pc) not in self._known:
            steps, met, open_ = self.program.body_of(thread).steps, set[int](), [pc]
            while open_:
                at = open_.pop()
                if at >= 0 and at not in met:
                    met.add(at)
                    open_ += targets(steps[at].ops)
            labels = (steps[at].label for at in met)
            found = {(thread, label.text, label.ordinal) for label in labels}
            self._known[thread, pc] = frozenset(found & self.doings)
        return self._known[thread, pc]

    def narrows(self, thread: int, pc: int) -> bool:
        """True where a step decides that some doing cannot come any more."""
        before = self.from_step(thread, pc)
        after = targets(self.program.body_of(thread).steps[pc].ops)
        return any(self.from_step(thread, target) != before for target in after)


def _patterns(program: Program, pairs: Pairs) -> Iterator[_Pattern]:
    """The pairs with threads for instances, in every way."""
    alike = interchangeable(program)
    wanted = sorted({instance_of(actor) for pair in pairs for actor in (pair.earlier, pair.later)})
    threads: dict[Instance, int] = {}
    for number, thread in enumerate(program.threads):
        threads[program.bodies[thread.body].name, thread.instance] = number
    for matching in matchings(wanted, sorted(threads), alike, {}):
        chosen = {name: threads[given] for name, given in matching.items()}
        doings = [(_doing(p.earlier, chosen), _doing(p.later, chosen)) for p in sorted(pairs)]
        if doings:
            yield _Pattern(tuple(doings))


def _doing(actor: Actor, threads: Mapping[Instance, int]) -> Doing:
    return threads[instance_of(actor)], actor.text, actor.ordinal


def _owners(program: Program, step: Step, thread: int) -> set[tuple[bool, str | int]]:
    """What a step depends on: (True, a variable's name), or (False, a thread's position)."""
    found: set[tuple[bool, str | int]] = {(False, thread)}
    spawned = [op.thread for op in leaves(step.ops) if isinstance(op, Spawn)]
    found |= {(False, child) for child in spawned}
    entries = tuple(op for child in spawned for op in program.body_of(child).entry)
    exprs: list[Expr] = [] if step.guard is None else [step.guard]
    for op in leaves((*step.ops, *entries)):
        match op:
            case Assign(target, value):
                exprs += [target, value]
            case If(test) | Check(_, test) | Assume(test):
                exprs.append(test)
            case _:
                pass
    for expr in exprs:
        found |= {(True, part.name) for part in walk(expr) if isinstance(part, Var)}
        found |= {(True, part.array) for part in walk(expr) if isinstance(part, Elem)}
    return found
