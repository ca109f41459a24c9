"""Loops: `while`, and `for` over a constant range, which is unrolled where it takes no steps."""

from __future__ import annotations

import ast

from model.expressions import TRUE, Const, Local, binary
from model.language.calls import Calls
from model.language.frame import Loop, constant, type_for
from model.language.graph import Edge, Node
from model.program import Assign

# They may leave memory as it is: a loop of these alone can spin without anyone making progress.
MAY_CHANGE_NOTHING = ("xchg", "cmpxchg", "test_and_", "trylock", "inc_not_zero", "add_unless")


class Loops(Calls):
    """Compiles loops; `branch_on` is the statement compiler's."""

    def branch_on(self, node: ast.expr) -> tuple[list[Edge], list[Edge], bool]:
        """Emit a test (in StatementCompiler)."""
        raise NotImplementedError

    def while_loop(self, node: ast.While) -> None:
        """`while test:`; it must be possible to be preempted in it, and to get out of it."""
        if self.in_atomic:
            raise self.fail(
                node, "a while loop inside atomic()", "use `for … in range(…)`, which is bounded"
            )
        created = len(self.created)
        head = self.emit("ops", node, "")
        then, other, ghost = self.branch_on(node.test)
        self.refuse_ghost(node, decides=ghost)
        if then:
            self.graph.dangling = then
            loop = self._loop_body(node.body)
            self.graph.dangling += loop.continues
            self.graph.attach(head)
            other = other + loop.breaks
        self.graph.dangling = other
        self._refuse_busy_loop(node, self.created[created:])

    def _loop_body(self, body: list[ast.stmt]) -> Loop:
        loop = Loop(self.ghost_only)
        self.frame.loops.append(loop)
        self.block(body)
        self.frame.loops.pop()
        return loop

    def jump(self, node: ast.Break | ast.Continue) -> None:
        """Leave the loop, or go to its next round."""
        assert self.frame.loops, "Python refuses break and continue outside a loop"
        loop = self.frame.loops[-1]
        self.refuse_ghost(node, decides=self.ghost_only and not loop.in_ghost)
        edges = loop.breaks if isinstance(node, ast.Break) else loop.continues
        edges.extend(self.graph.dangling)
        self.graph.dangling = []

    def _refuse_busy_loop(self, node: ast.While, inside: list[Node]) -> None:
        places = [n for n in inside if n.kind in ("location", "choice")]
        waits = any(n.guard is not None or n.kind == "choice" for n in places)
        accesses = [access for n in inside for access in n.accesses]
        idle = [a for a in accesses if any(word in a.kind for word in MAY_CHANGE_NOTHING)]
        writes = any(access.writes and access not in idle for access in accesses)
        rereads = bool(idle) and len(idle) < len(accesses)
        progress = waits or writes or rereads or any(n.text.startswith("spawn") for n in places)
        if places and not progress and not any(n.kind == "yield" for n in inside):
            raise self.fail(
                node,
                "a busy loop without cpu_relax()",
                "call cpu_relax() in it, or use spin_until(…)",
            )

    def for_loop(self, node: ast.For, target: ast.Name) -> None:
        """`for i in range(…):`; the counter belongs to the loop alone."""
        values = self.constant_range(node.iter)
        name, frame = target.id, self.frame
        if name in frame.function.parameters or name in frame.counters or self.is_variable(name):
            raise self.fail(target, f"`{name}` is in use already", "give the counter its own name")
        frame.counters.append(name)
        spawns = self.takes_steps(node, forms=frozenset({"spawn"})) and self._spawns(node)
        if self.in_atomic or spawns or not any(self.takes_steps(child) for child in node.body):
            self._unroll(name, values, node.body)
        elif values:
            self._count(node, name, values)
        frame.counters.remove(name)

    def _spawns(self, node: ast.For) -> bool:
        primitives = [self.primitive(child) for child in ast.walk(node)]
        return any(p is not None and p.form == "spawn" for p in primitives)

    def _count(self, node: ast.For, name: str, values: range) -> None:
        kind = type_for(0, values.stop, None)
        local = self.new_local(self.frame.qualifier + name, kind)
        self.frame.locals[name] = local
        self.emit("ops", node, "", [Assign(Local(local), Const(values.start))])
        head = self.emit("branch", node, "")
        head.test = binary("<", Local(local), Const(values.stop))
        head.rounds, first = len(values), len(self.created)
        loop = self._loop_body(node.body)
        self.graph.dangling += loop.continues
        if self.graph.dangling:
            self.emit("ops", node, "", [Assign(Local(local), binary("+", Local(local), TRUE))])
            self.graph.attach(head)
        head.members = frozenset(map(id, self.created[first:]))
        self.graph.dangling = [(head, "orelse"), *loop.breaks]
        del self.frame.locals[name]

    def _unroll(self, name: str, values: range, body: list[ast.stmt]) -> None:
        breaks: list[Edge] = []
        for number in values:
            self.frame.bindings[name] = constant(number)
            loop = self._loop_body(body)
            self.graph.dangling += loop.continues
            breaks += loop.breaks
        self.graph.dangling += breaks
        self.frame.bindings.pop(name, None)
