"""The report's cells are what is known exactly, and say where they gave up."""

import statistics

from model.circuit.block import Engine
from tests.programs.benchmark.report import cell, first_violation, portfolio_cell, print_report
from tests.programs.benchmark.table import BENCHMARKS

BENCHMARK = {benchmark.name: benchmark for benchmark in BENCHMARKS}


def test_the_first_violation_comes_as_late_as_its_probability_says():
    """Of account, 7.34 executions on average, give or take four deviations of a mean of 200."""
    engine = Engine(BENCHMARK["account"].program)
    needed = [
        first_violation(engine, seed=seed, schedules_max=10**6, seconds_max=10).schedules
        for seed in range(200)
    ]
    assert abs(statistics.mean(needed) - 7.34) < 1.9


def test_a_cell_that_gives_up_says_so(capsys):
    bounds = {"seeds": 3, "schedules_max": 1000, "seconds_max": 10}
    print_report([cell(BENCHMARK["reorder_20"], "uniform_walk", **bounds)], markdown=True)
    shown = capsys.readouterr().out
    assert "| reorder_20 | uniform_walk | >" in shown and "| 0 of 3 |" in shown


def test_the_published_figures_stand_beside(capsys):
    bounds = {"seeds": 3, "schedules_max": 1000, "seconds_max": 10}
    print_report([cell(BENCHMARK["twostage"], "uniform_walk", **bounds)], markdown=True)
    assert "| twostage | 8 | 13 | 15 | 464 | 8 | 15 | 9 |" in capsys.readouterr().out


def test_the_portfolio_needs_what_its_first_scheduler_needs_and_the_time_to_compile_it(capsys):
    found = portfolio_cell(BENCHMARK["account"], seeds=3, seconds_max=60)
    assert all(attempt.found and attempt.schedules < 1000 for attempt in found.attempts)
    assert min(attempt.seconds for attempt in found.attempts) > found.compile_seconds > 0
    print_report([found], markdown=True)
    assert "| account | portfolio | " in capsys.readouterr().out


def test_the_portfolio_goes_on_to_other_schedulers():
    found = portfolio_cell(BENCHMARK["account"], seeds=1, seconds_max=0)
    assert [(a.schedules, a.found) for a in found.attempts] == [(0, False)]
    safe_stack = portfolio_cell(BENCHMARK["safe_stack"], seeds=1, seconds_max=60)
    (attempt,) = safe_stack.attempts
    assert attempt.found and attempt.schedules > 1000
