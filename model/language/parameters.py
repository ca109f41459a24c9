"""Parameters of a program: numbers, patches, switches and options, folded in by the compiler."""

from __future__ import annotations

from dataclasses import dataclass

from model.language.errors import ParameterError


@dataclass(frozen=True, slots=True)
class Param:
    """A number from `low` to `high`."""

    low: int
    high: int
    default: int

    def __init__(self, low: int, high: int, *, default: int) -> None:
        for name, value in (("low", low), ("high", high), ("default", default)):
            if not isinstance(value, int):
                raise ParameterError(f"Param: {name}={value!r} is not a whole number")
            object.__setattr__(self, name, value)
        self.accept(default)

    def accept(self, given: int | str) -> int:
        """The value of a given number or text. Raises ParameterError."""
        try:
            value = int(given)
        except (TypeError, ValueError):
            raise ParameterError(
                f"{given!r} is not a number: give {self.low} to {self.high}"
            ) from None
        if not self.low <= value <= self.high:
            raise ParameterError(f"{value} is out of bounds: give {self.low} to {self.high}")
        return value

    @property
    def values(self) -> str:
        """What may be given."""
        return f"{self.low} to {self.high}"

    @property
    def every(self) -> tuple[int, ...]:
        """All values, the smallest first."""
        return tuple(range(self.low, self.high + 1))


@dataclass(frozen=True, slots=True)
class Patch:
    """Patch `number` of the series: applied or not."""

    number: int
    default: bool = False

    def accept(self, given: int | str) -> bool:
        """The truth value of a given text. Raises ParameterError."""
        known = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}
        if str(given).lower() not in known:
            raise ParameterError(f"{given!r} is neither on nor off")
        return known[str(given).lower()]

    @property
    def values(self) -> str:
        """What may be given."""
        return f"on or off (patch {self.number})" if self.number else "on or off"

    @property
    def every(self) -> tuple[bool, ...]:
        """Off and on."""
        return (False, True)


class Switch(Patch):
    """Something that is on or off and no patch of a series."""

    def __init__(self, *, default: bool) -> None:
        super().__init__(0, default)


@dataclass(frozen=True, slots=True)
class Option:
    """One of several named designs; the first is the default."""

    names: tuple[str, ...]

    def __init__(self, *options: str) -> None:
        if not options or not all(isinstance(option, str) for option in options):
            raise ParameterError("Option: name the designs, the default first")
        object.__setattr__(self, "names", options)

    @property
    def default(self) -> str:
        """The first one."""
        return self.names[0]

    def accept(self, given: int | str) -> str:
        """The given name. Raises ParameterError where it is none of the options."""
        if given not in self.names:
            raise ParameterError(f"{given!r} is not known: give {self.values}")
        return str(given)

    @property
    def values(self) -> str:
        """What may be given."""
        return " or ".join(self.names)

    @property
    def every(self) -> tuple[str, ...]:
        """All names, in the order of their declaration."""
        return self.names


class Operation(Option):
    """What a thread does at one point of its sequence: a workload, not a design to be judged.

    The first is the default, and may be named again among the others.
    """

    def __init__(self, *operations: str) -> None:
        super().__init__(*dict.fromkeys(operations))


Parameter = Param | Patch | Option
