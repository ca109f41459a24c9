"""What the oracles of the library are worth: known mistakes are caught, and most others."""

import pytest

from model.library import PROGRAMS
from model.library_mutation import configurations, library_score, scores, told
from model.mutants import Kind
from model.mutation import Fate, mutate

STATES_MAX = 100_000
SCORE_MIN = 0.90
TAKE_LONG = (
    "thp_split",
    "thp_scenario",
    "ksm_split",
    "hwpoison",
    "compound_cookie",
    "put_compound_page",
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_put_page_of_a_tail_needs_its_second_test():
    """By then the head may be somebody else's: what is in page->private is taken for a page."""
    found = mutate(PROGRAMS["put_compound_page"].compile(), states_max=STATES_MAX)
    fates = {
        each.mutant.change: each.fate
        for each in found.judged
        if each.mutant.kind is Kind.BRANCH
        and each.mutant.body == "unpin"
        and each.mutant.function == "pages.get_head_of_tail"
        and "test_bit(PG_tail, flags[page])" in each.mutant.step
        and each.mutant.change.startswith("branch 1 ")
    }
    assert fates and set(fates.values()) == {Fate.CAUGHT}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_library_catches_most_mistakes():
    """Of each program but those that take long, its first clean configuration."""
    first = {}
    for name, parameters in configurations():
        if name not in TAKE_LONG:
            first.setdefault(name, (name, parameters))
    found = scores(told(each, states_max=STATES_MAX) for each in first.values())
    assert len(found) == len(PROGRAMS) - len(TAKE_LONG)
    assert library_score(found) >= SCORE_MIN
