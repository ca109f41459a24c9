"""Types an author declares: unsigned integers of a width, truth values, and named values."""

from __future__ import annotations

from collections.abc import Iterator

from model.language.source import misdeclared
from model.program import BOOL, IntType

WIDTH_MAX = 64


class Value(int):
    """A named value: an integer that knows the type it belongs to."""

    type: IntType

    def __new__(cls, number: int, kind: IntType) -> Value:
        value = super().__new__(cls, number)
        value.type = kind
        return value

    def __reduce__(self) -> tuple[object, ...]:
        return Value, (int(self), self.type)


class Names:
    """Values with names, such as the pages of a model; `null`, where given, is none of them.

    Iterating gives the values in order, null last, so that `HEAD, TAIL, NONE = names("HEAD",
    "TAIL", null="NONE")` names them; `len` counts them without null, so that an array over them
    has no null element.
    """

    def __init__(self, *named: str, null: str | None = None) -> None:
        every = (*named, null) if null is not None else named
        texts = all(isinstance(name, str) and name for name in every)
        if not named or not texts or len(set(every)) != len(every):
            raise misdeclared(
                "names() needs different names, at least one", 'write names("HEAD", "TAIL")'
            )
        self.type = IntType(max(1, (len(every) - 1).bit_length()), False, every, null is not None)
        self._length = len(named)

    def __iter__(self) -> Iterator[Value]:
        return (Value(number, self.type) for number in range(len(self.type.names)))

    def __len__(self) -> int:
        return self._length


def names(*named: str, null: str | None = None) -> Names:
    """Named values; `null` adds one that is no valid index."""
    return Names(*named, null=null)


def uint(width: int, *, wrapping: bool = False) -> IntType:
    """An unsigned integer of `width` bits; leaving its range is a violation unless `wrapping`."""
    if not isinstance(width, int) or not 1 <= width <= WIDTH_MAX:
        raise misdeclared(
            f"uint({width!r}): a width is 1 to {WIDTH_MAX} bits", "write uint(3) for 0 to 7"
        )
    return IntType(int(width), wrapping)


boolean = BOOL
