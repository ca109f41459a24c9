"""Programs from a few bodies, for tests that look at one rule of the language at a time."""

import linecache
from collections.abc import Callable
from itertools import count

from model.interpreter import Machine
from model.language import ProgramSource, names, uint
from model.program import Body, Program, Step

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


def memory(p) -> None:
    """What the bodies of these tests refer to."""
    for name in ("x", "y", "z"):
        p.shared(name, uint(3))
    p.shared("wrapping", uint(3, wrapping=True))
    p.shared("page", pages, init=NONE)
    p.array("a", 4, uint(3))
    p.array("count", pages, uint(3))
    p.ghost("g", uint(3))
    p.spinlock("lock")
    p.mutex("mutex")


def source_of(*bodies: Callable, declare: Callable = memory, steps_max: int = 200, **options):
    """A program of these threads; `options` go to each p.thread()."""

    def around(p):
        declare(p)
        for body in bodies:
            p.thread(**options)(body)

    return ProgramSource(bodies[0].__name__, around, steps_max, {})


def program_of(*bodies: Callable, **options) -> Program:
    return source_of(*bodies, **options).compile()


def body_named(program: Program, name: str) -> Body:
    return next(body for body in program.bodies if body.name == name)


def steps_of(body: Callable, **options) -> tuple[Step, ...]:
    return body_named(program_of(body, **options), body.__name__).steps


def texts_of(body: Callable, **options) -> list[str]:
    """The source texts of a body's steps, in order."""
    return [step.label.text for step in steps_of(body, **options)]


def executed(
    program: Program, *picks: int, choices: tuple[int, ...] = (), **shared: int
) -> Machine:
    """The machine after these picks, from given values of scalars."""
    machine, rest = Machine(program), list(choices)
    for name, value in shared.items():
        machine.shared[name] = [value]
    for pick in picks:
        machine.step(pick, lambda options: rest.pop(0))
    return machine


def alone(program: Program, **shared: int) -> Machine:
    """The machine after thread 0 has executed until the end, from given values of scalars."""
    machine = Machine(program)
    for name, value in shared.items():
        machine.shared[name] = [value]
    while machine.outcome is None:
        machine.step(0, lambda options: options[0])
    return machine


_numbers = count()


def function_from(text: str, **environment: object) -> Callable:
    """The function `body` of a source text that is in no file."""
    file = f"<written by a test {next(_numbers)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), environment)
    body = environment["body"]
    assert callable(body)
    return body
