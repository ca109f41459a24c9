"""Mutants of a program: each differs in one respect, as if its author had left that out.

They are derived from the IR, all kinds of them in one way: steps of one body are replaced. What RCU
itself consists of is never mutated, nor what only oracles look at. Where a kind has a condition
under which the mutant does the same as the original, `difference` is a program with one oracle site
more, the last, that is violated exactly where a mutated operation would first do something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from model.commuting import swap_watched, watched
from model.expressions import FALSE, TRUE, Binary, Elem, Expr, Local, Var, binary, not_, walk
from model.folding import expressions_of
from model.liveness import live_before
from model.mutant_ops import (
    DIFFERENCE,
    accesses_of,
    assigned,
    is_jump,
    is_protocol,
    mentions,
    replaced,
    replaced_in,
    store_of,
    with_branch,
)
from model.paths import targets
from model.program import (
    BOOL,
    END,
    Assign,
    Body,
    Check,
    Choose,
    Fence,
    Goto,
    If,
    IntType,
    Op,
    Program,
    Site,
    Spawn,
    Step,
)
from model.unneeded import READERS, lock_watched, readers_are_seen
from model.validation import leaves
from model.variants import Locals, Variant, varied

LOCKS = frozenset({"spin_lock", "mutex_lock"})
UNLOCKS = frozenset({"spin_unlock", "mutex_unlock"})


class Kind(StrEnum):
    """What a mutant leaves out. The value is the sentence shown."""

    BRANCH = "check dropped"
    SWAP = "accesses swapped"
    SPLIT = "RMW split"
    LOCK = "lock removed"
    RCU = "RCU read lock removed"
    INC = "inc_not_zero to inc"
    SET = "set instead of RMW"
    WAIT = "wait dropped"
    BARRIER = "barrier removed"


NOT_DERIVED = (
    "splitting what `with atomic():` does at once: the IR does not say where it could be cut",
    "weakening an ordering (acquire, release): as little to be seen as a barrier, and not counted",
    "removing a trylock, and every lock that its body also tries",
    "splitting, setting: an RMW that shares its step with another access",
    "swapping where one needs the other, at a wait or a lock, and from one arm of a branch to both",
    "deciding a branch on what choose() drew: that is the environment, and no check",
)
"""What an author may expect of mutants and does not get."""


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """One mutant: where (`body`, `step`, `line`, `function`), and what, as a variant of `original`.

    `proof` is a variant of `watched`, None where no condition for doing the same is known.
    """

    kind: Kind
    body: str
    step: str
    function: str
    line: int
    change: str
    original: Program
    variant: Variant
    watched: Program
    proof: Variant | None = None

    @property
    def program(self) -> Program:
        """The whole program."""
        return varied(self.original, self.variant)

    @property
    def difference(self) -> Program | None:
        """The program whose last site is violated where the mutant would do something else."""
        return None if self.proof is None else varied(self.watched, self.proof)


Steps = dict[int, Step]
"""Steps by number: those that are replaced, and behind the last those that are new."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Steps of one body to be replaced; `proof` are the same for a `difference`, or all of it."""

    kind: Kind
    step: Step
    change: str
    steps: Steps
    proof: Steps | Variant | None = None
    locals: Locals = ()


def mutants(program: Program) -> tuple[Mutant, ...]:
    """All mutants, in the order of bodies, kinds and steps; those with equal steps are one."""
    found: list[Mutant] = []
    swapped = watched(program)
    for number, body in enumerate(program.bodies):
        if not is_protocol(body):
            continue
        seen: set[tuple[tuple[int, Step], ...]] = set()
        for derive in DERIVATIONS:
            for change in derive(program, body):
                steps = tuple((at, change.steps[at]) for at in sorted(change.steps))
                if change.kind is not Kind.BARRIER and (
                    steps in seen or _is_as_before(body, steps)
                ):
                    continue
                seen.add(steps)
                found.append(
                    Mutant(
                        change.kind,
                        body.name,
                        str(change.step.label),
                        change.step.function,
                        change.step.line,
                        change.change,
                        program,
                        _variant(number, change.steps, change.locals),
                        swapped if change.kind is Kind.SWAP else program,
                        _proof(program, number, change),
                    )
                )
    return tuple(found)


