"""Variants as one program: each does what it does as a program of its own."""

import pytest

from model.explore import Explored, Explorer, explore, successors_of
from model.language import *
from model.library import PROGRAMS
from model.mutants import Kind, mutants
from model.variants import Variant, variants_of, varied
from tests import toy_programs
from tests.building import program_of

# mypy: ignore-errors
# ruff: noqa: F403, F405


def explored_together(program, variants) -> list[Explored]:
    together = variants_of(program, variants)
    successors = successors_of(together.program, symmetry=True)
    found = []
    for number in range(len(variants)):
        start = together.start(number)
        explorer = Explorer(together.program, symmetry=True, successors=successors, start=start)
        while explorer.advance():
            pass
        found.append(explorer.explored())
    return found


@pytest.mark.parametrize(
    "program",
    [
        toy_programs.stale_lookup.compile(),
        toy_programs.crossed_locks.compile(),
        toy_programs.lost_update.compile(threads=2),
        PROGRAMS["gp_cookie"].compile(cookies="on", cookie="polled"),
    ],
    ids=lambda program: program.name,
)
def test_a_variant_violates_what_it_violates_alone_and_as_early(program):
    variants = [
        variant
        for mutant in mutants(program)
        for variant in (mutant.variant, mutant.proof if mutant.watched is program else None)
        if variant is not None
    ]
    for variant, together in zip(variants, explored_together(program, variants), strict=True):
        alone = explore(varied(program, variant), symmetry=True)
        assert together.exhausted and together.sites == alone.sites


def test_a_failing_site_is_violated_where_it_is_asked_for():
    def body():
        if READ_ONCE(x) == 1:
            assert y == 0, "never asked"
        assert z == 0, "asked"

    program = program_of(body)
    sites = [n for n, site in enumerate(program.sites) if site.oracle.value == "assert"]
    found = explored_together(program, [Variant(failing=site) for site in sites])
    sentences = [[program.sites[n].sentence for n in each.sites] for each in found]
    assert sentences == [[], ["asked"]]


def test_a_trace_starts_where_the_exploration_did():
    program = toy_programs.stale_lookup.compile()
    swap = next(m for m in mutants(program) if m.kind is Kind.SWAP)
    together = variants_of(program, [Variant(), swap.variant])
    for number in range(2):
        explorer = Explorer(together.program, start=together.start(number))
        while explorer.advance():
            pass
        sites = explorer.explored().sites
        assert sites
        for site, steps in sites.items():
            trace = explorer.trace(site)
            assert trace.site == site and len(trace.events) == steps
