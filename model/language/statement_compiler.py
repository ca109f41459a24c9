"""Python statements to the control-flow graph of one body."""

from __future__ import annotations

import ast
from typing import Any

from model.expressions import TRUE, Const, Elem, Local, Var
from model.language.accesses import GHOST_FLOWS, GHOST_REMEDY, Pending
from model.language.errors import LanguageError
from model.language.frame import Typed, type_for
from model.language.graph import Edge
from model.language.loops import Loops
from model.language.types import Names, boolean, uint
from model.program import Access, Assign, Check, Choose, IntType, Op, SharedVariable

REFUSED: dict[type, tuple[str, str]] = {
    ast.AnnAssign: ("a local without a value", "give it one: `x: uint(2) = 0`"),
    ast.Assign: ("an assignment to several targets", "write one assignment for each"),
    ast.For: ("a `for` with an `else`, or with several counters", "write `for i in range(3):`"),
    ast.While: ("a `while` with an `else`", "set a local before `break`, and test it after"),
    ast.With: ("several with statements in one", "write `with atomic():`"),
    ast.Expr: ("a statement that does nothing", "call something, or delete it"),
    ast.FunctionDef: ("a function inside a body", "define it outside, next to the thread"),
    ast.Global: ("a `global` statement", "declare shared memory with p.shared"),
    ast.Nonlocal: ("a `nonlocal` statement", "declare shared memory with p.shared"),
}


