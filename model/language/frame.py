"""What names mean while a function is compiled: its locals, its parameters, its surroundings."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from model.expressions import Const, Expr
from model.language.graph import Edge
from model.language.source import SourceFunction
from model.program import BOOL, IntType


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression with the type that its value was declared with, where there is one.

    `ghost` marks a value that was computed from a ghost.
    """

    expr: Expr
    type: IntType | None = None
    ghost: bool = False


@dataclass(eq=False)
class Loop:
    """A loop that is being compiled: the edges that continue it and those that leave it."""

    in_ghost: bool
    continues: list[Edge] = field(default_factory=list)
    breaks: list[Edge] = field(default_factory=list)


@dataclass(eq=False)
class Frame:
    """One activation of a function that is being inlined.

    `call` is the call in `parent`; `call_text` is set for a primitive that is written in the
    language, whose steps and errors are named by the call. `in_ghost`: a ghost decided the call;
    `waits_for_ever`: waiting in it for ever is a fine end.
    """

    function: SourceFunction
    parent: Frame | None
    call: ast.Call | None = None
    call_text: str | None = None
    in_ghost: bool = False
    waits_for_ever: bool = False
    bindings: dict[str, Any] = field(default_factory=dict)
    locals: dict[str, str] = field(default_factory=dict)
    counters: list[str] = field(default_factory=list)
    returns: list[Edge] = field(default_factory=list)
    result: str | None = None
    result_types: list[IntType | None] = field(default_factory=list)
    result_ghost: bool = False
    loops: list[Loop] = field(default_factory=list)

    def __post_init__(self) -> None:
        definition = self.function.definition
        self.assigned = assigned_names(definition)
        loops = [node for node in ast.walk(definition) if isinstance(node, ast.For)]
        self.loop_names = frozenset(
            loop.target.id for loop in loops if isinstance(loop.target, ast.Name)
        )

    def active(self, function: SourceFunction) -> bool:
        """True where the function is being inlined already."""
        same = self.function.definition is function.definition
        return same or (self.parent is not None and self.parent.active(function))

    @property
    def qualifier(self) -> str:
        """What leads the names of this activation's locals: no activation around it has the same.

        Activations of one function are never around each other, but two functions may share a name.
        """
        if self.parent is None:
            return ""
        count, outer = 0, self.parent
        while outer.parent is not None:
            count += outer.function.name == self.function.name
            outer = outer.parent
        return self.function.name + "'" * count + "."


@cache
def assigned_names(definition: ast.FunctionDef) -> frozenset[str]:
    """The names that a function assigns."""
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
    """The type of a local that holds values from `low` to `high`; it may be too wide to exist."""
    assert low >= 0
    if declared is not None and high <= declared.maximum:
        return declared if not declared.wrapping else IntType(declared.width)
    return IntType(max(1, high.bit_length()))
