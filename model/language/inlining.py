"""Functions are inlined: a call is the steps of its body, with arguments in place of the names."""

from __future__ import annotations

import ast
from types import FunctionType
from typing import Any

from model.expressions import FALSE, Const, Local, binary
from model.language.accesses import Pending
from model.language.errors import LanguageError
from model.language.frame import Frame, Typed, constant, type_for
from model.language.graph import Edge, Node, WayBack, locals_read_first
from model.language.source import SourceFunction, source_function
from model.language.step_compiler import StepCompiler
from model.language.subroutines import Subroutine, is_noinline, returns_value
from model.language.vocabulary import Primitive
from model.program import Assign, Check, IntType, SharedVariable

READER_BEGINS = frozenset({"rcu_read_lock", "preempt_disable", "local_irq_disable"})


CALLER_BITS = 8


class Inlining(StepCompiler):
    """Compiles calls of functions that take steps."""

    uses_readers = False

    def __init__(self, unit: Any) -> None:
        super().__init__(unit)
        self.subroutines: dict[Any, Subroutine] = {}

    def block(self, statements: list[ast.stmt]) -> None:
        """Compile statements (in StatementCompiler)."""
        raise NotImplementedError

    def result_of(self, node: ast.expr, pending: Pending) -> Typed:
        """A value that may come from a function with steps, standing alone on its side."""
        called = self.called_function(node)
        if called is None or self.is_expression(called):
            return self.value(node, pending)
        assert isinstance(node, ast.Call)
        result = self.inline(node, called, wants_value=True)
        pending.ghost_read = pending.ghost_read or result.ghost
        return result

    def inline(self, node: ast.Call, function: SourceFunction, *, wants_value: bool) -> Typed:
        """Compile a function's body in place of its call; its value, where one is wanted."""
        primitive = self.primitive(node)
        waits_for_ever = False
        if primitive is not None and primitive.name == "synchronize_rcu":
            waits_for_ever = self.may_end_here(node)
        else:
            self.refuse_keywords(node)
        self.refuse_call(node, function)
        if primitive is not None and primitive.name in READER_BEGINS:
            self.uses_readers = True
        arguments = [
            self._argument(argument, primitive, position)
            for position, argument in enumerate(node.args)
        ]
        if any(map(is_noinline, function.definition.decorator_list)) and not self.in_atomic:
            return self._call_subroutine(node, function, arguments, wants_value=wants_value)
        frame = Frame(function, self.frame, node, self.call_text(node, function), self.ghost_only)
        frame.waits_for_ever = waits_for_ever
        frame.result = f"{frame.qualifier}return" if wants_value else None
        return self._inlined(node, frame, arguments)

    def may_end_here(self, node: ast.Call) -> bool:
        """The value of `may_end_here=…` in a wait."""
        may_end = False
        for keyword in node.keywords:
            if keyword.arg != "may_end_here":
                raise self.fail(
                    node, f"`{keyword.arg}` is not known here", "write may_end_here=True"
                )
            given = self.value(keyword.value, Pending()).expr
            if not isinstance(given, Const):
                raise self.fail(
                    keyword.value, "may_end_here is decided too late", "give a constant"
                )
            may_end = bool(given.value)
        return may_end

    def _call_subroutine(
        self, node: ast.Call, function: SourceFunction, arguments: list[Any], *, wants_value: bool
    ) -> Typed:
        self.refuse_ghost(node, decides=self.ghost_only)
        if wants_value and not returns_value(function.definition):
            raise self.no_value(node, function)
        key = self.python_value(node.func)
        known = self.subroutines.get(key)
        if known is None:
            return self._first_call(node, function, key, arguments)
        number = self.unit.next_caller(known.back.caller)
        call = self.emit("ops", node, "", [Assign(Local(known.back.caller), Const(number))])
        self._bind_once(node, known.frame, arguments)
        self.graph.attach(known.entry)
        call.resumes = self.emit("ops", node, "")
        known.return_to(number, Node("branch", node, function), call.resumes)
        return known.result

    def _first_call(
        self, node: ast.Call, function: SourceFunction, key: Any, arguments: list[Any]
    ) -> Typed:
        frame = Frame(function, self.frame, node)
        if returns_value(function.definition):
            frame.result = f"{frame.qualifier}return"
        caller = f"{frame.qualifier}caller"
        while caller in self.types:
            caller += "'"
        self.types[caller] = IntType(CALLER_BITS)
        number = self.unit.next_caller(caller)
        call = self.emit("ops", node, "", [Assign(Local(caller), Const(number))])
        self._bind_once(node, frame, arguments)
        entry = self.emit("ops", node, "")
        result = self._inlined(node, frame, None)
        last = self.emit("ops", node, "")
        call.resumes = self.emit("ops", node, "")
        last.back = WayBack(caller, [number])
        self.subroutines[key] = Subroutine(frame, last.back, entry, last, result)
        return result

    def _bind_once(self, node: ast.Call, frame: Frame, arguments: list[Any]) -> None:
        """Give the parameters of the one copy their values, of the types of the first call."""
        for name, argument in zip(frame.function.parameters, arguments, strict=True):
            if not isinstance(argument, Typed):
                if frame.bindings.setdefault(name, argument) is not argument:
                    raise self.fail(
                        node,
                        f"a noinline function is given another `{name}`",
                        "leave out noinline: its one copy is for one variable",
                    )
                continue
            self.refuse_ghost(node, decides=argument.ghost)
            if name not in frame.locals:
                kind = self._parameter_type(node, name, argument)
                frame.locals[name] = self.new_local(frame.qualifier + name, kind)
                if name not in frame.assigned:
                    frame.bindings[name] = Typed(Local(frame.locals[name]), kind)
            local = frame.locals[name]
            low, high = self.bounds(argument.expr)
            if low < 0 or high > self.types[local].maximum:
                raise self.fail(
                    node,
                    f"`{name}` holds 0 to {self.types[local].maximum} since the first call",
                    "give a noinline function values of one type",
                )
            self.same_names(node, argument.type, self.types[local])
            self.emit("ops", node, "", [Assign(Local(local), argument.expr)])

    def invoke_callback(self, node: ast.Call) -> None:
        """Inline every function given to call_rcu(), and go to the one that was queued."""
        which, subject = (self.value(argument, Pending()) for argument in node.args)
        ends: list[Edge] = []
        for number, callback in enumerate(self.unit.callbacks, start=1):
            function = source_function(callback)
            if len(function.parameters) != 1:
                raise function.error(
                    function.definition,
                    f"{function.name}() is a callback: it takes one argument",
                    "declare one parameter",
                )
            branch = self.emit("branch", node, "")
            branch.test = binary("==", which.expr, Const(number))
            self._inlined(node, Frame(function, self.frame, node), [subject])
            ends += self.graph.dangling
            self.graph.dangling = [(branch, "orelse")]
        self.graph.dangling += ends

    def _inlined(self, node: ast.Call, frame: Frame, arguments: list[Any] | None) -> Typed:
        """The body of a frame; without `arguments` its parameters are bound already."""
        outer, noted = self.frame, self.statement_accesses
        entry, first = list(self.graph.dangling), len(self.created)
        self.frame = frame
        if arguments is not None:
            for name, argument in zip(frame.function.parameters, arguments, strict=True):
                self._bind(node, frame, name, argument)
        self.block(frame.function.definition.body)
        self.refuse_unassigned(frame, entry, self.created[first:])
        self.frame, self.statement_accesses = outer, noted
        if frame.result is not None and self.graph.dangling:
            raise self.fail(node, f"{frame.function.name}() may end without a value", "return one")
        self.graph.dangling = self.graph.dangling + frame.returns
        if frame.result is None:
            return Typed(FALSE)
        if frame.result not in self.types:
            raise self.fail(
                node, f"{frame.function.name}() never returns", "call it as a statement"
            )
        kinds = set(frame.result_types)
        kind = kinds.pop() if len(kinds) == 1 else None
        return Typed(Local(frame.result), kind, frame.result_ghost)

    def no_value(self, node: ast.Call, function: SourceFunction) -> LanguageError:
        """A value is wanted of a function that may have none."""
        return self.fail(node, f"{function.name}() may end without a value", "return one")

    def refuse_unassigned(self, frame: Frame, entry: list[Edge], nodes: list[Node]) -> None:
        """A local must not show what an earlier activation left in it, nor nothing at all."""
        live = locals_read_first(nodes)
        for source, edge in entry:
            target = source.next if edge == "next" else source.orelse
            found = live.get(id(target), frozenset())
            for name, local in frame.locals.items():
                if local in found and name not in frame.function.parameters:
                    raise self.unassigned(frame, name)

    def unassigned(self, frame: Frame, name: str) -> Exception:
        """A local that some path reads before it is assigned, shown where it is read first."""
        definition = frame.function.definition
        nodes = [n for n in ast.walk(definition) if isinstance(n, ast.Name) and n.id == name]
        reads: list[ast.AST] = [n for n in nodes if isinstance(n.ctx, ast.Load)]
        return frame.function.error(
            [*reads, *nodes, definition][0],
            f"`{name}` may be read before it is assigned",
            "assign it on every path first",
        )

    def _argument(self, node: ast.expr, primitive: Primitive | None, position: int) -> Any:
        if primitive is not None and primitive.name == "call_rcu" and position == 0:
            return self._callback(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            meaning = self.python_value(node)
            if isinstance(meaning, SharedVariable):
                return meaning
            if constant(meaning) is None and not isinstance(meaning, (Typed, Primitive)):
                if primitive is None:
                    return meaning
                raise self.fail(
                    node, f"`{ast.unparse(node)}` is not a value", "give an integer or a local"
                )
        pending = Pending()
        value = self.value(node, pending)
        if pending.accesses or any(not isinstance(op, Check) for op in pending.before):
            raise self.fail(
                node, "an access inside the arguments of a call", "read it into a local first"
            )
        self.flush(node, pending, "")
        return Typed(value.expr, value.type, pending.ghost_read)

    def _callback(self, node: ast.expr) -> Typed:
        meaning = self.python_value(node)
        if not isinstance(meaning, FunctionType):
            raise self.fail(
                node, f"`{ast.unparse(node)}` is no function", "write call_rcu(function, argument)"
            )
        number = self.unit.callback_number(meaning)
        if number is None:
            raise self.fail(node, "too many callbacks", "call_rcu() knows at most 7 functions")
        return Typed(Const(number))

    def _bind(self, node: ast.Call, frame: Frame, name: str, argument: Any) -> None:
        assigned = name in frame.assigned
        if not isinstance(argument, Typed):
            if assigned:
                raise self.fail(
                    node, f"`{name}` is assigned, and not given a value", "use another local"
                )
            frame.bindings[name] = argument
            return
        if not assigned and isinstance(argument.expr, (Const, Local)):
            frame.bindings[name] = argument
            return
        if assigned and self.is_variable(name):
            raise self.fail(
                node, f"parameter `{name}` has the name of a shared variable", "give it its own"
            )
        self.refuse_ghost(node, decides=assigned and argument.ghost)
        if assigned and argument.type is None and isinstance(argument.expr, Const):
            raise self.fail(
                node,
                f"parameter `{name}` has no width, and is assigned",
                f"copy it into a local: `own: uint(3) = {name}`",
            )
        kind = self._parameter_type(node, name, argument)
        local = self.new_local(frame.qualifier + name, kind)
        frame.locals[name] = local
        if not assigned:
            frame.bindings[name] = Typed(Local(local), kind, argument.ghost)
        checks = self.range_check(node, argument.expr, kind, name)
        self.emit("ops", node, "", [*checks, Assign(Local(local), argument.expr)])

    def _parameter_type(self, node: ast.Call, name: str, argument: Typed) -> IntType:
        if self.bounds(argument.expr)[0] < 0:
            raise self.fail(node, f"argument `{name}` may be negative", "integers are unsigned")
        return self.type_of_local(node, name, argument.expr, argument.type)

    def return_value(self, node: ast.Return, value: ast.expr) -> None:
        """`return value` in an inlined function."""
        frame, pending = self.frame, Pending()
        result = self.result_of(value, pending)
        if frame.result is not None:
            if self.bounds(result.expr)[0] < 0:
                raise self.fail(node, "a negative value is returned", "integers are unsigned")
            frame.result_types.append(result.type)
            frame.result_ghost = frame.result_ghost or pending.ghost_read
            wide = self.type_of_local(node, "return", result.expr, result.type)
            known = self.types.get(frame.result, wide)
            keeps = known.names == wide.names and known.maximum >= wide.maximum
            highest = max(known.maximum, wide.maximum)
            self.types[frame.result] = known if keeps else type_for(0, highest, None)
            pending.before.append(Assign(Local(frame.result), result.expr))
        self.flush(node, pending, ast.unparse(node))
