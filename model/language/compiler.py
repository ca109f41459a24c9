"""Declarations to a program: every body compiled, cut into steps, and checked."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model.expressions import FALSE, Const, Expr, Instance, ThreadIndex
from model.interpreter import Machine
from model.language.expression_compiler import Pending
from model.language.frame import Frame
from model.language.graph import StepCutter
from model.language.source import SourceFunction, source_function
from model.language.statement_compiler import StatementCompiler
from model.language.vocabulary import Primitive
from model.liveness import live_on_entry
from model.program import Assign, Body, Goto, If, Op, Oracle, Program, Site, Thread
from model.validation import validate

if TYPE_CHECKING:
    from model.language.declare import Declarations, ProgramSource, ThreadHandle


class Unit:
    """What the bodies of one program share while they are compiled."""

    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self.variables = declarations._variables
        self.sites: dict[Site, int] = {Site(Oracle.DEADLOCK, "no thread can go on"): 0}
        self.callbacks: list[Any] = []
        self.two_step_unlocks = declarations._two_step
        self.nesting = "rcu_nesting" if declarations._rcu is not None else None
        self.instances = 1
        self.index = 0
        self.threads = sum(handle.instances for handle in declarations._handles)

    def site(self, oracle: Oracle, sentence: str) -> int:
        """The number of an oracle site, made when it is first asked for."""
        return self.sites.setdefault(Site(oracle, sentence), len(self.sites))

    def bound(self, primitive: Primitive) -> Any:
        """The body of an RCU primitive, or None where the program has no RCU."""
        return self.declarations._primitives.get(primitive.name)

    def own_number(self, form: str) -> Expr:
        """The executing thread's instance number or position; known where the body has one thread."""
        if form == "instance":
            return FALSE if self.instances == 1 else Instance()
        return Const(self.index) if self.instances == 1 else ThreadIndex()

    def child(self, handle: Any, number: int) -> int | None:
        """The position of a child thread, or None where the handle is no such thing."""
        position = 0
        for declared in self.declarations._handles:
            if declared is handle:
                return (
                    position + number
                    if declared.child and 0 <= number < declared.instances
                    else None
                )
            position += declared.instances
        return None

    def callback_number(self, function: Any) -> int:
        """The number under which call_rcu() queues a function, from 1."""
        if function not in self.callbacks:
            self.callbacks.append(function)
        return self.callbacks.index(function) + 1


def compile_program(
    source: ProgramSource, parameters: Mapping[str, int | str], p: Declarations
) -> Program:
    """Compile every body and oracle. Raises LanguageError, with the place, for whatever is not sound."""
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
    invariants = tuple(
        op for f in p._invariants for op in _compile_oracle(unit, f, Oracle.INVARIANT)
    )
    at_end = tuple(op for f in p._at_end for op in _compile_oracle(unit, f, Oracle.AT_END))
    until = tuple(_compile_condition(unit, f) for f in p._untils)
    program = Program(
        source.name, tuple(parameters.items()), source.steps_max, tuple(p._variables.values()), tuple(bodies),
        tuple(threads), tuple(unit.sites), invariants, at_end, until,
    )  # fmt: skip
    validate(program)
    _check_initial_state(source, program)
    return program


def _compile_body(unit: Unit, handle: ThreadHandle) -> Body:
    compiler = StatementCompiler(unit)
    function = source_function(handle.function)
    compiler.frame = Frame(function, None)
    if function.parameters:
        raise function.error(
            function.definition, "a thread takes no parameters", "use parameters of the program"
        )
    compiler.block(function.definition.body)
    compiler.graph.dangling = []
    entry, steps = StepCutter(handle.name, compiler.graph).cut()
    body = Body(handle.name, tuple(sorted(compiler.types.items())), entry, steps)
    if not steps:
        raise function.error(
            function.definition, f"{handle.name}() accesses nothing shared", "give it a step"
        )
    if not _only_sets_locals(entry):
        first = function.definition.body[0]
        raise function.error(
            first, "an assertion or a ghost before the first step", "put it after an access"
        )
    unassigned = live_on_entry(body)
    if unassigned:
        raise _unassigned(function, sorted(unassigned)[0])
    return body


def _only_sets_locals(ops: tuple[Op, ...]) -> bool:
    return all(
        isinstance(op, Goto)
        or (isinstance(op, Assign) and type(op.target).__name__ == "Local")
        or (isinstance(op, If) and _only_sets_locals(op.then) and _only_sets_locals(op.orelse))
        for op in ops
    )


def _unassigned(function: SourceFunction, local: str) -> Exception:
    name = local.split(".")[-1].split("'")[0]
    nodes = [n for n in ast.walk(function.definition) if isinstance(n, ast.Name) and n.id == name]
    reads = [n for n in nodes if isinstance(n.ctx, ast.Load)]
    place = (reads or nodes or [function.definition])[0]
    return function.error(
        place, f"`{name}` may be read before it is assigned", "assign it on every path first"
    )


def _compile_oracle(unit: Unit, subject: Any, oracle: Oracle) -> tuple[Op, ...]:
    compiler = StatementCompiler(unit)
    function = source_function(subject)
    compiler.frame, compiler.oracle_of_asserts = Frame(function, None), oracle
    for statement in function.definition.body:
        if not isinstance(statement, (ast.Assert, ast.Expr)):
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
    return compiler.truth(compiler.value(last.value, Pending(free=True)))


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