def _proof(program: Program, number: int, change: _Change) -> Variant | None:
    if change.kind is Kind.SWAP:
        return swap_watched(program, number, change.steps, change.locals)
    if isinstance(change.proof, dict):
        return _variant(number, change.proof, change.locals, DIFFERENCE)
    return change.proof


def _is_as_before(body: Body, steps: tuple[tuple[int, Step], ...]) -> bool:
    return all(at < len(body.steps) and body.steps[at] == step for at, step in steps)


def _variant(number: int, steps: Steps, more: Locals, *sites: Site) -> Variant:
    """Steps of one body replaced."""
    made = {(number, at): step for at, step in steps.items()}
    return Variant(made, {number: more} if more else {}, sites=sites)


def _branches(program: Program, body: Body) -> Iterator[_Change]:
    """Every branch of the control flow, decided one way and the other."""
    readers = {function for pair in READERS for function in pair}
    for number, step in enumerate(body.steps):
        if step.function in readers:
            continue
        tests = [op for op in leaves(step.ops) if isinstance(op, If) and is_jump(op)]
        for place, op in enumerate(tests):
            if mentions(op.test, lambda e: _is_ghost(program, e)) or _is_drawn(body, op.test):
                continue
            for holds, word in ((True, "always"), (False, "never")):
                arm = op.then if holds else op.orelse
                same = op.test if holds else not_(op.test)
                check = (Check(len(program.sites), same), *arm)
                yield _Change(
                    Kind.BRANCH,
                    step,
                    f"branch {place + 1} of {len(tests)} is {word} taken",
                    {number: replace(step, ops=with_branch(step.ops, place, arm))},
                    {number: replace(step, ops=with_branch(step.ops, place, check))},
                )


def _is_drawn(body: Body, test: Expr) -> bool:
    """True where nothing but what choose() draws decides."""
    every = [op for step in body.steps for op in leaves(step.ops)]
    drawn = {op.target.name for op in every if isinstance(op, Choose)}
    for op in every:
        if isinstance(op, Assign) and isinstance(op.target, Local):
            drawn.discard(op.target.name)
    names = {part.name for part in walk(test) if isinstance(part, Local)}
    return bool(names) and names <= drawn and not mentions(test, _is_place)


def _is_ghost(program: Program, expr: Expr) -> bool:
    return _is_place(expr) and program.variable[_name(expr)].ghost


def _swaps(program: Program, body: Body) -> Iterator[_Change]:
    """Two steps of which the second follows only the first, and neither needs the other."""
    before: dict[int, list[int]] = {number: [] for number in range(len(body.steps))}
    for at, ops in [(-1, body.entry), *((n, step.ops) for n, step in enumerate(body.steps))]:
        for target in sorted(targets(ops) - {END}):
            before[target].append(at)
    for second, numbers in before.items():
        if len(numbers) != 1 or numbers[0] in (-1, second):
            continue
        first = numbers[0]
        a, b = body.steps[first], body.steps[second]
        if targets(a.ops) != {second} or not _may_move(program, a, b):
            continue
        name = f"swapped:{second}"
        prefix, tail, extra = _cut(b.ops, name)
        *work, last = a.ops
        if not isinstance(last, Goto) or _depend(tuple(work), prefix):
            continue
        if any(_reads_memory(program, op) for op in leaves(tail)):
            continue
        moved = {
            first: replace(b, ops=(*prefix, last)),
            second: replace(a, ops=(*work, *tail)),
        }
        yield _Change(Kind.SWAP, a, f"after `{b.label.text}` (line {b.line})", moved, locals=extra)


def _may_move(program: Program, a: Step, b: Step) -> bool:
    plain = all(
        s.guard is None
        and s.accesses
        and not any(isinstance(op, (Choose, Spawn)) for op in leaves(s.ops))
        for s in (a, b)
    )
    ours = [all(program.variable[x.variable].internal for x in s.accesses) for s in (a, b)]
    return plain and not all(ours)


def _cut(
    ops: tuple[Op, ...], name: str
) -> tuple[tuple[Op, ...], tuple[Op, ...], tuple[tuple[str, IntType], ...]]:
    """What a step does, and where it goes; a test that reads memory is taken with the former."""
    *prefix, last = ops
    if isinstance(last, If) and mentions(last.test, _is_place):
        kept = Assign(Local(name), binary("!=", last.test, FALSE))
        tail: tuple[Op, ...] = (If(Local(name), last.then, last.orelse),)
        return (*prefix, kept), tail, ((name, BOOL),)
    return tuple(prefix), (last,), ()


