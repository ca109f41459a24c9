"""Schedules and seconds to the first violation, per program and scheduler, beside the published.

    python -m tests.programs.benchmark.report
    python -m tests.programs.benchmark.report --program reorder_5 --scheduler pct:d=4 --markdown

A cell holds the median of all seeds and its quartiles. A seed gives up after so many schedules, or
seconds of the processor, and counts as more than what it has executed.

Executions end side by side, short ones first, so that the first to end says little of how many
it takes. All that a block starts end in it, and all are alike: which of n fail is any subset, as
likely as any other of its size. The first failing one is therefore drawn, by the seed, from their
number. Seconds are those of whole blocks.

The portfolio executes whole blocks as a campaign does, and its seconds are all that a first
violation takes on one core: compiling is among them, of each scheduler when it is first chosen.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.progress import track
from rich.table import Table

from model.circuit.block import Engine
from model.schedulers.named import SCHEDULERS, scheduler_named
from model.schedulers.portfolio import PORTFOLIO
from model.schedulers.scheduler import SchedulerError
from tests.programs.benchmark.portfolio import Attempt, PortfolioSearch
from tests.programs.benchmark.table import BENCHMARKS, PUBLISHED, Benchmark

PASSES = 1024
SEEDS = 20
SCHEDULES_MAX = 1_000_000
SECONDS_MAX = 0.5
PORTFOLIO_SECONDS_MAX = 60.0
HEADINGS = ("program", "scheduler", "schedules (quartiles)", "seconds", "found", "compiled in")


@dataclass(frozen=True, slots=True)
class Cell:
    """All seeds of a program under a scheduler."""

    program: str
    scheduler: str
    compile_seconds: float
    attempts: tuple[Attempt, ...]

    def quartile(self, number: int) -> Attempt:
        """The attempt at so many quarters of them all, in the order of schedules.

        One that gave up is larger than all that found something.
        """
        ordered = sorted(self.attempts, key=lambda a: (not a.found, a.schedules))
        return ordered[min(len(ordered) - 1, len(ordered) * number // 4)]

    def texts(self) -> tuple[str, ...]:
        """The cell as a person reads it, under HEADINGS."""
        low, middle, high = (_schedules(self.quartile(number)) for number in (1, 2, 3))
        seconds = statistics.median(attempt.seconds for attempt in self.attempts)
        return (
            self.program, self.scheduler, f"{middle} ({low} to {high})", f"{seconds:.3f}",
            f"{sum(a.found for a in self.attempts)} of {len(self.attempts)}",
            f"{self.compile_seconds:.1f}",
        )  # fmt: skip


def first_violation(
    engine: Engine, *, seed: int, schedules_max: int, seconds_max: float
) -> Attempt:
    """Execute blocks until one has a violation, or one of the bounds is met."""
    begin, schedules, block = time.process_time(), 0, 0
    while True:
        result = engine.run_block(root_seed=seed, block=block, passes=PASSES)
        seconds = time.process_time() - begin
        failing = sum(result.site_hits)
        if failing:
            places = random.Random(seed).sample(range(1, result.schedules + 1), failing)
            return Attempt(schedules + min(places), seconds, True)
        schedules, block = schedules + result.schedules, block + 1
        if schedules >= schedules_max or seconds >= seconds_max:
            return Attempt(schedules, seconds, False)


def cell(
    benchmark: Benchmark, scheduler: str, *, seeds: int, schedules_max: int, seconds_max: float
) -> Cell:
    """Compile once, then all seeds. Raises SchedulerError where the scheduler does not fit."""
    begin = time.process_time()
    engine = Engine(benchmark.program, scheduler_named(scheduler))
    compile_seconds = time.process_time() - begin
    attempts = tuple(
        first_violation(engine, seed=seed, schedules_max=schedules_max, seconds_max=seconds_max)
        for seed in range(1, seeds + 1)
    )
    return Cell(benchmark.name, scheduler, compile_seconds, attempts)


def portfolio_cell(benchmark: Benchmark, *, seeds: int, seconds_max: float) -> Cell:
    """The same of the portfolio, whose seconds hold those of compiling what was chosen."""
    search = PortfolioSearch(benchmark.program)
    attempts = tuple(
        search.first_violation(seed=seed, seconds_max=seconds_max) for seed in range(1, seeds + 1)
    )
    return Cell(benchmark.name, PORTFOLIO, search.compile_seconds, attempts)


def print_report(cells: list[Cell], *, markdown: bool) -> None:
    """The measured cells, then the published means; as tables, or in Markdown."""
    published = [(b.name, *b.published) for b in BENCHMARKS if b.published]
    for title, headings, rows in (
        ("Schedules to the first violation: median and quartiles", HEADINGS,
         [each.texts() for each in cells]),
        ("Published: mean schedules of 20 trials, 0 never, (n) found in n of 20",
         ("program", *PUBLISHED),
         [row for row in published if any(row[0] == each.program for each in cells)]),
    ):  # fmt: skip
        if not rows:
            continue
        if markdown:
            lines = [headings, ("---",) * len(headings), *rows]
            print(f"{title}\n")
            print("\n".join(f"| {' | '.join(line)} |" for line in lines), end="\n\n")
            continue
        table = Table(*headings, title=title, box=None)
        for column in table.columns[1:]:
            column.justify = "right"
        for row in rows:
            table.add_row(*row)
        Console(width=120).print(table)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument("--program", action="append", choices=names, help="only this; repeatable")
    parser.add_argument("--scheduler", action="append", help="NAME:OPTIONS; default: all there are")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--schedules-max", type=int, default=SCHEDULES_MAX, help="of one seed")
    parser.add_argument("--seconds-max", type=float, default=SECONDS_MAX, help="of one seed")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    if given.seeds < 1:
        parser.error("--seeds: at least one")
    for name in given.scheduler or ():
        try:
            if name != PORTFOLIO:
                scheduler_named(name)
        except SchedulerError as error:
            parser.error(str(error))
    chosen = [b for b in BENCHMARKS if b.name in (given.program or names)]
    pairs = [(b, name) for b in chosen for name in given.scheduler or (*SCHEDULERS, PORTFOLIO)]
    cells = []
    for benchmark, name in track(pairs, "measuring", console=Console(stderr=True)):
        if name == PORTFOLIO:
            cells.append(
                portfolio_cell(benchmark, seeds=given.seeds, seconds_max=PORTFOLIO_SECONDS_MAX)
            )
            continue
        try:
            cells.append(
                cell(
                    benchmark, name, seeds=given.seeds, schedules_max=given.schedules_max,
                    seconds_max=given.seconds_max,
                )
            )  # fmt: skip
        except SchedulerError as error:
            print(f"left out: {benchmark} under {name}: {error}", file=sys.stderr)
    if given.json:
        print(json.dumps([asdict(each) for each in cells], indent=2))
    else:
        print_report(cells, markdown=given.markdown)


def _schedules(attempt: Attempt) -> str:
    return f"{attempt.schedules:,}" if attempt.found else f">{attempt.schedules:,}"


if __name__ == "__main__":
    main()
