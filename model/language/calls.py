"""Calls as statements: accesses, barriers, waits, locks, spawns, and functions with their steps."""

from __future__ import annotations

import ast

from model.expressions import FALSE, TRUE, Const, Elem, Expr, ThreadIndex, Var, binary, not_
from model.language.accesses import Pending
from model.language.graph import Node
from model.language.inlining import Inlining
from model.language.resolution import arguments
from model.language.vocabulary import Primitive
from model.program import Access, Assign, Assume, Check, Fence, Op, Oracle, SharedVariable, Spawn

WAITS = frozenset({"spin_until", "wait_event"})
VARIADIC = frozenset({"access", "choose", "spawn", "atomic"})


class Calls(Inlining):
    """Everything that a call can do in a statement, on top of values."""

    def call_statement(self, node: ast.Call) -> None:
        """A call whose value is not used."""
        primitive = self.primitive(node)
        if primitive is not None and primitive.name == "_invoke_rcu_callback":
            return self.invoke_callback(node)
        if primitive is None or primitive.form == "rcu":
            function = self.called_function(node)
            if function is None:
                raise self.no_function(node)
            self.inline(node, function, wants_value=False)
            return
        if primitive.form not in WAITS:
            self.refuse_keywords(node)
        if primitive.form not in VARIADIC and len(node.args) != primitive.arguments:
            raise self.fail(
                node,
                f"{primitive.name}() takes {arguments(primitive.arguments)}",
                "as in the kernel",
            )
        self._primitive_statement(node, primitive)

    def _primitive_statement(self, node: ast.Call, primitive: Primitive) -> None:
        match primitive.form:
            case "access":
                pending = Pending()
                self.access(node, primitive, pending, wants_value=False)
                self.flush(node, pending, ast.unparse(node))
            case "fence":
                self.emit("ops", node, "", [Fence(primitive.name)])
            case "cpu_relax":
                self.emit("yield", node, "")
            case "spin_until" | "wait_event":
                self._wait(node, primitive)
            case "spin_lock" | "mutex_lock":
                self._lock(node, primitive)
            case "spin_unlock" | "mutex_unlock":
                self._unlock(node, primitive)
            case "assume":
                pending = Pending()
                test = self.test(node.args[0], pending)
                pending.before.append(Assume(test))
                self.flush(node, pending, ast.unparse(node))
            case "spawn":
                self._spawn(node)
            case _:
                remedy = {
                    "choose": "write `x = choose(0, 1)`",
                    "atomic": "write `with atomic():`",
                }.get(primitive.form, f"{primitive.name} is a number: use it in an expression")
                raise self.fail(node, f"{primitive.name}() is not a statement", remedy)

    def _blocking(
        self, node: ast.Call, guard: Expr, ops: list[Op], access: list[Access], *, sleeps: bool
    ) -> Node:
        """A step that can run only while `guard` holds; in atomic() it may only come first."""
        if sleeps and self.unit.nesting is not None and not self.frame.function.is_ours:
            reading = binary("!=", Elem(self.unit.nesting, ThreadIndex()), FALSE)
            name = ast.unparse(node.func)
            site = self.unit.site(Oracle.RCU, f"{name}() inside a read-side critical section")
            ops = [Check(site, not_(reading)), *ops]
            guard = binary("or", guard, reading)
        self.refuse_ghost(node, decides=self.ghost_only)
        if not self.in_atomic:
            place = self.emit("location", node, self.opaque_text(None) or ast.unparse(node), ops)
        else:
            assert self.atomic_place is not None
            place = self.atomic_place
            if self.graph.dangling != [(place, "next")] or place.ops or place.guard is not None:
                raise self.fail(
                    node,
                    "a wait inside atomic() that does not come first",
                    "put it first, or before it",
                )
            place.ops = ops
        place.guard = None if guard == TRUE else guard
        place.accesses += access
        return place

    def _wait(self, node: ast.Call, primitive: Primitive) -> None:
        pending = Pending()
        test = self.test(node.args[0], pending)
        if not self.in_atomic:
            self.note_accesses(pending)
        for op in pending.before:
            if not isinstance(op, Check):
                raise self.fail(node, "a wait that writes", "wait for a condition, then write")
            test = binary("or", test, not_(op.test))
        self.refuse_ghost(node, decides=pending.ghost_read)
        accesses = [access for _, access in pending.accesses]
        may_end = self.may_end_here(node)
        place = self._blocking(
            node, test, pending.before, accesses, sleeps=primitive.name == "wait_event"
        )
        place.may_end = may_end or self.frame.waits_for_ever

    def _lock_variable(
        self, node: ast.Call, primitive: Primitive, pending: Pending
    ) -> tuple[SharedVariable, Var | Elem]:
        variable, index = self.place(node.args[0], pending)
        if not variable.lock:
            raise self.fail(
                node, f"`{variable.name}` is no lock", "declare it with p.spinlock or p.mutex"
            )
        self.refuse_other_lock(node, primitive, variable)
        self.refuse_ghost(node, decides=pending.ghost_read)
        if pending.accesses:
            raise self.fail(
                node, "an access inside the index of a lock", "read it into a local first"
            )
        held = Var(variable.name) if index is None else Elem(variable.name, index)
        return variable, held

    def _lock(self, node: ast.Call, primitive: Primitive) -> None:
        pending = Pending()
        variable, held = self._lock_variable(node, primitive, pending)
        guard = not_(held)
        for op in pending.before:
            assert isinstance(op, Check)
            guard = binary("or", guard, not_(op.test))
        access = _access(primitive, "acquire", variable, held, writes=True)
        ops = [*pending.before, Assign(held, TRUE)]
        self._blocking(node, guard, ops, [access], sleeps=primitive.name == "mutex_lock")

    def _unlock(self, node: ast.Call, primitive: Primitive) -> None:
        pending = Pending()
        variable, held = self._lock_variable(node, primitive, pending)
        two_steps = variable.name in self.unit.two_step_unlocks
        if two_steps and self.in_atomic:
            raise self.fail(
                node, "an unlock of two steps inside atomic()", "unlock outside, or in one step"
            )
        site = self.unit.site(Oracle.LOCK, f"{variable.name} unlocked while not held")
        pending.before += [Check(site, held), Assign(held, FALSE)]
        access = _access(primitive, "release", variable, held, writes=True)
        pending.accesses.append((node, access))
        self.flush(node, pending, ast.unparse(node))
        if two_steps:
            place = self.emit("location", node, f"{ast.unparse(node)}: wake a waiter")
            place.accesses.append(_access(primitive, "relaxed", variable, held, writes=False))

    def _spawn(self, node: ast.Call) -> None:
        numbers = [self.value(argument, Pending()).expr for argument in node.args[1:]]
        handle = self.python_value(node.args[0]) if node.args else None
        number = numbers[0].value if numbers and isinstance(numbers[0], Const) else 0
        thread = self.unit.child(handle, number, stated=bool(numbers))
        if thread is None or len(numbers) > 1 or not all(isinstance(n, Const) for n in numbers):
            raise self.fail(
                node,
                "spawn() needs a child thread",
                "declare it with @p.thread(child=True); with instances, say which: spawn(child, 0)",
            )
        site = self.unit.site(Oracle.ASSERT, f"{ast.unparse(node.args[0])} is spawned twice")
        self.refuse_ghost(node, decides=self.ghost_only)
        kind = "ops" if self.in_atomic else "location"
        self.emit(kind, node, ast.unparse(node), [Spawn(thread, site)])  # type: ignore[arg-type]


def _access(
    primitive: Primitive, ordering: str, variable: SharedVariable, held: Var | Elem, *, writes: bool
) -> Access:
    index = held.index if isinstance(held, Elem) else None
    return Access(primitive.name, ordering, variable.name, index, True, writes)