def _depend(a: tuple[Op, ...], b: tuple[Op, ...]) -> bool:
    """True where one of two sequences assigns a local that the other one reads or assigns."""
    writes = assigned(a), assigned(b)
    reads = [live_before(ops, frozenset(), {}) for ops in (a, b)]
    return bool(writes[0] & (reads[1] | writes[1]) or writes[1] & reads[0])


def _reads_memory(program: Program, op: Op) -> bool:
    """True where an operation that is no oracle's uses shared memory."""
    return not isinstance(op, Check) and any(
        mentions(expr, lambda e: _is_place(e) and not program.variable[_name(e)].ghost)
        for expr in expressions_of(op)
    )


def _rmws(
    program: Program, body: Body, *, named: str = ""
) -> Iterator[tuple[int, Step, Var | Elem]]:
    """The steps with one primitive that reads and writes a variable, and the variable's place."""
    for number, step in enumerate(body.steps):
        rmws = [x for x in accesses_of(step) if x.reads and x.writes and named in x.kind]
        if step.guard is not None or len(rmws) != 1 or len(step.accesses) != 1:
            continue
        access = rmws[0]
        if program.variable[access.variable].lock:
            continue
        place: Var | Elem = (
            Var(access.variable) if access.index is None else Elem(access.variable, access.index)
        )
        if store_of(step.ops, place) is not None:
            yield number, step, place


def _splits(program: Program, body: Body) -> Iterator[_Change]:
    """An RMW as a read of the variable, and a write of what comes of that."""
    for number, step, place in _rmws(program, body):
        found = store_of(step.ops, place)
        assert found is not None and isinstance(place, (Var, Elem))
        begin, end = found
        kind = replace(program.variable[_name(place)].type, wrapping=False)
        old = Local(f"read:{number}")
        new = len(body.steps)
        label = replace(step.label, text=f"{step.label.text}, read")
        if any(other.label == label for other in body.steps):
            continue
        read = replace(step, label=label, ops=(*step.ops[:begin], Assign(old, place), Goto(new)))
        value = replaced_in(step.ops[begin:end], {place: old})
        same = Check(len(program.sites), Binary("==", place, old))
        write = replace(step, ops=(*value, *step.ops[end:]))
        checked = replace(write, ops=(same, *write.ops))
        yield _Change(
            Kind.SPLIT,
            step,
            "a read, then a write",
            {number: read, new: write},
            {number: read, new: checked},
            ((old.name, kind),),
        )


def _name(place: Expr) -> str:
    assert isinstance(place, (Var, Elem))
    return place.name if isinstance(place, Var) else place.array


def _incs(program: Program, body: Body) -> Iterator[_Change]:
    """An increment that does not look whether the count is 0."""
    for number, step, place in _rmws(program, body, named="inc_not_zero"):
        found = store_of(step.ops, place)
        assert found is not None
        begin, end = found
        not_zero, zero = Binary("!=", place, FALSE), Binary("==", place, FALSE)
        ops = replaced_in(step.ops[begin:end], {not_zero: TRUE, zero: FALSE})
        same = Check(len(program.sites), not_zero)
        after = step.ops[end:]
        yield _Change(
            Kind.INC,
            step,
            "increments a count of 0 too",
            {number: replace(step, ops=(*step.ops[:begin], *ops, *after))},
            {number: replace(step, ops=(*step.ops[:begin], same, *step.ops[begin:]))},
        )


def _sets(program: Program, body: Body) -> Iterator[_Change]:
    """A store of what the RMW would make of 0, or 0 for what subtracts; its value is as before."""
    for number, step, place in _rmws(program, body):
        if any("inc_not_zero" in access.kind for access in step.accesses):
            continue
        found = store_of(step.ops, place)
        assert found is not None
        begin, end = found
        inner, store = step.ops[begin : end - 1], step.ops[end - 1]
        checks = tuple(op for op in inner if isinstance(op, Check))
        others = tuple(op for op in inner if not isinstance(op, Check))
        (assign,) = (op for op in leaves((store,)) if isinstance(op, Assign))
        down = isinstance(assign.value, Binary) and assign.value.op == "-"
        value = FALSE if down else replaced(assign.value, {place: FALSE})
        kept = () if down else replaced_in(checks, {place: FALSE})
        test = store.test if isinstance(store, If) else TRUE
        same = Check(len(program.sites), binary("and", test, Binary("==", assign.value, value)))
        before, after = step.ops[:begin], step.ops[end:]
        made = (*before, *kept, *others, Assign(assign.target, value), *after)
        proof = (*before, *others, same, *checks, store, *after)
        yield _Change(
            Kind.SET,
            step,
            "writes 0" if down else "writes what it would make of 0",
            {number: replace(step, ops=made)},
            {number: replace(step, ops=proof)},
        )


