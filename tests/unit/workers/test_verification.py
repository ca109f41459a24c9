"""A verification stores what it finds, is stopped and resumed, and never calls a bound a proof."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import pytest

from model.explore import explore
from storage.campaigns import get_campaign
from storage.checkpoints import read_checkpoint
from storage.claims import is_claimed
from storage.failures import get_failure, list_failures, list_sightings
from storage.tables import CampaignState, VerificationVerdict
from storage.verifications import VerificationPlan
from tests.three_counters import three_counters
from tests.toy_programs import stale_lookup
from workers.progress import Ending, FoundFailure, Verdict
from workers.verification import Reach, Verification
from workers.verification_record import VerificationRecord
from workers.verifying import VerifyWish, explorer_of, resume

MEMORY = 1 << 30


class Listener:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.reaches: list[Reach] = []
        self.failures: list[FoundFailure] = []
        self.sentences: list[str] = []

    def progressed(self, reach: Reach, failures: Mapping[int, FoundFailure]) -> None:
        self.reaches.append(reach)

    def found(self, failure: FoundFailure) -> None:
        self.failures.append(failure)

    def said(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr("model.explore.STEPS_AT_ONCE", 1)


def begin(database, program, listener, *, stopping=lambda: False, memory=MEMORY, every=1e9, **how):
    plan = VerificationPlan(memory, **{"symmetry": False, "bitstate": False, **how})
    folder = database.path.parent / "kept"
    record = VerificationRecord.start(database, program, source="", plan=plan, folder=folder)
    explorer = explorer_of(program, plan)
    return Verification(explorer, record, listener, stopping, every)


def go_on(database, number, listener):
    path = str(database.path)
    wish = VerifyWish(None, {}, MEMORY, True, False, path, None, 1e9, number, False, None, False)
    begun = resume(wish, database, None, number)
    return Verification(begun.explorer, begun.record, listener, lambda: False, 1e9)


def stored(database, number):
    with database.read() as session:
        return get_campaign(session, number)


def test_a_sound_program_is_proved(database, sound, listener):
    report = begin(database, sound, listener).execute()
    assert (report.verdict(), report.ending) == (Verdict.CLEAN, Ending.EXHAUSTED)
    summary = stored(database, report.campaign_id)
    assert summary.state is CampaignState.FINISHED
    assert summary.verification.verdict is VerificationVerdict.PROVED
    assert summary.verification.figures.states == explore(sound).states
    assert listener.failures == [] and not is_claimed(database, report.campaign_id)


def test_a_violation_is_a_failure_like_any_other(database, broken, listener):
    report = begin(database, broken, listener).execute()
    assert report.verdict() is Verdict.VIOLATIONS
    (found,) = listener.failures
    assert found.is_new and found.minimal.is_proved
    assert (found.minimal.steps, found.minimal.preemptions) == (4, 1)
    with database.read() as session:
        failure = get_failure(session, found.failure_id)
        (sighting,) = list_sightings(session, found.failure_id)
    assert failure.first_campaign_id == sighting.campaign_id == report.campaign_id
    assert sighting.step == 3 and len(json.loads(sighting.schedule)["picks"]) == 4


def test_verifying_again_finds_the_failure_again_and_makes_no_other(database, broken, listener):
    begin(database, broken, listener).execute()
    begin(database, broken, listener).execute()
    assert [failure.is_new for failure in listener.failures] == [True, False]
    with database.read() as session:
        (failure,) = list_failures(session)
    assert failure.sightings_count == 2


def test_a_full_memory_is_bounded_and_more_memory_goes_on(database, sound, listener, small_chunks):
    report = begin(database, sound, listener, memory=1).execute()
    assert (report.verdict(), report.ending) == (Verdict.BOUNDED, Ending.MEMORY_FULL)
    summary = stored(database, report.campaign_id)
    assert summary.verification.verdict is VerificationVerdict.BOUNDED
    assert summary.ending == f"{Ending.MEMORY_FULL.value}; bounded, 1 states"
    again = go_on(database, report.campaign_id, listener).execute()
    assert again.verdict() is Verdict.CLEAN and again.explored == explore(sound)
    assert stored(database, report.campaign_id).verification.checkpoint is None
    assert list((database.path.parent / "found.db-checkpoints").glob("*")) == []


@pytest.mark.parametrize("program", ["sound", "broken"])
def test_one_that_was_stopped_goes_on_to_the_same_result(
    database, program, listener, request, small_chunks
):
    compiled = request.getfixturevalue(program)
    calls = count()
    first = begin(database, compiled, listener, stopping=lambda: next(calls) == 2).execute()
    assert first.ending is Ending.STOPPED and first.verdict() is Verdict.BOUNDED
    assert stored(database, first.campaign_id).state is CampaignState.STOPPED
    assert first.checkpoint is not None and first.checkpoint.exists()
    again = go_on(database, first.campaign_id, listener).execute()
    assert again.explored == explore(compiled)
    assert stored(database, first.campaign_id).state is CampaignState.FINISHED
    assert not first.checkpoint.exists()


def test_resuming_where_a_violation_was_stored_changes_nothing(database, listener, small_chunks):
    program = stale_lookup.compile(lookups=3)
    verification = begin(database, program, listener, stopping=lambda: bool(listener.failures))
    first = verification.execute()
    again = go_on(database, first.campaign_id, listener).execute()
    assert again.explored == explore(program) and first.explored != again.explored
    before, *after = listener.failures
    assert before.failure_id in {failure.failure_id for failure in after}
    assert all(failure.is_new for failure in listener.failures)
    with database.read() as session:
        assert [failure.sightings_count for failure in list_failures(session)] == [1] * len(after)


def test_checkpoints_are_taken_at_the_stated_times_and_the_last_is_kept(
    database, sound, listener, small_chunks
):
    verification = begin(database, sound, listener, every=2.0)
    times = count()
    verification.clock = lambda: float(next(times))
    seen = []
    verification.is_stopping = lambda: seen.append(verification.record.checkpoint)
    verification.execute()
    files = [path for path in dict.fromkeys(seen) if path is not None]
    assert len(files) > 2 and not any(path.exists() for path in files)


def test_a_checkpoint_that_cannot_be_written_is_said_and_exploring_goes_on(
    database, sound, listener, small_chunks
):
    (database.path.parent / "kept").touch()
    verification = begin(database, sound, listener, every=0.0)
    assert verification.execute().verdict() is Verdict.CLEAN
    assert "cannot write a checkpoint" in listener.sentences[0]
    assert listener.sentences[0].endswith("exploring goes on; what was stored before is kept")


def test_one_that_is_stopped_without_a_checkpoint_is_no_success(
    database, sound, listener, small_chunks
):
    (database.path.parent / "kept").touch()
    report = begin(database, sound, listener, stopping=lambda: True).execute()
    assert report.checkpoint is None and report.verdict() is Verdict.INFRASTRUCTURE


def test_a_violation_beyond_the_step_limit_is_said_but_is_no_failure(database, broken, listener):
    report = begin(database, replace(broken, steps_max=3), listener).execute()
    assert report.verdict() is Verdict.VIOLATIONS and listener.failures == []
    assert listener.sentences == [
        "at_end: an addition is lost: violated after 4 steps; executions of this program have at "
        "most 3\n    raise its steps_max to have the failure minimized and stored"
    ]


def test_a_second_interrupt_ends_at_once(database, sound, listener):
    def interrupt():
        raise KeyboardInterrupt

    verification = begin(database, three_counters.compile(rounds=60), listener)
    verification.is_stopping = interrupt
    with pytest.raises(KeyboardInterrupt):
        verification.execute()
    assert stored(database, 1).state is CampaignState.STOPPED
    assert not is_claimed(database, 1)


def test_a_checkpoint_holds_plain_arrays(database, sound, listener, small_chunks):
    report = begin(database, sound, listener, stopping=lambda: True).execute()
    told = stored(database, report.campaign_id).verification
    arrays = read_checkpoint(told.checkpoint, database=database.path)
    assert arrays and all(array.dtype.kind in "iu" for array in arrays.values())


def test_symmetric_states_are_one_and_the_proof_is_the_same(database, sound, listener):
    report = begin(database, sound, listener, symmetry=True).execute()
    figures = stored(database, report.campaign_id).verification.figures
    assert report.verdict() is Verdict.CLEAN and figures.reduced
    assert figures.states < explore(sound).states


@pytest.mark.parametrize(("program", "verdict"), [("sound", "BOUNDED"), ("broken", "VIOLATIONS")])
def test_a_few_bits_a_state_prove_nothing_and_refute_much(
    database, program, verdict, listener, request
):
    compiled = request.getfixturevalue(program)
    report = begin(database, compiled, listener, bitstate=True).execute()
    assert (report.verdict(), report.ending) == (Verdict[verdict], Ending.HASHED)
    told = stored(database, report.campaign_id).verification
    assert not told.figures.exhausted and told.checkpoint is None
    assert len(listener.failures) == (program == "broken")


def test_bits_go_on_from_their_checkpoint(database, sound, listener, small_chunks):
    calls = count()
    how = {"stopping": lambda: next(calls) == 2, "bitstate": True}
    first = begin(database, sound, listener, **how).execute()
    again = go_on(database, first.campaign_id, listener).execute()
    assert (first.ending, again.ending) == (Ending.STOPPED, Ending.HASHED)
    assert again.explored.states == explore(sound).states
