"""What the names of a body stand for: locals, shared variables, words of the vocabulary, Python."""

from __future__ import annotations

import ast
from types import FunctionType
from typing import TYPE_CHECKING, Any

from model.expressions import Local
from model.language.errors import LanguageError
from model.language.frame import Frame, Typed
from model.language.source import SourceFunction, source_function
from model.language.vocabulary import VOCABULARY, Primitive
from model.program import IntType, SharedVariable

if TYPE_CHECKING:
    from model.language.compiler import Unit

STEPPING = frozenset({
    "access", "rcu", "spin_lock", "mutex_lock", "spin_unlock", "mutex_unlock", "spin_until",
    "wait_event", "choose", "spawn", "atomic",
})  # fmt: skip
BUILT_IN = frozenset({"range", "len", "any", "all"})
IRQ_OFF = frozenset({"preempt_disable", "preempt_enable", "local_irq_disable", "local_irq_enable"})


class Resolver:
    """Looks up names for the frame that is being compiled."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.frame: Frame = None  # type: ignore[assignment]
        self.types: dict[str, IntType] = {}

    def fail(self, node: ast.AST | list[ast.AST], sentence: str, remedy: str) -> LanguageError:
        """An error at a node; inside the language's own words it is shown at the call."""
        frame = self.frame
        while frame.function.is_ours and frame.call_text is not None and frame.parent is not None:
            assert frame.call is not None
            node, frame = frame.call, frame.parent
        return frame.function.error(node, sentence, remedy)

    def resolve(self, node: ast.Name) -> Any:
        """What a name means: Typed, a SharedVariable, a primitive, a function, or a value."""
        name, frame = node.id, self.frame
        if name in frame.bindings:
            return frame.bindings[name]
        if self.is_variable(name):
            return self.shared_by_name(node, name)
        if name in frame.assigned:
            if name not in frame.locals:
                raise self.fail(
                    node, f"`{name}` is read before it is assigned", "assign it on every path first"
                )
            local = frame.locals[name]
            return Typed(Local(local), self.types[local])
        if name in frame.function.environment:
            meaning = frame.function.environment[name]
            if isinstance(meaning, SharedVariable):
                raise self.misnamed(node, name, meaning)
            return meaning
        if name in VOCABULARY or name in BUILT_IN:
            return VOCABULARY.get(name, name)
        raise self.fail(
            node,
            f"`{name}` is not known here",
            "declare it, import it from model.language, or assign it",
        )

    def is_variable(self, name: str) -> bool:
        """True for the name of a shared variable; RCU's own bodies see only RCU's own."""
        variable = self.unit.variables.get(name)
        return variable is not None and (variable.internal or not self.frame.function.is_ours)

    def shared_by_name(self, node: ast.AST, name: str) -> SharedVariable:
        """The shared variable of a name that means nothing else."""
        variable = self.unit.variables[name]
        in_python = self.frame.function.environment.get(name)
        if in_python is not None and in_python is not variable:
            raise self.fail(
                node,
                f"`{name}` is a shared variable, and something else in Python",
                "give one of them another name",
            )
        return variable

    def misnamed(self, node: ast.AST, name: str, variable: SharedVariable) -> LanguageError:
        """A shared variable has one name, so that a body cannot take it for a local."""
        return self.fail(node, f"`{name}` is declared as {variable.name!r}", "give it one name")

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
                raise self._without_rcu(node, meaning.name)
            return source_function(bound)
        return source_function(meaning) if isinstance(meaning, FunctionType) else None

    def _without_rcu(self, node: ast.Call, name: str) -> LanguageError:
        if name in IRQ_OFF:
            remedy = "write `p.rcu(…, irq_off_readers=True)`: such regions are readers since v5.0"
        elif name in ("call_rcu", "rcu_barrier") and self.unit.nesting is not None:
            remedy = "say how many slots it has: `p.rcu(…, callbacks=2)`"
        else:
            remedy = "write `p.rcu(grace_periods_max=…)`"
        return self.fail(node, f"{name}() without the RCU for it", remedy)

    @staticmethod
    def is_expression(function: SourceFunction) -> bool:
        """True for a function that only returns an expression: it may stand inside one."""
        match [s for s in function.definition.body if not is_docstring(s)]:
            case [ast.Return(value)]:
                return value is not None
        return False

    def takes_steps(self, node: ast.AST, *, forms: frozenset[str] = STEPPING) -> bool:
        """True where something below does what one of `forms` does, also through a call."""
        return self._takes_steps(node, forms, self.frame, ())

    def _takes_steps(
        self, node: ast.AST, forms: frozenset[str], frame: Frame, within: tuple[ast.AST, ...]
    ) -> bool:
        outer, self.frame = self.frame, frame
        try:
            for child in ast.walk(node):
                primitive = self.primitive(child)
                if primitive is not None and primitive.form in forms and not self._is_free(child):
                    return True
                function = self.called_function(child)
                if function is None or function.definition in within:
                    continue
                if not self.is_expression(function):
                    return True
                if primitive is None:
                    inner = Frame(function, frame)
                    inner.bindings = dict.fromkeys(function.parameters)
                    last = function.definition.body[-1]
                    if self._takes_steps(last, forms, inner, (*within, function.definition)):
                        return True
            return False
        finally:
            self.frame = outer

    def _is_free(self, node: ast.AST) -> bool:
        """True for a primitive that only looks at what belongs to its own thread."""
        function = self.called_function(node)
        return function is not None and function.is_ours and self.is_expression(function)


def arguments(number: int) -> str:
    """`1 argument`, `2 arguments`."""
    return f"{number} argument{'s' * (number != 1)}"


def is_docstring(node: ast.stmt) -> bool:
    """True for a text that stands as a statement."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
