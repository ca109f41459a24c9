"""The benchmark: which programs, what is known of each, and what was published of schedulers.

The published figures are mean schedules to the first violation, of 20 trials; a text stands where
none or only some of them found one. Left the study of SURW (ASPLOS 2025), right that of RFF (ASPLOS
2024). Scheduling points differ between the studies and from ours: compare ranks and scaling only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.language.declare import ProgramSource
from model.program import Program
from tests.programs.benchmark import races, structures
from tests.programs.schedulers_4_4 import small_programs as small

PUBLISHED = (
    "SURW", "PCT3", "POS", "walk", "RFF study: RFF", "RFF study: POS", "RFF study: PCT3"
)  # fmt: skip


@dataclass(frozen=True)
class Benchmark:
    """A program with its parameters; `preemptions` of its smallest failing interleaving."""

    name: str
    source: ProgramSource
    preemptions: int
    published: tuple[str, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)

    @property
    def program(self) -> Program:
        return self.source.compile(**self.parameters)

    def __str__(self) -> str:
        return self.name


def _row(
    name: str,
    source: ProgramSource,
    preemptions: int,
    published: str = "",
    **parameters: int,
) -> Benchmark:
    figures = tuple(published.split())
    assert len(figures) in (0, len(PUBLISHED))
    return Benchmark(name, source, preemptions, figures, parameters)


BENCHMARKS = (
    _row("account", small.account, 0, "6 4 4 18 1 1 9"),
    _row("lazy01", small.lazy01, 0),
    _row("bluetooth_driver", small.bluetooth_driver, 1, "70 112 36 215 45 72 161"),
    _row("carter01", small.carter01, 1),
    _row("deadlock01", small.deadlock01, 1, "2 13 4 3 5 4 20"),
    _row("token_ring", small.token_ring, 0, "8 8 9 13 5 7 8"),
    _row("reorder_3", small.reorder, 1, "7 185 86 0 7 223 241", setters=2),
    _row("reorder_4", small.reorder, 1, setters=3),
    _row("reorder_5", small.reorder, 1, "10 647 2169 0 6 4377(17) 1126", setters=4),
    _row("reorder_10", small.reorder, 1, "17 3225(16) 0 0 6 0 2356", setters=9),
    _row("reorder_20", small.reorder, 1, setters=10, checkers=10),
    _row("reorder_50", small.reorder, 1, setters=49),
    _row("reorder_100", small.reorder, 1, "194 0 0 0 6 0 7447(1)", setters=99),
    _row("twostage", small.twostage, 1, "8 13 15 464 8 15 9"),
    _row("twostage_20", small.twostage, 1, "6 159 156 0 22 185 188", writers=19),
    _row("twostage_50", small.twostage, 1, writers=49),
    _row("twostage_100", small.twostage, 1, "454 7466(3) 6674(3) 0 56 0 3888(6)", writers=99),
    _row("wronglock", races.wronglock, 1, "7 51 10 36 1 1 88", writers=1),
    _row("wronglock_3", races.wronglock, 1, writers=3),
    _row("stack", structures.stack, 1, "5 3 2 176 2 2 2"),
    _row("queue", structures.queue, 1),
    _row("circular_buffer", structures.circular_buffer, 1),
    _row("work_stealing_queue", structures.work_stealing_queue, 2),
    _row("safe_stack", structures.safe_stack, 7, "368921(19) 0 0 0 0 0 0"),
)
