"""A campaign shows which part of the states it has seen, and what it is worth."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from model.coverage import KEPT_MAX, Coverage, StatesSeen
from service.campaigns import quarantine_lines
from service.coverage import states_sentence
from storage.campaigns import CampaignPlan, CampaignTotals
from storage.quarantine import QuarantinedRange
from tests.lost_update import lost_update

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FEW = Coverage(states=StatesSeen.of(np.arange(50, dtype=np.uint64)))
MANY = Coverage(states=StatesSeen.of(np.arange(KEPT_MAX, dtype=np.uint64) << np.uint64(50)))
TOTALS = CampaignTotals(1, 2, 3, 0, {}, {}, frozenset(), FEW, 200, 0)


@pytest.mark.parametrize(
    ("totals", "sentence"),
    [
        (TOTALS, "50 seen in samples, of 200 reachable: at least 25.0 %"),
        (
            replace(TOTALS, reachable_states=None),
            "50 seen in samples; gracefuzz verify tells how many there are",
        ),
        (
            # An estimate may be a little too large; nothing is more than all.
            replace(TOTALS, coverage=MANY, reachable_states=16_000),
            "about 16,384 seen in samples, of 16,000 reachable: about 100.0 %",
        ),
    ],
)
def test_states_seen_are_a_lower_bound(totals, sentence):
    assert states_sentence(totals) == sentence


def test_blocks_in_quarantine_are_shown_with_what_is_known_of_them():
    found = QuarantinedRange(1, 40, 8, 3, "worker 2", "its process died (SIGSEGV)", NOW)
    program = lost_update.compile()
    plan = CampaignPlan(program.hash, "pos", 7, "1", "{}")
    summary = SimpleNamespace(plan=plan)
    assert quarantine_lines(summary, program, []) == []
    said = "\n".join(quarantine_lines(summary, program, [found]))
    assert "blocks 40 to 47: 3 attempts, the last by worker 2" in said
    assert "its process died (SIGSEGV)" in said
    options = "--param writers=2 --param locked=off --scheduler pos --seed 7 --workers 0"
    assert f"gracefuzz fuzz lost_update {options} --block 40" in said
