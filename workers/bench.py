"""The figures of `gracefuzz bench`: a registry of measurements, each a function that gives numbers.

Names are flat, `program.what_and_unit`, and do not change between versions, so that figures of two
versions can be compared. A median of several turns is given with its spread where there is one.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

Figures = Mapping[str, float]

PROGRAM = "thp_split"
TURNS = 3
PAIRS = 10
PAIR_SECONDS = 8.0
SECONDS_MAX = 120.0


class BenchError(Exception):
    """A measurement has nothing to say, since what it measures did not happen."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A name to ask for, what it means, and the function; `figures` may have several names."""

    name: str
    sentence: str
    figures: Callable[[], Figures]


def measurements() -> dict[str, Measurement]:
    """All of them, by name, in the order of the table. Adding one is adding a line here."""
    known = (
        Measurement("engine", "the engine against scalar C, and compiling", engine_figures),
        Measurement("wide", "the same for 25 threads of 130 steps of their own", wide_figures),
        Measurement(
            "scheduler", "each scheduler's rate to the uniform walk's", scheduler_figures
        ),
        Measurement("spin", "the explorer against Spin on the same program", spin_figures),
        Measurement(
            "explorer", "every state of thp_split with two lookups, as fixed", explorer_figures
        ),
        Measurement(
            "coverage", "campaigns without coverage against those with it", coverage_figures
        ),
        Measurement("proof", "all programs explored, failures minimized", proof_figures),
        Measurement("mutation", "the mutants of the library, some minutes", mutation_figures),
        Measurement("matrix", "the whole matrix of the series of 2011", matrix_figures),
        Measurement(
            "first_failure_seconds",
            "from the command to a stored, minimized failure, in one process",
            lambda: {"first_failure_seconds": first_failure_seconds(workers=0)},
        ),
        Measurement(
            "first_failure_with_ray_seconds",
            "the same with two workers, Ray's start and end included",
            lambda: {"first_failure_with_ray_seconds": first_failure_seconds(workers=2)},
        ),
        Measurement(
            "start", "`gracefuzz workers` to its first lease, also after a kill -9", start_figures
        ),
        Measurement(
            "two_worker_speedup",
            "schedules a second of two workers to those of one: ten pairs of campaigns",
            two_worker_speedup,
        ),
        Measurement(
            "coordinator_overhead_percent",
            "processor time of coordinator and database by that of two workers",
            overhead_figures,
        ),
        Measurement(
            "lease_completions_per_second",
            "simulated workers, completions stored by PostgreSQL",
            completion_figures,
        ),
        Measurement(
            "workers_10000",
            "10,000 simulated workers with leases of 10 to 30 s, two minutes",
            many_workers_figures,
        ),
    )
    return {each.name: each for each in known}


def measure(names: Iterable[str]) -> dict[str, float]:
    """The figures of the named measurements, one after the other."""
    known, figures = measurements(), dict[str, float]()
    for name in names:
        print(f"measuring {name}: {known[name].sentence}", file=sys.stderr)
        figures.update(known[name].figures())
    return figures


def print_figures(figures: Figures, *, as_json: bool) -> None:
    """One flat object, or a table."""
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    table = Table("figure", "value", box=None)
    table.columns[1].justify = "right"
    for name, value in figures.items():
        table.add_row(name, f"{value:,.0f}" if value >= 1000 else f"{value:.3f}")
    Console(soft_wrap=True).print(table)


def engine_figures() -> Figures:
    """Steps per second, ratio to scalar C, time to compile. Raises BenchError without gcc."""
    from workers.bench_engine import measurements as engine_measurements

    return _with_gcc(engine_measurements)


def wide_figures() -> Figures:
    """The same of a program of many threads with much code. Raises BenchError without gcc."""
    from workers.bench_wide import measurements as wide_measurements

    return _with_gcc(wide_measurements)


def _with_gcc(figures: Callable[[], Figures]) -> Figures:
    try:
        return figures()
    except FileNotFoundError as error:
        raise BenchError(f"{error}\n    install gcc, or leave it out with --only") from error


def scheduler_figures() -> Figures:
    """Ratios of steps a second, a block of each in turn."""
    from workers.bench_schedulers import measurements as scheduler_measurements

    return scheduler_measurements()


