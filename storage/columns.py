"""Column types whose Python value is exact on every database: instants, counts past 2^63, JSON.

Nothing is ever pickled. A document that must stay as it was to the character (an IR, a schedule) is
text everywhere; one that is only looked into is JSONB where the database has it. Values are checked
on the way in: a malformed value is our own mistake. What belongs to PostgreSQL is imported when a
connection to it is made: it takes longer than opening an SQLite file.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Dialect,
    Numeric,
    SQLColumnExpression,
    String,
    Text,
    func,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

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
    """A count that may pass 2^63: NUMERIC on PostgreSQL, decimal text on SQLite.

    `exact_add` and `exact_sum` add it in SQL on both. SQLite cannot compare or sort it.
    """

    impl = String(DIGITS_MAX)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        numeric = dialect.name == "postgresql"
        return dialect.type_descriptor(Numeric(DIGITS_MAX, 0) if numeric else String(DIGITS_MAX))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | Decimal | None:
        if value is None:
            return None
        text = decimal_of(value)
        return Decimal(text) if dialect.name == "postgresql" else text

    def process_result_value(self, value: str | Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class _ExactAdd(FunctionElement[int]):
    name = "exact_add"
    type = ExactCount()
    inherit_cache = True


@compiles(_ExactAdd)
def _call_exact_add(element: _ExactAdd, compiler: SQLCompiler, **options: Any) -> str:
    return f"exact_add({compiler.process(element.clauses, **options)})"


@compiles(_ExactAdd, "postgresql")
def _add_numerics(element: _ExactAdd, compiler: SQLCompiler, **options: Any) -> str:
    return "(" + " + ".join(compiler.process(each, **options) for each in element.clauses) + ")"


def exact_add(one: ColumnElement[int], other: ColumnElement[int] | int) -> ColumnElement[int]:
    """The sum of two counts, computed by the database, exact whatever their size."""
    return _ExactAdd(one, type_coerce(other, ExactCount()))


def exact_sum(counts: SQLColumnExpression[int]) -> ColumnElement[int]:
    """The sum of a column of counts over all rows of a group, exact; 0 where there are none."""
    return func.coalesce(_ExactSum(counts), type_coerce(0, ExactCount()), type_=ExactCount())


class _ExactSum(FunctionElement[int]):
    name = "exact_sum"
    type = ExactCount()
    inherit_cache = True


@compiles(_ExactSum)
def _call_exact_sum(element: _ExactSum, compiler: SQLCompiler, **options: Any) -> str:
    return f"exact_sum({compiler.process(element.clauses, **options)})"


@compiles(_ExactSum, "postgresql")
def _sum_numerics(element: _ExactSum, compiler: SQLCompiler, **options: Any) -> str:
    return f"sum({compiler.process(element.clauses, **options)})"


class SumOfTexts:
    """`exact_sum` as an aggregate of SQLite, which has no numbers past 2^63."""

    def __init__(self) -> None:
        self._sum = 0

    def step(self, text: str | None) -> None:
        self._sum += int(text or 0)

    def finalize(self) -> str:
        return decimal_of(self._sum)


def sum_of_two(one: str, other: str) -> str:
    """`exact_add` as a function of SQLite."""
    return decimal_of(int(one) + int(other))


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


class JsonDocument(TypeDecorator[object]):
    """A JSON document as a Python value; its spaces and the order of its names are not kept."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB

            return dialect.type_descriptor(JSONB())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: object, dialect: Dialect) -> object:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
        return json.loads(text) if dialect.name == "postgresql" else text

    def process_result_value(self, value: Any, dialect: Dialect) -> object:
        return value if dialect.name == "postgresql" or value is None else json.loads(value)


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