class StatementCompiler(Loops):
    """Walks the statements of a function, emitting nodes."""

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
            case ast.AugAssign():
                self._augment(node)
            case ast.If(test, body, orelse):
                self._if(test, body, orelse)
            case ast.While(orelse=[]):
                self.while_loop(node)
            case ast.For(target=ast.Name() as target, orelse=[]):
                self.for_loop(node, target)
            case ast.With([item], body):
                self._atomic(node, item, body)
            case ast.Assert(test, message):
                self._assert(node, test, message)
            case ast.Return(value):
                self._return(node, value)
            case ast.Break() | ast.Continue():
                self.jump(node)
            case _:
                raise self._refused(node)

    def _refused(self, node: ast.stmt) -> LanguageError:
        if isinstance(node, ast.Expr):
            self.value(node.value, Pending(free=True))
        what = type(node).__name__
        sentence, remedy = REFUSED.get(
            type(node),
            (
                f"this kind of statement ({what}) is not part of the language",
                "use assignments, if, while, for … in range(…), with atomic(), assert, return"
                " and calls",
            ),
        )
        return self.fail(node, sentence, remedy)

    # -- assignments -------------------------------------------------------------------------------

    def _assign(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._refuse_target(target)
        primitive = self.primitive(value)
        if primitive is not None and primitive.form == "choose":
            return self._choose(node, target, value)
        shared = self._shared_target(target)
        pending = Pending(free=shared is not None and shared.ghost)
        result = self.result_of(value, pending)
        self._store(node, target, result, pending)

    def _refuse_target(self, target: ast.Name) -> None:
        """A loop's counter is the loop's own."""
        if target.id in self.frame.loop_names:
            raise self.fail(target, f"`{target.id}` is a loop counter", "use another name")

    def _augment(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Subscript) and self.takes_steps(target.slice):
            raise self.fail(target, "an access inside this index", "read it into a local first")
        load: ast.expr = target
        if isinstance(target, ast.Name):
            load = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        elif isinstance(target, ast.Subscript):
            load = ast.Subscript(target.value, target.slice, ast.Load())
            load = ast.copy_location(load, target)
        self._assign(node, target, ast.copy_location(ast.BinOp(load, node.op, node.value), node))

    def _store(self, node: ast.stmt, target: ast.expr, result: Typed, pending: Pending) -> None:
        shared = self._shared_target(target)
        if shared is None:
            assert isinstance(target, ast.Name)
            self.refuse_ghost(node, decides=pending.ghost_read or self.ghost_only)
            local = Local(self._local_for(node, target.id, result))
            kind, name = self.types[local.name], f"local {target.id}"
            place: Local | Var | Elem = local
        else:
            variable, index = self.place(target, pending)
            if not variable.ghost:
                self.refuse_ghost(node, decides=self.ghost_only)
                if pending.ghost_read:
                    raise self.fail(node, GHOST_FLOWS, GHOST_REMEDY)
                access = Access("plain", "plain", variable.name, index, False, True)
                pending.accesses.append((target, access))
            place = Var(variable.name) if index is None else Elem(variable.name, index)
            kind, name = variable.type, variable.name
        self.same_names(node, result.type, kind)
        pending.before += self.range_check(node, result.expr, kind, name)
        pending.before.append(Assign(place, result.expr))
        self.flush(node, pending, ast.unparse(node))

    def _shared_target(self, target: ast.expr) -> SharedVariable | None:
        """The shared variable that an assignment names; memory only in atomic(), or a ghost."""
        named = target.value if isinstance(target, ast.Subscript) else target
        if not isinstance(named, ast.Name):
            raise self.fail(
                target,
                "this cannot be assigned",
                "assign a local, a ghost, or in atomic() a shared variable",
            )
        meaning = self.frame.bindings.get(named.id)
        if meaning is None and self.is_variable(named.id):
            meaning = self.shared_by_name(named, named.id)
        if not isinstance(meaning, SharedVariable):
            if isinstance(target, ast.Subscript):
                self.python_value(target.value)
                raise self.fail(
                    target, f"`{named.id}` is not a shared array", "declare it with p.array"
                )
            return None
        if meaning.lock or (meaning.internal and not self.frame.function.is_ours):
            owner = "a lock" if meaning.lock else "RCU's own"
            raise self.fail(target, f"`{meaning.name}` is {owner}", "use the calls made for it")
        if not meaning.ghost and not self.in_atomic:
            shown = ast.unparse(target)
            raise self.fail(
                target,
                f"`{shown}` is shared: say how it is written",
                f"write WRITE_ONCE({shown}, …), or use atomic()",
            )
        return meaning

    def _local_for(self, node: ast.AST, name: str, value: Typed) -> str:
        """The IR name of a local, declared by its first assignment."""
        if name not in self.frame.locals:
            if value.type is None and isinstance(value.expr, Const):
                raise self.fail(
                    node,
                    f"local `{name}` has no width",
                    f"say how many bits it has: `{name}: uint(3) = …`",
                )
            kind = self.type_of_local(node, name, value.expr, value.type)
            self.frame.locals[name] = self.new_local(self.frame.qualifier + name, kind)
        return self.frame.locals[name]

    def _declare_local(
        self, node: ast.stmt, target: ast.Name, annotation: ast.expr, value: ast.expr
    ) -> None:
        kind = self._annotated(annotation)
        if self.is_variable(target.id):
            raise self.fail(
                target, f"`{target.id}` is a shared variable", "use another name for the local"
            )
        self._refuse_target(target)
        if target.id not in self.frame.locals:
            local = self.new_local(self.frame.qualifier + target.id, kind)
            self.frame.locals[target.id] = local
        elif self.types[self.frame.locals[target.id]] != kind:
            raise self.fail(
                node,
                f"local `{target.id}` is declared twice, with different types",
                "declare it once",
            )
        self._assign(node, target, value)

    def _annotated(self, annotation: ast.expr) -> IntType:
        """The type that an annotation names; it is Python, executed where the function stands."""
        function = self.frame.function
        known: dict[str, Any] = {"uint": uint, "boolean": boolean, **function.environment}
        try:
            kind = eval(compile(ast.Expression(annotation), function.file, "eval"), known)
        except LanguageError as error:
            raise self.fail(annotation, error.sentence, error.remedy) from None
        except Exception as error:
            raise self.fail(
                annotation, f"not a type: {error}", "write `uint(3)`, `boolean` or names"
            ) from None
        kind = kind.type if isinstance(kind, Names) else kind
        if not isinstance(kind, IntType):
            raise self.fail(annotation, "not a type", "write `uint(3)`, `boolean` or names")
        return kind

    def _choose(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
        assert isinstance(value, ast.Call)
        self.refuse_keywords(value)
        options = [self.value(argument, Pending()) for argument in value.args]
        values = tuple(option.expr.value for option in options if isinstance(option.expr, Const))
        if not options or len(values) != len(options):
            raise self.fail(
                value, "choose() needs constants to choose from", "write choose(0, 1, 2)"
            )
        if min(values) < 0:
            raise self.fail(value, "a choice below 0", "integers are unsigned")
        if self.in_atomic:
            raise self.fail(value, "choose() inside atomic()", "choose into a local before")
        if not isinstance(target, ast.Name) or self._shared_target(target) is not None:
            raise self.fail(
                target, "a choice goes into a local", "choose into a local, then write it"
            )
        if target.id not in self.frame.locals:
            kind = type_for(min(values), max(values), options[0].type)
            local = self.new_local(self.frame.qualifier + target.id, kind)
            self.frame.locals[target.id] = local
        local = self.frame.locals[target.id]
        for option in options:
            self.same_names(value, option.type, self.types[local])
        if max(values) > self.types[local].maximum:
            raise self.fail(
                value,
                f"`{target.id}` holds 0 to {self.types[local].maximum}",
                "declare a wider type",
            )
        self.emit("choice", node, ast.unparse(node), [Choose(Local(local), values)])

    # -- control flow ------------------------------------------------------------------------------

    def _if(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
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
        """Emit a test: the edges where it holds, those where not, and whether a ghost decides."""
        match node:
            case ast.UnaryOp(ast.Not(), operand):
                then, other, ghost = self.branch_on(operand)
                return other, then, ghost
            case ast.BoolOp(op, values) if self.takes_steps(node):
                return self._branch_on_operands(op, values)
        called = self.called_function(node)
        pending = Pending()
        if called is not None and not self.is_expression(called):
            test = self.truth(self.result_of(node, pending))
        else:
            test = self.test(node, pending)
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
        outer, ghost = self.ghost_only, False
        for operand in values:
            self.graph.dangling = going
            then, other, by_ghost = self.branch_on(operand)
            ghost = ghost or by_ghost
            self.ghost_only = outer or ghost
            going, out = (then, other) if isinstance(op, ast.And) else (other, then)
            decided += out
            if not going:
                break
        self.ghost_only = outer
        return (going, decided, ghost) if isinstance(op, ast.And) else (decided, going, ghost)

    def _atomic(self, node: ast.With, item: ast.withitem, body: list[ast.stmt]) -> None:
        call = item.context_expr
        primitive = self.primitive(call)
        if primitive is None or primitive.form != "atomic" or item.optional_vars is not None:
            raise self.fail(node, "a with statement that is not atomic()", "write `with atomic():`")
        assert isinstance(call, ast.Call)
        self.refuse_keywords(call)
        match call.args:
            case []:
                described = None
            case [ast.Constant(str(described))]:
                pass
            case _:
                raise self.fail(call, "atomic() takes one text or nothing", 'write atomic("swap")')
        if self.in_atomic:
            return self.block(body)
        text = described or "; ".join(ast.unparse(s).replace("\n", " ") for s in body)
        place = self.emit("location", node, self.opaque_text(described) or text)
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
        pending = Pending(free=True, only_reads=True)
        value = self.test(test, pending)
        ops: list[Op] = [*pending.before]
        if value != TRUE:
            reading = any(self._asks_for_reader(child) for child in ast.walk(test))
            ops.append(Check(self.assert_site(message.value, reading=reading), value))
        if ops:
            self.emit("ops", node, "", ops)

    def _asks_for_reader(self, node: ast.AST) -> bool:
        primitive = self.primitive(node)
        return primitive is not None and primitive.name == "rcu_read_lock_held"

    def _return(self, node: ast.Return, value: ast.expr | None) -> None:
        self.refuse_ghost(node, decides=self.ghost_only and not self.frame.in_ghost)
        if self.frame.parent is None:
            if value is not None:
                raise self.fail(node, "a thread returns no value", "write `return`")
        elif value is not None:
            self.return_value(node, value)
        elif self.frame.result is not None:
            raise self.fail(node, "a return without a value", "this call uses the value")
        self.frame.returns.extend(self.graph.dangling)
        self.graph.dangling = []
