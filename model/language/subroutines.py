"""`noinline`: a function compiled once in each body, however often the body calls it.

A call sets the parameters and the number of the caller, and goes to the one copy; where the copy
ends, a chain of branches on that number leads back. None of this takes a step or is seen in a
label.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TypeVar

from model.expressions import Const, Local, binary
from model.language.frame import Frame, Typed
from model.language.graph import Node, WayBack

F = TypeVar("F")


def noinline(function: F) -> F:
    """Compile this function once a body: worth it for long functions called several times."""
    return function


def is_noinline(decorator: ast.expr) -> bool:
    """True for the decorator of a function that is compiled once."""
    return isinstance(decorator, ast.Name) and decorator.id == "noinline"


def primitive(function: F) -> F:
    """Name the steps of this function by the call, as those of the language's own words are."""
    return function


def is_primitive(decorator: ast.expr) -> bool:
    """True for the decorator of a function whose steps are named by the call."""
    return isinstance(decorator, ast.Name) and decorator.id == "primitive"


def returns_value(definition: ast.FunctionDef) -> bool:
    """True for a function of which some path returns a value."""
    returns = [node for node in ast.walk(definition) if isinstance(node, ast.Return)]
    return any(node.value is not None for node in returns)


@dataclass(eq=False)
class Subroutine:
    """The one copy: its frame, its first node, and the last branch of the way back."""

    frame: Frame
    back: WayBack
    entry: Node
    last: Node
    result: Typed

    def return_to(self, number: int, branch: Node, continuation: Node) -> None:
        """Lead caller `number` to `continuation`, and the one before it where it went."""
        before = self.last.orelse if self.last.kind == "branch" else self.last.next
        branch.test = binary("==", Local(self.back.caller), Const(self.back.numbers[-1]))
        branch.back = self.back
        self.back.numbers.append(number)
        branch.next, branch.orelse = before, continuation
        if self.last.kind == "branch":
            self.last.orelse = branch
        else:
            self.last.next = branch
        self.last = branch
