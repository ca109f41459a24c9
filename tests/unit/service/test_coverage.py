"""A campaign says what it has covered, what it never saw and where, and what that is worth."""

from dataclasses import replace

import numpy as np

from model.class_sample import ClassSample
from model.coverage import Coverage, Shown
from model.step_pairs import PairKind, StepPair
from service.coverage import coverage_lines, coverage_object
from storage.campaigns import CampaignTotals
from tests.lost_update import lost_update

PROGRAM = lost_update.compile()
READ, WRITE = (str(step.label) for step in PROGRAM.bodies[0].steps)
LINES = [step.line for step in PROGRAM.bodies[0].steps]
SEEN = StepPair(PairKind.READS, (0, 1), (0, 0))
CLASSES = ClassSample.of(np.array([1, 2, 2, 3], np.uint64), block=1) + ClassSample.of(
    np.array([1, 9], np.uint64), block=17
)
COVERAGE = Coverage(6, frozenset(), {SEEN: Shown(5, 1)}, CLASSES)
TOTALS = CampaignTotals(
    32, 1_000_000, 4_000_000, 0, {}, {}, frozenset({READ, WRITE}), COVERAGE, None, 0
)


def test_what_was_never_seen_is_named_by_its_line():
    lines = coverage_lines(PROGRAM, TOTALS, scheduler="uniform_walk")
    assert lines[0] == "coverage    of 6 schedules, sampled whatever they do"
    assert "steps       2 of 2" in lines
    assert any(line.startswith("pairs       1 of 3 that accesses allow   ") for line in lines)
    at = lines.index("never seen, of steps that were reached: 2 pairs")
    write, read = (
        f"{text.replace(': ', f':{n}: ', 1)}"
        for n, text in zip(LINES[::-1], (WRITE, READ), strict=True)
    )
    assert lines[at + 1] == f"  {write} never overwrites"
    assert [line.strip() for line in lines[at + 2 :]] == [read, write]


def test_steps_that_were_never_reached_stand_apart():
    totals = replace(TOTALS, steps_reached=frozenset({READ}))
    lines = coverage_lines(PROGRAM, totals, scheduler="uniform_walk")
    assert "never reached: 1 steps" in lines
    assert lines[-1] == "never seen, of steps that were reached: 0 pairs"


def test_the_object_lists_every_pair_and_the_curve():
    found = coverage_object(PROGRAM, TOTALS, scheduler="uniform_walk")
    assert found["pairs_possible"] == 3 and found["executions_sampled"] == "6"
    assert [pair["executions"] for pair in found["pairs_seen"]] == ["5"]
    assert [pair["kind"] for pair in found["pairs_never_seen"]] == ["overwrites"] * 2
    assert {pair["later"]["line"] for pair in found["pairs_never_seen"]} == {LINES[1]}
    assert (found["classes_seen"], found["classes_seen_once"]) == (4, 2)
    assert found["discovery"][-1] == {"blocks": "18", "pairs": 1, "classes": 4}
    assert found["residual_risk"]["new_class_probability"] == 2 / 6
    assert 2.9e-6 < found["residual_risk"]["unseen_violation_probability_max"] < 3e-6


def test_nothing_is_estimated_where_the_scheduler_learns():
    lines = coverage_lines(PROGRAM, TOTALS, scheduler="bandit")
    assert sum("the scheduler learns from executions" in line for line in lines) == 2
    found = coverage_object(PROGRAM, TOTALS, scheduler="bandit")
    assert list(found["residual_risk"]) == ["validity"]


def test_before_anything_was_sampled_nothing_is_said_to_be_missing():
    totals = replace(TOTALS, coverage=Coverage(), steps_reached=frozenset())
    lines = coverage_lines(PROGRAM, totals, scheduler="uniform_walk")
    assert not any(line.startswith("never") for line in lines)
    assert "new class   no execution was sampled" in lines