def _locks(program: Program, body: Body) -> Iterator[_Change]:
    """A lock that one body does not take; its steps stay, and do nothing."""
    for lock in (variable.name for variable in program.variables if variable.lock):
        touching = {
            number: [access.kind for access in step.accesses if access.variable == lock]
            for number, step in enumerate(body.steps)
            if any(access.variable == lock for access in step.accesses)
        }
        kinds = {kind for found in touching.values() for kind in found}
        if not kinds & LOCKS or kinds - LOCKS - UNLOCKS:
            continue
        steps = {number: _without(body.steps[number], {lock}) for number in touching}
        first = body.steps[min(n for n, found in touching.items() if set(found) & LOCKS)]
        if None not in steps.values():
            made = {number: step for number, step in steps.items() if step is not None}
            change = f"{lock} is not taken in {body.name}"
            yield _Change(Kind.LOCK, first, change, made, lock_watched(program, body, lock))


def _without(step: Step, names: set[str]) -> Step | None:
    """The step without its first operations, which are all on these variables; None otherwise.

    What is removed ends with the last store into one of them.
    """
    stores = [
        at + 1
        for at, op in enumerate(step.ops)
        if any(isinstance(x, Assign) and _is_on(x, names) for x in leaves((op,)))
    ]
    end = max(stores, default=0)
    if not all(_is_on(x, names) for op in step.ops[:end] for x in leaves((op,))):
        return None
    rest = tuple(access for access in step.accesses if access.variable not in names)
    return replace(step, guard=None, ops=step.ops[end:], accesses=rest)


def _is_on(op: Op, names: set[str]) -> bool:
    """True where an operation is about these variables, or checks an index for them."""
    index = isinstance(op, Check) and not mentions(op.test, _is_place)
    return index or any(
        mentions(expr, lambda e: isinstance(e, (Var, Elem)) and _name(e) in names)
        for expr in expressions_of(op)
    )


def _is_place(expr: Expr) -> bool:
    return isinstance(expr, (Var, Elem))


def _readers(program: Program, body: Body) -> Iterator[_Change]:
    """A body that is no RCU reader any more; its steps stay, and do nothing."""
    names = {variable.name for variable in program.variables if variable.internal}
    for lock, unlock in READERS:
        steps = {
            number: _without(step, names)
            for number, step in enumerate(body.steps)
            if step.function in (lock, unlock)
        }
        if steps and None not in steps.values():
            made = {number: step for number, step in steps.items() if step is not None}
            first = body.steps[min(steps)]
            unseen = None if readers_are_seen(program) else Variant(sites=(DIFFERENCE,))
            yield _Change(Kind.RCU, first, f"{body.name} is no reader", made, unseen)


def _waits(program: Program, body: Body) -> Iterator[_Change]:
    """A wait that ends at once: wait_event(), spin_until(), the wait of synchronize_rcu()."""
    for number, step in enumerate(body.steps):
        if step.guard is None or any(access.kind in LOCKS for access in step.accesses):
            continue
        open_ = replace(step, guard=None, may_end=False)
        checked = replace(open_, ops=(Check(len(program.sites), step.guard), *step.ops))
        yield _Change(Kind.WAIT, step, "proceeds at once", {number: open_}, {number: checked})


def _barriers(program: Program, body: Body) -> Iterator[_Change]:
    """A barrier that is not there: sequential consistency cannot tell, so that none is explored."""
    places = [("before", body.steps[0], body.entry)] if body.steps else []
    places += [("after", step, step.ops) for step in body.steps]
    for where, step, ops in places:
        for op in leaves(ops):
            if isinstance(op, Fence):
                yield _Change(Kind.BARRIER, step, f"without the {op.kind}() {where} it", {})


DERIVATIONS: tuple[Callable[[Program, Body], Iterator[_Change]], ...] = (
    _branches,
    _swaps,
    _splits,
    _locks,
    _readers,
    _incs,
    _sets,
    _waits,
    _barriers,
)
