"""Values come back from the database as they went in."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import sqlite

from storage.columns import ExactCount, ExactCounts, JsonText, Labels, Numbers, UtcDateTime

DIALECT = sqlite.dialect()


def there_and_back(column, value):
    return column.process_result_value(column.process_bind_param(value, DIALECT), DIALECT)


@pytest.mark.parametrize("count", [0, 1, 2**63 - 1, 2**63, 2**64, 10**79])
def test_counts_are_exact_whatever_their_size(count):
    assert there_and_back(ExactCount(), count) == count
    assert there_and_back(ExactCounts(), {"ok": count}) == {"ok": count}


@pytest.mark.parametrize("no_count", [-1, 1.0, True, 10**80])
def test_what_is_no_count_is_refused(no_count):
    with pytest.raises(AssertionError):
        ExactCount().process_bind_param(no_count, DIALECT)


def test_counts_in_json_are_strings():
    assert ExactCounts().process_bind_param({"ok": 2**64}, DIALECT) == (
        '{"ok": "18446744073709551616"}'
    )


def test_an_instant_keeps_its_microseconds_and_comes_back_in_utc():
    tokyo = datetime(2011, 8, 19, 16, 48, 59, 123456, tzinfo=timezone(timedelta(hours=9)))
    back = there_and_back(UtcDateTime(), tokyo)
    assert back == tokyo and back.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(AssertionError):
        UtcDateTime().process_bind_param(datetime(2011, 8, 19), DIALECT)


def test_json_is_kept_to_the_character():
    assert there_and_back(JsonText(), '{ "b":1,"a" : 2 }') == '{ "b":1,"a" : 2 }'
    with pytest.raises(ValueError):
        JsonText().process_bind_param("{", DIALECT)


def test_sets_and_lists_come_back_as_they_were():
    labels = frozenset({"page = READ_ONCE(slot)", "µ"})
    assert there_and_back(Labels(), labels) == labels
    assert there_and_back(Numbers(), (3, 1)) == (3, 1)


@pytest.mark.parametrize("column", [ExactCount, ExactCounts, JsonText, Labels, Numbers])
def test_nothing_stays_nothing(column):
    assert there_and_back(column(), None) is None
