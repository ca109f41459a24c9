"""A scenario space: a program some of whose parameters are open, and the configurations in it.

An open parameter is a feature in the sense of swarm testing (Groce, Zhang, Eide, Chen and Regehr,
"Swarm testing", ISSTA 2012): a configuration switches some features on, and those that are off keep
their default, so that they cannot drown what the others would show. Which ones, is drawn elsewhere.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.language.declare import ProgramSource
from model.language.errors import ParameterError
from model.language.parameters import Param, Parameter
from model.program import show_parameter

EVERY_PARAMETER = "all"
# More is no feature, and Hypothesis draws larger numbers from what modules happen to be loaded.
FEATURE_VALUES_MAX = 100
# Of a small space, most draws give what was drawn before.
DRAWS_PER_CONFIGURATION = 64
_RANGE = re.compile(r"(\d+)\.\.(\d+)")

Value = int | str
# Every parameter's value, in the order of their declaration.
Configuration = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """An open parameter: `default` where it is off, one of `others` where it is on."""

    name: str
    default: Value
    others: tuple[Value, ...]

    def __post_init__(self) -> None:
        assert 0 < len(self.others) < FEATURE_VALUES_MAX and self.default not in self.others

    @property
    def values(self) -> str:
        """What it may be, the default first: `2,1,3`."""
        return ",".join(map(show_parameter, (self.default, *self.others)))


@dataclass(frozen=True, slots=True)
class ScenarioSpace:
    """The configurations of a program; `base` is the one with every feature off."""

    source: ProgramSource
    base: Configuration
    features: tuple[Feature, ...]

    @property
    def size(self) -> int:
        """How many configurations there are."""
        return math.prod(1 + len(feature.others) for feature in self.features)

    @property
    def fixed(self) -> Configuration:
        """The parameters that are the same in every configuration."""
        open_names = {feature.name for feature in self.features}
        return tuple((name, value) for name, value in self.base if name not in open_names)

    @property
    def name(self) -> str:
        """What tells this space from others of any program: the same text, the same space."""
        features = [f"{feature.name}={feature.values}" for feature in self.features]
        fixed = [f"{name}={show_parameter(value)}" for name, value in self.fixed]
        return " ".join([self.source.name, *features, *(["with", *fixed] if fixed else [])])

    def configuration(self, on: Mapping[str, Value]) -> Configuration:
        """The one that has these features on, with these values."""
        assert all(on[f.name] in f.others for f in self.features if f.name in on)
        return tuple((name, on.get(name, value)) for name, value in self.base)

    def on(self, configuration: Configuration) -> Configuration:
        """The features that are on in a configuration."""
        values = dict(configuration)
        return tuple((f.name, values[f.name]) for f in self.features if values[f.name] != f.default)

    def size_of(self, configuration: Configuration) -> tuple[int, ...]:
        """What makes a configuration small: few features on, then early values of the first ones.

        Two configurations of a space never have the same size.
        """
        values = dict(configuration)
        ranks = [(f.default, *f.others).index(values[f.name]) for f in self.features]
        return (sum(rank > 0 for rank in ranks), *ranks)


def scenario_space(
    source: ProgramSource, given: Mapping[str, Value], opened: Sequence[str]
) -> ScenarioSpace:
    """The space in which `given` parameters are fixed and `opened` ones are not.

    What is opened is written `lookups` (every value that is declared), `lookups=2..4`,
    `put=raw,late`, or `all` (every parameter that is not given). A feature that may not have the
    default of its declaration has the first of its values instead. Raises ParameterError.
    """
    assert opened
    base = source.values(given)
    wanted: dict[str, tuple[Value, ...]] = {}
    for text in opened:
        name, equals, subset = text.partition("=")
        if text == EVERY_PARAMETER:
            names = [each for each in source.parameters if each not in given]
        else:
            names = [name]
        for each in names:
            if each not in source.parameters:
                known = ", ".join(source.parameters) or "none"
                raise ParameterError(f"{source.name} has no parameter {each!r}: it has {known}")
            if each in given:
                raise ParameterError(f"{each!r} is given and opened: leave out one of the two")
            if each in wanted and text != EVERY_PARAMETER:
                raise ParameterError(f"the parameter {each!r} is opened twice")
            if each not in wanted:
                wanted[each] = _values(each, source.parameters[each], subset if equals else None)
    features = []
    for name, values in wanted.items():
        base[name] = base[name] if base[name] in values else values[0]
        others = tuple(value for value in values if value != base[name])
        if len(values) > FEATURE_VALUES_MAX:
            raise ParameterError(
                f"{name} has {len(values)} values, and at most {FEATURE_VALUES_MAX} can be open: "
                f"name some, as in {name}={values[0]}..{values[FEATURE_VALUES_MAX - 1]}"
            )
        if others:
            features.append(Feature(name, base[name], others))
    if not features:
        raise ParameterError(f"nothing is open: no parameter of {source.name} can vary")
    order = list(source.parameters)
    features.sort(key=lambda feature: order.index(feature.name))
    return ScenarioSpace(source, tuple(base.items()), tuple(features))


def swarm(space: ScenarioSpace, *, root_seed: int, count: int) -> list[Configuration]:
    """At most `count` configurations, each once; the first has every feature off.

    As in swarm testing: a coin for each feature, and a value for each that is on. The draws are
    digests of the space's name, the seed and their number, so the same arguments give the same
    list, and a longer one begins with a shorter one.
    """
    assert count > 0
    found = {space.configuration({}): None}
    for number in range(DRAWS_PER_CONFIGURATION * count):
        if len(found) >= min(count, space.size):
            break
        on = {}
        for feature in space.features:
            named = f"{space.name} {root_seed} {number} {feature.name}".encode()
            drawn = int.from_bytes(hashlib.sha256(named).digest())
            if drawn % 2:
                on[feature.name] = feature.others[drawn // 2 % len(feature.others)]
        found.setdefault(space.configuration(on))
    return list(found)


def _values(name: str, parameter: Parameter, subset: str | None) -> tuple[Value, ...]:
    """What an opened parameter may be, each value once."""
    if subset is None:
        return parameter.every
    given: list[Value] = []
    try:
        for part in map(str.strip, subset.split(",")):
            bounds = _RANGE.fullmatch(part)
            if bounds and isinstance(parameter, Param):
                low, high = parameter.accept(bounds[1]), parameter.accept(bounds[2])
                if low > high:
                    raise ParameterError(f"{part!r} is empty: give {high}..{low}")
                given += range(low, high + 1)
            else:
                given.append(parameter.accept(part))
    except ParameterError as error:
        raise ParameterError(f"{name}: {error}") from None
    return tuple(dict.fromkeys(given))
