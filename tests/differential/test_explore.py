"""The explorer: the interpreter's brute force, shortest traces, snapshots, bounds."""

import numpy as np
import pytest
from hypothesis import assume, given

from model.explore import Explorer, Verdict, explore
from model.language import READ_ONCE, WRITE_ONCE, program, uint
from model.programs.thp_split import REFERENCE, thp_split
from model.signature import signature_of
from model.symmetry import symmetry
from tests import exploring
from tests.differential.lockstep import combinations_of_draws
from tests.differential.random_programs import Drawn, programs
from tests.differential.test_engines import COMBINATIONS_MAX, drawing
from tests.toy_programs import PROGRAMS, crossed_locks, early_free, stale_lookup

STATES_MAX = 400


def finished(program, **options) -> Explorer:
    explorer = Explorer(program, **options)
    while explorer.advance():
        pass
    return explorer


def expect_brute_force(program, explorer: Explorer) -> None:
    """Transitions and sentences are those of the interpreter's own search."""
    brute = exploring.explore(program)
    explored = explorer.explored()
    assert explored.exhausted
    sentences = {program.sites[site].sentence for site in explored.sites}
    assert sentences == brute.sentences
    assert (explored.verdict is Verdict.REFUTED) == bool(brute.sentences)
    for site, steps in explored.sites.items():
        trace = explorer.trace(site)
        assert (trace.site, len(trace.events)) == (site, steps)
    assert explored.signatures.keys() == brute.signatures
    for signature, steps in explored.signatures.items():
        trace = explorer.trace_of(signature)
        assert (signature_of(trace), len(trace.events)) == (signature, steps)


@drawing(25)
@given(programs(tiny=True))
def test_the_explorer_says_what_brute_force_says(drawn: Drawn):
    assume(combinations_of_draws(drawn.program) <= COMBINATIONS_MAX)
    assume(explore(drawn.program).states <= STATES_MAX)
    expect_brute_force(drawn.program, finished(drawn.program))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_exploring_goes_on_from_every_snapshot(program, monkeypatch):
    whole = finished(program).explored()
    monkeypatch.setattr("model.explore.STEPS_AT_ONCE", 1)
    explorer = Explorer(program)
    while explorer.advance():
        saved = explorer.snapshot()
        assert all(isinstance(array, np.ndarray) for array in saved.values())
        explorer = Explorer.resumed(program, saved)
    assert explorer.explored() == whole
    resumed = Explorer.resumed(program, explorer.snapshot())
    for site in whole.sites:
        assert resumed.trace(site) == explorer.trace(site)


def test_the_shortest_violations_of_thp_split_are_shown():
    program = thp_split.compile(**REFERENCE)
    explorer = finished(program)
    explored = explorer.explored()
    assert explored.exhausted and explored.verdict is Verdict.REFUTED
    for site, steps in explored.sites.items():
        trace = explorer.trace(site)
        assert (trace.site, len(trace.events)) == (site, steps)
    (shortest, *_) = sorted(explored.sites.values())
    assert shortest == 36


def test_more_memory_finishes_what_less_has_begun():
    program = thp_split.compile(**REFERENCE)
    small = finished(program, memory=6 << 20)
    assert not small.explored().exhausted and small.bytes <= 6 << 20
    assert small.explored().verdict is Verdict.REFUTED
    with pytest.raises(ValueError, match="do not fit"):
        Explorer.resumed(program, small.snapshot(), memory=4 << 20)
    larger = Explorer.resumed(program, small.snapshot())
    while larger.advance():
        pass
    assert larger.explored() == explore(program)


def expect_the_same_reduced(program) -> bool:
    """Verdicts and lengths of shortest violations do not depend on the reduction; was there one."""
    reduced = finished(program, symmetry=True)
    found, whole = reduced.explored(), explore(program)
    assert (found.sites, found.signatures) == (whole.sites, whole.signatures)
    assert (found.depth, found.discarded) == (whole.depth, whole.discarded)
    assert found.verdict == whole.verdict and not whole.reduced
    assert found.states <= whole.states
    for signature, steps in found.signatures.items():
        trace = reduced.trace_of(signature)
        assert (signature_of(trace), len(trace.events)) == (signature, steps)
    return found.reduced


