"""A campaign shows which part of the states it has seen, and what it is worth."""

from dataclasses import replace

import numpy as np
import pytest

from model.coverage import KEPT_MAX, Coverage, StatesSeen
from service.coverage import states_sentence
from storage.campaigns import CampaignTotals

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
