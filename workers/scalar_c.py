"""A program as a scalar random walker in C: the opponent that the circuit is measured against.

It executes the IR one step at a time as fast as scalar code can: every (thread, step) has code of its
own with the thread's numbers folded in, all state is in local variables, the next step is a jump
through the address that the chosen thread left behind, and the mask of enabled threads, the invariants
and the end are looked at again only where a step can have changed them. `generate` is pure; running
needs gcc. The semantics are the interpreter's, so rates can be compared with the circuit's.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.expressions import (
    CONSTANT_RIGHT, LOGICAL, Binary, Cond, Const, Elem, Expr, Instance, Interval, Local, Not,
    ThreadIndex, Var, binary, cond, interval, is_logical, not_, walk,
)  # fmt: skip
from model.interpreter import Machine
from model.program import (
    END, UNBORN, Assign, Assume, Check, Choose, Fence, Goto, If, Op, Program, Spawn,
)  # fmt: skip
from model.validation import leaves
from workers.scalar_c_driver import HEADER, MAIN

THREADS_MAX = 64
COMPILER = ("gcc", "-O3", "-march=native", "-fwrapv", "-fno-gcse", "-w")

Place = tuple[str, int | None]
"""A variable and an element of it; None is any element."""


class CannotGenerate(ValueError):
    """The program is beyond what the scalar walker can hold."""


@dataclass(frozen=True, slots=True)
class ScalarRun:
    """Counts of one measurement, as `BlockResult` has them; `seconds` are of processor time."""

    steps: int
    schedules: int
    discarded: int
    step_limits: int
    seconds: float
    site_hits: tuple[int, ...]


Walk = Callable[..., ScalarRun]


def generate(program: Program) -> str:
    """C source of a walker of the program. Raises CannotGenerate beyond 64 threads or 128-bit values."""
    if len(program.threads) > THREADS_MAX:
        raise CannotGenerate(f"{len(program.threads)} threads: at most {THREADS_MAX}")
    return _Generator(program).source()


def compile_and_run(
    source: str, *, seconds: float = 0.0, steps: int = 0, seed: int = 1
) -> ScalarRun:
    """Compile a generated source, and walk for so many seconds or at least so many steps.

    The last execution is always finished. Raises FileNotFoundError without gcc.
    """
    with compiled(source) as walk_:
        return walk_(seconds=seconds, steps=steps, seed=seed)


@contextmanager
def compiled(source: str) -> Iterator[Walk]:
    """A function of (seconds, steps, seed) that runs the source, compiled in a temporary directory."""
    if shutil.which(COMPILER[0]) is None:
        raise FileNotFoundError(f"{COMPILER[0]} is not installed: the scalar walker needs it")
    with tempfile.TemporaryDirectory(prefix="gracefuzz-") as folder:
        text, binary_file = Path(folder, "walker.c"), Path(folder, "walker")
        text.write_text(source, encoding="utf-8")
        subprocess.run([*COMPILER, str(text), "-o", str(binary_file)], check=True)

        def run(*, seconds: float = 0.0, steps: int = 0, seed: int = 1) -> ScalarRun:
            assert seconds > 0 or steps > 0
            arguments = [str(binary_file), str(seed), str(steps), str(seconds)]
            said = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
            counts = said.split()
            walked, schedules, discarded, limits = map(int, counts[:4])
            hits = tuple(map(int, counts[5:]))
            return ScalarRun(walked, schedules, discarded, limits, float(counts[4]), hits)

        yield run


@dataclass(frozen=True, slots=True)
class _Guard:
    """A condition that a thread waits for at `steps`; `number` is its bit among all such conditions."""

    thread: int
    number: int
    test: Expr
    steps: frozenset[int]
    places: frozenset[Place]

    @property
    def word(self) -> str:
        """The C variable that says who waits for it."""
        return f"waits{self.number // 64}"

    @property
    def bit(self) -> int:
        """The bit in that variable."""
        return self.number % 64


class _Generator:
    """Writes the source. `threads[t][k]` is (guard, operations) of a step with t's numbers folded in."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.start = Machine(program)
        self.threads = [
            [
                (s.guard and _fold(s.guard, t, declared.instance), _fold_ops(s.ops, t, declared.instance))
                for s in program.bodies[declared.body].steps
            ]
            for t, declared in enumerate(program.threads)
        ]  # fmt: skip
        self.local_numbers = [
            {name: i for i, (name, _) in enumerate(program.bodies[declared.body].locals)}
            for declared in program.threads
        ]
        self.kinds = [dict(program.body_of(t).locals) for t in range(len(program.threads))]
        self.variable_numbers = {v.name: i for i, v in enumerate(program.variables)}
        self.flat = self._flat_arrays()
        self.guards = list(self._guards())
        self.guard_at = {(g.thread, k): g for g in self.guards for k in g.steps}
        self.waits = range((len(self.guards) + 63) // 64)
        self.lines: list[str] = []

    def source(self) -> str:
        """The whole file."""
        assert self.start.enabled(), "the front end refuses a program that cannot take a step"
        threads = len(self.program.threads)
        self._declare()
        self._restart()
        self._dispatch()
        for t, steps in enumerate(self.threads):
            for k, (_, ops) in enumerate(steps):
                self._put(f"t{t}_{k}: // {self.program.step_at(t, k).label}".replace("\\", "/"))
                self._ops(ops, t, k, set())
        self._endings()
        values = {"NUM": self._number_type(), "SITES": len(self.program.sites), "THREADS": threads}
        defines = "\n".join(f"#define {name} {value}" for name, value in values.items())
        draws = math.lcm(*range(1, threads + 1)) if threads <= 6 else 0
        head = f"{defines}\n#define DRAWS {draws}\n#define STEPS_MAX {self.program.steps_max}"
        return "\n".join([head, HEADER, *self.lines, "}", MAIN])

    def _put(self, *lines: str) -> None:
        self.lines.extend(lines)

    # -- state -------------------------------------------------------------------------------------

    def _every_op(self) -> Iterator[tuple[int, Op]]:
        for t, steps in enumerate(self.threads):
            for _, ops in steps:
                yield from ((t, op) for op in leaves(ops))
            entry = self.program.body_of(t).entry
            folded = _fold_ops(entry, t, self.program.threads[t].instance)
            yield from ((t, op) for op in leaves(folded))
        for op in leaves((*self.program.invariants, *self.program.at_end)):
            yield 0, op

    def _every_expr(self) -> Iterator[tuple[int, Expr]]:
        for t, op in self._every_op():
            yield from ((t, expr) for expr in _exprs(op))
        for t, steps in enumerate(self.threads):
            yield from ((t, guard) for guard, _ in steps if guard is not None)
        yield from ((0, expr) for expr in self.program.until)

    def _flat_arrays(self) -> frozenset[str]:
        """Arrays whose every index is a constant: a C variable an element."""
        indexed = {
            e.array
            for _, expr in self._every_expr()
            for e in walk(expr)
            if isinstance(e, Elem) and not isinstance(e.index, Const)
        }
        return frozenset(v.name for v in self.program.variables if v.length) - indexed

    def _guards(self) -> Iterator[_Guard]:
        number = 0
        for t, steps in enumerate(self.threads):
            at: dict[Expr, list[int]] = {}
            for k, (guard, _) in enumerate(steps):
                if guard is not None:
                    at.setdefault(guard, []).append(k)
            for test, waiting in at.items():
                spawned: set[Place] = {("spawn", t)}
                places = frozenset(_places(test) | spawned)
                yield _Guard(t, number, test, frozenset(waiting), places)
                number += 1

    def _leaf(self, thread: int) -> Callable[[Expr], Interval]:
        def bounds(expr: Expr) -> Interval:
            match expr:
                case Local(name):
                    return (0, self.kinds[thread][name].maximum)
                case Var(name) | Elem(name, _):
                    return (0, self.program.variable[name].type.maximum)
                case _:
                    return (0, len(self.program.threads))

        return bounds

    def _number_type(self) -> str:
        """The smallest type that holds every value on the way exactly."""
        bits = 0
        for thread, expr in self._every_expr():
            for part in walk(expr):
                low, high = interval(part, self._leaf(thread))
                bits = max(bits, high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)
        for width, name in ((31, "int32_t"), (63, "int64_t"), (127, "__int128")):
            if bits <= width:
                return name
        raise CannotGenerate(f"values of {bits} bits: at most 127")

    def _place(self, name: str, index: int | None = None) -> str:
        """The C name of a variable, or of an element that has one of its own."""
        number = self.variable_numbers[name]
        return f"v{number}" if index is None else f"v{number}_{index}"

    def _declare(self) -> None:
        for v in self.program.variables:
            if v.length is None:
                self._put(f"  NUM {self._place(v.name)}; // {v.name}")
            elif v.name in self.flat:
                names = ", ".join(self._place(v.name, i) for i in range(v.length))
                self._put(f"  NUM {names}; // {v.name}")
            else:
                size = next(s for s in (8, 16, 32, 64) if v.type.width <= s)
                self._put(f"  uint{size}_t {self._place(v.name)}[{v.length}]; // {v.name}")
        for t, numbers in enumerate(self.local_numbers):
            for name, i in numbers.items():
                self._put(f"  NUM l{t}_{i} = 0; // {name} of {self.program.threads[t].name}")
        self._put(*(f"  uint64_t waits{w};" for w in self.waits))

    def _restart(self) -> None:
        """Everything as it is in the initial state; locals that hold nothing there keep what they have."""
        self._put("restart:", "  limit = steps + STEPS_MAX;")
        for v in self.program.variables:
            for i, value in enumerate(v.init):
                place = self._place(v.name, i if v.name in self.flat else None)
                element = f"[{i}]" if v.length is not None and v.name not in self.flat else ""
                self._put(f"  {place}{element} = {_constant(value)};")
        standing = [0] * len(self.waits)
        live = parked = unborn = 0
        for t, pc in enumerate(self.start.pcs):
            live |= self._is_live(t, pc) << t
            parked |= self._is_parked(t, pc) << t
            unborn |= (pc == UNBORN) << t
            if pc >= 0:
                self._put(f"  at[{t}] = &&t{t}_{pc};")
            if (t, pc) in self.guard_at:
                standing[self.guard_at[t, pc].number // 64] |= 1 << self.guard_at[t, pc].bit
            for name, value in self.start.locals[t].items():
                self._put(f"  l{t}_{self.local_numbers[t][name]} = {_constant(value)};")
        able = sum(1 << t for t in self.start.enabled())
        self._put(f"  able = {able:#x}u; live = {live:#x}u; parked = {parked:#x}u;")
        self._put(f"  unborn = {unborn:#x}u;")
        self._put(*(f"  waits{w} = {bits:#x}u;" for w, bits in enumerate(standing)))
        self._put("  goto pick;")

    def _dispatch(self) -> None:
        """Choose an enabled thread and go to its next step."""
        self._put("next:", "  if (RARELY(++steps == limit)) goto limited;", "pick:")
        self._put("  goto *at[CHOOSE_THREAD(able)];")

    def _is_live(self, thread: int, pc: int) -> bool:
        """It keeps the execution from ending."""
        if pc in (END, UNBORN) or self.program.threads[thread].daemon:
            return False
        return not self.program.step_at(thread, pc).may_end

    def _is_parked(self, thread: int, pc: int) -> bool:
        """It may wait here for ever."""
        if pc in (END, UNBORN) or self.program.threads[thread].daemon:
            return False
        return self.program.step_at(thread, pc).may_end

    # -- one step ----------------------------------------------------------------------------------

    def _ops(self, ops: tuple[Op, ...], t: int, pc: int | None, writes: set[Place]) -> None:
        """Operations of thread `t` at step `pc` (None: of an entry); `writes` gathers what they write."""
        for op in ops:
            match op:
                case Assign(target, value):
                    self._assign(target, value, t, writes)
                case If(test, then, orelse):
                    arms = set(writes), set(writes)
                    self._put(f"  if ({self._truth(test, t)}) {{")
                    self._ops(then, t, pc, arms[0])
                    self._put("  } else {")
                    self._ops(orelse, t, pc, arms[1])
                    self._put("  }")
                    writes |= arms[0] | arms[1]
                case Check(site, test):
                    self._put(f"  if (RARELY(!{self._truth(test, t)})) goto site{site};")
                case Assume(test):
                    self._put(f"  if (!{self._truth(test, t)}) goto discarded;")
                case Choose(target, options):
                    self._choose(f"l{t}_{self.local_numbers[t][target.name]}", options)
                case Spawn(child, site):
                    self._spawn(child, site, writes)
                case Goto(target, _):
                    if pc is None:
                        self._stand(t, None, target)
                    else:
                        self._leave(t, pc, target, writes)
                case Fence():
                    pass

    def _assign(self, target: Local | Var | Elem, value: Expr, t: int, writes: set[Place]) -> None:
        kind = (
            self.kinds[t][target.name]
            if isinstance(target, Local)
            else self.program.variable[_variable(target)].type
        )
        text = self._text(value, t)
        high = interval(value, self._leaf(t))
        if kind.wrapping and not (high[0] >= 0 and high[1] <= kind.maximum):
            text = f"({text} & {_constant((1 << kind.width) - 1)})"
        if not isinstance(target, Local):
            writes |= _places(target, of_index=False)
        match target:
            case Elem(name, Const(index)) if not 0 <= index < len(self.program.variable[name].init):
                self._put("  __builtin_unreachable();")
            case Elem(name, index) if name not in self.flat:
                self._put(f"  {self._place(name)}[{self._text(index, t)}] = {text};")
            case _:
                self._put(f"  {self._text(target, t)} = {text};")

    def _choose(self, target: str, options: tuple[int, ...]) -> None:
        first, draw = options[0], f"BELOW({len(options)})"
        if options == tuple(range(first, first + len(options))):
            self._put(f"  {target} = {first} + (NUM){draw};")
        else:
            values = ", ".join(map(_constant, options))
            self._put(f"  {{ static const NUM of[] = {{{values}}}; {target} = of[{draw}]; }}")

    def _spawn(self, child: int, site: int, writes: set[Place]) -> None:
        self._put(f"  if (RARELY(!(unborn >> {child} & 1))) goto site{site};")
        self._put(f"  unborn ^= {1 << child:#x}u;")
        entry = _fold_ops(
            self.program.body_of(child).entry, child, self.program.threads[child].instance
        )
        self._ops(entry, child, None, set())
        writes.add(("spawn", child))

    def _stand(self, t: int, before: int | None, after: int) -> None:
        """Thread `t` moves from step `before` (None: it is born) to `after`; guards are not looked at here."""
        bit, unborn = 1 << t, before is None
        old = UNBORN if before is None else before
        if after != old and after != END:
            self._put(f"  at[{t}] = &&t{t}_{after};")
        if self._is_live(t, old) != self._is_live(t, after):
            self._put(f"  live ^= {bit:#x}u;")
        if self._is_parked(t, old) != self._is_parked(t, after):
            self._put(f"  parked ^= {bit:#x}u;")
        left, met = self.guard_at.get((t, old)), self.guard_at.get((t, after))
        for guard in (left, met):
            if guard is not None and left != met:
                self._put(f"  {guard.word} ^= {1 << guard.bit:#x}ull;")
        if after == END or (unborn and met is None):
            self._put(f"  able ^= {bit:#x}u;" if after == END or unborn else "")

    def _leave(self, t: int, before: int, after: int, writes: set[Place]) -> None:
        """The end of a step: the mask of enabled threads, then what the interpreter judges, in its order."""
        self._stand(t, before, after)
        met = self.guard_at.get((t, after))
        if met is not None:
            self._put(
                f"  able = able & ~{1 << t:#x}ull | (uint64_t){self._truth(met.test, t)} << {t};"
            )
        for guard in self.guards:
            if guard.thread != t and _meet(guard.places, writes):
                self._put(
                    f"  able ^= ((able >> {guard.thread} ^ {self._truth(guard.test, guard.thread)})"
                    f" & {guard.word} >> {guard.bit} & 1) << {guard.thread};"
                )
        self._judge_invariants(t, writes)
        if not self._is_live(t, after):
            self._put("  if (!live) goto settled;")
        if met is not None or after == END:
            self._put("  if (RARELY(!able)) goto deadlock;")
        self._put("  goto next;")

    def _judge_invariants(self, t: int, writes: set[Place]) -> None:
        """Those that the step can have broken: they held before it, and the front end sees to the start."""
        ops = self.program.invariants
        plain = all(isinstance(op, Check) for op in ops)
        for op in ops:
            if not plain or _meet({p for e in _exprs(op) for p in _places(e)}, writes):
                self._ops((op,), t, 0, set())

    def _endings(self) -> None:
        self._put("settled:")
        until = " & ".join(self._truth(e, 0) for e in self.program.until) or "1"
        self._put(f"  if ((!parked || !able) && {until}) goto quiescent;")
        self._put("  if (!able) goto deadlock;", "  goto next;", "quiescent:")
        self._ops(self.program.at_end, 0, 0, set())
        self._put("  goto ended;", "deadlock:")
        for site in range(len(self.program.sites)):
            self._put(f"site{site}: counts->hits[{site}]++; goto ended;")

    # -- expressions -------------------------------------------------------------------------------

    def _truth(self, expr: Expr, t: int) -> str:
        text = self._text(expr, t)
        return text if is_logical(expr) else f"({text} != 0)"

    def _text(self, expr: Expr, t: int) -> str:
        """An expression of thread `t` in C, without branches."""
        match expr:
            case Const(value):
                return _constant(value)
            case Local(name):
                return f"l{t}_{self.local_numbers[t][name]}"
            case Var(name):
                return self._place(name)
            case Elem(name, Const(index)) if not 0 <= index < len(self.program.variable[name].init):
                return "0"
            case Elem(name, Const(index)) if name in self.flat:
                return self._place(name, index)
            case Elem(name, index):
                return self._element(name, index, t)
            case Instance():
                return str(self.program.threads[t].instance)
            case ThreadIndex():
                return str(t)
            case Not(operand):
                return f"(!{self._text(operand, t)})"
            case Cond(test, then, orelse):
                arms = f"{self._text(then, t)} : {self._text(orelse, t)}"
                return f"({self._truth(test, t)} ? {arms})"
            case Binary(("and" | "or") as op, left, right):
                return f"({self._truth(left, t)} {'&' if op == 'and' else '|'} {self._truth(right, t)})"
            case Binary(op, left, right):
                return f"({self._text(left, t)} {op} {self._text(right, t)})"

    def _element(self, name: str, index: Expr, t: int) -> str:
        """A read; outside the array it gives 0, as in the interpreter."""
        text, length = self._text(index, t), len(self.program.variable[name].init)
        low, high = interval(index, self._leaf(t))
        read = f"(NUM){self._place(name)}[{text}]"
        return f"({read})" if low >= 0 and high < length else f"(WITHIN({text}, {length}) ? {read} : 0)"


def _constant(value: int) -> str:
    text = str(abs(value)) if abs(value) < 1 << 31 else f"(NUM){abs(value)}ull"
    return f"(-{text})" if value < 0 else text


def _variable(target: Var | Elem) -> str:
    return target.name if isinstance(target, Var) else target.array


def _fold(expr: Expr, thread: int, instance: int) -> Expr:
    """The expression for one thread: its numbers are constants."""
    match expr:
        case Instance():
            return Const(instance)
        case ThreadIndex():
            return Const(thread)
        case Elem(name, index):
            return Elem(name, _fold(index, thread, instance))
        case Not(operand):
            return not_(_fold(operand, thread, instance))
        case Binary(op, left, right):
            return binary(op, _fold(left, thread, instance), _fold(right, thread, instance))
        case Cond(test, then, orelse):
            return cond(*(_fold(part, thread, instance) for part in (test, then, orelse)))
        case _:
            return expr


def _fold_ops(ops: tuple[Op, ...], thread: int, instance: int) -> tuple[Op, ...]:
    folded: list[Op] = []
    for op in ops:
        match op:
            case Assign(Elem(name, index), value):
                target = Elem(name, _fold(index, thread, instance))
                folded.append(Assign(target, _fold(value, thread, instance)))
            case Assign(place, value):
                folded.append(Assign(place, _fold(value, thread, instance)))
            case Check(site, test):
                folded.append(Check(site, _fold(test, thread, instance)))
            case Assume(test):
                folded.append(Assume(_fold(test, thread, instance)))
            case If(test, then, orelse):
                known = _fold(test, thread, instance)
                arms = _fold_ops(then, thread, instance), _fold_ops(orelse, thread, instance)
                if isinstance(known, Const):
                    folded.extend(arms[0] if known.value else arms[1])
                else:
                    folded.append(If(known, *arms))
            case _:
                folded.append(op)
    return tuple(folded)


def _exprs(op: Op) -> tuple[Expr, ...]:
    """The expressions of one operation, without those of the branches of an If."""
    match op:
        case Assign(target, value):
            return (target, value)
        case Check(_, test) | Assume(test) | If(test, _, _):
            return (test,)
        case _:
            return ()


def _places(expr: Expr, *, of_index: bool = True) -> set[Place]:
    """The shared places of an expression; without those of its index, of a target only."""
    found: set[Place] = set()
    for part in walk(expr) if of_index else (expr,):
        match part:
            case Var(name):
                found.add((name, 0))
            case Elem(name, Const(index)):
                found.add((name, index))
            case Elem(name, _):
                found.add((name, None))
            case _:
                pass
    return found


def _meet(read: set[Place] | frozenset[Place], written: set[Place]) -> bool:
    """True where something written may be something read."""
    return any(
        name == other and (index is None or at is None or index == at)
        for name, index in read
        for other, at in written
    )
