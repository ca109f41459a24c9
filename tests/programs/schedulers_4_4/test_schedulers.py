"""Schedulers fail small programs as often as they must, and as often as was published."""

from fractions import Fraction
from math import sqrt

import pytest

from model.circuit.block import Engine
from model.program import Program
from model.schedulers.pct import Demotes, Pct
from model.schedulers.pos import Pos
from model.schedulers.preemption_bounded import PreemptionBounded
from model.schedulers.profile import profile
from model.schedulers.scheduler import Scheduler
from model.schedulers.urw import Urw
from model.trace import preemptions
from tests.programs.schedulers_4_4 import small_programs as small
from tests.programs.schedulers_4_4.priorities import pct_probability
from tests.programs.schedulers_4_4.sampling import expect_probability, failures
from tests.programs.schedulers_4_4.table import ROWS
from tests.programs.schedulers_4_4.weights import urw_probability

# The length k and the share of 20,000 executions that failed under PCT3.
PUBLISHED_PCT = (
    (small.lazy01, {}, 13, 0.53815),
    (small.account, {}, 16, 0.20515),
    (small.bluetooth_driver, {}, 16, 0.02455),
    (small.twostage, {}, 16, 0.16170),
    (small.reorder, {"setters": 2}, 10, 0.05410),
)
# The share of 20,000 executions that failed under POS.
PUBLISHED_POS = (
    (small.lazy01, {}, 0.52960),
    (small.account, {}, 0.17040),
    (small.bluetooth_driver, {}, 0.10600),
    (small.twostage, {}, 0.09640),
    (small.reorder, {"setters": 2}, 0.06630),
    (small.reorder, {"setters": 3}, 0.02845),
    (small.reorder, {"setters": 4}, 0.01185),
)
# The steps that one profiling walk has shown of each thread, and the share that failed under URW.
PUBLISHED_URW = (
    (small.lazy01, {}, (4, 4, 2, 3), 0.65155),
    (small.account, {}, (3, 5, 5, 3), 0.34575),
    (small.bluetooth_driver, {}, (9, 7), 0.09890),
    (small.twostage, {}, (7, 7, 2), 0.03305),
    (small.reorder, {"setters": 2}, (2, 2, 3, 3), 0.09505),
)
PUBLISHED_SCHEDULES = 20_000
DEVIATIONS_MAX = 3.3


@pytest.mark.parametrize(("source", "parameters", "k", "share"), PUBLISHED_PCT)
def test_the_published_shares_are_those_of_a_variant_of_pct(source, parameters, k, share):
    compiled = source.compile(**parameters)
    expect_published(pct_probability(compiled, d=3, k=k, before=True, published=True), share)


def expect_published(exact: Fraction, share: float) -> None:
    """The share is that of a sample with this probability."""
    deviation = sqrt(exact * (1 - exact) / PUBLISHED_SCHEDULES)
    assert abs(share - exact) <= DEVIATIONS_MAX * deviation


@pytest.mark.parametrize("demotes", Demotes)
@pytest.mark.parametrize(("source", "parameters"), [each[:2] for each in PUBLISHED_PCT])
def test_pct_fails_as_often_as_it_must(source, parameters, demotes):
    compiled = source.compile(**parameters)
    scheduler = Pct(d=3, demotes=demotes).prepared(compiled)
    exact = pct_probability(compiled, d=3, k=scheduler.k, before=demotes is Demotes.BEFORE)
    expect_probability(compiled, scheduler, float(exact))


@pytest.mark.parametrize(("source", "parameters", "share"), PUBLISHED_POS)
def test_pos_fails_as_often_as_was_published(source, parameters, share):
    expect_share(source.compile(**parameters), Pos(), share)


@pytest.mark.parametrize(("source", "parameters", "steps", "share"), PUBLISHED_URW)
def test_the_published_shares_are_those_of_urw_after_one_walk(source, parameters, steps, share):
    expect_published(urw_probability(source.compile(**parameters), steps), share)


@pytest.mark.parametrize(("source", "parameters"), [each[:2] for each in PUBLISHED_URW])
def test_urw_fails_as_often_as_it_must(source, parameters):
    compiled = source.compile(**parameters)
    exact = urw_probability(compiled, profile(compiled).steps)
    expect_probability(compiled, Urw(), float(exact))


def expect_share(compiled: Program, scheduler: Scheduler, share: float) -> None:
    """Two samples of one probability differ by no more than they may."""
    failing, schedules = failures(compiled, scheduler)
    both = (failing + share * PUBLISHED_SCHEDULES) / (schedules + PUBLISHED_SCHEDULES)
    deviation = sqrt(both * (1 - both) * (1 / schedules + 1 / PUBLISHED_SCHEDULES))
    assert abs(failing / schedules - share) <= DEVIATIONS_MAX * deviation


@pytest.mark.parametrize("depth", range(2, 5))
def test_pct_finds_a_violation_of_depth_d_as_often_as_its_bound_says(depth):
    compiled, k = small.in_turns.compile(depth=depth), 2 * (depth + 1)
    bound = 1 / (2 * k ** (depth - 1))
    failing, schedules = failures(compiled, Pct(d=depth, k=k))
    assert lowest_rate(failing, schedules) >= bound
    assert failures(compiled, Pct(d=depth - 1, k=k))[0] == 0


def lowest_rate(failing: int, schedules: int) -> float:
    """The lower end of Wilson's interval."""
    z, share = DEVIATIONS_MAX, failing / schedules
    spread = z * sqrt(share * (1 - share) / schedules + (z / (2 * schedules)) ** 2)
    return (share + z * z / (2 * schedules) - spread) / (1 + z * z / schedules)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_needs_c_preemptions_is_found_with_c_and_not_with_fewer(row):
    scheduler = PreemptionBounded(c=row.preemptions)
    assert failures(row.program, scheduler)[0] > 0
    if row.preemptions:
        assert failures(row.program, PreemptionBounded(c=row.preemptions - 1))[0] == 0


@pytest.mark.parametrize("c", range(3))
def test_no_execution_has_more_than_c_preemptions(c):
    compiled = small.lost_update.compile(threads=3)
    engine = Engine(compiled, PreemptionBounded(c=c))
    counts = set()
    for block in range(8):
        result = engine.run_block(root_seed=3, block=block, passes=64)
        traces = engine.recover(result.hits, root_seed=3, block=block, passes=64)
        counts |= {len(preemptions(trace)) for trace in traces}
    assert counts <= set(range(c + 1)) and (c in counts or c == 0)
