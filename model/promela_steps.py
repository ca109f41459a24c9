"""The steps of a process in Promela: labels, and an `if` over the ways through each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from model.expressions import TRUE, Const, Elem, Expr, Local, Var, binary, interval, walk
from model.folding import Place, fold, fold_ops, may_meet, places_of
from model.liveness import Live
from model.paths import Path, paths, targets, without_dead_stores
from model.program import (
    END,
    Assign,
    Assume,
    Body,
    Check,
    If,
    IntType,
    Op,
    Program,
    Spawn,
    Step,
    Thread,
)
from model.promela_text import CannotExport, Expressions, Names, bare, comment
from model.validation import leaves

PATHS_MAX = 1024
"""Ways through a step."""
TERMS_MAX = 1000
"""Terms of the condition under which one of them is taken."""


@dataclass(frozen=True)
class Model:
    """What steps need to know of the rest of the model: names, and which threads are counted.

    `sites` and `always` are the names of the oracle sites and of the invariants, `first` the step
    before which each thread stands where it starts, `words` the names of what no program has.
    """

    program: Program
    variables: dict[str, str]
    sites: tuple[str, ...]
    always: tuple[str, ...]
    first: tuple[int, ...]
    words: dict[str, str]

    def born(self, child: int) -> int:
        """The number of a child among the children."""
        return sum(thread.child for thread in self.program.threads[:child])

    def counter(self, thread: Thread, pc: int) -> str | None:
        """The name of the counter that counts a thread before this step, if any does."""
        if thread.daemon or pc < 0:
            return None
        parks = self.program.bodies[thread.body].steps[pc].may_end
        return self.words["parked" if parks else "busy"]


class StepWriter:
    """Writes the steps of threads that share the body of `thread`.

    `numbers` are the position and the instance number of the one that executes; `names` gives out
    labels. `scratch` gathers the locals in use that never live from one step to the next.
    """

    def __init__(
        self,
        model: Model,
        write: Expressions,
        thread: Thread,
        numbers: tuple[Expr, Expr],
        names: Names,
    ) -> None:
        self.model, self.write, self.thread, self.numbers = model, write, thread, numbers
        self.names, self.labels = names, dict[int, str]()
        self.program = model.program
        self.body: Body = self.program.bodies[thread.body]
        self.live: dict[int, Live] = self.program.live[thread.body]
        self.lasting: Live = frozenset().union(*self.live.values())
        self.scratch: set[str] = set()

    def lines(self, first: int) -> Iterator[str]:
        """Every step that is reached from `first`, which comes first."""
        waiting, seen = [first], {first, END}
        while waiting:
            number = waiting.pop(0)
            if number == END:
                break
            ops = fold_ops(self.body.steps[number].ops, *self.numbers)
            yield from self._step(number, self.body.steps[number], ops)
            fresh = sorted(targets(ops) - seen)
            waiting += fresh
            seen.update(fresh)
        yield f"{self._label(END)}:"
        yield "\tfalse"

    def _label(self, pc: int) -> str:
        if pc not in self.labels:
            self.labels[pc] = self.names.give("stopped" if pc == END else f"s{pc}")
        return self.labels[pc]

    def _step(self, number: int, step: Step, ops: tuple[Op, ...]) -> Iterator[str]:
        guard = TRUE if step.guard is None else fold(step.guard, *self.numbers)
        where = "" if step.function == self.body.name else f" of {step.function}()"
        yield f"{self._label(number)}:\t/* line {step.line}{where}: {comment(step.label.text)} */"
        yield "\tif"
        for way, path in enumerate(paths(ops, self._type_of)):
            condition = binary("and", guard, path.when)
            terms = sum(1 for _ in islice(walk(condition), TERMS_MAX + 1))
            if way == PATHS_MAX or terms > TERMS_MAX:
                raise CannotExport(
                    f"{step.label}: over {PATHS_MAX} choices and branches, or {TERMS_MAX} terms "
                    "in one of them\n    let it do less at once"
                )
            yield f"\t:: d_step {{ {bare(self.write.text(condition, checked=False))} ->"
            yield from (f"\t\t{line}" for line in self._path(path, number))
            yield f"\t   }}; goto {self._label(path.target)}"
        yield "\tfi;"

    def _path(self, path: Path, source: int) -> list[str]:
        """What happens on one way through a step; a violation goes to the end of it."""
        live, out = self.live[path.target], self.names.give(f"out{source}")
        ops = without_dead_stores(path.ops, live)
        assigned = {target.name for target in _targets(ops) if isinstance(target, Local)}
        self.scratch |= assigned - self.lasting
        dead = (self.live[source] | assigned & self.lasting) - live
        lines = self._ops(ops, out)
        lines += [f"{self.write.names[name]} = 0;" for name in sorted(dead)]
        lines += self._counted(source, path.target)
        written = set[Place]().union(*(places_of(t, of_index=False) for t in _targets(ops)))
        lines += self._judged(written, out)
        is_left = any(f"goto {out};" in line for line in lines)
        return [*lines, f"{out}: skip"] if is_left else lines or ["skip"]

    def _ops(self, ops: tuple[Op, ...], out: str) -> list[str]:
        return [line for op in ops for line in self._op(op, out)]

    def _op(self, op: Op, out: str) -> list[str]:
        match op:
            case Assign(target, value):
                return [f"{self.write.place(target)} = {self._stored(target, value)};"]
            case Check(site, test):
                return [self._unless(self.write.text(test), self.model.sites[site], out)]
            case Assume(test):
                discarded = self.model.words["discarded"]
                return [self._unless(self.write.text(test), discarded, out)]
            case Spawn(child, site):
                return self._spawn(child, self.model.sites[site], out)
            case If(test, then, orelse):
                arms = [
                    [f"\t{line}" for line in self._ops(arm, out)] or ["\tskip;"]
                    for arm in (then, orelse)
                ]
                head = f":: {bare(self.write.text(test))} ->"
                return ["if", head, *arms[0], ":: else ->", *arms[1], "fi;"]
            case _:
                return []

    def _unless(self, test: str, outcome: str, out: str) -> str:
        """The execution ends with `outcome` unless `test` holds."""
        ends = f"{self.model.words['outcome']} = {outcome}; goto {out};"
        return f"if :: {bare(test)} :: else -> {ends} fi;"

    def _spawn(self, child: int, site: str, out: str) -> list[str]:
        born = f"{self.model.words['born']}[{self.model.born(child)}]"
        counter = self.model.counter(self.program.threads[child], self.model.first[child])
        counted = [f"{counter}++;"] if counter is not None else []
        return [self._unless(f"!({born})", site, out), f"{born} = true;", *counted]

    def _stored(self, target: Local | Var | Elem, value: Expr) -> str:
        kind = self._type_of(target)
        low, high = interval(value, self.write.bounds)
        if kind.wrapping and (low < 0 or high > kind.maximum):
            value = binary("&", value, Const((1 << kind.width) - 1))
        return bare(self.write.text(value))

    def _type_of(self, target: Local | Var | Elem) -> IntType:
        match target:
            case Local(name):
                return self.write.kinds[name]
            case Var(name) | Elem(name, _):
                return self.program.variable[name].type

    def _counted(self, source: int, target: int) -> list[str]:
        before, after = (self.model.counter(self.thread, pc) for pc in (source, target))
        if before == after:
            return []
        return [f"{name}{sign};" for name, sign in ((before, "--"), (after, "++")) if name]

    def _judged(self, written: set[Place], out: str) -> list[str]:
        """The invariants that the step can have broken."""
        lines = []
        for name, op in zip(self.model.always, self.program.invariants, strict=True):
            assert isinstance(op, Check)
            if may_meet(places_of(op.test), written):
                lines.append(self._unless(name, self.model.sites[op.site], out))
        return lines


def _targets(ops: tuple[Op, ...]) -> list[Local | Var | Elem]:
    return [op.target for op in leaves(ops) if isinstance(op, Assign)]
