"""The matrix of the series, at its notable cells: what is expected was written down by hand.

The expectations are those of the design's sources: the published analysis of v3.1, or, where our
model says otherwise, the header of the program, which says why.
"""

from functools import cache

import pytest

from model.explore import Explored, explore
from model.library import SERIES
from model.program import Program
from model.series import Column

SERIES_OF_2011 = SERIES["use-rcu-to-stabilize-page-counts"]
WHOLE = range(1, 10)
ASSERTION = "VM_BUG_ON(!rcu_read_lock_held())"
UNSTABLE = "count not stable"


def but(*omitted: int) -> list[int]:
    return [number for number in WHOLE if number not in omitted]


def up_to(last: int) -> list[int]:
    return list(range(1, last + 1))


@cache
def explored_cell(variant: str, patches: frozenset[int]) -> tuple[Program, Explored]:
    (chosen,) = [each for each in SERIES_OF_2011.variants if each.name == variant]
    values = SERIES_OF_2011.values(chosen, Column(patches))
    program = chosen.source.compile(**values)
    return program, explore(program, symmetry=True)


def sentences(variant: str, patches) -> set[str]:
    """What is violated in a cell; nothing is a proof."""
    program, explored = explored_cell(variant, frozenset(patches))
    assert explored.exhausted
    return {program.sites[site].sentence for site in explored.sites}


RAW = "thp_split (put=raw_atomic, free_check=off)"
RAW_UNPROTECTED = "thp_split (put=raw_atomic, free_check=off, lookup_rcu=off)"
UPSTREAM = "thp_split (design=70b50f94)"
HUGE_PAGE_LOST = "huge page freed while referenced"

CELLS = [
    # Patch 9 does not close the race, alone or with the others: the put lowers two counters.
    ("thp_split", [], HUGE_PAGE_LOST),
    ("thp_split", [9], HUGE_PAGE_LOST),
    ("thp_split", WHOLE, HUGE_PAGE_LOST),
    ("thp_split", but(9), HUGE_PAGE_LOST),
    # What it does close is the race of its text, which shows by itself where the put is exact.
    (RAW, up_to(8), "BUG_ON(page_count(head) <= 0)"),
    (RAW, WHOLE, None),
    (RAW, but(9), "BUG_ON(page_count(head) <= 0)"),
    # Every site has to take part: the assertion shows who does not, and why it matters.
    (RAW_UNPROTECTED, WHOLE, ASSERTION),
    (RAW_UNPROTECTED, but(6), "BUG_ON(page_count(head) <= 0)"),
    (UPSTREAM, [], None),
    (UPSTREAM, WHOLE, None),
    # Patch 1 is for the assertion only.
    ("migration_entry_wait", but(1, 6), None),
    ("migration_entry_wait", but(1), ASSERTION),
    ("migration_entry_wait", WHOLE, None),
    # Patch 2's first hunk opens a race, which v3.1 does not have; its second does not.
    ("memcg_move_parent", up_to(1), None),
    ("memcg_move_parent", [2], "page freed with a count"),
    ("memcg_move_parent", up_to(2), "page freed with a count"),
    ("memcg_move_parent", WHOLE, "page freed with a count"),
    ("memcg_move_parent", but(2), ASSERTION),
    ("memcg_move_parent", but(2, 6), UNSTABLE),
    ("memcg_move_parent (unless_zero=on)", WHOLE, None),
    ("memcg_present_pte", WHOLE, None),
    ("memcg_present_pte", but(2, 6), None),
    # Patch 3 is needed for the assertion, and not enough for stable counts.
    ("put_compound_page", but(3), ASSERTION),
    ("put_compound_page", WHOLE, UNSTABLE),
    ("put_compound_page (recheck=on)", WHOLE, None),
    ("put_compound_page (recheck=on)", but(3, 6), UNSTABLE),
    ("ksm_split", WHOLE, UNSTABLE),
    ("ksm_split (recheck=on)", WHOLE, None),
    # Patches 4 and 5 are for the assertion only.
    ("deactivate_page", but(4), ASSERTION),
    ("deactivate_page", but(4, 6), None),
    ("kvm_adjust", but(5), ASSERTION),
    ("kvm_adjust", but(5, 6), None),
    ("kvm_adjust", WHOLE, None),
    # The exempt sites: one is harmless, the others were wrong before and stay so.
    ("isolate_lru_page", WHOLE, None),
    ("hwpoison", [], "null pointer: count[NONE]"),
    ("hwpoison (head=retested, recheck=on)", up_to(8), None),
    ("hwpoison (head=retested, recheck=on)", WHOLE, UNSTABLE),
    ("memory_hotplug", [], HUGE_PAGE_LOST),
    ("memory_hotplug", WHOLE, HUGE_PAGE_LOST),
    # The stand-in is wrong and says so; the real cookie is right.
    ("gp_cookie", up_to(7), "page in use after a grace period"),
    ("gp_cookie (cookie=polled)", WHOLE, None),
    ("compound_cookie", but(8), "bad_page(): tail freed with a mapping"),
    ("compound_cookie", WHOLE, None),
    ("find_get_page", WHOLE, None),
    ("find_get_page (remove=truncate)", WHOLE, None),
    ("get_ksm_page", WHOLE, None),
]


def shown(value) -> str:
    if isinstance(value, str) or value is None:
        return value or "clean"
    return "-".join(map(str, value)) or "none"


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "patches", "sentence"), CELLS, ids=shown)
def test_a_notable_cell_is_as_was_written_down(variant, patches, sentence):
    found = sentences(variant, patches)
    assert sentence in found if sentence is not None else not found


@pytest.mark.slow
def test_patch_9_closes_what_a_lookup_puts_after_a_split():
    """Of 42 signatures of thp_split it closes these six, opens none, and leaves the others."""
    _, before = explored_cell("thp_split", frozenset(up_to(8)))
    _, after = explored_cell("thp_split", frozenset(WHOLE))
    assert (len(before.signatures), len(after.signatures)) == (42, 36)
    gone = before.signatures.keys() - after.signatures.keys()
    assert len(gone) == 6 and after.signatures.keys() < before.signatures.keys()
    put = "find_get_page: free_hot_cold_page(page)"
    assert {each.step for each in gone if each.site.endswith("while referenced")} == {
        put,
        f"{put} #3",
    }
