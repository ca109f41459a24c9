"""The slow engine, written to be obviously right: one execution, one step at a time.

The circuit is compared with it lane by lane in tests, and every hit is replayed here before it is
believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.expressions import (
    OPERATIONS,
    Binary,
    Cond,
    Const,
    Elem,
    Expr,
    Instance,
    Local,
    Not,
    ThreadIndex,
    Var,
)
from model.program import (
    BOOL,
    DEADLOCK_SITE,
    END,
    UNBORN,
    Assign,
    Assume,
    Check,
    Choose,
    Goto,
    If,
    IntType,
    Label,
    Op,
    Outcome,
    Program,
    Spawn,
    Step,
    Switch,
)
from model.schedule import Pick, Schedule

Chooser = Callable[[tuple[int, ...]], int]
Place = tuple[str, int]


class ScheduleError(ValueError):
    """The schedule does not fit the program: a disabled thread, or a choice that is not offered."""


@dataclass(frozen=True, slots=True)
class Change:
    """A shared or ghost variable that a step changed."""

    variable: str
    index: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Event:
    """One executed step: who, where, what it chose, read and wrote, and who was enabled before."""

    thread: int
    label: Label
    pc: int
    next_pc: int
    choices: tuple[int, ...]
    enabled: tuple[int, ...]
    yields: bool
    reads: frozenset[Place]
    writes: frozenset[Place]
    changes: tuple[Change, ...]
    local_changes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """An execution with its values; `site` is that of a violation or deadlock, else None."""

    program: Program
    events: tuple[Event, ...]
    outcome: Outcome | None
    site: int | None

    @property
    def schedule(self) -> Schedule:
        """The picks that give this trace."""
        return tuple(Pick(e.thread, e.choices) for e in self.events)


class _Violated(Exception):
    def __init__(self, site: int) -> None:
        self.site = site


class _Discarded(Exception):
    pass


class Machine:
    """The state of one execution; `step` advances it. `outcome` is None while it can go on."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.shared = {v.name: list(v.init) for v in program.variables}
        self.locals: list[dict[str, int]] = [{} for _ in program.threads]
        self.pcs = [UNBORN if thread.child else END for thread in program.threads]
        self.steps = 0
        self.outcome: Outcome | None = None
        self.site: int | None = None
        self.reads: set[Place] = set()
        self.writes: set[Place] = set()
        self._yields = False
        for index, thread in enumerate(program.threads):
            if not thread.child:
                self._enter(index)

    def key(self) -> tuple[object, ...]:
        """The state as a value: equal keys behave alike. Dead locals do not count."""
        shared = tuple(tuple(values) for values in self.shared.values())
        return (tuple(self.pcs), tuple(tuple(sorted(x.items())) for x in self.locals), shared)

    def restore(self, key: tuple[object, ...], steps: int) -> None:
        """Go to the state of `key`, reached after `steps` steps, in which execution can go on."""
        pcs, locals_, shared = key
        self.pcs = list(pcs)  # type: ignore[call-overload]
        self.locals = [dict(items) for items in locals_]  # type: ignore[attr-defined]
        self.shared = dict(zip(self.shared, map(list, shared), strict=True))  # type: ignore[call-overload]
        self.steps, self.outcome, self.site = steps, None, None

    def enabled(self) -> tuple[int, ...]:
        """The threads whose next step can be executed now."""
        return tuple(t for t in range(len(self.pcs)) if self.is_enabled(t))

    def is_enabled(self, thread: int) -> bool:
        """True where the thread's next step can be executed now."""
        if self.pcs[thread] in (END, UNBORN):
            return False
        guard = self.program.step_at(thread, self.pcs[thread]).guard
        return guard is None or self._looks(guard, thread)

    def step(self, thread: int, choose: Chooser) -> None:
        """Execute the next step of an enabled thread and decide whether the execution has ended."""
        assert self.outcome is None and self.is_enabled(thread)
        step = self.program.step_at(thread, self.pcs[thread])
        self.steps += 1
        self.reads, self.writes, self._yields = set(), set(), False
        if step.guard is not None:
            self.evaluate(step.guard, thread)
        try:
            self._execute(step.ops, thread, choose)
            self._forget(thread)
            self._check_invariants(thread)
            ended = self.has_ended()
            if ended:
                self._execute(self.program.at_end, thread, choose)
        except _Violated as violated:
            self.outcome, self.site = Outcome.VIOLATION, violated.site
        except _Discarded:
            self.outcome = Outcome.DISCARDED
        else:
            if ended:
                self.outcome = Outcome.OK
            elif not any(map(self.is_enabled, range(len(self.pcs)))):
                self.outcome, self.site = Outcome.DEADLOCK, DEADLOCK_SITE
            elif self.steps == self.program.steps_max:
                self.outcome = Outcome.STEP_LIMIT

    @property
    def yields(self) -> bool:
        """True where the last step ended in a cpu_relax()."""
        return self._yields

    def has_ended(self) -> bool:
        """True where all threads have ended or may wait for ever, and `until` holds."""
        parked = False
        for index, thread in enumerate(self.program.threads):
            if thread.daemon or self.pcs[index] in (END, UNBORN):
                continue
            if not self.program.step_at(index, self.pcs[index]).may_end or self.is_enabled(index):
                return False
            parked = True
        if not all(self._looks(condition, 0) for condition in self.program.until):
            return False
        return not parked or not self.enabled()

    def broken_oracle(self, ops: tuple[Op, ...]) -> int | None:
        """The site of the first check that fails in this state, or None."""
        try:
            self._execute(ops, 0, _no_choice)
        except _Violated as violated:
            return violated.site
        return None

    def evaluate(self, expr: Expr, thread: int) -> int:
        """The value of an expression for a thread, with every place it reads noted in `reads`."""
        match expr:
            case Const(value):
                return value
            case Local(name):
                return self.locals[thread][name]
            case Var(name):
                self.reads.add((name, 0))
                return self.shared[name][0]
            case Elem(name, index):
                at = self.evaluate(index, thread)
                if not 0 <= at < len(self.shared[name]):
                    # A check before this step's effects reports it; guards may come here first.
                    return 0
                self.reads.add((name, at))
                return self.shared[name][at]
            case Instance():
                return self.program.threads[thread].instance
            case ThreadIndex():
                return thread
            case Not(operand):
                return int(not self.evaluate(operand, thread))
            case Binary("and", left, right):
                return int(bool(self.evaluate(left, thread)) and bool(self.evaluate(right, thread)))
            case Binary("or", left, right):
                return int(bool(self.evaluate(left, thread)) or bool(self.evaluate(right, thread)))
            case Binary(op, left, right):
                return OPERATIONS[op](self.evaluate(left, thread), self.evaluate(right, thread))
            case Cond(test, then, orelse):
                return self.evaluate(then if self.evaluate(test, thread) else orelse, thread)

    def _check_invariants(self, thread: int) -> None:
        reads, self.reads = self.reads, set()
        try:
            self._execute(self.program.invariants, thread, _no_choice)
        finally:
            self.reads = reads

    def _looks(self, condition: Expr, thread: int) -> bool:
        """The truth of a condition that no thread reads in this step: `reads` stays as it is."""
        reads, self.reads = self.reads, set()
        holds = bool(self.evaluate(condition, thread))
        self.reads = reads
        return holds

    def _execute(self, ops: tuple[Op, ...], thread: int, choose: Chooser) -> None:
        for op in ops:
            match op:
                case Assign(target, value):
                    self._store(target, self.evaluate(value, thread), thread)
                case If(test, then, orelse):
                    self._execute(then if self.evaluate(test, thread) else orelse, thread, choose)
                case Switch(local, arms):
                    self._execute(dict(arms)[self.locals[thread][local.name]], thread, choose)
                case Check(site, test):
                    if not self.evaluate(test, thread):
                        raise _Violated(site)
                case Assume(test):
                    if not self.evaluate(test, thread):
                        raise _Discarded
                case Choose(target, options):
                    self.locals[thread][target.name] = choose(options)
                case Spawn(child, site):
                    self.reads.add(("spawn", child))
                    if self.pcs[child] != UNBORN:
                        raise _Violated(site)
                    self._enter(child)
                    self.writes.add(("spawn", child))
                case Goto(step, yields):
                    self.pcs[thread], self._yields = step, yields

    def _store(self, target: Local | Var | Elem, value: int, thread: int) -> None:
        if isinstance(target, Local):
            kind = local_type(self.program, thread, target.name)
        else:
            kind = self.program.variable[
                target.name if isinstance(target, Var) else target.array
            ].type
        if kind.wrapping:
            value &= (1 << kind.width) - 1
        assert 0 <= value <= kind.maximum, f"unchecked store of {value} into {target}"
        match target:
            case Local(name):
                self.locals[thread][name] = value
            case Var(name):
                self.writes.add((name, 0))
                self.shared[name][0] = value
            case Elem(name, index):
                at = self.evaluate(index, thread)
                self.writes.add((name, at))
                self.shared[name][at] = value

    def _enter(self, thread: int) -> None:
        self._execute(self.program.body_of(thread).entry, thread, _no_choice)
        self._forget(thread)

    def _forget(self, thread: int) -> None:
        live = self.program.live[self.program.threads[thread].body][self.pcs[thread]]
        self.locals[thread] = {k: v for k, v in self.locals[thread].items() if k in live}


