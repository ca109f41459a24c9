"""What a lease adds to its campaign, and the sum of several."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from model.coverage import Coverage


@dataclass(frozen=True, slots=True)
class LeaseTotals:
    """What one lease adds to its campaign: numbers that can be added, never rates."""

    schedules: int
    steps: int
    violations: int
    outcomes: Mapping[str, int]
    site_hits: Mapping[str, int]
    steps_reached: frozenset[str]
    coverage: Coverage = field(default_factory=Coverage)


def sum_of_totals(several: Iterable[LeaseTotals]) -> LeaseTotals:
    """The totals of all together; coverage is added in the order given, which changes nothing."""
    schedules = steps = violations = 0
    outcomes: Counter[str] = Counter()
    site_hits: Counter[str] = Counter()
    reached: set[str] = set()
    coverage = Coverage()
    for each in several:
        schedules += each.schedules
        steps += each.steps
        violations += each.violations
        outcomes.update(each.outcomes)
        site_hits.update(each.site_hits)
        reached |= each.steps_reached
        if each.coverage.executions:
            coverage = coverage + each.coverage
    return LeaseTotals(
        schedules, steps, violations, outcomes, site_hits, frozenset(reached), coverage
    )
