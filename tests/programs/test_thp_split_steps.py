"""The header of thp_split lists its steps: merging one to gain speed does not go unnoticed."""

import re

from model.program import Body
from model.programs import thp_split as module

SHARED = {
    "pages.put_page",
    "pages.get_head_of_tail",
    "pages.get_page_unless_zero",
    "pages.drop_tail_pin",
    "pages.free_hot_cold_page",
    "pages.free_compound_page",
}
CALLER = "reclaim_and_allocate"
"""It frees its page itself: that step is its own."""


def steps_in_the_header() -> dict[str, str]:
    """For each thread, and for put_page(), the text of its list."""
    assert module.__doc__ is not None
    _, text = module.__doc__.split("REFERENCE, in order of discovery:\n", 1)
    lists = re.split(r"\n(?=    \w)", "\n" + text)[1:]
    return {
        name.strip(): " ".join(steps.split())
        for name, steps in (entry.split(":", 1) for entry in lists)
    }


def listed(body: Body, *, shared: bool) -> str:
    """The steps of a body that are its own, or those of put_page()."""
    chosen = [s for s in body.steps if (s.function in SHARED and body.name != CALLER) == shared]
    return "; ".join(" ".join(step.label.text.split()) for step in chosen)


def test_the_header_lists_every_step_of_the_reference_configuration():
    program = module.thp_split.compile(**module.REFERENCE)
    header = steps_in_the_header()
    for body in program.bodies:
        assert header.pop(body.name) == listed(body, shared=False)
    put = header.pop("put_page")
    assert not header
    for body in program.bodies:
        own = listed(body, shared=True)
        assert not own or sorted(own.split("; ")) == sorted(put.split("; "))


def test_the_reference_configuration_is_one_of_each():
    program = module.thp_split.compile(**module.REFERENCE)
    assert [thread.name for thread in program.threads] == [
        "find_get_page",
        "reclaim_and_allocate",
        "get_user_pages",
        "unmap",
        "split_huge_page_pmd",
        "rcu_gp_kthread",
    ]
