"""Shards add up, and nothing leaves one that the interpreter has not replayed."""

from dataclasses import replace

from model.circuit.block import Engine, Hit
from model.interpreter import replay
from model.known import conflicting_pairs
from model.program import Outcome
from model.program_json import to_json
from model.schedulers.pct import Pct
from tests.lost_update import lost_update
from tests.toy_programs import two_publishers
from workers.ahead import engine_ahead
from workers.shards import (
    REPORTED_PER_SIGNATURE,
    THOROUGH_BLOCKS,
    BlockRange,
    ShardResult,
    already_read,
    confirms,
    engine_of,
    hits_from,
    hits_to_replay,
    program_of,
    run_shard,
)

AN_ADDITION_IS_LOST = "at_end: an addition is lost"


def test_a_range_is_the_sum_of_its_parts_wherever_it_is_cut(broken_spec):
    whole = run_shard(broken_spec, BlockRange(0, 3))
    for cut in (1, 2):
        first = run_shard(broken_spec, BlockRange(0, cut))
        rest = run_shard(broken_spec, BlockRange(cut, 3 - cut))
        assert first + rest == whole
    assert ShardResult() + whole == whole == whole + ShardResult()


def test_a_shard_depends_on_its_arguments_only(broken_spec):
    once = run_shard(broken_spec, BlockRange(1, 1))
    engine_of.cache_clear()
    engine_ahead.cache_clear()
    assert run_shard(broken_spec, BlockRange(1, 1)) == once
    assert run_shard(replace(broken_spec, root_seed=2), BlockRange(1, 1)) != once


def test_what_is_reported_fails_in_the_interpreter_as_its_signature_says(broken, broken_spec):
    result = run_shard(broken_spec, BlockRange(0, 2))
    assert len(result.replayed) == REPORTED_PER_SIGNATURE
    for violation in result.replayed:
        trace = replay(broken, violation.schedule)
        assert trace.outcome is Outcome.VIOLATION
        assert violation.signature.site == AN_ADDITION_IS_LOST
        assert violation.signature.step == str(trace.events[-1].label)
    assert result.violations == result.site_hits[AN_ADDITION_IS_LOST] > 0
    assert result.outcomes["violation"] == result.violations
    assert sum(result.outcomes.values()) == result.schedules


def test_a_sound_program_has_no_hits(sound_spec):
    result = run_shard(sound_spec, BlockRange(0, 1))
    assert result.violations == 0 and result.replayed == () and result.site_hits == {}
    assert result.outcomes["ok"] == result.schedules > 0


def test_the_ordinal_of_a_violation_counts_the_schedules_before_it(broken_spec):
    early = run_shard(broken_spec, BlockRange(0, 1))
    late = run_shard(broken_spec, BlockRange(1, 1))
    assert {violation.ordinal for violation in early.replayed} == {early.schedules}
    # Only the first four of a signature are kept: keep those of the later block.
    both = replace(early, replayed=()) + late
    assert {v.ordinal for v in both.replayed} == {early.schedules + late.schedules}


def test_what_the_interpreter_does_not_confirm_is_a_disagreement(broken_spec, monkeypatch):
    engine = engine_of(broken_spec.program, broken_spec.scheduler)
    recover = type(engine).recover

    def wrong_for_one_lane(self, hits, **where):
        traces = recover(self, hits, **where)
        return [replace(traces[0], outcome=Outcome.OK, site=None), *traces[1:]]

    monkeypatch.setattr(type(engine), "recover", wrong_for_one_lane)
    result = run_shard(broken_spec, BlockRange(0, 1))
    (disagreement,) = result.disagreements
    assert (disagreement.block, len(result.replayed)) == (0, 3)
    assert disagreement.detail.startswith(
        f"circuit: '{AN_ADDITION_IS_LOST}'; interpreter: ok after 4 steps; schedule [["
    )


def test_what_contains_an_excluded_interleaving_is_passed_over_and_counted(broken, broken_spec):
    seen = run_shard(broken_spec, BlockRange(0, 1))
    pairs = conflicting_pairs(replay(broken, seen.replayed[0].schedule))
    result = run_shard(replace(broken_spec, excluded=(pairs,)), BlockRange(0, 1))
    assert result.passed_over > 0
    assert result.violations == seen.violations
    assert result.passed_over + len(result.replayed) == 4


def test_which_hits_are_replayed_depends_on_the_block_only(broken_spec):
    engine = engine_of(broken_spec.program, broken_spec.scheduler)
    result = engine.run_block(root_seed=1, block=0)
    hits = (Hit(1, 1, 1), Hit(2, 2, 2), Hit(3, 3, 1), Hit(4, 4, 2))
    early = replace(result, block=THOROUGH_BLOCKS - 1, hits=hits)
    late = replace(result, block=THOROUGH_BLOCKS, hits=hits)
    assert hits_to_replay(early, thorough=False) == hits
    assert hits_to_replay(late, thorough=False) == hits[:2]
    assert hits_to_replay(late, thorough=True) == hits


def test_every_other_block_shows_what_the_first_passes_cannot():
    """Young lanes hit with the shortest failing execution only."""
    program = two_publishers.compile()
    engine = Engine(program)
    lengths = []
    for block in range(4):
        late = hits_from(block, thorough=False)
        result = engine.run_block(root_seed=1, block=block, hits_from=late)
        assert all(hit.number >= late for hit in result.hits)
        traces = engine.recover(result.hits, root_seed=1, block=block)
        assert all(confirms(t, hit) for t, hit in zip(traces, result.hits, strict=True))
        lengths.append({len(trace.events) for trace in traces})
        early = engine.run_block(root_seed=1, block=block)
        assert replace(early, hits=()) == replace(result, hits=())
    assert lengths[0] == lengths[2] == {3}
    assert max(lengths[1] | lengths[3]) > 3
    assert (
        hits_from(0, thorough=True) == hits_from(1, thorough=True) == hits_from(1, thorough=False)
    )


def test_hits_before_the_pass_are_kept_where_there_are_no_later_ones(broken):
    engine = Engine(broken)
    result = engine.run_block(root_seed=1, block=0, passes=32, hits_from=10**6)
    assert set(result.hits) == set(engine.run_block(root_seed=1, block=0, passes=32).hits)


def test_a_shard_is_executed_under_its_scheduler(broken_spec):
    under_pct = replace(broken_spec, scheduler="pct:d=2,k=4,demotes=after")
    result = run_shard(under_pct, BlockRange(0, 1))
    block = Engine(program_of(broken_spec.program), Pct(2, 4)).run_block(root_seed=1, block=0)
    assert (result.schedules, result.steps) == (block.schedules, block.steps)
    assert result.schedules != run_shard(broken_spec, BlockRange(0, 1)).schedules


def test_a_process_does_not_read_a_program_that_it_has():
    program = replace(lost_update.compile(), name="nobody_has_read_it")
    text = already_read(program)
    assert text == to_json(program) and program_of(text) is program
    # Nor is another, that is equal, kept in its place.
    assert already_read(replace(program)) == text and program_of(text) is program
