"""Accesses to shared memory inside expressions: where, how, and the checks that they need."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from model.expressions import (
    FALSE,
    TRUE,
    Const,
    Elem,
    Expr,
    Instance,
    Interval,
    Local,
    ThreadIndex,
    Var,
    binary,
    cond,
    interval,
    not_,
    walk,
)
from model.language.errors import LanguageError
from model.language.frame import Typed, type_for
from model.language.resolution import Resolver, arguments
from model.language.types import WIDTH_MAX
from model.language.vocabulary import Effect, Primitive
from model.program import Access, Assign, Check, If, IntType, Op, Oracle, SharedVariable

GHOST_DECIDES = "a ghost decides what the program does"
GHOST_FLOWS = "a ghost flows into shared memory"
GHOST_REMEDY = "ghosts may only feed ghosts and asserts"


@dataclass(eq=False)
class Pending:
    """What must happen when an expression is evaluated.

    `free` reads are no accesses (for ghosts and asserts; `only_reads` in the latter); `path` is
    where the evaluation has come to at all; `reads` are the variables whose values it has used so
    far; `ghost_read` says that a ghost was among them.
    """

    free: bool = False
    only_reads: bool = False
    reads: list[str] = field(default_factory=list)
    accesses: list[tuple[ast.AST, Access]] = field(default_factory=list)
    before: list[Op] = field(default_factory=list)
    path: Expr = TRUE
    ghost_read: bool = False
    temporaries: int = 0

    def check(self, site: int, test: Expr) -> None:
        """Report `site` where `test` fails on the path on which it is evaluated."""
        test = binary("or", not_(self.path), test)
        if test != TRUE:
            self.before.append(Check(site, test))


class Accesses(Resolver):
    """Compiles reads and read-modify-writes; `in_atomic` follows the statement compiler."""

    in_atomic = False

    def value(self, node: ast.expr, pending: Pending) -> Typed:
        """Compile an expression (in ExpressionCompiler)."""
        raise NotImplementedError

    # -- bounds ------------------------------------------------------------------------------------

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

    def is_truth_value(self, expr: Expr) -> bool:
        """True where the value can only be 0 or 1."""
        low, high = self.bounds(expr)
        return low >= 0 and high <= 1

    def truth(self, value: Typed) -> Expr:
        """1 where the value is not 0."""
        if self.is_truth_value(value.expr):
            return value.expr
        return binary("!=", value.expr, FALSE)

    def range_check(self, node: ast.AST, value: Expr, kind: IntType, name: str) -> tuple[Op, ...]:
        """The check before a store, unless it cannot fail or the type wraps."""
        low, high = self.bounds(value)
        if kind.wrapping or (low >= 0 and high <= kind.maximum):
            return ()
        if low > kind.maximum or high < 0:
            remedy = "integers are unsigned" if high < 0 else "declare a wider type"
            raise self.fail(node, f"`{name}` holds 0 to {kind.maximum}", remedy)
        site = self.unit.site(Oracle.RANGE, f"{name} leaves its range 0 to {kind.maximum}")
        tests = [binary("<=", FALSE, value)] if low < 0 else []
        tests += [binary("<=", value, Const(kind.maximum))] if high > kind.maximum else []
        return tuple(Check(site, test) for test in tests)

    def same_names(self, node: ast.AST, given: IntType | None, wanted: IntType) -> None:
        """Refuse a named value of one type where one of another is expected."""
        if given is not None and given.names and wanted.names and given.names != wanted.names:
            a, b = ("/".join(kind.names) for kind in (given, wanted))
            raise self.fail(node, f"one of {a} where one of {b} belongs", "use values of one type")

    # -- places ------------------------------------------------------------------------------------

    def place(self, node: ast.expr, pending: Pending) -> tuple[SharedVariable, Expr | None]:
        """A shared variable or an element of an array, whose index is checked."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            meaning = self.python_value(node)
            if isinstance(meaning, SharedVariable) and meaning.length is None:
                return meaning, None
            if isinstance(meaning, SharedVariable):
                raise self.whole_array(node, meaning)
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

    def whole_array(self, node: ast.AST, array: SharedVariable) -> LanguageError:
        """An array where one of its elements belongs."""
        return self.fail(
            node, f"`{array.name}` is an array", f"say which element: `{array.name}[…]`"
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
        kind = index.type
        if kind is not None and kind.names and array.element_names:
            named = kind.names[: len(kind.names) - kind.null]
            if named != array.element_names:
                raise self.fail(
                    node,
                    f"`{array.name}` has an element for each of {'/'.join(array.element_names)}",
                    f"this index is one of {'/'.join(kind.names)}",
                )
        tests = [binary("<=", FALSE, index.expr)] if low < 0 else []
        tests += [binary("<", index.expr, Const(array.length))] if high >= array.length else []
        only_null = kind is not None and kind.null and array.length == len(kind.names) - 1
        if kind is not None and only_null and low >= 0:
            sentence = f"null pointer: {array.name}[{kind.names[-1]}]"
        else:
            sentence = f"{array.name}: index outside 0 to {array.length - 1}"
        for test in tests:
            pending.check(self.unit.site(Oracle.INDEX, sentence), test)

    def read(
        self, node: ast.AST, variable: SharedVariable, index: Expr | None, pending: Pending
    ) -> Typed:
        """A read without a primitive: legal in atomic(), of ghosts, and where reading is free."""
        pending.reads.append(variable.name)
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
            access = Access("plain", "plain", variable.name, index, True, False)
            pending.accesses.append((node, access))
        read = Var(variable.name) if index is None else Elem(variable.name, index)
        return Typed(read, variable.type)

    # -- primitives --------------------------------------------------------------------------------

    def access(
        self, node: ast.Call, primitive: Primitive, pending: Pending, *, wants_value: bool
    ) -> Typed:
        """One access by a primitive: its operations go to `pending`, its result is the value."""
        if len(node.args) != primitive.arguments:
            raise self.fail(
                node,
                f"{primitive.name}() takes {arguments(primitive.arguments)}",
                "as in the kernel",
            )
        earlier = set(pending.reads)
        by_ghost, pending.ghost_read = pending.ghost_read, False
        others = [self.value(a, pending) for i, a in enumerate(node.args) if i != primitive.operand]
        variable, index = self.place(node.args[primitive.operand], pending)
        self._refuse_operands(node, primitive, variable, others)
        operands = [self._operand(other, variable.type) for other in others]
        old: Expr = Var(variable.name) if index is None else Elem(variable.name, index)
        assert primitive.effect is not None
        effect = primitive.effect(old, *operands)
        if wants_value and effect.result is None:
            raise self.fail(
                node, f"{primitive.name}() has no value", "write it as a statement of its own"
            )
        writes = effect.new is not None
        if pending.only_reads and writes:
            raise self.fail(node, "an assertion that writes", "assert only what can be read")
        if writes or not pending.free:
            if variable.ghost:
                raise self.fail(
                    node,
                    f"`{variable.name}` is a ghost: it is no memory",
                    "read and assign it directly",
                )
            if pending.ghost_read:
                raise self.fail(node, GHOST_FLOWS, GHOST_REMEDY)
            if by_ghost and pending.path != TRUE:
                raise self.fail(node, GHOST_DECIDES, GHOST_REMEDY)
            if writes and variable.name in earlier:
                raise self.fail(
                    node,
                    f"`{variable.name}` is read and then written in one expression",
                    "read it into a local first",
                )
            reads = effect.result is not None or (writes and variable_is_read(effect, old))
            kind, ordering = primitive.name, primitive.ordering
            access = Access(kind, ordering, variable.name, index, reads, writes)
            pending.accesses.append((node, access))
        pending.ghost_read = pending.ghost_read or by_ghost
        if effect.new is None:
            pending.reads.append(variable.name)
            assert effect.result is not None
            return Typed(effect.result, variable.type if effect.result == old else None)
        return self._write(node, variable, old, effect, pending)

    def _refuse_operands(
        self, node: ast.Call, primitive: Primitive, variable: SharedVariable, others: list[Typed]
    ) -> None:
        if variable.lock != primitive.name.endswith("_trylock"):
            what = "a lock" if variable.lock else "no lock"
            remedy = (
                "use spin_lock, spin_trylock and spin_unlock"
                if variable.lock
                else "declare it with p.spinlock or p.mutex"
            )
            raise self.fail(node, f"`{variable.name}` is {what}", remedy)
        if variable.lock:
            self.refuse_other_lock(node, primitive, variable)
        if "bit" in primitive.name.split("_"):
            number = others[0].expr
            if not isinstance(number, Const):
                raise self.fail(node, "the bit number must be a constant", "pass a constant")
            if not 0 <= number.value < variable.type.width:
                raise self.fail(
                    node,
                    f"`{variable.name}` has {variable.type.width} bits",
                    f"use a bit number below {variable.type.width}",
                )
            return
        for other in others:
            self.same_names(node, other.type, variable.type)

    def refuse_other_lock(
        self, node: ast.Call, primitive: Primitive, variable: SharedVariable
    ) -> None:
        """A spinlock is not locked as a mutex, nor a mutex as a spinlock."""
        is_mutex = variable.name in self.unit.mutexes
        if primitive.name.startswith("mutex") != is_mutex:
            kind = "mutex" if is_mutex else "spin"
            raise self.fail(
                node,
                f"`{variable.name}` is a {'mutex' if is_mutex else 'spinlock'}",
                f"use {kind}_lock, {kind}_trylock and {kind}_unlock",
            )

    def _operand(self, value: Typed, kind: IntType) -> Expr:
        """An operand as C converts it: where the variable wraps, so does the operand."""
        low, high = self.bounds(value.expr)
        if kind.wrapping and (low < 0 or high > kind.maximum):
            return binary("&", value.expr, Const(kind.maximum))
        return value.expr

    def _write(
        self, node: ast.AST, variable: SharedVariable, old: Expr, effect: Effect, pending: Pending
    ) -> Typed:
        """The checks, the result and the store, in this order."""
        assert effect.new is not None
        kind, result, new, when = variable.type, effect.result, effect.new, effect.when
        returns_new = result == new and result is not None
        if kind.wrapping and returns_new:
            result = new = self._operand(Typed(new), kind)
        guard = binary("and", pending.path, when)
        for check in self.range_check(node, new, kind, variable.name):
            assert isinstance(check, Check)
            pending.check(check.site, binary("or", not_(when), check.test))
        held = Typed(FALSE)
        if result is not None:
            declared = kind if returns_new or result == old else None
            held = self._temporary(result, declared, pending)
            if when == result:
                guard = binary("and", pending.path, held.expr)
        store = Assign(old, new)  # type: ignore[arg-type]
        if guard == TRUE:
            pending.before.append(store)
        elif guard != FALSE:
            pending.before.append(If(guard, (store,), ()))
        return held

    def _temporary(self, expr: Expr, declared: IntType | None, pending: Pending) -> Typed:
        """Keep a value in a local that no program names; 0 where it is not evaluated."""
        if declared is None:
            low, high = self.bounds(expr)
            assert low >= 0
            declared = type_for(0, high, None)
        kind = declared if not declared.wrapping else IntType(declared.width)
        pending.temporaries += 1
        number = f"~{pending.temporaries}" if pending.temporaries > 1 else ""
        name = self.new_local(f"result{number}:{kind.width}{'/'.join(kind.names)}", kind)
        pending.before.append(Assign(Local(name), cond(pending.path, expr, FALSE)))
        return Typed(Local(name), kind)

    def new_local(self, wanted: str, kind: IntType) -> str:
        """A name for a local of a type: the wanted one where it is free or has that type."""
        name, number = wanted, 1
        while self.types.setdefault(name, kind) != kind:
            number += 1
            name = f"{wanted}'{number}"
        return name

    def type_of_local(
        self, node: ast.AST, name: str, value: Expr, declared: IntType | None
    ) -> IntType:
        """The type of a local that is declared by its first value. Raises LanguageError."""
        low, high = self.bounds(value)
        if low < 0:
            raise self.fail(
                node, f"local `{name}` may be negative", f"declare it: `{name}: uint(3) = …`"
            )
        kind = type_for(low, high, declared)
        if kind.width > WIDTH_MAX:
            raise self.fail(
                node, f"local `{name}` needs {kind.width} bits", f"keep below {WIDTH_MAX} bits"
            )
        return kind


def variable_is_read(effect: Effect, old: Expr) -> bool:
    """True where what is written depends on what was there."""
    assert effect.new is not None
    return any(part == old for source in (effect.new, effect.when) for part in walk(source))
