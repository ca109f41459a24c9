"""Declarations to a program: every body compiled, cut into steps, and checked."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model.expressions import FALSE, Const, Elem, Expr, Instance, Local, ThreadIndex, binary
from model.interpreter import Machine
from model.language.accesses import Pending
from model.language.frame import Frame
from model.language.graph import StepCutter
from model.language.resolution import is_docstring
from model.language.source import SourceFunction, source_function
from model.language.statement_compiler import StatementCompiler
from model.language.vocabulary import Primitive
from model.program import (
    Assign,
    Body,
    Check,
    Fence,
    Goto,
    If,
    IntType,
    Op,
    Oracle,
    Program,
    SharedVariable,
    Site,
    Thread,
)
from model.validation import validate

CALLBACKS_MAX = 7

if TYPE_CHECKING:
    from model.language.declarations import Declarations, ThreadHandle
    from model.language.declare import ProgramSource


class Unit:
    """What the bodies of one program share while they are compiled."""

    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self.variables: dict[str, SharedVariable] = declarations._variables
        self.sites: dict[Site, int] = {Site(Oracle.DEADLOCK, "no thread can go on"): 0}
        self.callbacks: list[Any] = []
        self.callers: dict[str, int] = {}
        self.in_oracle = False
        self.mutexes = declarations._mutexes
        self.two_step_unlocks = declarations._two_step
        self.nesting = "rcu_nesting" if declarations._rcu is not None else None
        self.instances = 1
        self.index = 0
        self.threads = sum(handle.instances for handle in declarations._handles)

    def site(self, oracle: Oracle, sentence: str) -> int:
        """The number of an oracle site, made when it is first asked for."""
        return self.sites.setdefault(Site(oracle, sentence), len(self.sites))

    def next_caller(self, caller: str) -> int:
        """The number of one more call of a noinline function, counted through the program."""
        self.callers[caller] = self.callers.get(caller, -1) + 1
        return self.callers[caller]

    def bound(self, primitive: Primitive) -> Any:
        """The body of an RCU primitive, or None where the program has no RCU."""
        return self.declarations._primitives.get(primitive.name)

    def own_number(self, form: str) -> Expr:
        """The executing thread's instance number or position; known where it has its own body."""
        if form == "instance":
            return FALSE if self.instances == 1 else Instance()
        return Const(self.index) if self.instances == 1 else ThreadIndex()

    def child(self, handle: Any, number: int, *, stated: bool) -> int | None:
        """The position of a child thread, or None where the handle is no such thing."""
        position = 0
        for declared in self.declarations._handles:
            if declared is handle:
                known = declared.child and 0 <= number < declared.instances
                return position + number if known and (stated or declared.instances == 1) else None
            position += declared.instances
        return None

    def callback_number(self, function: Any) -> int | None:
        """The number under which call_rcu() queues a function, from 1; None for one too many."""
        if function not in self.callbacks:
            self.callbacks.append(function)
        number: int = self.callbacks.index(function) + 1
        return number if number <= CALLBACKS_MAX else None


def compile_program(
    source: ProgramSource, parameters: Mapping[str, int | str], p: Declarations
) -> Program:
    """Compile every body and oracle. Raises LanguageError for whatever is not sound."""
    unit = Unit(p)
    bodies: list[Body] = []
    threads: list[Thread] = []
    for number, handle in enumerate(p._handles):
        unit.instances, unit.index = handle.instances, len(threads)
        bodies.append(_compile_body(unit, handle))
        for instance in range(handle.instances):
            name = handle.name if handle.instances == 1 else f"{handle.name}#{instance + 1}"
            threads.append(Thread(name, number, instance, handle.daemon, handle.child))
    if not any(not thread.daemon for thread in threads):
        text = source_function(source.function)
        raise text.error(
            text.definition, "a program without a thread", "declare one with @p.thread()"
        )
    bodies = [_with_callers_fitted(unit, body) for body in bodies]
    unit.in_oracle = True
    invariants = tuple(
        op for f in p._invariants for op in _compile_oracle(unit, f, Oracle.INVARIANT)
    )
    at_end = tuple(op for f in p._at_end for op in _compile_oracle(unit, f, Oracle.AT_END))
    until = tuple(_compile_condition(unit, f) for f in p._untils)
    program = Program(
        source.name,
        tuple(parameters.items()),
        source.steps_max,
        tuple(p._variables.values()),
        tuple(bodies),
        tuple(threads),
        tuple(unit.sites),
        invariants,
        at_end,
        until,
    )
    validate(program)
    _check_initial_state(source, program)
    return program


