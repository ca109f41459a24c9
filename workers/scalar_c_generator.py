"""The source of the scalar walker: every step of every thread, and what is judged after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from model.expressions import (
    Binary,
    Cond,
    Const,
    Elem,
    Expr,
    Instance,
    Interval,
    Local,
    Not,
    ThreadIndex,
    Var,
    interval,
    is_logical,
    walk,
)  # fmt: skip
from model.folding import Place, expressions_of, fold, fold_ops, may_meet, places_of
from model.interpreter import Machine
from model.program import (
    END,
    UNBORN,
    Assign,
    Assume,
    Check,
    Choose,
    Fence,
    Goto,
    If,
    Op,
    Program,
    Spawn,
)  # fmt: skip
from model.validation import leaves
from workers.scalar_c_driver import HEADER, MAIN

THREADS_MAX = 64


class CannotGenerate(ValueError):
    """The program is beyond what the scalar walker can hold."""


@dataclass(frozen=True, slots=True)
class _Guard:
    """A condition that a thread waits for at `steps`; `number` is its bit among all of them."""

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


class Generator:
    """Writes the source. `threads[t][k]` is (guard, operations) of a step, folded for thread t."""

    def __init__(self, program: Program) -> None:
        if len(program.threads) > THREADS_MAX:
            raise CannotGenerate(f"{len(program.threads)} threads: at most {THREADS_MAX}")
        self.program = program
        self.start = Machine(program)
        self.numbers = [(Const(t), Const(each.instance)) for t, each in enumerate(program.threads)]
        self.threads = [
            [
                (None if s.guard is None else fold(s.guard, *numbers), fold_ops(s.ops, *numbers))
                for s in program.body_of(t).steps
            ]
            for t, numbers in enumerate(self.numbers)
        ]
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
            folded = fold_ops(entry, *self.numbers[t])
            yield from ((t, op) for op in leaves(folded))
        for op in leaves((*self.program.invariants, *self.program.at_end)):
            yield 0, op

    def _every_expr(self) -> Iterator[tuple[int, Expr]]:
        for t, op in self._every_op():
            yield from ((t, expr) for expr in expressions_of(op))
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
                places = frozenset(places_of(test) | spawned)
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
        """The initial state; locals that hold nothing there keep what they have."""
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
        self._put("  chosen_thread = CHOSEN(able, drawn);", "  goto pick;")

    def _dispatch(self) -> None:
        """Go to the next step of the chosen thread, having chosen the one after it.

        The jump is hardly ever predicted: what need not wait for it comes before it. A step that
        can have changed who is enabled goes to `again`: the same draw chooses among those who are.
        """
        self._put("again:", "  chosen_thread = CHOSEN(able, drawn);", "next:")
        self._put("  if (RARELY(++steps == limit)) goto limited;", "pick:")
        self._put("  stepping = chosen_thread;", "  drawn = DRAW();")
        self._put("  chosen_thread = CHOSEN(able, drawn);", "  goto *at[stepping];")

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
        """Operations of thread `t` at step `pc` (None: entry); `writes` gathers what is written."""
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
            writes |= places_of(target, of_index=False)
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
        entry = fold_ops(self.program.body_of(child).entry, *self.numbers[child])
        self._ops(entry, child, None, set())
        writes.add(("spawn", child))

    def _stand(self, t: int, before: int | None, after: int) -> None:
        """Thread `t` goes from step `before` (None: it is born) to `after`; guards come later."""
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
        if unborn != (after == END) and met is None:
            self._put(f"  able ^= {bit:#x}u;")

    def _leave(self, t: int, before: int, after: int, writes: set[Place]) -> None:
        """The end of a step: who is enabled now, then what the interpreter judges, in its order."""
        self._stand(t, before, after)
        met = self.guard_at.get((t, after))
        same = met is None and after != END and not any(name == "spawn" for name, _ in writes)
        if met is not None:
            self._put(
                f"  able = able & ~{1 << t:#x}ull | (uint64_t){self._truth(met.test, t)} << {t};"
            )
        for guard in self.guards:
            if guard.thread != t and may_meet(guard.places, writes):
                same = False
                self._put(
                    f"  able ^= ((able >> {guard.thread} ^ {self._truth(guard.test, guard.thread)})"
                    f" & {guard.word} >> {guard.bit} & 1) << {guard.thread};"
                )
        self._judge_invariants(t, writes)
        if not self._is_live(t, after):
            self._put("  if (!live) goto settled;")
        if met is not None or after == END:
            self._put("  if (RARELY(!able)) goto deadlock;")
        self._put("  goto next;" if same else "  goto again;")

    def _judge_invariants(self, t: int, writes: set[Place]) -> None:
        """Those that the step can have broken; the front end sees that they hold at the start."""
        ops = self.program.invariants
        plain = all(isinstance(op, Check) for op in ops)
        for op in ops:
            if not plain or may_meet({p for e in expressions_of(op) for p in places_of(e)}, writes):
                self._ops((op,), t, 0, set())

    def _endings(self) -> None:
        self._put("settled:")
        until = " & ".join(self._truth(e, 0) for e in self.program.until) or "1"
        self._put(f"  if ((!parked || !able) && {until}) goto quiescent;")
        self._put("  if (!able) goto deadlock;", "  goto again;", "quiescent:")
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
                sign = "&" if op == "and" else "|"
                return f"({self._truth(left, t)} {sign} {self._truth(right, t)})"
            case Binary(op, left, right):
                return f"({self._text(left, t)} {op} {self._text(right, t)})"

    def _element(self, name: str, index: Expr, t: int) -> str:
        """A read; outside the array it gives 0, as in the interpreter."""
        text, length = self._text(index, t), len(self.program.variable[name].init)
        low, high = interval(index, self._leaf(t))
        read = f"(NUM){self._place(name)}[{text}]"
        return (
            f"({read})"
            if low >= 0 and high < length
            else f"(WITHIN({text}, {length}) ? {read} : 0)"
        )


def _constant(value: int) -> str:
    text = str(abs(value)) if abs(value) < 1 << 31 else f"(NUM){abs(value)}ull"
    return f"(-{text})" if value < 0 else text


def _variable(target: Var | Elem) -> str:
    return target.name if isinstance(target, Var) else target.array
