"""Locks and readers that nobody can have noticed: conditions under which they may be left out."""

from __future__ import annotations

from dataclasses import replace

from model.commuting import touches
from model.expressions import FALSE, TRUE, Var, binary, not_
from model.folding import expressions_of, places_of
from model.mutant_ops import DIFFERENCE, is_protocol
from model.program import BOOL, Assign, Body, Check, Program, SharedVariable, Step
from model.validation import leaves
from model.variants import Place, Variant

READERS = (
    ("rcu_read_lock", "rcu_read_unlock"),
    ("preempt_disable", "preempt_enable"),
    ("local_irq_disable", "local_irq_enable"),
)


def lock_watched(program: Program, body: Body, lock: str) -> Variant | None:
    """The program in which a body takes a lock without waiting, as a variant with DIFFERENCE.

    That is violated where the lock was not free, and where another thread comes to it (to take it,
    to try it, to look at it) while the body holds it. Else nobody ever waits for the body, nor the
    body for anybody, and without the lock each execution is what it is with it. None where more
    than the threads looks at the lock, or the body otherwise than by taking and releasing it.
    """
    oracles = (*program.invariants, *program.at_end)
    looked = {n for op in leaves(oracles) for e in expressions_of(op) for n, _ in places_of(e)}
    if lock in looked | {name for expr in program.until for name, _ in places_of(expr)}:
        return None
    site, held = len(program.sites), f"taken:{lock}"
    made: dict[Place, Step] = {}
    for number, other in enumerate(program.bodies):
        for pc, step in enumerate(other.steps):
            if all(touch.name != lock for touch in touches(step)):
                continue
            if other.name != body.name:
                made[number, pc] = _coming(step, site, held)
                continue
            if all(access.variable != lock for access in step.accesses):
                return None
            takes = step.guard is not None
            checks = (Check(site, not_(Var(lock))),) if takes else ()
            ops = (*checks, Assign(Var(held), TRUE if takes else FALSE), *step.ops)
            made[number, pc] = replace(step, guard=None, ops=ops)
    taken = SharedVariable(held, BOOL, None, (0,), internal=True)
    return Variant(made, variables=(taken,), sites=(DIFFERENCE,))


def _coming(step: Step, site: int, held: str) -> Step:
    """The step of another body, which does not wait for the body whose lock it is."""
    guard = step.guard if step.guard is None else binary("or", step.guard, Var(held))
    return replace(step, guard=guard, ops=(Check(site, not_(Var(held))), *step.ops))


def readers_are_seen(program: Program) -> bool:
    """False where only RCU's own threads look at what readers and grace periods leave behind.

    These threads are daemons and share nothing with the others then: whatever they do, the others
    do the same. A check may look: it changes nothing, and what it says is seen by exploring.
    """
    internal = {variable.name for variable in program.variables if variable.internal}
    readers = {function for pair in READERS for function in pair}
    steps = [
        touches(step, checks=False)
        for body in program.bodies
        if is_protocol(body)
        for step in body.steps
        if step.function not in readers
    ]
    if any(touch.name in internal for found in steps for touch in found):
        return True
    return any(name in internal for expr in program.until for name, _ in places_of(expr))
