"""Schedulers are written by name, and a wrong name or option is answered with the right ones."""

import pytest

from model.schedulers.named import SCHEDULERS, name_of, scheduler_named
from model.schedulers.pct import Demotes, Pct
from model.schedulers.profile import EXECUTIONS, EXECUTIONS_MIN, profile
from model.schedulers.scheduler import SchedulerError
from tests.lost_update import lost_update
from tests.programs.benchmark.table import BENCHMARKS


def test_a_scheduler_is_written_with_all_its_options():
    assert name_of(scheduler_named("pct")) == "pct:d=3,k=0,demotes=after"
    assert scheduler_named("pct:demotes=before,d=2") == Pct(2, 0, Demotes.BEFORE)
    assert name_of(scheduler_named("uniform_walk")) == "uniform_walk"


@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_is_estimated_is_settled_once(name):
    program = lost_update.compile()
    settled = scheduler_named(name).prepared(program)
    assert scheduler_named(name_of(settled)) == settled == settled.prepared(program)


def test_the_length_is_that_of_the_longest_walk_where_threads_compete():
    program = lost_update.compile()
    assert Pct().prepared(program).k == max(profile(program).contested)
    assert Pct(k=3).prepared(program).k == 3


def test_the_length_counts_what_a_thread_does_when_it_does_not_come_too_late():
    """In every walk of the queue the consumer finds it empty, and ends."""
    (queue,) = (each for each in BENCHMARKS if each.name == "queue")
    known = profile(queue.program)
    assert max(known.contested[:EXECUTIONS]) == 5
    assert Pct().prepared(queue.program).k == max(known.contested) == 12


def test_a_large_program_is_executed_a_few_times_only():
    (reorder,) = (each for each in BENCHMARKS if each.name == "reorder_100")
    assert len(profile(lost_update.compile()).contested) == 2 * EXECUTIONS
    assert 2 * EXECUTIONS_MIN <= len(profile(reorder.program).contested) < 2 * EXECUTIONS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "no scheduler is called 'fast'\n    there are uniform_walk, pct, pos"),
        ("pct:e=3", "pct has no option 'e'\n    it has d, k, demotes"),
        ("pct:d=x", "'x' is no value for the option d of pct\n    give a whole number"),
        ("pct:demotes=now", "'now' is no value .*\n    give after or before"),
        ("pct:d=0", "the depth d is at least 1"),
        ("pos:bits=40", "a priority has 1 to 32 bits"),
        ("preemption_bounded:c=-1", "c is at least 0"),
        ("uniform_walk:d=3", "uniform_walk has no option 'd'\n    it has none"),
    ],
)
def test_a_wrong_name_or_option_is_answered_with_the_right_ones(text, said):
    with pytest.raises(SchedulerError, match=said):
        scheduler_named(text)
