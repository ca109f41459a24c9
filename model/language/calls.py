"""Calls as statements: waits, locks, spawns, and functions inlined with their steps."""

from __future__ import annotations

import ast
from typing import Any, Literal

from model.expressions import FALSE, TRUE, Const, Elem, Expr, Local, ThreadIndex, Var, binary, not_
from model.language.expression_compiler import ExpressionCompiler, Pending
from model.language.frame import Frame, Typed, constant, type_for
from model.language.graph import Edge, Graph, Node
from model.language.source import SourceFunction, source_function
from model.language.subroutines import Subroutine, is_noinline
from model.language.vocabulary import Primitive
from model.program import (
    Access, Assign, Assume, Check, Fence, IntType, Op, Oracle, SharedVariable, Spawn,
)  # fmt: skip

STEPPING = frozenset({
    "access", "rcu", "spin_lock", "mutex_lock", "spin_unlock", "mutex_unlock", "spin_until", "wait_event",
    "choose", "spawn", "atomic",
})  # fmt: skip


class Calls(ExpressionCompiler):
    """Everything that a call can do in a statement, on top of values."""

    def __init__(self, unit: Any) -> None:
        super().__init__(unit)
        self.graph = Graph()
        self.created: list[Node] = []
        self.statement_accesses: list[tuple[ast.AST, Access]] = []
        self.atomic_place: Node | None = None
        self.ghost_only = False
        self.subroutines: dict[ast.FunctionDef, Subroutine] = {}
        self.oracle_of_asserts = Oracle.ASSERT

    def block(self, statements: list[ast.stmt]) -> None:
        """Compile statements (in StatementCompiler)."""
        raise NotImplementedError

    def assert_site(self, sentence: str) -> int:
        """The oracle site of an assertion; RCU's own are misuse of RCU, or a bound declared too small."""
        if self.frame.function.environment.get("__name__") != "model.language.rcu":
            return self.unit.site(self.oracle_of_asserts, sentence)
        if sentence.startswith("range: "):
            return self.unit.site(Oracle.RANGE, sentence.removeprefix("range: "))
        return self.unit.site(Oracle.RCU, sentence)

    # -- nodes -------------------------------------------------------------------------------------

    def emit(
        self, kind: Literal["location", "choice", "ops", "branch", "yield"], origin: ast.AST, text: str,
        ops: list[Op] | None = None,
    ) -> Node:  # fmt: skip
        """A new node at the end of the graph."""
        if kind in ("location", "choice") and self.ghost_only:
            raise self.fail(
                origin,
                "a ghost decides what the program does",
                "ghosts may only feed ghosts and asserts",
            )
        node = Node(kind, origin, self.frame.function, text, ops or [])
        self.created.append(node)
        return self.graph.emit(node)

    def flush(self, node: ast.AST, pending: Pending, text: str) -> None:
        """Emit what evaluating an expression does: a step where it accesses memory, else part of one."""
        if pending.accesses and not self.in_atomic:
            self._note_accesses(pending)
            place = self.emit("location", node, self.opaque_text(None) or text, pending.before)
        elif pending.before or pending.accesses:
            place = self.emit("ops", node, "", pending.before)
        else:
            return
        place.accesses += [access for _, access in pending.accesses]

    def _note_accesses(self, pending: Pending) -> None:
        self.statement_accesses += pending.accesses
        if len(self.statement_accesses) > 1:
            shown = " and ".join(
                f"`{self._shown(access)}`" for _, access in self.statement_accesses[:2]
            )
            raise self.fail(
                [node for node, _ in self.statement_accesses],
                f"two shared accesses in one statement: {shown}",
                "read one into a local first, or write `with atomic():` if the hardware does both at once",
            )

    @staticmethod
    def _shown(access: Access) -> str:
        return access.variable if access.index is None else f"{access.variable}[…]"

    def opaque_text(self, described: str | None) -> str | None:
        """Inside a primitive written in the language, a step is named by the call."""
        frame: Frame | None = self.frame
        while frame is not None:
            if frame.call_text is not None:
                return f"{frame.call_text}: {described}" if described else frame.call_text
            frame = frame.parent
        return None

    def qualified(self, name: str) -> str:
        """The IR name wanted for a local of this frame."""
        return name if self.frame.parent is None else f"{self.frame.function.name}.{name}"

    def takes_steps(self, node: ast.AST) -> bool:
        """True where something below accesses memory through a call."""
        for child in ast.walk(node):
            primitive = self.primitive(child)
            if primitive is not None and primitive.form in STEPPING:
                return True
            function = self.called_function(child) if primitive is None else None
            if function is not None and not self.is_expression(function):
                return True
        return False

    # -- statements --------------------------------------------------------------------------------

    def call_statement(self, node: ast.Call) -> None:
        """A call whose value is not used."""
        primitive = self.primitive(node)
        if primitive is not None and primitive.name == "_invoke_rcu_callback":
            return self._invoke_callback(node)
        if primitive is None or primitive.form == "rcu":
            function = self.called_function(node)
            if function is None:
                name = ast.unparse(node.func)
                raise self.fail(
                    node,
                    f"`{name}` cannot be called in a body",
                    "call the vocabulary or a function of yours",
                )
            self.inline(node, function, wants_value=False)
            return
        if primitive.form != "wait_event" and primitive.form != "spin_until" and node.keywords:
            raise self.fail(
                node, "keyword arguments are not part of the language", "pass arguments by position"
            )
        expected = primitive.arguments
        if (
            primitive.form not in ("access", "choose", "spawn", "atomic")
            and len(node.args) != expected
        ):
            raise self.fail(
                node, f"{primitive.name}() takes {expected} arguments", "as in the kernel"
            )
        match primitive.form:
            case "access":
                pending = Pending()
                self.access(node, primitive, pending)
                self.flush(node, pending, ast.unparse(node))
            case "fence":
                self.emit("ops", node, "", [Fence(primitive.name)])
            case "cpu_relax":
                self.emit("yield", node, "")
            case "spin_until" | "wait_event":
                self._wait(node, primitive)
            case "spin_lock" | "mutex_lock":
                self._lock(node, primitive)
            case "spin_unlock" | "mutex_unlock":
                self._unlock(node, primitive)
            case "assume":
                pending = Pending()
                test = self.truth(self.value(node.args[0], pending))
                pending.before.append(Assume(test))
                self.flush(node, pending, ast.unparse(node))
            case "spawn":
                self._spawn(node)
            case _:
                raise self.fail(
                    node,
                    f"{primitive.name}() is not a statement",
                    "see the language reference for its use",
                )

    def _blocking(
        self, node: ast.Call, guard: Expr, ops: list[Op], access: list[Access], *, sleeps: bool
    ) -> Node:
        """A step that can run only while `guard` holds; in atomic() it may only come first."""
        if sleeps and self.unit.nesting is not None:
            reading = binary("!=", Elem(self.unit.nesting, ThreadIndex()), FALSE)
            name = ast.unparse(node.func)
            site = self.unit.site(Oracle.RCU, f"{name}() inside a read-side critical section")
            ops = [Check(site, not_(reading)), *ops]
            guard = binary("or", guard, reading)
        if not self.in_atomic:
            place = self.emit("location", node, self.opaque_text(None) or ast.unparse(node), ops)
        else:
            assert self.atomic_place is not None
            place = self.atomic_place
            if self.graph.dangling != [(place, "next")] or place.ops or place.guard is not None:
                raise self.fail(
                    node,
                    "a wait inside atomic() that does not come first",
                    "put it first, or before it",
                )
            place.ops = ops
        place.guard = None if guard == TRUE else guard
        place.accesses += access
        return place

    def _wait(self, node: ast.Call, primitive: Primitive) -> None:
        pending = Pending()
        test = self.truth(self.value(node.args[0], pending))
        if not self.in_atomic:
            self._note_accesses(pending)
        for op in pending.before:
            if not isinstance(op, Check):
                raise self.fail(node, "a wait that writes", "wait for a condition, then write")
            test = binary("or", test, not_(op.test))
        if pending.ghost_read:
            raise self.fail(
                node,
                "a ghost decides what the program does",
                "ghosts may only feed ghosts and asserts",
            )
        accesses = [access for _, access in pending.accesses]
        place = self._blocking(
            node, test, pending.before, accesses, sleeps=primitive.name == "wait_event"
        )
        for keyword in node.keywords:
            if keyword.arg != "may_end_here" or not isinstance(keyword.value, ast.Constant):
                raise self.fail(
                    node, f"`{keyword.arg}` is not known here", "write may_end_here=True"
                )
            place.may_end = bool(keyword.value.value)
        if self.frame.waits_for_ever:
            place.may_end = True

    def _lock_variable(
        self, node: ast.Call, pending: Pending
    ) -> tuple[SharedVariable, Expr | None]:
        variable, index = self.place(node.args[0], pending)
        if not variable.lock:
            raise self.fail(
                node, f"`{variable.name}` is not a lock", "declare it with p.spinlock or p.mutex"
            )
        return variable, index

    def _lock(self, node: ast.Call, primitive: Primitive) -> None:
        pending = Pending()
        variable, index = self._lock_variable(node, pending)
        held: Var | Elem = Var(variable.name) if index is None else Elem(variable.name, index)
        guard = not_(held)
        for op in pending.before:
            assert isinstance(op, Check)
            guard = binary("or", guard, not_(op.test))
        access = Access(primitive.name, "acquire", variable.name, index, True, True)
        ops = [*pending.before, Assign(held, TRUE)]
        self._blocking(node, guard, ops, [access], sleeps=primitive.name == "mutex_lock")

    def _unlock(self, node: ast.Call, primitive: Primitive) -> None:
        pending = Pending()
        variable, index = self._lock_variable(node, pending)
        held: Var | Elem = Var(variable.name) if index is None else Elem(variable.name, index)
        site = self.unit.site(Oracle.LOCK, f"{variable.name} unlocked while not held")
        pending.before += [Check(site, held), Assign(held, FALSE)]
        pending.accesses.append(
            (node, Access(primitive.name, "release", variable.name, index, True, True))
        )
        self.flush(node, pending, ast.unparse(node))
        if variable.name in self.unit.two_step_unlocks:
            place = self.emit("location", node, f"{ast.unparse(node)}: wake a waiter")
            place.accesses.append(
                Access(primitive.name, "relaxed", variable.name, index, True, False)
            )

    def _spawn(self, node: ast.Call) -> None:
        numbers = [self.value(argument, Pending()).expr for argument in node.args[1:]]
        handle = self.python_value(node.args[0]) if node.args else None
        number = numbers[0].value if numbers and isinstance(numbers[0], Const) else 0
        thread = self.unit.child(handle, number)
        if thread is None or len(numbers) > 1 or not all(isinstance(n, Const) for n in numbers):
            raise self.fail(
                node, "spawn() needs a child thread", "declare it with @p.thread(child=True)"
            )
        site = self.unit.site(Oracle.ASSERT, f"{ast.unparse(node.args[0])} is spawned twice")
        self.emit("location", node, ast.unparse(node), [Spawn(thread, site)])

    def _invoke_callback(self, node: ast.Call) -> None:
        """Inline every function given to call_rcu(), and go to the one that was queued."""
        which, subject = (self.value(argument, Pending()) for argument in node.args)
        ends: list[Edge] = []
        for number, function in enumerate(self.unit.callbacks, start=1):
            branch = self.emit("branch", node, "")
            branch.test = binary("==", which.expr, Const(number))
            self.inline_bound(node, source_function(function), [subject])
            ends += self.graph.dangling
            self.graph.dangling = [(branch, "orelse")]
        self.graph.dangling += ends

    # -- inlining ----------------------------------------------------------------------------------

    @staticmethod
    def is_expression(function: SourceFunction) -> bool:
        """True for a function that only returns an expression: it may stand inside one."""
        body = [s for s in function.definition.body if not isinstance(s, ast.Expr)]
        has_calls = any(
            isinstance(s, ast.Expr) and not isinstance(s.value, ast.Constant)
            for s in function.definition.body
        )
        return (
            len(body) == 1
            and isinstance(body[0], ast.Return)
            and body[0].value is not None
            and not has_calls
        )

    def inline(self, node: ast.Call, function: SourceFunction, *, wants_value: bool) -> Typed:
        """Compile a function's body in place of its call; its value, where one is wanted."""
        outer = self.frame
        if outer.active(function):
            raise self.fail(
                node, f"{function.name}() calls itself", "functions are inlined: write a loop"
            )
        meaning = self.python_value(node.func)
        primitive = meaning if isinstance(meaning, Primitive) else None
        waits_for_ever = self._may_end_here(node, primitive)
        if len(node.args) != len(function.parameters):
            raise self.fail(
                node,
                f"{function.name}() takes {len(function.parameters)} arguments",
                "pass all of them",
            )
        text = ast.unparse(node) if primitive is not None else None
        arguments = [self._argument(argument, primitive) for argument in node.args]
        if is_noinline(function) and not self.in_atomic:
            return self._call_subroutine(node, function, arguments, wants_value=wants_value)
        frame = Frame(function, outer, text, waits_for_ever=waits_for_ever)
        if wants_value:
            frame.result = f"{function.name}.return"
        return self._inlined(node, frame, arguments, wants_value=wants_value)

    def _may_end_here(self, node: ast.Call, primitive: Primitive | None) -> bool:
        """The value of `may_end_here=…`, which only synchronize_rcu() takes."""
        if not node.keywords:
            return False
        allowed = primitive is not None and primitive.name == "synchronize_rcu"
        if not allowed or [keyword.arg for keyword in node.keywords] != ["may_end_here"]:
            raise self.fail(
                node,
                "keyword arguments are not part of the language",
                "pass arguments by position",
            )
        value = self.value(node.keywords[0].value, Pending()).expr
        if not isinstance(value, Const):
            raise self.fail(node, "may_end_here is not a constant", "write may_end_here=True")
        return bool(value.value)

    def _call_subroutine(
        self,
        node: ast.Call,
        function: SourceFunction,
        arguments: list[Any],
        *,
        wants_value: bool,
    ) -> Typed:
        known = self.subroutines.get(function.definition)
        if known is None:
            frame = Frame(function, self.frame)
            frame.result = f"{function.name}.return" if wants_value else None
            call = self.emit("ops", node, "", [])
            caller = self.new_local(f"{function.name}.caller", IntType(1))
            call.ops.append(Assign(Local(caller), FALSE))
            for name, argument in zip(function.parameters, arguments, strict=True):
                self._bind(node, frame, name, argument, shared=True)
            entry = self.emit("ops", node, "", [])
            result = self._inlined(node, frame, [], wants_value=wants_value)
            last = self.emit("ops", node, "", [])
            self.emit("ops", node, "", [])
            self.subroutines[function.definition] = Subroutine(frame, entry, last, result)
            return result
        number = known.next_caller(self.types)
        self.emit("ops", node, "", [Assign(Local(known.caller), Const(number))])
        for name, argument in zip(function.parameters, arguments, strict=True):
            self._bind(node, known.frame, name, argument, shared=True)
        self.graph.attach(known.entry)
        branch = Node("branch", node, function)
        known.return_to(branch, self.emit("ops", node, "", []))
        return known.result

    def inline_bound(self, node: ast.Call, function: SourceFunction, arguments: list[Any]) -> None:
        """Compile a function's body for arguments that are known already."""
        if len(function.parameters) != len(arguments):
            raise self.fail(
                node,
                f"{function.name}() is a callback: it takes one argument",
                "declare one parameter",
            )
        self._inlined(node, Frame(function, self.frame), arguments, wants_value=False)

    def _inlined(
        self, node: ast.Call, frame: Frame, arguments: list[Any], *, wants_value: bool
    ) -> Typed:
        outer, function = self.frame, frame.function
        self.frame = frame
        for name, argument in zip(function.parameters, arguments, strict=False):
            self._bind(node, frame, name, argument)
        self.block(function.definition.body)
        if wants_value and self.graph.dangling:
            raise outer.function.error(
                node, f"{function.name}() may end without a value", "return one"
            )
        self.graph.dangling = self.graph.dangling + frame.returns
        self.frame = outer
        if not wants_value:
            return Typed(FALSE)
        assert frame.result is not None
        kinds = {kind for _, _, kind in frame.result_types}
        return Typed(Local(frame.result), kinds.pop() if len(kinds) == 1 else None)

    def _argument(self, node: ast.expr, primitive: Primitive | None) -> Any:
        if isinstance(node, (ast.Name, ast.Attribute)):
            meaning = self.python_value(node)
            if isinstance(meaning, SharedVariable) or (
                constant(meaning) is None and not isinstance(meaning, (Typed, Primitive))
            ):
                if primitive is not None and primitive.name == "call_rcu":
                    return constant(self.unit.callback_number(meaning))
                return meaning
        pending = Pending()
        value = self.value(node, pending)
        if pending.accesses or any(not isinstance(op, Check) for op in pending.before):
            raise self.fail(
                node, "an access inside the arguments of a call", "read it into a local first"
            )
        self.flush(node, pending, "")
        return value

    def _bind(
        self, node: ast.Call, frame: Frame, name: str, argument: Any, *, shared: bool = False
    ) -> None:
        assigned = name in frame.assigned
        if not isinstance(argument, Typed) or (
            not assigned and not shared and isinstance(argument.expr, (Const, Local))
        ):
            if shared and frame.bindings.get(name, argument) is not argument:
                raise self.fail(
                    node, f"a noinline function takes one `{name}` only", "leave out noinline"
                )
            frame.bindings[name] = argument
            return
        low, high = self.bounds(argument.expr)
        kind = type_for(max(0, low), high, argument.type)
        if name not in frame.locals:
            wanted = f"{frame.function.name}.{name}"
            frame.locals[name] = self.new_local(wanted, kind)
        local = frame.locals[name]
        if not assigned:
            frame.bindings[name] = Typed(Local(local), self.types[local])
        checks = self.range_check(node, argument.expr, self.types[local], name)
        self.emit("ops", node, "", [*checks, Assign(Local(local), argument.expr)])

    def return_value(self, node: ast.Return, value: ast.expr) -> None:
        """`return value` in an inlined function."""
        frame, pending = self.frame, Pending()
        called = self.called_function(value)
        if called is not None and not self.is_expression(called):
            assert isinstance(value, ast.Call)
            result = self.inline(value, called, wants_value=True)
        else:
            result = self.value(value, pending)
        if frame.result is not None:
            low, high = self.bounds(result.expr)
            if low < 0:
                raise self.fail(node, "a negative value is returned", "integers are unsigned")
            frame.result_types.append((low, high, result.type))
            wide = type_for(low, high, result.type)
            known = self.types.get(frame.result, wide)
            keeps = known.names == wide.names and known.maximum >= wide.maximum
            highest = max(known.maximum, wide.maximum)
            self.types[frame.result] = known if keeps else type_for(0, highest, None)
            pending.before.append(Assign(Local(frame.result), result.expr))
        self.flush(node, pending, ast.unparse(node))
