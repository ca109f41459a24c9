"""Python statements to the control-flow graph of one body."""

from __future__ import annotations

import ast
from typing import Any

from model.expressions import TRUE, Const, Elem, Local, Var, binary
from model.language.calls import Calls
from model.language.expression_compiler import Pending
from model.language.frame import Typed, constant, type_for
from model.language.graph import Edge, Node
from model.language.types import Names, boolean, uint
from model.program import Access, Assign, Check, Choose, IntType, Op, SharedVariable


class StatementCompiler(Calls):
    """Walks the statements of a function, emitting nodes; `Calls` inlines what they call."""

    def block(self, statements: list[ast.stmt]) -> None:
        """Compile statements in order, leaving out what folded parameters make unreachable."""
        for before, statement in zip([None, *statements], statements, strict=False):
            if isinstance(before, (ast.Return, ast.Break, ast.Continue)):
                raise self.fail(statement, "this can never be reached", "delete it")
            if not self.graph.dangling:
                return
            self.statement_accesses = []
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Compile one statement. Raises LanguageError for whatever is not of the language."""
        match node:
            case ast.Pass() | ast.Expr(ast.Constant(str())):
                pass
            case ast.Expr(ast.Call() as call):
                self.call_statement(call)
            case ast.Assign([target], value):
                self._assign(node, target, value)
            case ast.AnnAssign(ast.Name() as target, annotation, value) if value is not None:
                self._declare_local(node, target, annotation, value)
            case ast.AugAssign(target, op, value):
                load = ast.copy_location(_loading(target), target)
                self._assign(node, target, ast.copy_location(ast.BinOp(load, op, value), node))
            case ast.If(test, body, orelse):
                self._if(node, test, body, orelse)
            case ast.While(test, body, []):
                self._while(node, test, body)
            case ast.For(ast.Name() as target, iterator, body, []):
                self._for(node, target, iterator, body)
            case ast.With([item], body):
                self._atomic(node, item, body)
            case ast.Assert(test, message):
                self._assert(node, test, message)
            case ast.Return(value):
                self._return(node, value)
            case ast.Break():
                self._loop(node)[1].extend(self.graph.dangling)
                self.graph.dangling = []
            case ast.Continue():
                self._loop(node)[0].extend(self.graph.dangling)
                self.graph.dangling = []
            case _:
                what = type(node).__name__
                raise self.fail(
                    node, f"this kind of statement ({what}) is not part of the language",
                    "use assignments, if, while, for … in range(…), with atomic(), assert, return and calls",
                )  # fmt: skip

    # -- assignments -------------------------------------------------------------------------------

    def _assign(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name) and isinstance(self.frame.bindings.get(target.id), Typed):
            raise self.fail(target, f"`{target.id}` is a loop counter", "use another name")
        primitive = self.primitive(value)
        if primitive is not None and primitive.form == "choose":
            return self._choose(node, target, value)
        called = self.called_function(value)
        target_variable = self._shared_target(target)
        pending = Pending(free=target_variable is not None and target_variable.ghost)
        if called is not None and not self.is_expression(called):
            assert isinstance(value, ast.Call)
            result = self.inline(value, called, wants_value=True)
        else:
            result = self.value(value, pending)
        self._store(node, target, result, pending)

    def _store(self, node: ast.stmt, target: ast.expr, result: Typed, pending: Pending) -> None:
        shared = self._shared_target(target)
        if shared is None:
            assert isinstance(target, ast.Name)
            if pending.ghost_read or self.ghost_only:
                raise self.fail(
                    node,
                    "a ghost decides what the program does",
                    "ghosts may only feed ghosts and asserts",
                )
            place: Local | Var | Elem = Local(self.local_for(node, target.id, result))
            kind, name = self.types[place.name], f"local {target.id}"
        else:
            variable, index = self.place(target, pending)
            if not variable.ghost and self.ghost_only:
                raise self.fail(
                    node,
                    "a ghost decides what the program does",
                    "ghosts may only feed ghosts and asserts",
                )
            if not variable.ghost and pending.ghost_read:
                raise self.fail(
                    node,
                    "a ghost flows into shared memory",
                    "ghosts may only feed ghosts and asserts",
                )
            if not variable.ghost:
                pending.accesses.append(
                    (target, Access("plain", "plain", variable.name, index, False, True))
                )
            place = Var(variable.name) if index is None else Elem(variable.name, index)
            kind, name = variable.type, variable.name
        pending.before += self.range_check(node, result.expr, kind, name)
        pending.before.append(Assign(place, result.expr))
        self.flush(node, pending, ast.unparse(node))

    def _shared_target(self, target: ast.expr) -> SharedVariable | None:
        """The shared variable or ghost that an assignment names; shared memory only in atomic()."""
        named = target.value if isinstance(target, ast.Subscript) else target
        if not isinstance(named, ast.Name):
            raise self.fail(
                target,
                "this cannot be assigned",
                "assign a local, a ghost, or in atomic() a shared variable",
            )
        meaning = self.frame.bindings.get(named.id, self.unit.variables.get(named.id))
        if not isinstance(meaning, SharedVariable):
            if isinstance(target, ast.Subscript):
                raise self.fail(
                    target, f"`{named.id}` is not a shared array", "declare it with p.array"
                )
            return None
        if not meaning.ghost and not self.in_atomic:
            shown = ast.unparse(target)
            raise self.fail(
                target,
                f"`{shown}` is shared: say how it is written",
                f"write WRITE_ONCE({shown}, …), or use atomic()",
            )
        return meaning

    def local_for(self, node: ast.AST, name: str, value: Typed) -> str:
        """The IR name of a local, declared by its first assignment."""
        if name not in self.frame.locals:
            if value.type is None and isinstance(value.expr, Const):
                raise self.fail(
                    node,
                    f"local `{name}` has no width",
                    f"say how many bits it has: `{name}: uint(3) = …`",
                )
            low, high = self.bounds(value.expr)
            if low < 0:
                raise self.fail(
                    node, f"local `{name}` may be negative", f"declare it: `{name}: uint(3) = …`"
                )
            self.frame.locals[name] = self.new_local(
                self.qualified(name), type_for(low, high, value.type)
            )
        return self.frame.locals[name]

    def _declare_local(
        self, node: ast.stmt, target: ast.Name, annotation: ast.expr, value: ast.expr
    ) -> None:
        known: dict[str, Any] = {
            "uint": uint,
            "boolean": boolean,
            **self.frame.function.environment,
        }
        try:
            kind = eval(
                compile(ast.Expression(annotation), self.frame.function.file, "eval"), known
            )
        except Exception as error:
            raise self.fail(
                annotation, f"not a type: {error}", "write `uint(3)`, `boolean` or names"
            ) from None
        kind = kind.type if isinstance(kind, Names) else kind
        if not isinstance(kind, IntType):
            raise self.fail(annotation, "not a type", "write `uint(3)`, `boolean` or names")
        if target.id in self.unit.variables:
            raise self.fail(
                target, f"`{target.id}` is a shared variable", "use another name for the local"
            )
        if target.id not in self.frame.locals:
            self.frame.locals[target.id] = self.new_local(self.qualified(target.id), kind)
        elif self.types[self.frame.locals[target.id]] != kind:
            raise self.fail(
                node,
                f"local `{target.id}` is declared twice, with different types",
                "declare it once",
            )
        self._assign(node, target, value)

    def _choose(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
        assert isinstance(value, ast.Call)
        pending = Pending()
        options = [self.value(argument, pending) for argument in value.args]
        if not options or not all(isinstance(option.expr, Const) for option in options):
            raise self.fail(
                value, "choose() needs constants to choose from", "write choose(0, 1, 2)"
            )
        if self.in_atomic:
            raise self.fail(value, "choose() inside atomic()", "choose into a local before")
        if not isinstance(target, ast.Name) or self._shared_target(target) is not None:
            raise self.fail(
                target, "a choice goes into a local", "choose into a local, then write it"
            )
        values = tuple(option.expr.value for option in options if isinstance(option.expr, Const))
        if min(values) < 0:
            raise self.fail(value, "a choice below 0", "integers are unsigned")
        kind = type_for(min(values), max(values), options[0].type)
        if target.id not in self.frame.locals:
            self.frame.locals[target.id] = self.new_local(self.qualified(target.id), kind)
        local = self.frame.locals[target.id]
        if max(values) > self.types[local].maximum:
            raise self.fail(
                value,
                f"`{target.id}` holds 0 to {self.types[local].maximum}",
                "declare a wider type",
            )
        self.emit("choice", node, ast.unparse(node), [Choose(Local(local), values)])

    # -- control flow ------------------------------------------------------------------------------

    def _if(
        self, node: ast.stmt, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]
    ) -> None:
        then, other, ghost = self.branch_on(test)
        outer, self.ghost_only = self.ghost_only, self.ghost_only or ghost
        branch = then[0][0] if len(then) == len(other) == 1 and then[0][0] is other[0][0] else None
        self.graph.dangling = then
        if then:
            self.block(body)
        ends, self.graph.dangling = self.graph.dangling, other
        if other:
            self.block(orelse)
        self.graph.dangling = ends + self.graph.dangling
        self.ghost_only = outer
        if branch is not None and branch.kind == "branch":
            self.graph.fold_diamond(branch)

    def branch_on(self, node: ast.expr) -> tuple[list[Edge], list[Edge], bool]:
        """Emit a test: the edges taken where it holds and where it does not, and whether a ghost decides."""
        match node:
            case ast.UnaryOp(ast.Not(), operand):
                then, other, ghost = self.branch_on(operand)
                return other, then, ghost
            case ast.BoolOp(op, values) if self.takes_steps(node):
                return self._branch_on_operands(op, values)
        called = self.called_function(node)
        pending = Pending()
        if called is not None and not self.is_expression(called):
            assert isinstance(node, ast.Call)
            test = self.truth(self.inline(node, called, wants_value=True))
        else:
            test = self.truth(self.value(node, pending))
        self.flush(node, pending, ast.unparse(node))
        if isinstance(test, Const):
            edges = self.graph.dangling
            return (edges, [], False) if test.value else ([], edges, False)
        branch = self.emit("branch", node, "")
        branch.test = test
        return [(branch, "next")], [(branch, "orelse")], pending.ghost_read

    def _branch_on_operands(
        self, op: ast.boolop, values: list[ast.expr]
    ) -> tuple[list[Edge], list[Edge], bool]:
        decided: list[Edge] = []
        going: list[Edge] = self.graph.dangling
        ghost = False
        for operand in values:
            self.graph.dangling = going
            then, other, by_ghost = self.branch_on(operand)
            ghost = ghost or by_ghost
            going, out = (then, other) if isinstance(op, ast.And) else (other, then)
            decided += out
            if not going:
                break
        return (going, decided, ghost) if isinstance(op, ast.And) else (decided, going, ghost)

    def _while(self, node: ast.While, test: ast.expr, body: list[ast.stmt]) -> None:
        if self.in_atomic:
            raise self.fail(
                node, "a while loop inside atomic()", "use `for … in range(…)`, which is bounded"
            )
        created = len(self.created)
        head = self.emit("ops", node, "")
        then, other, _ = self.branch_on(test)
        if then:
            self.graph.dangling = then
            self._loop_body(body)
            continues, breaks = self.frame.loops.pop()
            self.graph.dangling += continues
            self.graph.attach(head)
            other = other + breaks
        self.graph.dangling = other
        self._refuse_busy_loop(node, self.created[created:])

    def _loop_body(self, body: list[ast.stmt]) -> None:
        self.frame.loops.append(([], []))
        self.block(body)

    def _loop(self, node: ast.stmt) -> tuple[list[Edge], list[Edge]]:
        assert self.frame.loops, "Python refuses break and continue outside a loop"
        return self.frame.loops[-1]

    def _refuse_busy_loop(self, node: ast.While, inside: list[Node]) -> None:
        places = [n for n in inside if n.kind in ("location", "choice")]
        waits = any(n.guard is not None or n.kind == "choice" for n in places)
        writes = any(access.writes for n in inside for access in n.accesses)
        if places and not waits and not writes and not any(n.kind == "yield" for n in inside):
            raise self.fail(
                node,
                "a busy loop without cpu_relax()",
                "call cpu_relax() in it, or use spin_until(…)",
            )

    def _for(
        self, node: ast.For, target: ast.Name, iterator: ast.expr, body: list[ast.stmt]
    ) -> None:
        values = self.constant_range(iterator)
        calls = [self.primitive(child) for child in ast.walk(node)]
        spawns = any(p is not None and p.form == "spawn" for p in calls)
        if self.in_atomic or spawns or not any(self.takes_steps(child) for child in body):
            return self._unroll(target, values, body)
        name = target.id
        first = constant(values.start)
        assert first is not None
        kind = type_for(0, max(values.start, values.stop), None)
        local = self.frame.locals[name] = self.new_local(self.qualified(name), kind)
        self.emit("ops", node, "", [Assign(Local(local), first.expr)])
        head = self.emit("branch", node, "")
        head.test = binary("<", Local(local), Const(values.stop))
        self._loop_body(body)
        continues, breaks = self.frame.loops.pop()
        self.graph.dangling += continues
        if self.graph.dangling:
            self.emit("ops", node, "", [Assign(Local(local), binary("+", Local(local), TRUE))])
            self.graph.attach(head)
        self.graph.dangling = [(head, "orelse"), *breaks]
        del self.frame.locals[name]

    def _unroll(self, target: ast.Name, values: range, body: list[ast.stmt]) -> None:
        outer, breaks = self.frame.bindings.get(target.id), []
        for number in values:
            self.frame.bindings[target.id] = constant(number)
            self._loop_body(body)
            continues, stops = self.frame.loops.pop()
            self.graph.dangling += continues
            breaks += stops
        self.graph.dangling += breaks
        self.frame.bindings.pop(target.id, None)
        if outer is not None:
            self.frame.bindings[target.id] = outer

    def _atomic(self, node: ast.With, item: ast.withitem, body: list[ast.stmt]) -> None:
        call = item.context_expr
        primitive = self.primitive(call)
        if primitive is None or primitive.form != "atomic" or item.optional_vars is not None:
            raise self.fail(node, "a with statement that is not atomic()", "write `with atomic():`")
        assert isinstance(call, ast.Call)
        described = (
            call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        )
        if self.in_atomic:
            return self.block(body)
        text = described or "; ".join(ast.unparse(s).replace("\n", " ") for s in body)
        place = self.emit("location", node, self.opaque_text(described) or str(text))
        self.in_atomic, self.atomic_place = True, place
        self.block(body)
        self.in_atomic, self.atomic_place = False, None

    def _assert(self, node: ast.Assert, test: ast.expr, message: ast.expr | None) -> None:
        if not (isinstance(message, ast.Constant) and isinstance(message.value, str)):
            raise self.fail(
                node,
                "an assertion without a sentence",
                'say what is wrong: `assert count != 0, "…"`',
            )
        pending = Pending(free=True)
        value = self.truth(self.value(test, pending))
        ops: list[Op] = [*pending.before]
        if value != TRUE:
            ops.append(Check(self.assert_site(message.value), value))
        if ops:
            self.emit("ops", node, "", ops)

    def _return(self, node: ast.Return, value: ast.expr | None) -> None:
        if self.frame.parent is None:
            if value is not None:
                raise self.fail(node, "a thread returns no value", "write `return`")
        elif value is not None:
            self.return_value(node, value)
        self.frame.returns.extend(self.graph.dangling)
        self.graph.dangling = []


def _loading(target: ast.expr) -> ast.expr:
    """The same place, read."""
    match target:
        case ast.Name(name):
            return ast.Name(name, ast.Load())
        case ast.Subscript(array, index):
            return ast.copy_location(ast.Subscript(array, index, ast.Load()), target)
    return target
