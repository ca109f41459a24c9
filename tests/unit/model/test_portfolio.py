"""Turns divide a campaign by block numbers; who has the next follows from the record alone."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from model.class_sample import ClassSample
from model.coverage import Coverage, Shown, StatesSeen
from model.schedulers.named import SCHEDULERS
from model.schedulers.portfolio import (
    ARMS,
    ARMS_MAX,
    EVENLY,
    ROUNDS,
    SAMPLED_EVERY,
    Gains,
    Turn,
    blocks_of_turn,
    chosen,
    is_sampled,
    news,
    portfolio_named,
    shares,
)
from model.schedulers.scheduler import SchedulerError
from model.schedulers.wanted import settled
from model.step_pairs import PairKind, StepPair
from tests.lost_update import lost_update


def first_blocks(stop):
    first = 0
    while first < stop:
        yield first
        first += blocks_of_turn(first)


def decided(arms, turns, *, shows, stop):
    """The turns up to a block, where a scheduler shows so many new classes a turn."""
    turns = list(turns)
    for first in first_blocks(stop):
        if turns and first < turns[-1].stop:
            continue
        arm, blocks = chosen(arms, turns), blocks_of_turn(first)
        sampled = 512 * sum(map(is_sampled, range(first, first + blocks)))
        gains = Gains(blocks, 100, 1000, 0, sampled, 0, shows.get(arm, 0) if sampled else 0, 0)
        turns.append(Turn(first, blocks, arm, gains))
    return turns


def test_every_scheduler_is_in_the_portfolio():
    assert set(ARMS) == set(SCHEDULERS)


def test_after_the_first_round_every_turn_is_sampled_and_few_blocks_are():
    for first in first_blocks(20_000):
        sampled = sum(map(is_sampled, range(first, first + blocks_of_turn(first))))
        assert sampled >= (first >= len(ARMS))
        assert sampled <= 1 + blocks_of_turn(first) // SAMPLED_EVERY
    assert sum(map(is_sampled, range(2000))) < 2000 / SAMPLED_EVERY + 40


def test_the_record_grows_with_the_logarithm_of_the_blocks():
    thousand, million = len([*first_blocks(10**3)]), len([*first_blocks(10**6)])
    assert thousand < 80
    assert million < thousand + 64 * 7


def test_the_first_rounds_go_to_each_in_turn():
    turns = decided(ARMS, (), shows={}, stop=28)
    assert [turn.scheduler for turn in turns] == [*ARMS] * ROUNDS


def test_who_shows_what_is_new_gets_half_and_nobody_is_given_up():
    turns = decided(ARMS, (), shows={"pct": 50}, stop=3000)
    late = Counter()
    for turn in turns:
        if turn.first_block >= 1000:
            late[turn.scheduler] += turn.blocks
    total = sum(late.values())
    assert late["pct"] / total == pytest.approx(1 - EVENLY + EVENLY / len(ARMS), abs=0.06)
    for arm in set(ARMS) - {"pct"}:
        assert late[arm] / total == pytest.approx(EVENLY / len(ARMS), abs=0.05)


def test_where_nothing_is_new_all_have_as_much():
    late = Counter()
    for turn in decided(ARMS, (), shows={}, stop=2000):
        late[turn.scheduler] += turn.blocks
    for arm in ARMS:
        assert late[arm] / late.total() == pytest.approx(1 / len(ARMS), abs=0.02)


def test_what_was_shown_long_ago_does_not_count():
    long_ago = decided(ARMS, (), shows={"pct": 50}, stop=1000)
    now = decided(ARMS, long_ago, shows={"pos": 50}, stop=20_000)
    assert Counter(turn.scheduler for turn in now[-40:]).most_common(1)[0][0] == "pos"


def test_each_kind_of_coverage_has_one_vote():
    """A scheduler that shows one new pair a turn is worth as much as one with a thousand states."""
    arms = ("surw", "pos")
    turns = decided(arms, (), shows={}, stop=200)
    shown = {
        "surw": {"pairs": 1, "states": 0},
        "pos": {"pairs": 0, "states": 1000},
    }
    turns = [replace(t, gains=replace(t.gains, **shown[t.scheduler])) for t in turns]
    given = Counter()
    for _ in range(20):
        arm = chosen(arms, turns)
        given[arm] += 1
        gains = replace(Gains(24, 100, 1000, 0, 512), **shown[arm])
        turns.append(Turn(turns[-1].stop, 24, arm, gains))
    assert given["surw"] == given["pos"]


def test_a_decision_depends_on_the_record_only():
    turns = decided(ARMS, (), shows={"urw": 3, "pos": 5}, stop=2000)
    for number, turn in enumerate(turns):
        assert chosen(ARMS, tuple(turns[:number])) == turn.scheduler


def test_new_is_what_was_not_there_before():
    def of(*numbers, block):
        hashes = np.array(numbers, np.uint64) << np.uint64(50)
        pairs = {StepPair(PairKind.READS, (0, n), (1, 0)): Shown(1, block) for n in numbers}
        classes = ClassSample.of(hashes, block=block)
        return Coverage(len(numbers), frozenset(), pairs, classes, StatesSeen.of(hashes))

    assert news(Coverage(), of(1, 2, 3, block=0)) == (3, 3, 3)
    assert news(of(1, 2, 3, block=0), of(2, 3, 4, block=1)) == (1, 1, 1)
    assert news(of(1, 2, 3, block=0), of(1, block=1)) == (0, 0, 0)


def test_new_classes_and_states_are_estimated_where_not_all_hashes_are_kept():
    generator = np.random.default_rng(5)
    before, more = (generator.integers(0, 2**64, 100_000, np.uint64) for _ in range(2))
    old, new = (
        Coverage(len(h), classes=ClassSample.of(h, block=b), states=StatesSeen.of(h))
        for b, h in enumerate((before, more))
    )
    assert not old.states.is_exact
    _, classes, states = news(old, new)
    assert classes == pytest.approx(100_000, rel=0.1)
    assert states == pytest.approx(100_000, rel=0.03)
    assert news(old, old) == (0, 0, 0)


def test_shares_are_sums():
    gains = Gains(1, 2, 3, 4, 5, 6, 7, 8)
    turns = [Turn(0, 1, "pos", gains), Turn(1, 1, "urw", gains), Turn(2, 1, "pos", gains)]
    assert shares(turns) == {"pos": Gains(2, 4, 6, 8, 10, 12, 14, 16), "urw": gains}


def test_a_portfolio_is_kept_with_what_was_estimated():
    program = lost_update.compile()
    name = settled("portfolio:pct:d=4+uniform_walk", program)
    assert name.startswith("portfolio:pct:d=4,k=") and name.endswith("+uniform_walk")
    assert portfolio_named(name).name == settled(name, program) == name
    assert portfolio_named("portfolio").arms == ARMS
    assert portfolio_named("uniform_walk") is None


@pytest.mark.parametrize(
    "text",
    [
        "portfolio:pos",
        "portfolio:pos+pos",
        "portfolio:pos+none",
        "portfolio:pos+pct:e=1",
        "portfolio:pos+portfolio",
        "portfolio:" + "+".join(f"pct:d={d + 1}" for d in range(ARMS_MAX + 1)),
    ],
)
def test_what_is_no_portfolio_is_refused(text):
    with pytest.raises(SchedulerError):
        portfolio_named(text)
