"""A program is compiled once, in the background or not, and an error reaches whoever waits."""

import pytest

from model.schedulers.pct import Pct
from model.schedulers.uniform_walk import UniformWalk
from tests.lost_update import lost_update
from workers import ahead
from workers.ahead import engine_ahead


@pytest.fixture(autouse=True)
def afresh():
    engine_ahead.cache_clear()
    yield
    engine_ahead.cache_clear()


def test_whoever_asks_for_an_equal_program_gets_the_same_engine():
    first, second = lost_update.compile(), lost_update.compile()
    assert first is not second
    walk = UniformWalk()
    asked = engine_ahead(first, walk)
    assert asked.result() is engine_ahead(second, UniformWalk()).result()
    assert engine_ahead(lost_update.compile(writers=3), walk) is not asked
    assert engine_ahead(first, Pct()) is not asked


def test_an_error_of_the_background_is_raised_where_the_engine_is_needed(monkeypatch):
    def fails(program, scheduler):
        raise MemoryError("no room for code")

    monkeypatch.setattr(ahead, "Engine", fails)
    asked = engine_ahead(lost_update.compile(), UniformWalk())
    with pytest.raises(MemoryError, match="no room for code"):
        asked.result()
