"""Python expressions to IR expressions, with the accesses and checks that their evaluation needs."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any

from model.expressions import (
    FALSE, TRUE, Const, Elem, Expr, Instance, Interval, Local, ThreadIndex, Var, binary, cond, interval, not_,
)  # fmt: skip
from model.language.errors import LanguageError
from model.language.frame import Frame, Typed, constant, type_for
from model.language.source import SourceFunction, source_function
from model.language.vocabulary import VOCABULARY, Primitive
from model.program import Access, Assign, Check, If, IntType, Op, Oracle, SharedVariable

if TYPE_CHECKING:
    from model.language.compiler import Unit

_BINARY: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip
_COMPARE: dict[type, tuple[str, bool]] = {
    ast.Eq: ("==", False), ast.NotEq: ("!=", False), ast.Lt: ("<", False), ast.LtE: ("<=", False),
    ast.Gt: ("<", True), ast.GtE: ("<=", True), ast.Is: ("==", False), ast.IsNot: ("!=", False),
}  # fmt: skip


@dataclass(eq=False)
class Pending:
    """What must happen when an expression is evaluated. `free` reads are no accesses (asserts, ghosts)."""

    free: bool = False
    accesses: list[tuple[ast.AST, Access]] = field(default_factory=list)
    before: list[Op] = field(default_factory=list)
    path: Expr = TRUE
    ghost_read: bool = False

    def check(self, site: int, test: Expr) -> None:
        """Report `site` where `test` fails on the path on which it is evaluated."""
        test = binary("or", not_(self.path), test)
        if test != TRUE:
            self.before.append(Check(site, test))


class ExpressionCompiler:
    """Compiles the expressions of one body; `frame` and `in_atomic` follow the statement compiler."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.frame: Frame = None  # type: ignore[assignment]
        self.in_atomic = False
        self.types: dict[str, IntType] = {}

    # -- names -------------------------------------------------------------------------------------

    def fail(self, node: ast.AST | list[ast.AST], sentence: str, remedy: str) -> LanguageError:
        """An error at a node of the function that is being compiled."""
        return self.frame.function.error(node, sentence, remedy)

    def resolve(self, node: ast.Name) -> Any:
        """What a name means: Typed, a SharedVariable, a primitive, a function, or a Python value."""
        name, frame = node.id, self.frame
        if name in frame.bindings:
            return frame.bindings[name]
        if name in self.unit.variables:
            return self.unit.variables[name]
        if name in frame.assigned:
            if name not in frame.locals:
                raise self.fail(
                    node, f"`{name}` is read before it is assigned", "assign it on every path first"
                )
            local = frame.locals[name]
            return Typed(Local(local), self.types[local])
        if name in frame.function.environment:
            return frame.function.environment[name]
        if name in VOCABULARY or name in ("range", "len", "any", "all"):
            return VOCABULARY.get(name, name)
        raise self.fail(
            node,
            f"`{name}` is not known here",
            "declare it, import it from model.language, or assign it",
        )

    def python_value(self, node: ast.expr) -> Any:
        """What a name or an attribute chain stands for, or None where it is no such thing."""
        if isinstance(node, ast.Name):
            return self.resolve(node)
        if isinstance(node, ast.Attribute):
            owner = self.python_value(node.value)
            if owner is None or isinstance(owner, (Typed, SharedVariable, Primitive)):
                raise self.fail(
                    node, "only declarations have attributes", "index an array: `count[page]`"
                )
            if not hasattr(owner, node.attr):
                what = getattr(owner, "name", type(owner).__name__)
                raise self.fail(
                    node, f"`{what}` has no `{node.attr}`", "declare the parameter in @program(…)"
                )
            return getattr(owner, node.attr)
        return None

    def primitive(self, node: ast.AST) -> Primitive | None:
        """The word of the vocabulary that a call calls, if it does."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            meaning = self.resolve(node.func)
            return meaning if isinstance(meaning, Primitive) else None
        return None

    def called_function(self, node: ast.AST) -> SourceFunction | None:
        """The author's function (or the RCU primitive's body) that a call inlines, if it does."""
        if not isinstance(node, ast.Call):
            return None
        meaning = self.python_value(node.func)
        if isinstance(meaning, Primitive) and meaning.form == "rcu":
            bound = self.unit.bound(meaning)
            if bound is None:
                remedy = "write `p.rcu(grace_periods_max=…)`" + (
                    ", with `irq_off_readers=True` since v5.0" if "able" in meaning.name else ""
                )
                raise self.fail(node, f"{meaning.name}() without RCU", remedy)
            return source_function(bound)
        return source_function(meaning) if isinstance(meaning, FunctionType) else None

    # -- values ------------------------------------------------------------------------------------

    def leaf_interval(self, expr: Expr) -> Interval:
        """Bounds of a local, a variable, an element or a thread number."""
        match expr:
            case Local(name):
                return (0, self.types[name].maximum)
            case Var(name) | Elem(name, _):
                return (0, self.unit.variables[name].type.maximum)
            case Instance():
                return (0, self.unit.instances - 1)
            case _:
                assert isinstance(expr, ThreadIndex)
                return (0, self.unit.threads - 1)

    def bounds(self, expr: Expr) -> Interval:
        """Bounds of any expression."""
        return interval(expr, self.leaf_interval)

    def truth(self, value: Typed) -> Expr:
        """1 where the value is not 0."""
        low, high = self.bounds(value.expr)
        return (
            value.expr
            if (low, high) in ((0, 1), (0, 0), (1, 1))
            else binary("!=", value.expr, FALSE)
        )

    def value(self, node: ast.expr, pending: Pending) -> Typed:
        """Compile an expression. Raises LanguageError for whatever is not of the language."""
        match node:
            case ast.Constant(value) if isinstance(value, int):
                found = constant(value)
                assert found is not None
                return found
            case ast.Name() | ast.Attribute():
                return self._named(node, pending)
            case ast.Subscript():
                variable, index = self.place(node, pending)
                return self._read(node, variable, index, pending)
            case ast.UnaryOp(ast.Not(), operand):
                return Typed(not_(self.truth(self.value(operand, pending))), IntType(1))
            case ast.UnaryOp(ast.Invert(), operand):
                return Typed(binary("-", Const(-1), self.value(operand, pending).expr))
            case ast.UnaryOp(ast.USub(), operand):
                return Typed(binary("-", FALSE, self.value(operand, pending).expr))
            case ast.BinOp(left, op, right) if type(op) in _BINARY:
                return self._binary(node, _BINARY[type(op)], left, right, pending)
            case ast.BoolOp(op, values):
                return self._logical(op, values, pending)
            case ast.Compare():
                return self._compare(node, pending)
            case ast.IfExp(test, then, orelse):
                return self._conditional(test, then, orelse, pending)
            case ast.Call():
                return self._call(node, pending)
        what = type(node).__name__
        raise self.fail(
            node,
            f"this kind of expression ({what}) is not part of the language",
            "use integers and calls",
        )

    def _named(self, node: ast.Name | ast.Attribute, pending: Pending) -> Typed:
        meaning = self.python_value(node)
        if isinstance(meaning, Typed):
            return meaning
        if isinstance(meaning, SharedVariable):
            if meaning.length is not None:
                raise self.fail(
                    node, f"`{meaning.name}` is an array", f"say which element: `{meaning.name}[…]`"
                )
            return self._read(node, meaning, None, pending)
        if isinstance(meaning, Primitive) and meaning.form in ("instance", "thread"):
            return Typed(self.unit.own_number(meaning.form))
        found = constant(meaning)
        if found is None:
            shown = ast.unparse(node)
            raise self.fail(
                node,
                f"`{shown}` is not a value",
                "a value is an integer, a local or a shared variable",
            )
        return found

    def place(self, node: ast.expr, pending: Pending) -> tuple[SharedVariable, Expr | None]:
        """A shared variable or an element of an array, whose index is checked."""
        if isinstance(node, ast.Name):
            meaning = self.resolve(node)
            if isinstance(meaning, SharedVariable) and meaning.length is None:
                return meaning, None
            if isinstance(meaning, SharedVariable):
                raise self.fail(
                    node, f"`{node.id}` is an array", f"say which element: `{node.id}[…]`"
                )
        if isinstance(node, ast.Subscript):
            array = self.python_value(node.value)
            if isinstance(array, SharedVariable) and array.length is not None:
                index = self.value(node.slice, pending)
                self._check_index(node, array, index, pending)
                return array, index.expr
        raise self.fail(
            node,
            f"`{ast.unparse(node)}` is not a shared variable",
            "declare it with p.shared or p.array",
        )

    def _check_index(
        self, node: ast.expr, array: SharedVariable, index: Typed, pending: Pending
    ) -> None:
        low, high = self.bounds(index.expr)
        assert array.length is not None
        if low >= array.length or high < 0:
            raise self.fail(
                node, f"`{array.name}` has {array.length} elements", "use an index below its length"
            )
        tests = [binary("<=", FALSE, index.expr)] if low < 0 else []
        tests += [binary("<", index.expr, Const(array.length))] if high >= array.length else []
        if (
            index.type is not None
            and index.type.null
            and tests == [binary("<", index.expr, Const(array.length))]
        ):
            sentence = f"null pointer: {array.name}[{index.type.names[-1]}]"
        else:
            sentence = f"{array.name}: index outside 0 to {array.length - 1}"
        for test in tests:
            pending.check(self.unit.site(Oracle.INDEX, sentence), test)

    def _read(
        self, node: ast.AST, variable: SharedVariable, index: Expr | None, pending: Pending
    ) -> Typed:
        """A read without a primitive: legal in atomic(), of ghosts, and where reading is free."""
        if variable.ghost:
            pending.ghost_read = True
        elif not pending.free:
            if not self.in_atomic:
                shown = variable.element(0) if index is None else f"{variable.name}[…]"
                raise self.fail(
                    node,
                    f"`{shown}` is shared: say how it is read",
                    f"write READ_ONCE({shown}), or read it in atomic()",
                )
            pending.accesses.append(
                (node, Access("plain", "plain", variable.name, index, True, False))
            )
        return Typed(
            Var(variable.name) if index is None else Elem(variable.name, index), variable.type
        )

    def _binary(
        self, node: ast.expr, op: str, left: ast.expr, right: ast.expr, pending: Pending
    ) -> Typed:
        a, b = self.value(left, pending), self.value(right, pending)
        if op in ("*", "<<", ">>"):
            if op == "*" and isinstance(a.expr, Const):
                a, b = b, a
            if not isinstance(b.expr, Const) or (op != "*" and not 0 <= b.expr.value <= 64):
                raise self.fail(
                    node,
                    f"`{op}` needs a constant on its right",
                    "a circuit shifts and scales by constants",
                )
        return Typed(binary(op, a.expr, b.expr))

    def _logical(self, op: ast.boolop, values: list[ast.expr], pending: Pending) -> Typed:
        word = "and" if isinstance(op, ast.And) else "or"
        outer, result = pending.path, self.truth(self.value(values[0], pending))
        for operand in values[1:]:
            reached = result if word == "and" else not_(result)
            if reached == FALSE:
                break
            pending.path = binary("and", pending.path, reached)
            self._refuse_late_access(operand, pending)
            result = binary(word, result, self.truth(self.value(operand, pending)))
        pending.path = outer
        return Typed(result, IntType(1))

    def _conditional(
        self, test: ast.expr, then: ast.expr, orelse: ast.expr, pending: Pending
    ) -> Typed:
        decided, outer = self.truth(self.value(test, pending)), pending.path
        if isinstance(decided, Const):
            return self.value(then if decided.value else orelse, pending)
        arms = []
        for reached, arm in ((decided, then), (not_(decided), orelse)):
            pending.path = binary("and", outer, reached)
            self._refuse_late_access(arm, pending)
            arms.append(self.value(arm, pending))
        pending.path = outer
        same = arms[0].type if arms[0].type == arms[1].type else None
        return Typed(cond(decided, arms[0].expr, arms[1].expr), same)

    def _refuse_late_access(self, node: ast.expr, pending: Pending) -> None:
        if pending.free or self.in_atomic:
            return
        for child in ast.walk(node):
            primitive = self.primitive(child)
            if primitive is not None and primitive.form in ("access", "rcu"):
                raise self.fail(
                    child,
                    "an access that may not happen, inside a value",
                    "write it as an `if` statement",
                )

    def _compare(self, node: ast.Compare, pending: Pending) -> Typed:
        if len(node.ops) != 1:
            raise self.fail(node, "a chained comparison", "write two comparisons with `and`")
        op = node.ops[0]
        constants = self._python_comparison(node)
        if constants is not None:
            return constants
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(
            node.comparators[0], (ast.Tuple, ast.List)
        ):
            found: Expr = FALSE
            for item in node.comparators[0].elts:
                found = binary(
                    "or",
                    found,
                    self._equal(node, self.value(node.left, pending), self.value(item, pending)),
                )
            return Typed(not_(found) if isinstance(op, ast.NotIn) else found, IntType(1))
        if type(op) not in _COMPARE:
            raise self.fail(node, "this comparison is not part of the language", "compare integers")
        left, right = self.value(node.left, pending), self.value(node.comparators[0], pending)
        word, swapped = _COMPARE[type(op)]
        if word in ("==", "!="):
            equal = self._equal(node, left, right)
            return Typed(equal if word == "==" else not_(equal), IntType(1))
        a, b = (right, left) if swapped else (left, right)
        return Typed(self._ordered(word, a.expr, b.expr), IntType(1))

    def _ordered(self, word: str, a: Expr, b: Expr) -> Expr:
        (low_a, high_a), (low_b, high_b) = self.bounds(a), self.bounds(b)
        if high_a < low_b or (word == "<=" and high_a == low_b):
            return TRUE
        if low_a > high_b or (word == "<" and low_a == high_b):
            return FALSE
        return binary(word, a, b)

    def _equal(self, node: ast.expr, left: Typed, right: Typed) -> Expr:
        if left.type is not None and right.type is not None and left.type.names != right.type.names:
            a, b = ("/".join(t.names) or "a number" for t in (left.type, right.type))
            raise self.fail(node, f"a comparison of {a} with {b}", "compare values of one type")
        (low_a, high_a), (low_b, high_b) = self.bounds(left.expr), self.bounds(right.expr)
        return FALSE if high_a < low_b or high_b < low_a else binary("==", left.expr, right.expr)

    def _python_comparison(self, node: ast.Compare) -> Typed | None:
        """`p.put == "raw"`: decided when the program is compiled."""
        sides = []
        for side in (node.left, node.comparators[0]):
            value = side.value if isinstance(side, ast.Constant) else None
            if isinstance(side, (ast.Name, ast.Attribute)):
                value = self.python_value(side)
            sides.append(value)
        if not any(isinstance(side, str) for side in sides):
            return None
        if not all(isinstance(side, str) for side in sides):
            raise self.fail(
                node,
                "a text is compared with something else",
                "compare a parameter with one of its options",
            )
        same = sides[0] == sides[1]
        return constant(same if isinstance(node.ops[0], ast.Eq) else not same)

    # -- calls -------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, pending: Pending) -> Typed:
        if node.keywords:
            raise self.fail(
                node, "keyword arguments are not part of the language", "pass arguments by position"
            )
        primitive = self.primitive(node)
        if primitive is not None and primitive.form == "access":
            return self.access(node, primitive, pending)
        if isinstance(node.func, ast.Name) and node.func.id in ("len", "any", "all"):
            return self._length(node) if node.func.id == "len" else self._quantified(node, pending)
        function = self.called_function(node)
        if function is not None:
            return self._inline_expression(node, function, pending)
        name = ast.unparse(node.func)
        if primitive is not None:
            raise self.fail(
                node,
                f"{name}() has no value that can be used here",
                "write it as a statement of its own",
            )
        raise self.fail(
            node,
            f"`{name}` cannot be called in a body",
            "call the vocabulary or a function of yours",
        )

    def _length(self, node: ast.Call) -> Typed:
        subject = self.python_value(node.args[0])
        found = constant(subject.length if isinstance(subject, SharedVariable) else len(subject))
        assert found is not None
        return found

    def _quantified(self, node: ast.Call, pending: Pending) -> Typed:
        """`any(f(i) for i in range(3))` and `all(…)`."""
        match node.args:
            case [ast.GeneratorExp(element, [ast.comprehension(ast.Name(name), iterator, [], 0)])]:
                result, outer = (
                    FALSE if node.func.id == "any" else TRUE,
                    self.frame.bindings.get(name),
                )  # type: ignore[attr-defined]
                for number in self.constant_range(iterator):
                    self.frame.bindings[name] = constant(number)
                    word = "or" if node.func.id == "any" else "and"  # type: ignore[attr-defined]
                    result = binary(word, result, self.truth(self.value(element, pending)))
                self.frame.bindings.pop(name, None)
                if outer is not None:
                    self.frame.bindings[name] = outer
                return Typed(result, IntType(1))
        raise self.fail(
            node, "any() and all() take one generator", "write `any(x[i] for i in range(3))`"
        )

    def constant_range(self, iterator: ast.expr) -> range:
        """`range(…)` with constants. Raises LanguageError for any other iterator."""
        sentence, remedy = (
            "a `for` that is not over range(…)",
            "write `for i in range(3)`, with constants",
        )
        if not (
            isinstance(iterator, ast.Call)
            and isinstance(iterator.func, ast.Name)
            and iterator.func.id == "range"
        ):
            raise self.fail(iterator, sentence, remedy)
        bounds = [self.value(argument, Pending()).expr for argument in iterator.args]
        known = [bound.value for bound in bounds if isinstance(bound, Const)]
        if len(known) != len(bounds) or len(known) not in (1, 2) or min(known) < 0:
            raise self.fail(iterator, sentence, remedy)
        return range(*known)

    def _inline_expression(
        self, node: ast.Call, function: SourceFunction, pending: Pending
    ) -> Typed:
        """A function that only returns an expression is a name for it."""
        statements = [s for s in function.definition.body if not _is_docstring(s)]
        if (
            len(statements) != 1
            or not isinstance(statements[0], ast.Return)
            or statements[0].value is None
        ):
            raise self.fail(node, f"{function.name}() takes steps", "call it into a local first")
        outer = self.frame
        frame = Frame(function, outer)
        frame.bindings = {
            name: Typed(value.expr, value.type)
            for name, value in zip(
                function.parameters, (self.value(a, pending) for a in node.args), strict=False
            )
        }
        if len(frame.bindings) != len(function.parameters) or len(node.args) != len(
            function.parameters
        ):
            raise self.fail(
                node,
                f"{function.name}() takes {len(function.parameters)} arguments",
                "pass all of them",
            )
        if outer.active(function):
            raise self.fail(
                node, f"{function.name}() calls itself", "functions are inlined: write a loop"
            )
        self.frame = frame
        try:
            return self.value(statements[0].value, pending)
        finally:
            self.frame = outer

    def access(self, node: ast.Call, primitive: Primitive, pending: Pending) -> Typed:
        """One access by a primitive: its operations go to `pending`, its result is the value."""
        if len(node.args) != primitive.arguments:
            raise self.fail(
                node,
                f"{primitive.name}() takes {primitive.arguments} arguments",
                "as in the kernel",
            )
        others = [self.value(a, pending) for i, a in enumerate(node.args) if i != primitive.operand]
        variable, index = self.place(node.args[primitive.operand], pending)
        if variable.lock and not primitive.name.endswith("_trylock"):
            raise self.fail(
                node, f"`{variable.name}` is a lock", "use spin_lock, spin_trylock and spin_unlock"
            )
        old: Expr = Var(variable.name) if index is None else Elem(variable.name, index)
        assert primitive.effect is not None
        try:
            effect = primitive.effect(old, *(other.expr for other in others))
        except ValueError as error:
            raise self.fail(node, str(error), "pass a constant") from None
        writes = effect.new is not None
        if not pending.free or writes:
            if variable.ghost:
                raise self.fail(
                    node,
                    f"`{variable.name}` is a ghost: it is no memory",
                    "read and assign it directly",
                )
            access = Access(
                primitive.name,
                primitive.ordering,
                variable.name,
                index,
                effect.result is not None,
                writes,
            )
            pending.accesses.append((node, access))
        if effect.new is None:
            assert effect.result is not None
            return Typed(effect.result, variable.type if effect.result == old else None)
        return self._write(node, variable, old, effect.result, effect.new, effect.when, pending)

    def _write(
        self, node: ast.AST, variable: SharedVariable, old: Expr, result: Expr | None, new: Expr, when: Expr,
        pending: Pending,
    ) -> Typed:  # fmt: skip
        held: Typed = Typed(FALSE)
        if result is not None:
            held = self.temporary(result, variable.type if result == old else None, pending)
            if when == result:
                when = held.expr
        when = binary("and", pending.path, when)
        store = (*self.range_check(node, new, variable.type, variable.name), Assign(old, new))  # type: ignore[arg-type]
        if when == TRUE:
            pending.before.extend(store)
        elif when != FALSE:
            pending.before.append(If(when, store, ()))
        return held

    def temporary(self, expr: Expr, declared: IntType | None, pending: Pending) -> Typed:
        """Keep a value in a local that no program names."""
        low, high = self.bounds(expr)
        if low < 0:
            pending.before.append(
                Check(self.unit.site(Oracle.RANGE, "a result below 0"), binary("<=", FALSE, expr))
            )
        kind = type_for(0, high, declared)
        name = self.new_local("result", kind)
        pending.before.append(Assign(Local(name), expr))
        return Typed(Local(name), kind)

    def new_local(self, wanted: str, kind: IntType) -> str:
        """A name for a local of a type: the wanted one where it is free or has that type."""
        name, number = wanted, 1
        while self.types.setdefault(name, kind) != kind:
            number += 1
            name = f"{wanted}'{number}"
        return name

    def range_check(self, node: ast.AST, value: Expr, kind: IntType, name: str) -> tuple[Op, ...]:
        """The check before a store, unless it cannot fail or the type wraps."""
        low, high = self.bounds(value)
        if kind.wrapping or (low >= 0 and high <= kind.maximum):
            return ()
        if low > kind.maximum or high < 0:
            raise self.fail(node, f"`{name}` holds 0 to {kind.maximum}", "declare a wider type")
        site = self.unit.site(Oracle.RANGE, f"{name} leaves its range 0 to {kind.maximum}")
        tests = [binary("<=", FALSE, value)] if low < 0 else []
        tests += [binary("<=", value, Const(kind.maximum))] if high > kind.maximum else []
        return tuple(Check(site, test) for test in tests)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