@drawing(12)
@given(programs(tiny=True))
def test_symmetry_changes_no_verdict_of_random_programs(drawn: Drawn):
    assume(any(symmetry(drawn.program).groups))
    assume(combinations_of_draws(drawn.program) <= COMBINATIONS_MAX)
    expect_the_same_reduced(drawn.program)


@pytest.mark.parametrize(
    "program",
    [*PROGRAMS, stale_lookup.compile(lookups=3), early_free.compile(readers=1)],
    ids=lambda program: program.title,
)
def test_symmetry_changes_no_verdict_of_the_toy_programs(program):
    assert expect_the_same_reduced(program) == any(symmetry(program).groups)


def test_a_reduced_exploration_is_resumed_as_one(monkeypatch):
    monkeypatch.setattr("model.explore.STEPS_AT_ONCE", 1)
    explorer = Explorer(early_free.compile(readers=2), symmetry=True)
    for _ in range(5):
        assert explorer.advance()
    resumed = Explorer.resumed(explorer.program, explorer.snapshot())
    while explorer.advance() | resumed.advance():
        pass
    assert resumed.explored() == explorer.explored() and resumed.explored().reduced


@drawing(10)
@given(programs(tiny=True))
def test_bits_enough_for_all_see_what_is_there_and_prove_nothing(drawn: Drawn):
    explorer = finished(drawn.program, memory=1 << 26, bitstate=True)
    found, whole = explorer.explored(), explore(drawn.program)
    assert (found.states, found.sites, found.depth) == (whole.states, whole.sites, whole.depth)
    assert found.coverage > 0.999 and not found.exact
    assert found.verdict is (Verdict.REFUTED if whole.sites else Verdict.BOUNDED)
    for site, steps in found.sites.items():
        trace = explorer.trace(site)
        assert (trace.site, len(trace.events)) == (site, steps)


def test_few_bits_see_about_as_much_of_thp_split_as_they_say():
    program = thp_split.compile(**REFERENCE)
    whole = explore(program)
    explorer = finished(program, memory=4 << 20, bitstate=True)
    found = explorer.explored()
    assert explorer.bytes <= 4 << 20 and found.verdict is not Verdict.PROVED
    assert found.states < whole.states
    # Whole branches are lost behind a state that is passed over, which the estimate cannot know.
    assert found.states / whole.states <= found.coverage <= 1
    site = max(found.sites, key=found.sites.__getitem__)
    trace = explorer.trace(site)
    assert (trace.site, len(trace.events)) == (site, found.sites[site])
    assert found.sites[site] >= whole.sites[site]


def test_a_bitstate_exploration_goes_on_from_a_snapshot(monkeypatch):
    monkeypatch.setattr("model.explore.STEPS_AT_ONCE", 1)
    program = early_free.compile(readers=2)
    explorer = Explorer(program, memory=1 << 24, bitstate=True)
    for _ in range(5):
        assert explorer.advance()
    resumed = Explorer.resumed(program, explorer.snapshot())
    while explorer.advance() | resumed.advance():
        pass
    assert resumed.explored() == explorer.explored()
    (site,) = resumed.explored().sites
    assert resumed.trace(site) == explorer.trace(site)


def test_a_full_memory_proves_nothing():
    explored = explore(crossed_locks.compile(), memory=1)
    assert not explored.exhausted and explored.frontier > 0
    assert explored.verdict is Verdict.BOUNDED


@program(steps_max=9)
def early(p):
    """Who reads before the other has written is wrong, at the first step."""
    flag = p.shared("flag", uint(1))

    @p.thread()
    def read():
        value = READ_ONCE(flag)
        assert value == 1, "too early"

    @p.thread()
    def write():
        WRITE_ONCE(flag, 1)


def test_a_violation_in_the_chunk_that_filled_the_memory_has_a_trace():
    explorer = finished(early.compile(), memory=1)
    ((site, steps),) = explorer.explored().sites.items()
    assert explorer.frontier and steps == 1
    assert len(explorer.trace(site).events) == 1
