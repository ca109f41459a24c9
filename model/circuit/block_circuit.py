"""The circuit of one pass of a block: choose a thread in every lane, step it, judge, restart.

Inputs are planes kept from pass to pass and fresh random planes; outputs are the next planes and
what to count. A lane restarts when its execution has ended. Nothing here knows of LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from model.circuit.factor import factor
from model.circuit.layout import Layout, layout_of, targets
from model.circuit.lower import Lowering
from model.circuit.netlist import FALSE, Netlist
from model.circuit.observe import Observation, observe
from model.circuit.pending import pending_lines
from model.circuit.sweep import sweep
from model.program import DEADLOCK_SITE, END, Body, Choose, If, Op, Program, Switch
from model.schedulers.scheduler import Scheduler, Stepped, Turn

CHOICE_DRAWS = 3


@dataclass(frozen=True, slots=True)
class Codes:
    """What the code planes of a hit mean: 0 nothing, 1 + site, then discarded, then step limit."""

    sites: int

    @property
    def discarded(self) -> int:
        """The code of an execution that an assume() discarded."""
        return self.sites + 1

    @property
    def step_limit(self) -> int:
        """The code of an execution that reached the step limit."""
        return self.sites + 2

    @property
    def width(self) -> int:
        """Planes that a code takes."""
        return self.step_limit.bit_length()


@dataclass(slots=True)
class BlockCircuit:
    """Literals of one pass.

    `kept` planes are the state, then the clock, then the enabled threads, then late, then those of
    the scheduler. `record` lists what recovers a schedule: a line for each thread that steps, the
    lines of each draw, and last the lanes whose execution ends in this pass.
    """

    net: Netlist
    layout: Layout
    codes: Codes
    kept: list[int] = field(default_factory=list)
    initial: list[bool] = field(default_factory=list)
    draining: int = FALSE
    random: list[int] = field(default_factory=list)
    record: list[int] = field(default_factory=list)
    next: list[int] = field(default_factory=list)
    code: list[int] = field(default_factory=list)
    ended: int = FALSE
    stepped: int = FALSE
    late: int = FALSE

    def draw_position(self, ordinal: int, options: int) -> int:
        """Where the lines of a draw begin in `record`."""
        position = len(self.layout.program.threads)
        for drawn in draws_needed(self.layout.program):
            if drawn == (ordinal, options):
                return position
            position += drawn[1]
        raise AssertionError((ordinal, options))


def draws_needed(program: Program) -> list[tuple[int, int]]:
    """Every (choices before it in its step, number of options) that some step draws."""
    steps = (step for body in program.bodies for step in body.steps)
    return sorted({draw for step in steps for draw in draws_of(step.ops)})


def draws_of(ops: tuple[Op, ...]) -> list[tuple[int, int]]:
    """The draws that one step needs, on any of its paths."""
    found: set[tuple[int, int]] = set()

    def visit(ops: tuple[Op, ...], before: int) -> None:
        for op in ops:
            if isinstance(op, Choose):
                found.add((before, len(op.options)))
                before += 1
            elif isinstance(op, If):
                visit(op.then, before)
                visit(op.orelse, before)
            elif isinstance(op, Switch):
                for _, arm in op.arms:
                    visit(arm, before)

    visit(ops, 0)
    return sorted(found)


def steps_bound(program: Program) -> int | None:
    """The most steps that any execution can take, or None where some body has a loop."""
    total = 0
    for thread in program.threads:
        body = program.bodies[thread.body]
        longest: dict[int, int | None] = {END: 0}
        # The entry may lead to several steps: instances that begin differently.
        from_entry = [_steps_from(body, first, longest) for first in targets(body.entry)]
        if None in from_entry:
            return None
        total += max(steps for steps in from_entry if steps is not None)
    return total


def _steps_from(body: Body, pc: int, longest: dict[int, int | None]) -> int | None:
    """The most steps from a step of a body to its end; `longest` has what is known."""
    if pc in longest:
        return longest[pc]
    longest[pc] = None
    after = [_steps_from(body, target, longest) for target in targets(body.steps[pc].ops)]
    longest[pc] = None if None in after else 1 + max(n for n in after if n is not None)
    return longest[pc]


def build_block_circuit(program: Program, scheduler: Scheduler) -> BlockCircuit:
    """The circuit of one pass of a program under a scheduler."""
    net, layout = Netlist(), layout_of(program)
    made = BlockCircuit(net, layout, Codes(len(program.sites)))
    bound = steps_bound(program)
    clock_width = (
        0 if bound is not None and bound <= program.steps_max else program.steps_max.bit_length()
    )
    state = [FALSE if k in layout.always_zero else net.input() for k in range(len(layout.planes))]
    clock = [net.input() for _ in range(clock_width)]
    enabled = [net.input() for _ in program.threads]
    late, made.draining = net.input(), net.input()
    remembered = scheduler.initial(program)
    own = [net.input() for _ in remembered]
    made.kept = [*state, *clock, *enabled, late, *own]

    def random_bit() -> int:
        made.random.append(net.input())
        return made.random[-1]

    draws, drawn = _draws(net, program, random_bit)
    choice = scheduler.circuit(
        program, Turn(net, enabled, own, random_bit, lambda: pending_lines(layout, net, state))
    )
    selected = [net.and_(line, drawn) for line in choice.threads]
    stepped = net.any(selected)
    made.record = [*selected, *(line for lines in draws.values() for line in lines)]
    lowering = Lowering(
        layout, net, state, selected, lambda ordinal, options: draws[ordinal, options]
    )
    stepped_pass = lowering.build()
    seen = observe(layout, net, stepped_pass.planes)
    ticked, limit = _tick(net, clock, stepped, program.steps_max)
    hits = judge(
        net, stepped_pass.failures, stepped_pass.discarded, seen, stepped, made.codes, limit
    )
    dead = net.any([*hits.values(), net.and_(stepped, seen.ended)])
    made.record.append(dead)
    made.code = [
        net.and_(net.any(line for code, line in hits.items() if code >> q & 1), late ^ 1)
        for q in range(made.codes.width)
    ]
    made.ended, made.stepped = net.and_(dead, late ^ 1), net.and_(stepped, late ^ 1)
    made.late = net.or_(late, net.and_(dead, made.draining))
    starting = observe(layout, net, [int(layout.initial >> q & 1) for q in range(len(state))])
    reset = [bool(layout.initial >> q & 1) for q in range(len(state))]
    made.initial = [
        *reset,
        *([False] * clock_width),
        *(bool(line) for line in starting.enabled),
        False,
        *(bool(start) for start in remembered),
    ]
    free = _registers_free_at_start(layout)
    planes = [
        plane if free(number) else _restart(net, plane, dead, made.initial[number])
        for number, plane in enumerate(stepped_pass.planes)
    ]
    clocks = [_restart(net, plane, dead, False) for plane in ticked]
    able = [
        _restart(net, line, dead, bool(start))
        for line, start in zip(seen.enabled, starting.enabled, strict=True)
    ]
    own_after = [
        plane if start is None else _restart(net, plane, dead, start)
        for plane, start in zip(
            choice.kept_after(Stepped(selected, stepped_pass.yields)), remembered, strict=True
        )
    ]
    made.next = [*planes, *clocks, *able, made.late, *own_after]
    return _reduced(made)


def _reduced(made: BlockCircuit) -> BlockCircuit:
    """The same circuit in fewer gates."""
    for once_more in (sweep, factor, sweep):
        counts = [made.ended, made.stepped, made.late]
        net, new = once_more(made.net, [*made.record, *made.next, *made.code, *counts])

        def renamed(literals: Sequence[int], new: dict[int, int] = new) -> list[int]:
            return [new[literal & ~1] ^ (literal & 1) for literal in literals]

        ended, stepped, late = renamed(counts)
        (draining,) = renamed([made.draining])
        made = BlockCircuit(
            net, made.layout, made.codes, renamed(made.kept), made.initial, draining,
            renamed(made.random), renamed(made.record), renamed(made.next), renamed(made.code),
            ended, stepped, late,
        )  # fmt: skip
    return made


def _restart(net: Netlist, plane: int, dead: int, initial: bool) -> int:
    return net.or_(plane, dead) if initial else net.and_(plane, dead ^ 1)


def _registers_free_at_start(layout: Layout) -> Callable[[int], bool]:
    """Registers that hold nothing in the initial state need not be reset."""
    kept: set[int] = set()
    for thread, declared in enumerate(layout.program.threads):
        body = layout.bodies[declared.body]
        names = {code: pc for pc, code in body.codes.items()}
        pc = names[layout.entry_codes[thread]]
        for name in layout.program.live[declared.body][pc]:
            start, width = body.registers[name]
            kept |= {layout.position["register", thread, start + q] for q in range(width)}
    return lambda number: layout.planes[number][0] == "register" and number not in kept


def _draws(
    net: Netlist, program: Program, random_bit: Callable[[], int]
) -> tuple[dict[tuple[int, int], list[int]], int]:
    """The lines of every draw, and whether all succeeded: a lane waits for them whoever steps."""
    draws: dict[tuple[int, int], list[int]] = {}
    drawn = 1
    for ordinal, options in draws_needed(program):
        width = (options - 1).bit_length()
        number, accepted = [FALSE] * width, FALSE
        for _ in range(1 if options == 1 << width else CHOICE_DRAWS):
            bits = [random_bit() for _ in range(width)]
            fits = (
                net.any(net.equals(bits, value) for value in range(options))
                if options != 1 << width
                else 1
            )
            number = [net.mux(accepted, old, new) for old, new in zip(number, bits, strict=True)]
            accepted = net.or_(accepted, fits)
        draws[ordinal, options] = [net.equals(number, value) for value in range(options)]
        drawn = net.and_(drawn, accepted)
    return draws, drawn


def _tick(net: Netlist, clock: list[int], stepped: int, steps_max: int) -> tuple[list[int], int]:
    """The clock after this pass, and whether it has reached the limit."""
    carry, ticked = stepped, []
    for bit in clock:
        ticked.append(net.xor(bit, carry))
        carry = net.and_(bit, carry)
    return ticked, net.and_(stepped, net.equals(ticked, steps_max)) if clock else FALSE


def judge(
    net: Netlist,
    failures: dict[int, int],
    discarded: int,
    seen: Observation,
    stepped: int,
    codes: Codes,
    limit: int,
) -> dict[int, int]:
    """For each code, the lanes that end this way in this pass: the first thing wrong counts."""
    hits: dict[int, int] = {1 + site: line for site, line in failures.items()}
    going = net.and_(stepped, net.any([*failures.values(), discarded]) ^ 1)
    hits[codes.discarded] = discarded

    def add(lines: dict[int, int], going: int) -> int:
        for site, line in lines.items():
            hits[1 + site] = net.or_(hits.get(1 + site, FALSE), net.and_(going, line))
        return net.and_(going, net.any(lines.values()) ^ 1)

    going = add(seen.broken, going)
    end = net.and_(going, seen.ended)
    add({site: net.and_(end, line) for site, line in seen.broken_at_end.items()}, going)
    going = net.and_(going, seen.ended ^ 1)
    stuck = net.any(seen.enabled) ^ 1
    going = add({DEADLOCK_SITE: stuck}, going)
    hits[codes.step_limit] = net.and_(going, limit)
    return hits
