"""What a campaign has done so far, as the display, the metrics and the last screen read it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from model.coverage import Coverage
from model.program import Program
from model.schedulers.portfolio import Gains
from model.step_pairs import possible_pairs
from storage.campaigns import CampaignTotals
from workers.minimizing import Minimized
from workers.shards import BlockRange, ShardResult


class Ending(Enum):
    """Why a campaign stopped. The value is the sentence that is stored and shown."""

    TIME_SPENT = "its time was spent"
    SCHEDULES_SPENT = "its schedules were spent"
    STEPS_SPENT = "its steps were spent"
    VIOLATIONS_SPENT = "it has shown as many violations as were asked for"
    SATURATED = "its last blocks covered nothing new"
    BLOCK_DONE = "the one block that was asked for was executed"
    ALL_SCHEDULES = "all {schedules:,} schedules with at most {preemptions} executed: {verdict}"
    AGAIN_DONE = "what the other campaign had executed was executed again"
    FOUND = "stopped at the first failure, as asked"
    STOPPED = "stopped by a person or the system; everything found was kept"
    ABORTED = "aborted; what was in flight is not counted"
    QUARANTINED = "stopped: too many ranges of blocks killed their workers"
    FAILED = "gracefuzz itself failed"
    EXHAUSTED = "explored every reachable state"
    HASHED = "found no other state; with a few bits a state, some may have been taken for others"
    BLOCKS_DONE = "its blocks were executed"
    ALL_TRIED = "tried every configuration"
    MEMORY_FULL = "its memory was full before every state was seen"


class Verdict(IntEnum):
    """The exit codes of the command line."""

    CLEAN = 0
    VIOLATIONS = 1
    USAGE = 2
    INFRASTRUCTURE = 3
    BOUNDED = 4


@dataclass(frozen=True, slots=True)
class FoundFailure:
    """A failure that this campaign has shown; `is_new` where no campaign had before.

    `ordinal`: how many schedules the campaign had executed when it showed. `where`: which features
    of a scenario space it needs; None outside of one. `has_regressed`: it had been fixed.
    """

    failure_id: int
    is_new: bool
    minimal: Minimized
    ordinal: int
    where: str | None = None
    has_regressed: bool = False

    def counts(self, *, only_new: bool, known: frozenset[str] | None) -> bool:
        """Whether the exit code is 1 for it.

        With `only_new`, only where no campaign had shown it before, or its fingerprint is not
        `known`, where that is given; and where it had been fixed.
        """
        if not only_new or self.has_regressed:
            return True
        return self.is_new if known is None else self.minimal.fingerprint not in known


@dataclass(slots=True)
class Progress:
    """The totals of completed leases, exactly, and what was found; changed by the coordinator only.

    A violation is `new` where it made a new failure, and `known` otherwise: the two add up to all.
    `coverage` is that of one program: where several are added up, it stays empty. `shares` says
    what each scheduler of a portfolio has done, `all_blocks` how many blocks there are, if known.
    """

    program: Program
    schedules: int = 0
    steps: int = 0
    blocks: int = 0
    all_blocks: int | None = None
    violations: int = 0
    passed_over: int = 0
    disagreements: int = 0
    workers_lost: int = 0
    open_signatures: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    site_hits: Counter[str] = field(default_factory=Counter)
    steps_reached: set[str] = field(default_factory=set)
    coverage: Coverage = field(default_factory=Coverage)
    shares: Mapping[str, Gains] = field(default_factory=dict)
    failures: dict[int, FoundFailure] = field(default_factory=dict)
    last_new_timestamp_seconds: float | None = None
    quarantined: list[BlockRange] = field(default_factory=list)
    # Labels, each counted once.
    program_steps: int = field(init=False)
    possible_pairs: int = field(init=False)

    def __post_init__(self) -> None:
        self.program_steps = len(labels_of(self.program))
        self.possible_pairs = len(possible_pairs(self.program))

    def add(self, blocks: BlockRange, result: ShardResult) -> None:
        """Count a lease that was completed in the database."""
        self.blocks += blocks.blocks
        self.schedules += result.schedules
        self.steps += result.steps
        self.violations += result.violations
        self.passed_over += result.passed_over
        self.disagreements += len(result.disagreements)
        self.outcomes.update(result.outcomes)
        self.site_hits.update(result.site_hits)
        self.steps_reached |= result.steps_reached

    def add_stored(self, totals: CampaignTotals) -> None:
        """Count what a campaign has done before, as the database knows it."""
        self.blocks += totals.blocks_done
        self.schedules += totals.schedules
        self.steps += totals.steps
        self.violations += totals.violations
        self.disagreements += totals.disagreements
        self.outcomes.update(totals.outcomes)
        self.site_hits.update(totals.site_counts)
        self.steps_reached |= totals.steps_reached
        self.coverage += totals.coverage

    @property
    def new_failures(self) -> int:
        """Failures that no campaign had shown before."""
        return sum(found.is_new for found in self.failures.values())

    @property
    def known_violations(self) -> int:
        """Violations that made no new failure. A failure may be stored before its lease counts."""
        return max(0, self.violations - self.new_failures)

    def verdict(self, *, only_new: bool, known: frozenset[str] | None = None) -> Verdict:
        """What the exit code says. A result that cannot be trusted is never called clean."""
        if any(each.counts(only_new=only_new, known=known) for each in self.failures.values()):
            return Verdict.VIOLATIONS
        if self.disagreements or self.quarantined or self.blocks == 0:
            return Verdict.INFRASTRUCTURE
        return Verdict.CLEAN


def labels_of(program: Program) -> set[str]:
    """The labels of a program's steps: what can be reached, each counted once."""
    return {str(step.label) for body in program.bodies for step in body.steps}
