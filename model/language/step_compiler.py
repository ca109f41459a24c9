"""From evaluated expressions to the nodes of a body's graph: what is a step, and what is not."""

from __future__ import annotations

import ast
from typing import Any, Literal

from model.language.accesses import GHOST_DECIDES, GHOST_REMEDY, Pending
from model.language.expression_compiler import ExpressionCompiler
from model.language.frame import Frame
from model.language.graph import Graph, Node
from model.language.source import SourceFunction
from model.program import Access, Op, Oracle

Kind = Literal["location", "choice", "ops", "branch", "yield"]


class StepCompiler(ExpressionCompiler):
    """Emits nodes; one shared access a statement, and none that a ghost decides."""

    def __init__(self, unit: Any) -> None:
        super().__init__(unit)
        self.graph = Graph()
        self.created: list[Node] = []
        self.statement_accesses: list[tuple[SourceFunction, ast.AST, Access]] = []
        self.atomic_place: Node | None = None
        self.ghost_only = False
        self.oracle_of_asserts = Oracle.ASSERT

    def emit(self, kind: Kind, origin: ast.AST, text: str, ops: list[Op] | None = None) -> Node:
        """A new node at the end of the graph."""
        if kind not in ("ops", "branch"):
            self.refuse_ghost(origin, decides=self.ghost_only)
        node = Node(kind, origin, self.frame.function, text, ops or [])
        self.created.append(node)
        return self.graph.emit(node)

    def refuse_ghost(self, node: ast.AST, *, decides: bool) -> None:
        """What a program does never depends on a ghost."""
        if decides:
            raise self.fail(node, GHOST_DECIDES, GHOST_REMEDY)

    def flush(self, node: ast.AST, pending: Pending, text: str) -> None:
        """Emit what evaluating an expression does: a step where it accesses memory, else a part."""
        self.refuse_ghost(node, decides=self.ghost_only and bool(pending.accesses))
        if pending.accesses and not self.in_atomic:
            self.note_accesses(pending)
            place = self.emit("location", node, self.opaque_text(None) or text, pending.before)
        elif pending.before or pending.accesses:
            place = self.emit("ops", node, "", pending.before)
        else:
            return
        place.accesses += [access for _, access in pending.accesses]

    def note_accesses(self, pending: Pending) -> None:
        """Count the accesses of the statement that is being compiled; two are refused."""
        function = self.frame.function
        noted = [(function, node, access) for node, access in pending.accesses]
        self.statement_accesses += noted
        if len(self.statement_accesses) > 1:
            accesses = [access for _, _, access in self.statement_accesses[:2]]
            shown = " and ".join(f"`{_shown(access)}`" for access in accesses)
            here = [node for of, node, _ in self.statement_accesses if of is function]
            raise self.fail(
                here,
                f"two shared accesses in one statement: {shown}",
                "read one into a local first, or write `with atomic():` if the hardware does both"
                " at once",
            )

    def opaque_text(self, described: str | None) -> str | None:
        """Inside a primitive written in the language, a step is named by the call."""
        frame: Frame | None = self.frame
        while frame is not None:
            if frame.call_text is not None:
                return f"{frame.call_text}: {described}" if described else frame.call_text
            frame = frame.parent
        return None

    def assert_site(self, sentence: str, *, reading: bool) -> int:
        """The site of an assertion; RCU's own are misuse, or a bound declared too small.

        Misuse is also what asserts that its thread is `reading`, and is not.
        """
        if not self.frame.function.is_ours:
            oracle = Oracle.RCU if reading else self.oracle_of_asserts
            return self.unit.site(oracle, sentence)
        if sentence.startswith("range: "):
            return self.unit.site(Oracle.RANGE, sentence.removeprefix("range: "))
        return self.unit.site(Oracle.RCU, sentence)


def _shown(access: Access) -> str:
    return access.variable if access.index is None else f"{access.variable}[…]"
