"""`@fuzzed()` above `@program()`: a program becomes a test that pytest collects.

It stands in `workers`, because a test executes blocks and minimizes what they find, as a worker
does, and needs no database. The decorated program stays a program: `gracefuzz fuzz FILE.py` takes
it too. What a test does is in `workers.checking`, which is imported when the first one starts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from model.language import ProgramSource

SCHEDULES_DEFAULT = 1_000_000
STATES_DEFAULT = 1_000_000


class Expect(StrEnum):
    """What makes a test pass."""

    CLEAN = "clean"
    PROOF = "proof"
    VIOLATION = "violation"


@dataclass(frozen=True, slots=True)
class Check:
    """One test of a program. `states` and `schedules` are budgets; None for `seconds` is no bound.

    With a bound in seconds, how far a test comes depends on the machine.
    """

    parameters: Mapping[str, int | str]
    expect: Expect
    states: int
    schedules: int
    seconds: float | None
    seed: int


@dataclass(frozen=True, eq=False)
class FuzzedSource(ProgramSource):
    """A program with the tests that were asked for, from the outermost decorator inwards."""

    checks: tuple[Check, ...] = field(default=())


def fuzzed(
    *,
    params: Mapping[str, int | str] | None = None,
    expect: str = "clean",
    states: int = STATES_DEFAULT,
    schedules: int = SCHEDULES_DEFAULT,
    seconds: float | None = None,
    seed: int = 1,
) -> Callable[[ProgramSource], FuzzedSource]:
    """Make a test of a program; applied again, it makes another, with other parameters.

    The program is explored first. Where it has more than about `states` states (0: do not explore),
    that many schedules (0: none) are executed from `seed` on, to whole blocks, for at most
    `seconds`. A test passes where it `expect`s "clean" and no violation is found, "proof" and every
    state was seen besides, or "violation" and one is found.

    Raises ValueError where no test can be made of what is given.
    """
    wanted = Expect(expect)
    if states < 0 or schedules < 0 or states + schedules == 0:
        raise ValueError(f"states={states}, schedules={schedules}: give a budget for at least one")
    if wanted is Expect.PROOF and states == 0:
        raise ValueError("only exploring proves: give a number of states")
    if seconds is not None and seconds <= 0:
        raise ValueError(f"seconds={seconds!r}: a test takes more than no time")
    check = Check(dict(params or {}), wanted, states, schedules, seconds, seed)

    def apply(source: ProgramSource) -> FuzzedSource:
        if not isinstance(source, ProgramSource):
            raise ValueError("@fuzzed() is given no program: write it above @program()")
        earlier = source.checks if isinstance(source, FuzzedSource) else ()
        return FuzzedSource(
            source.name, source.function, source.steps_max, source.parameters, (check, *earlier)
        )

    return apply