def spin_figures() -> Figures:
    """The explorer's ratio to Spin; none, with the reason on stderr, where Spin is missing."""
    from workers.bench_spin import measurements as spin_measurements

    try:
        return spin_measurements()
    except FileNotFoundError as error:
        print(f"left out: {error}", file=sys.stderr)
        return {}


def explorer_figures() -> Figures:
    """States a second of the processor, and bytes a state with index and buffers."""
    from workers.bench_explorer import measurements as explorer_measurements

    return explorer_measurements()


def coverage_figures() -> Figures:
    """How many times as fast a campaign is that samples nothing."""
    from workers.bench_coverage import measurements as coverage_measurements

    return coverage_measurements()


def proof_figures() -> Figures:
    """Seconds of the processor for exploring the library and for minimizing."""
    from workers.bench_proof import measurements as proof_measurements

    return proof_measurements()


def mutation_figures() -> Figures:
    """The share of the library's mutants that its oracles catch, and the processor's seconds."""
    from workers.bench_mutation import measurements as mutation_measurements

    return mutation_measurements()


def matrix_figures() -> Figures:
    """Seconds for the whole matrix, and until fuzzing shows what is broken."""
    from workers.bench_matrix import measurements as matrix_measurements

    return matrix_measurements()


def overhead_figures() -> Figures:
    """On SQLite, and on PostgreSQL where it is installed."""
    from workers.bench_coordinator import overhead

    return overhead()


def completion_figures() -> Figures:
    """None, with the reason on stderr, where PostgreSQL is missing."""
    from workers.bench_coordinator import lease_completions

    return lease_completions()


def many_workers_figures() -> Figures:
    """None, with the reason on stderr, where PostgreSQL is missing."""
    from workers.bench_coordinator import many_workers

    return many_workers()


def start_figures() -> Figures:
    """Seconds to a first lease. Raises BenchError where there is none."""
    from workers.bench_start import measurements as start_measurements

    try:
        return start_measurements()
    except TimeoutError as error:
        raise BenchError(str(error)) from error


def first_failure_seconds(*, workers: int) -> float:
    """Median seconds of a whole `gracefuzz fuzz --stop-on-first`, from start to end of its process.

    Raises BenchError where it stores no failure, or one whose minimum is not proved.
    """
    return statistics.median(_first_failure(workers=workers) for _ in range(TURNS))


def two_worker_speedup() -> Figures:
    """Schedules of two workers divided by those of one: median of ten interleaved pairs, spread.

    Both are whole campaigns of eight seconds with their database, on the same two actors, one of
    which rests while one worker is measured. Counted is what is stored, by the time from the first
    lease until the last one is stored. Raises BenchError on a machine with one core.
    """
    from workers.bench_pool import paired_campaigns
    from workers.commands import cores

    if cores() < 2:
        raise BenchError("two workers need two cores")
    ratios = paired_campaigns(PROGRAM, pairs=PAIRS, seconds=PAIR_SECONDS)
    return {
        "two_worker_speedup": statistics.median(ratios),
        "two_worker_speedup.low": min(ratios),
        "two_worker_speedup.high": max(ratios),
    }


def _first_failure(*, workers: int) -> float:
    with tempfile.TemporaryDirectory(prefix="gracefuzz-bench-") as folder:
        command = [str(Path(sys.executable).with_name("gracefuzz")), "fuzz", PROGRAM]
        command += ["--stop-on-first", "--time", "60s", "--workers", str(workers), "--json"]
        command += ["--db", os.path.join(folder, "bench.db")]
        begun = time.perf_counter()
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=SECONDS_MAX
        )
        seconds = time.perf_counter() - begun
    if ended.returncode != 1:
        raise BenchError(f"no failure of {PROGRAM} was stored: {ended.stderr.strip()[-500:]}")
    found = json.loads(ended.stdout)["failures"]
    for failure in found:
        open_criteria = [name for name, level in failure["proof"].items() if level != "proved"]
        if open_criteria:
            raise BenchError(f"the failure is not proved minimal: {', '.join(open_criteria)}")
    return seconds
