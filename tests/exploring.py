"""A brute-force search of every reachable state, on the interpreter alone.

It shares nothing with the product's explorer but the interpreter: what both say is worth comparing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from model.interpreter import Machine
from model.program import Outcome, Program
from model.signature import Signature, signature_at

Ending = tuple[Outcome, str | None]
Values = dict[str, tuple[int, ...]]


@dataclass(slots=True)
class Exploration:
    """What was reached: `endings` are outcomes with the sentence of their oracle site."""

    states: int = 0
    steps: int = 0
    endings: set[Ending] = field(default_factory=set)
    signatures: set[Signature] = field(default_factory=set)
    last_values: list[Values] = field(default_factory=list)

    @property
    def outcomes(self) -> set[Outcome]:
        return {outcome for outcome, _ in self.endings}

    @property
    def sentences(self) -> set[str]:
        return {sentence for _, sentence in self.endings if sentence is not None}

    def last(self, *names: str) -> set[tuple[int, ...]]:
        """The values of scalars in the states in which an execution ended well."""
        return {tuple(values[name][0] for name in names) for values in self.last_values}


def explore(
    program: Program,
    *,
    states_max: int = 300_000,
    watch: Callable[[Machine, int, Machine], None] | None = None,
) -> Exploration:
    """Every step from every reachable state; the step limit is left out of account.

    `watch` sees each step: the machine before it, the thread, the machine after it.
    """
    found = Exploration()
    first = Machine(program).key()
    seen, waiting = {first}, [first]
    while waiting:
        key = waiting.pop()
        for thread in _at(program, key).enabled():
            for after in _steps(program, key, thread):
                found.steps += 1
                if watch is not None:
                    watch(_at(program, key), thread, after)
                if after.outcome not in (None, Outcome.STEP_LIMIT):
                    _note_ending(found, after)
                    if after.site is not None:
                        pc = _at(program, key).pcs[thread]
                        found.signatures.add(signature_at(program, after.site, thread, pc))
                elif after.key() not in seen:
                    seen.add(after.key())
                    waiting.append(after.key())
                    assert len(seen) <= states_max, "the program is too large to be enumerated"
    found.states = len(seen)
    return found


def values_of(machine: Machine) -> Values:
    return {name: tuple(values) for name, values in machine.shared.items()}


def _at(program: Program, key: tuple[object, ...]) -> Machine:
    machine = Machine(program)
    machine.restore(key, 0)
    return machine


def _note_ending(found: Exploration, machine: Machine) -> None:
    assert machine.outcome is not None
    sentence = None if machine.site is None else machine.program.sites[machine.site].sentence
    found.endings.add((machine.outcome, sentence))
    if machine.outcome is Outcome.OK:
        found.last_values.append(values_of(machine))


def _steps(program: Program, key: tuple[object, ...], thread: int) -> Iterator[Machine]:
    """The step of a thread with every sequence of choices that it offers."""
    scripts: list[tuple[int, ...]] = [()]
    while scripts:
        script = scripts.pop()
        made: list[int] = []

        def choose(
            options: tuple[int, ...],
            script: tuple[int, ...] = script,
            made: list[int] = made,
        ) -> int:
            if len(made) < len(script):
                value = script[len(made)]
            else:
                value = options[0]
                scripts.extend((*made, other) for other in dict.fromkeys(options[1:]))
            made.append(value)
            return value

        machine = _at(program, key)
        machine.step(thread, choose)
        yield machine
