"""Python expressions to IR expressions, with the accesses and checks that they need."""

from __future__ import annotations

import ast

from model.expressions import FALSE, TRUE, Const, Expr, binary, cond, not_
from model.language.accesses import Accesses, Pending
from model.language.frame import Frame, Typed, constant
from model.language.resolution import BUILT_IN, arguments, is_docstring
from model.language.source import SourceFunction
from model.language.subroutines import is_noinline, is_primitive
from model.language.types import Names
from model.language.vocabulary import Primitive
from model.program import BOOL, SharedVariable

_BINARY: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
# The operation, and whether its sides are swapped.
_COMPARE: dict[type, tuple[str, bool]] = {
    ast.Eq: ("==", False),
    ast.NotEq: ("!=", False),
    ast.Lt: ("<", False),
    ast.LtE: ("<=", False),
    ast.Gt: ("<", True),
    ast.GtE: ("<=", True),
}
SHIFT_MAX = 64
ROUNDS_MAX = 1024


class ExpressionCompiler(Accesses):
    """Compiles the expressions of one body."""

    def value(self, node: ast.expr, pending: Pending) -> Typed:
        """Compile an expression. Raises LanguageError for whatever is not of the language."""
        match node:
            case ast.Constant(value) if isinstance(value, int):
                found = constant(value)
                assert found is not None
                return found
            case ast.Constant(value):
                raise self.fail(node, f"`{ast.unparse(node)}` is no integer", "use integers")
            case ast.Name() | ast.Attribute():
                return self._named(node, pending)
            case ast.Subscript():
                variable, index = self.place(node, pending)
                return self.read(node, variable, index, pending)
            case ast.UnaryOp(ast.Not(), operand):
                return Typed(not_(self.test(operand, pending)), BOOL)
            case ast.UnaryOp(ast.Invert(), operand):
                return Typed(binary("-", Const(-1), self.value(operand, pending).expr))
            case ast.UnaryOp(ast.USub(), operand):
                return Typed(binary("-", FALSE, self.value(operand, pending).expr))
            case ast.UnaryOp(ast.UAdd(), operand):
                return Typed(self.value(operand, pending).expr)
            case ast.BinOp():
                return self._binary(node, pending)
            case ast.BoolOp():
                return self._logical(node, pending, as_number=True)
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
            "use integers, operators and calls",
        )

    def test(self, node: ast.expr, pending: Pending) -> Expr:
        """An expression of which only the truth is used: 0 or 1."""
        if isinstance(node, ast.BoolOp):
            return self._logical(node, pending, as_number=False).expr
        return self.truth(self.value(node, pending))

    def _named(self, node: ast.Name | ast.Attribute, pending: Pending) -> Typed:
        meaning = self.python_value(node)
        if isinstance(meaning, Typed):
            pending.ghost_read = pending.ghost_read or meaning.ghost
            return meaning
        if isinstance(meaning, SharedVariable):
            if meaning.length is not None:
                raise self.whole_array(node, meaning)
            return self.read(node, meaning, None, pending)
        if isinstance(meaning, Primitive) and meaning.form in ("instance", "thread"):
            if self.unit.in_oracle:
                raise self.fail(
                    node, f"`{meaning.name}` where no thread executes", "name the thread's state"
                )
            return Typed(self.unit.own_number(meaning.form))
        found = constant(meaning)
        if found is None:
            raise self.fail(
                node,
                f"`{ast.unparse(node)}` is not a value",
                "a value is an integer, a local or a shared variable",
            )
        return found

    def _binary(self, node: ast.BinOp, pending: Pending) -> Typed:
        op = _BINARY.get(type(node.op))
        if op is None:
            raise self.fail(
                node,
                f"`{ast.unparse(node)}`: this operator is not part of the language",
                "use + - * & | ^ << >>",
            )
        a, b = self.value(node.left, pending), self.value(node.right, pending)
        if op == "*" and isinstance(a.expr, Const):
            a, b = b, a
        if op in ("*", "<<", ">>"):
            if not isinstance(b.expr, Const):
                raise self.fail(
                    node,
                    f"`{op}` needs a constant on its right",
                    "a circuit shifts and scales by constants",
                )
            if op != "*" and not 0 <= b.expr.value <= SHIFT_MAX:
                raise self.fail(
                    node, f"a shift by {b.expr.value}", f"shift by 0 to {SHIFT_MAX} bits"
                )
        return Typed(binary(op, a.expr, b.expr))

    def _logical(self, node: ast.BoolOp, pending: Pending, *, as_number: bool) -> Typed:
        """`and`, `or`: as numbers only of truth values, where Python and C agree."""
        word = "and" if isinstance(node.op, ast.And) else "or"
        outer = pending.path
        result: Expr = TRUE if word == "and" else FALSE
        for number, operand in enumerate(node.values):
            reached = result if word == "and" else not_(result)
            if reached == FALSE:
                break
            pending.path = binary("and", outer, reached)
            if number:
                self._refuse_late_access(operand, pending)
            if as_number and not isinstance(operand, ast.BoolOp):
                value = self.value(operand, pending)
                if not self.is_truth_value(value.expr):
                    raise self.fail(
                        operand,
                        f"a number in `{word}` whose result is used as a number",
                        "compare it: C gives 0 or 1 here, Python the operand",
                    )
                tested = value.expr
            else:
                tested = self.test(operand, pending)
            result = binary(word, result, tested)
        pending.path = outer
        return Typed(result, BOOL)

    def _conditional(
        self, test: ast.expr, then: ast.expr, orelse: ast.expr, pending: Pending
    ) -> Typed:
        decided, outer = self.test(test, pending), pending.path
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
        if not pending.free and not self.in_atomic and self.takes_steps(node):
            raise self.fail(
                node,
                "an access that may not happen, inside a value",
                "write it as an `if` statement, or in atomic()",
            )

    # -- comparisons -------------------------------------------------------------------------------

    def _compare(self, node: ast.Compare, pending: Pending) -> Typed:
        if len(node.ops) != 1:
            raise self.fail(node, "a chained comparison", "write two comparisons with `and`")
        op, other = node.ops[0], node.comparators[0]
        texts = self._compare_texts(node)
        if texts is not None:
            return texts
        truth_type = BOOL
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(other, (ast.Tuple, ast.List)):
            subject = self.value(node.left, pending)
            found: Expr = FALSE
            for item in other.elts:
                equal = self._equal(node, subject, self.value(item, pending))
                found = binary("or", found, equal)
            return Typed(not_(found) if isinstance(op, ast.NotIn) else found, truth_type)
        if type(op) not in _COMPARE:
            raise self.fail(
                node,
                "this comparison is not part of the language",
                "use == != < <= > >= or `in (…)`",
            )
        left, right = self.value(node.left, pending), self.value(other, pending)
        word, swapped = _COMPARE[type(op)]
        if word in ("==", "!="):
            equal = self._equal(node, left, right)
            return Typed(equal if word == "==" else not_(equal), truth_type)
        if left.type is not None and right.type is not None:
            self.same_names(node, left.type, right.type)
        a, b = (right, left) if swapped else (left, right)
        return Typed(self._ordered(word, a.expr, b.expr), truth_type)

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

    def _compare_texts(self, node: ast.Compare) -> Typed | None:
        """`p.put == "raw"`: decided at compile time; None where no text is compared."""
        sides = []
        for side in (node.left, node.comparators[0]):
            value = side.value if isinstance(side, ast.Constant) else None
            if isinstance(side, (ast.Name, ast.Attribute)):
                value = self.python_value(side)
            sides.append(value)
        if not any(isinstance(side, str) for side in sides):
            return None
        decides = isinstance(node.ops[0], (ast.Eq, ast.NotEq))
        if not decides or not all(isinstance(side, str) for side in sides):
            raise self.fail(
                node,
                "a text is only compared with a text, by == or !=",
                "compare a parameter with one of its options",
            )
        same = sides[0] == sides[1]
        return constant(same if isinstance(node.ops[0], ast.Eq) else not same)

    # -- calls -------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, pending: Pending) -> Typed:
        self.refuse_keywords(node)
        primitive = self.primitive(node)
        if primitive is not None and primitive.form == "access":
            return self.access(node, primitive, pending, wants_value=True)
        built_in = self._built_in(node)
        if built_in == "len":
            return self._length(node)
        if built_in in ("any", "all"):
            return self._quantified(node, built_in, pending)
        function = self.called_function(node)
        if function is not None:
            return self._inline_expression(node, function, pending)
        if primitive is not None and primitive.form == "choose":
            raise self.fail(node, "choose() inside an expression", "choose into a local first")
        if primitive is not None:
            raise self.fail(
                node,
                f"{primitive.name}() has no value",
                "write it as a statement of its own",
            )
        raise self.no_function(node)

    def no_function(self, node: ast.Call) -> Exception:
        """A call of something that is not compiled."""
        return self.fail(
            node,
            f"`{ast.unparse(node.func)}` cannot be called in a body",
            "call the vocabulary or a function of yours",
        )

    def refuse_keywords(self, node: ast.Call) -> None:
        """Calls pass their arguments by position."""
        if node.keywords:
            raise self.fail(
                node, "keyword arguments are not part of the language", "pass arguments by position"
            )

    def _built_in(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            meaning = self.resolve(node.func)
            return meaning if isinstance(meaning, str) and meaning in BUILT_IN else None
        return None

    def _length(self, node: ast.Call) -> Typed:
        match [self.python_value(argument) for argument in node.args]:
            case [SharedVariable(length=int(length))]:
                return Typed(Const(length))
            case [(Names() | tuple() | list() | range()) as named]:
                return Typed(Const(len(named)))
        raise self.fail(node, "len() of something else than an array", "give it an array or names")

    def _quantified(self, node: ast.Call, word: str, pending: Pending) -> Typed:
        """`any(f(i) for i in range(3))` and `all(…)`; like Python's, they stop where decided."""
        match node.args:
            case [ast.GeneratorExp(element, [ast.comprehension(ast.Name(name), iterator, [], 0)])]:
                return self._over(element, name, iterator, word, pending)
        raise self.fail(
            node, "any() and all() take one generator", "write `any(x[i] for i in range(3))`"
        )

    def _over(
        self, element: ast.expr, name: str, iterator: ast.expr, word: str, pending: Pending
    ) -> Typed:
        bindings, path = self.frame.bindings, pending.path
        result: Expr = FALSE if word == "any" else TRUE
        for number in self.constant_range(iterator):
            self.frame.bindings = {**bindings, name: constant(number)}
            undecided = not_(result) if word == "any" else result
            if undecided == FALSE:
                break
            pending.path = binary("and", path, undecided)
            tested = self.test(element, pending)
            result = binary("or" if word == "any" else "and", result, tested)
        self.frame.bindings, pending.path = bindings, path
        return Typed(result, BOOL)

    def constant_range(self, iterator: ast.expr) -> range:
        """`range(…)` with constants. Raises LanguageError for any other iterator."""
        known: list[int] = []
        if self._built_in(iterator) == "range":
            assert isinstance(iterator, ast.Call)
            self.refuse_keywords(iterator)
            for argument in iterator.args:
                pending = Pending()
                bound = self.value(argument, pending).expr
                if isinstance(bound, Const) and not pending.accesses and bound.value >= 0:
                    known.append(bound.value)
            if len(known) != len(iterator.args):
                known = []
        if len(known) not in (1, 2):
            raise self.fail(
                iterator,
                "a `for` that is not over range(…) with constants",
                "write `for i in range(3)`, or a while loop",
            )
        values = range(*known)
        if len(values) > ROUNDS_MAX:
            raise self.fail(
                iterator, f"a loop of {len(values)} rounds", f"at most {ROUNDS_MAX} are compiled"
            )
        return values

    def _inline_expression(
        self, node: ast.Call, function: SourceFunction, pending: Pending
    ) -> Typed:
        """A function that only returns an expression is a name for it."""
        if not self.is_expression(function):
            raise self.fail(node, f"{function.name}() takes steps", "call it into a local first")
        self.refuse_keywords(node)
        self.refuse_call(node, function)
        outer, free = self.frame, pending.free
        frame = Frame(function, outer, node, self.call_text(node, function), outer.in_ghost)
        for name, argument in zip(function.parameters, node.args, strict=True):
            frame.bindings[name] = self.value(argument, pending)
        (returned,) = [s for s in function.definition.body if not is_docstring(s)]
        assert isinstance(returned, ast.Return) and returned.value is not None
        # What a word of the language looks at in this way belongs to its own thread.
        pending.free = free or self.primitive(node) is not None
        self.frame = frame
        try:
            return self.value(returned.value, pending)
        finally:
            self.frame, pending.free = outer, free

    def call_text(self, node: ast.Call, function: SourceFunction) -> str | None:
        """How the steps of a primitive are named; None for any other function."""
        declared = any(map(is_primitive, function.definition.decorator_list))
        return ast.unparse(node) if declared or self.primitive(node) is not None else None

    def refuse_call(self, node: ast.Call, function: SourceFunction) -> None:
        """Refuse recursion, and parameters that are more than names in a row."""
        given = function.definition.args
        if given.vararg or given.kwarg or given.kwonlyargs or given.defaults:
            raise function.error(
                function.definition,
                f"{function.name}() has parameters that are not plain names",
                "write `def f(a, b):`, without defaults and stars",
            )
        decorators = function.definition.decorator_list
        known = [d for d in decorators if is_noinline(d) or is_primitive(d)]
        if (len(decorators) > len(known) or len(known) > 1) and not function.is_ours:
            raise function.error(
                next((d for d in decorators if d not in known), decorators[-1]),
                f"{function.name}() is decorated and called",
                "a function that is called has no decorator but `noinline` or `primitive`",
            )
        if len(node.args) != len(function.parameters):
            raise self.fail(
                node,
                f"{function.name}() takes {arguments(len(function.parameters))}",
                "pass all of them",
            )
        if self.frame.active(function):
            raise self.fail(
                node, f"{function.name}() calls itself", "functions are inlined: write a loop"
            )