def _with_callers_fitted(unit: Unit, body: Body) -> Body:
    """The numbers of callers in no more bits than the program needs."""
    widths = {name: IntType(max(1, last.bit_length())) for name, last in unit.callers.items()}
    kinds = tuple((name, widths.get(name, kind)) for name, kind in body.locals)
    return replace(body, locals=kinds)


def _compile_body(unit: Unit, handle: ThreadHandle) -> Body:
    compiler = StatementCompiler(unit)
    function = source_function(handle.function)
    compiler.frame = Frame(function, None)
    _refuse_parameters(function, "a thread")
    compiler.block(function.definition.body)
    ended = _check_that_readers_ended(unit, handle, compiler, function)
    compiler.graph.dangling = []
    entry, steps = StepCutter(handle.name, function.file, compiler.graph).cut()
    entry = _without(entry, ended)
    if not steps:
        raise function.error(
            function.definition, f"{handle.name}() accesses nothing shared", "give it a step"
        )
    if not _only_sets_locals(entry):
        raise function.error(
            function.definition.body[0],
            "an assertion, a check of a range, or a ghost before the first step",
            "put it after an access",
        )
    body = Body(handle.name, tuple(sorted(compiler.types.items())), entry, steps)
    compiler.refuse_unassigned(compiler.frame, [(compiler.graph.entry, "next")], compiler.created)
    return body


def _refuse_parameters(function: SourceFunction, what: str) -> None:
    arguments = function.definition.args
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    if named or arguments.vararg or arguments.kwarg:
        raise function.error(
            function.definition, f"{what} takes no parameters", "use parameters of the program"
        )
    if len(function.definition.decorator_list) > 1:
        raise function.error(
            function.definition.decorator_list[1],
            f"{what} has a second decorator",
            "its body is compiled, and no decorator can change it",
        )


def _check_that_readers_ended(
    unit: Unit, handle: ThreadHandle, compiler: StatementCompiler, function: SourceFunction
) -> Check | None:
    """A thread may not end inside a read-side critical section."""
    graph = compiler.graph
    graph.dangling = graph.dangling + compiler.frame.returns
    if not compiler.uses_readers or unit.nesting is None or not graph.dangling:
        return None
    site = unit.site(Oracle.RCU, f"{handle.name} ends inside a read-side critical section")
    nesting = Elem(unit.nesting, unit.own_number("thread"))
    check = Check(site, binary("==", nesting, FALSE))
    compiler.emit("ops", function.definition, "", [check])
    return check


def _without(ops: tuple[Op, ...], check: Check | None) -> tuple[Op, ...]:
    """Entry operations without barriers, which order nothing there, and without `check`.

    A thread that ends without a step was in no critical section.
    """
    kept: list[Op] = []
    for op in ops:
        if isinstance(op, If):
            kept.append(If(op.test, _without(op.then, check), _without(op.orelse, check)))
        elif not isinstance(op, Fence) and op is not check:
            kept.append(op)
    return tuple(kept)


def _only_sets_locals(ops: tuple[Op, ...]) -> bool:
    return all(
        isinstance(op, Goto)
        or (isinstance(op, Assign) and isinstance(op.target, Local))
        or (isinstance(op, If) and _only_sets_locals(op.then) and _only_sets_locals(op.orelse))
        for op in ops
    )


def _compile_oracle(unit: Unit, subject: Any, oracle: Oracle) -> tuple[Op, ...]:
    compiler = StatementCompiler(unit)
    function = source_function(subject)
    compiler.frame, compiler.oracle_of_asserts = Frame(function, None), oracle
    _refuse_parameters(function, "an oracle")
    for statement in function.definition.body:
        if not isinstance(statement, ast.Assert) and not is_docstring(statement):
            raise function.error(
                statement, "an oracle only asserts", 'write `assert condition, "sentence"`'
            )
        compiler.statement(statement)
    return tuple(op for node in compiler.created for op in node.ops)


def _compile_condition(unit: Unit, subject: Any) -> Expr:
    compiler = StatementCompiler(unit)
    function = source_function(subject)
    compiler.frame = Frame(function, None)
    last = function.definition.body[-1]
    assert isinstance(last, ast.Return) and last.value is not None
    return compiler.truth(compiler.value(last.value, Pending(free=True, only_reads=True)))


def _check_initial_state(source: ProgramSource, program: Program) -> None:
    """The initial state must be one that an execution can start from."""
    text, machine = source_function(source.function), Machine(program)
    broken = machine.broken_oracle(program.invariants)
    if broken is not None:
        sentence = f"the initial state breaks an invariant: {program.sites[broken].sentence}"
        raise text.error(text.definition, sentence, "mend the initial values or the invariant")
    if machine.has_ended() or not machine.enabled():
        raise text.error(
            text.definition, "no thread can take a first step", "some thread must be able to start"
        )
