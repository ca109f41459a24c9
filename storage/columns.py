"""Column types whose Python value is exact: instants, counts past 2^63, and JSON as text.

JSON columns hold text, so that every database and every person with `sqlite3` can read them, and
nothing is ever pickled. Values are checked on the way in: a malformed value is our own mistake.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, String, Text
from sqlalchemy.types import TypeDecorator

from model.coverage import Shown
from model.step_pairs import PairKind, StepPair

DIGITS_MAX = 80


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Naive values are refused; what comes back is always in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert value.tzinfo is not None, "an instant needs its time zone"
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # SQLite forgets the zone; what was stored was UTC.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactCount(TypeDecorator[int]):
    """A count that may pass 2^63, as decimal text.

    SQL cannot add, compare or sort it: counts are added in Python, inside a write transaction.
    """

    impl = String(DIGITS_MAX)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else decimal_of(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class JsonText(TypeDecorator[str]):
    """A JSON document, kept to the character as it was given."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is not None:
            assert isinstance(value, str), "a JSON column takes text, already encoded"
            json.loads(value)
        return value

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value


class ExactCounts(TypeDecorator[Mapping[str, int]]):
    """Counts by name, `{"ok": "18446744073709551616"}`; JSON numbers would lose digits."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, int] | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return json.dumps({name: decimal_of(value[name]) for name in sorted(value)})

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, int] | None:
        if value is None:
            return None
        return {name: int(count) for name, count in json.loads(value).items()}


class Labels(TypeDecorator[frozenset[str]]):
    """A set of labels, as a sorted JSON list."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: frozenset[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(sorted(value), ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> frozenset[str] | None:
        return None if value is None else frozenset(json.loads(value))


class Numbers(TypeDecorator[tuple[int, ...]]):
    """A short list of row numbers, as a JSON list."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(list(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[int, ...] | None:
        return None if value is None else tuple(json.loads(value))


class ShownPairs(TypeDecorator[Mapping[StepPair, Shown]]):
    """Pairs of steps, as a sorted JSON list of lists: what the later does to the earlier, body and
    step of the earlier and of the later, executions that have shown it, the first block that did.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(
        self, value: Mapping[StepPair, Shown] | None, dialect: Dialect
    ) -> str | None:
        if value is None:
            return None
        return json.dumps(
            [
                [
                    pair.kind.value,
                    *pair.earlier,
                    *pair.later,
                    decimal_of(value[pair].executions),
                    value[pair].first_block,
                ]
                for pair in sorted(value)
            ]
        )

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> dict[StepPair, Shown] | None:
        if value is None:
            return None
        return {
            StepPair(PairKind(kind), (a, b), (c, d)): Shown(int(executions), first)
            for kind, a, b, c, d, executions, first in json.loads(value)
        }


def decimal_of(count: int) -> str:
    """Write a count as text; counts are whole, never negative, and have at most 80 digits."""
    assert isinstance(count, int) and not isinstance(count, bool), f"{count!r} is no count"
    assert count >= 0, f"a count cannot be {count}"
    text = str(count)
    assert len(text) <= DIGITS_MAX, f"a count has at most {DIGITS_MAX} digits"
    return text