def local_type(program: Program, thread: int, name: str) -> IntType:
    """The declared type of a thread's local."""
    return next((kind for local, kind in program.body_of(thread).locals if local == name), BOOL)


def _no_choice(options: tuple[int, ...]) -> int:
    raise AssertionError("choose() before the first step")


def replay(program: Program, schedule: Schedule) -> Trace:
    """Execute a schedule until the execution ends or the schedule does (outcome None).

    Raises ScheduleError where a picked thread is not enabled or a choice is not offered. Picks
    beyond the end of the execution are ignored.
    """
    machine = Machine(program)
    events: list[Event] = []
    for number, pick in enumerate(schedule):
        if machine.outcome is not None:
            break
        if not 0 <= pick.thread < len(program.threads) or not machine.is_enabled(pick.thread):
            raise ScheduleError(f"step {number + 1}: thread {pick.thread} is not enabled")
        events.append(advance(machine, pick.thread, _scripted(pick.choices)))
    return Trace(program, tuple(events), machine.outcome, machine.site)


def advance(machine: Machine, thread: int, choose: Chooser) -> Event:
    """Execute one step and describe it."""
    program, pc, enabled = machine.program, machine.pcs[thread], machine.enabled()
    before = {name: list(values) for name, values in machine.shared.items()}
    old_locals, choices = dict(machine.locals[thread]), []

    def noted(options: tuple[int, ...]) -> int:
        choices.append(choose(options))
        return choices[-1]

    machine.step(thread, noted)
    changes = tuple(
        Change(name, index, old, new)
        for name, values in machine.shared.items()
        for index, (old, new) in enumerate(zip(before[name], values, strict=True))
        if old != new
    )
    performer, writes = program.threads[thread], frozenset(machine.writes)
    watched = program.footprint.read_by(
        writes, body=performer.body, daemon=performer.daemon, next_pc=machine.pcs[thread]
    )
    moved = tuple((k, v) for k, v in machine.locals[thread].items() if old_locals.get(k) != v)
    return Event(
        thread,
        program.step_at(thread, pc).label,
        pc,
        machine.pcs[thread],
        tuple(choices),
        enabled,
        machine.yields,
        frozenset(machine.reads) | watched,
        writes,
        changes,
        moved,
    )


def _scripted(choices: tuple[int, ...]) -> Chooser:
    rest = list(choices)

    def choose(options: tuple[int, ...]) -> int:
        if not rest:
            raise ScheduleError("a choose() without a value in the schedule")
        value = rest.pop(0)
        if value not in options:
            raise ScheduleError(f"{value} is not among the options {options}")
        return value

    return choose


def step_of(program: Program, event: Event) -> Step:
    """The step that an event executed."""
    return program.step_at(event.thread, event.pc)
