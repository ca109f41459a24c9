"""What names mean while a function is compiled: its locals, its parameters, its surroundings."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from model.expressions import Const, Expr
from model.language.graph import Edge
from model.language.source import SourceFunction
from model.program import BOOL, IntType


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression with the type that its value was declared with, where there is one."""

    expr: Expr
    type: IntType | None = None


@dataclass(eq=False)
class Frame:
    """One activation of a function that is being inlined."""

    function: SourceFunction
    parent: Frame | None
    call_text: str | None = None
    waits_for_ever: bool = False
    bindings: dict[str, Any] = field(default_factory=dict)
    locals: dict[str, str] = field(default_factory=dict)
    returns: list[Edge] = field(default_factory=list)
    result: str | None = None
    result_types: list[tuple[int, int, IntType | None]] = field(default_factory=list)
    loops: list[tuple[Any, list[Edge]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.assigned = assigned_names(self.function.definition)

    @property
    def depth(self) -> int:
        """How many functions are being inlined around this one."""
        return 0 if self.parent is None else self.parent.depth + 1

    def active(self, function: SourceFunction) -> bool:
        """True where the function is being inlined already."""
        same = self.function.definition is function.definition
        return same or (self.parent is not None and self.parent.active(function))


def assigned_names(definition: ast.FunctionDef) -> frozenset[str]:
    """The names that a function assigns, not counting functions within it."""
    found: set[str] = set()
    for node in ast.walk(definition):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(found)


def constant(value: Any) -> Typed | None:
    """A Python integer, truth value or named value as an expression; None for anything else."""
    if isinstance(value, bool):
        return Typed(Const(int(value)), BOOL)
    if isinstance(value, int):
        return Typed(Const(int(value)), getattr(value, "type", None))
    return None


def type_for(low: int, high: int, declared: IntType | None) -> IntType:
    """The type of a local that holds values from `low` to `high`."""
    if declared is not None and 0 <= low and high <= declared.maximum:
        return declared if not declared.wrapping else IntType(declared.width)
    return IntType(max(1, high.bit_length()))
