"""What Hypothesis asks of a database of examples, and what it does with ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

from storage.session import open_database
from workers.example_database import SqlExampleDatabase

KEYS = st.sampled_from([b"", b"\x00", b"key", b"key.secondary", b"\xff" * 300])
VALUES = st.sampled_from([b"", b"\x00", b"\x00\x00", b"value", bytes(range(256))])
CALLS = st.one_of(
    st.tuples(st.just("save"), KEYS, VALUES),
    st.tuples(st.just("delete"), KEYS, VALUES),
    st.tuples(st.just("move"), KEYS, KEYS, VALUES),
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with open_database(tmp_path_factory.mktemp("examples") / "found.db") as database:
        yield database


@given(st.lists(CALLS, max_size=12))
def test_it_behaves_as_the_database_that_hypothesis_keeps_in_memory(opened, calls):
    ours, theirs = SqlExampleDatabase(opened), InMemoryExampleDatabase()
    for name, *arguments in calls:
        getattr(ours, name)(*arguments)
        getattr(theirs, name)(*arguments)
    keys = {call[1] for call in calls} | {call[2] for call in calls if call[0] == "move"}
    for key in sorted(keys):
        found = list(ours.fetch(key))
        assert set(found) == set(theirs.fetch(key)) and len(found) == len(set(found))
        for value in found:
            ours.delete(key, value)
        assert list(ours.fetch(key)) == []


def test_what_one_process_saves_another_fetches(tmp_path):
    path = tmp_path / "found.db"
    with open_database(path) as database:
        SqlExampleDatabase(database).save(b"key", b"value")
    with open_database(path) as database:
        assert list(SqlExampleDatabase(database).fetch(b"key")) == [b"value"]


def test_saving_twice_and_deleting_what_is_not_there_change_nothing(database):
    examples = SqlExampleDatabase(database)
    examples.save(b"key", b"value")
    examples.save(b"key", b"value")
    examples.delete(b"key", b"other")
    examples.delete(b"nothing", b"value")
    assert list(examples.fetch(b"key")) == [b"value"] and list(examples.fetch(b"nothing")) == []


def test_a_value_moves_also_where_it_was_not(database):
    examples = SqlExampleDatabase(database)
    examples.move(b"from", b"to", b"value")
    examples.move(b"to", b"to", b"value")
    assert list(examples.fetch(b"from")) == [] and list(examples.fetch(b"to")) == [b"value"]
