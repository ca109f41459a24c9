"""Configurations drawn by Hypothesis: a list that a seed determines, and the smallest of a kind.

Drawing and shrinking are two calls of the same search. The first says of every configuration that
it is not what is looked for, and keeps what it was shown: so it is known what comes next, and
workers can be at several configurations at once. The second draws the same ones again, until it
meets the first that is looked for, and shrinks it.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase

from model.scenario_space import Configuration, ScenarioSpace

CONFIGURATIONS_PER_ROUND = 50


class _Found(Exception):
    """What Hypothesis takes for a failing test."""


@st.composite
def configurations(draw: st.DrawFn, space: ScenarioSpace) -> Configuration:
    """Swarm testing: a coin for each feature, and a value for each that is on.

    Each configuration has exactly one sequence of choices, and fewer features on make it shorter.
    """
    on = {}
    for feature in space.features:
        if draw(st.booleans()):
            on[feature.name] = draw(st.sampled_from(feature.others))
    return space.configuration(on)


def drawn(space: ScenarioSpace, *, root_seed: int, round_number: int) -> list[Configuration]:
    """The configurations of a round, at most 50, each once; the first has every feature off.

    The same arguments and the same version of Hypothesis give the same list.
    """
    shown: dict[Configuration, None] = {}

    def keep(configuration: Configuration) -> bool:
        shown[configuration] = None
        return False

    _search(space, keep, number=_seed(root_seed, round_number), phases=[Phase.generate])
    return list(shown)


def smallest(
    space: ScenarioSpace,
    is_wanted: Callable[[Configuration], bool],
    *,
    root_seed: int,
    round_number: int,
    examples: ExampleDatabase,
    key: bytes,
) -> Configuration | None:
    """The smallest wanted configuration that shrinking reaches; None where none is met.

    It begins with the examples kept under `key`; where none of them is wanted any more, with the
    first wanted configuration of the round. What it reaches is kept under `key` in turn.
    """
    phases = [Phase.reuse, Phase.generate, Phase.shrink]
    number = _seed(root_seed, round_number)
    return _search(space, is_wanted, number=number, phases=phases, examples=examples, key=key)


def replayed(
    space: ScenarioSpace,
    is_wanted: Callable[[Configuration], bool],
    *,
    examples: ExampleDatabase,
    key: bytes,
) -> Configuration | None:
    """As `smallest`, from the examples kept under `key` only; those not wanted are deleted."""
    phases = [Phase.reuse, Phase.shrink]
    return _search(space, is_wanted, number=0, phases=phases, examples=examples, key=key)


def _search(
    space: ScenarioSpace,
    is_wanted: Callable[[Configuration], bool],
    *,
    number: int,
    phases: list[Phase],
    examples: ExampleDatabase | None = None,
    key: bytes | None = None,
) -> Configuration | None:
    last: list[Configuration] = []

    def examine(configuration: Configuration) -> None:
        if is_wanted(configuration):
            last[:] = [configuration]
            raise _Found

    # `seed` switches the database off, so it comes first. The key is set as `hypothesis.find` sets
    # it, which takes a key and a seed, but then no database.
    search: Any = seed(number)(given(configurations(space))(examine))
    search = settings(
        database=examples,
        phases=phases,
        max_examples=CONFIGURATIONS_PER_ROUND,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )(search)
    search._hypothesis_internal_database_key = key
    try:
        search()
    except _Found:
        return last[0]
    return None


def _seed(root_seed: int, round_number: int) -> int:
    return Random(f"{root_seed} {round_number}").getrandbits(64)
