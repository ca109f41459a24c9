"""`gracefuzz matrix` without its options: open everything, judge, close everything, print."""

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from storage.failures import get_failure
from storage.locations import option_for
from storage.session import Database, open_database
from storage.sources import find_series
from workers.cell_pool import CellPool, LocalCellPool, ProcessCellPool
from workers.display import LiveScreen, duration, watched
from workers.failing import KnownBefore
from workers.matrix import Matrix, matrix_of
from workers.matrix_coordinator import MatrixCoordinator, MatrixProgress
from workers.matrix_json import matrix_json
from workers.matrix_picture import page_of, svg_of
from workers.matrix_record import MatrixRecord
from workers.matrix_text import failures_of, markdown_of, print_table
from workers.notifying import notified
from workers.progress import Verdict
from workers.stopping import StopRequest

SAID_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class MatrixWish:
    """What was asked for on the command line, with its units settled."""

    series: str
    brief: bool
    blocks_max: int
    memory: int
    seed: int
    workers: int
    database: str
    picture: str | None
    markdown: bool
    only_new: bool
    baseline: str | None
    as_json: bool


def judge_series(wish: MatrixWish) -> Verdict:
    """Judge a series, show it, and give the exit code.

    Raises what the series, its programs, the database or the pool refuse, and BadParameter where
    the picture cannot be written.
    """
    begun = time.monotonic()
    series, stop = find_series(wish.series), StopRequest()
    with ExitStack() as stack:
        stack.enter_context(stop.listening())
        database = stack.enter_context(open_database(wish.database))
        known = KnownBefore.of(database, wish.baseline)
        stack.enter_context(notified(wish.database))
        record = MatrixRecord(database, wish.seed, wish.blocks_max, wish.memory)
        pool = stack.enter_context(open_cell_pool(wish.workers))
        screen = stack.enter_context(watched(Console(stderr=True, highlight=False)))
        watcher = Watcher(series.title, screen, stop)
        coordinator = MatrixCoordinator(series, record, pool, watcher, lambda: stop.is_requested)
        matrix = matrix_of(series, coordinator.execute())
        diagrams = diagrams_of(matrix, database)
        counting = known.new_numbers(database) if wish.only_new else None
    verdict = matrix.verdict(counting=counting)
    if wish.picture is not None:
        write_picture(matrix, diagrams, wish.picture)
    if wish.as_json:
        print(matrix_json(matrix, verdict=verdict, database=wish.database))
    elif wish.markdown:
        print(markdown_of(matrix), end="")
    else:
        print_table(matrix, brief=wish.brief)
        print_last_lines(matrix, wish, seconds=time.monotonic() - begun)
    if not matrix.is_whole:
        typer.echo(
            "not every cell was judged; what was is stored, and the same command goes on", err=True
        )
    return verdict


def open_cell_pool(workers: int) -> CellPool:
    """Processes, or this one for 0."""
    return LocalCellPool() if workers == 0 else ProcessCellPool(workers)


def diagrams_of(matrix: Matrix, database: Database) -> dict[int, str]:
    """The interleavings of all failures that a matrix names."""
    failures = {number for _, cells in matrix.rows for number in failures_of(cells)}
    with database.read() as session:
        return {number: get_failure(session, number).record.diagram for number in failures}


def write_picture(matrix: Matrix, diagrams: dict[int, str], name: str) -> None:
    """A heat map by itself, or in a page. Raises BadParameter where the system refuses."""
    text = svg_of(matrix) if name.endswith(".svg") else page_of(matrix, diagrams)
    try:
        Path(name).expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {name}: {error.strerror}") from error
    typer.echo(f"the heat map is in {name}", err=True)


def print_last_lines(matrix: Matrix, wish: MatrixWish, *, seconds: float) -> None:
    """How long it took, and what to do next."""
    judged = {
        cell.judged.campaign_id for _, row in matrix.rows for cell in row if cell.judged is not None
    }
    cells = sum(len(row) for _, row in matrix.rows)
    print(f"\n{cells:,} cells from {len(judged)} programs in {duration(seconds)}")
    failures = [number for _, row in matrix.rows for number in failures_of(row)]
    if failures:
        option = option_for(wish.database)
        print(f"see one:   gracefuzz failures show {min(failures)}{option}")
    sys.stdout.flush()


class Watcher:
    """Passes on what judging says: to the screen and stderr."""

    def __init__(self, title: str, screen: LiveScreen, stop: StopRequest) -> None:
        self._title, self._screen, self._stop = title, screen, stop
        self._stop_was_said = False
        self._begun = self._said_at = time.monotonic()

    def progressed(self, progress: MatrixProgress) -> None:
        """Update the screen; elsewhere, a line now and then."""
        if self._stop.is_requested and not self._stop_was_said:
            self._stop_was_said = True
            self.said("stopping when the cells under way are judged; Ctrl-C again ends at once")
        now = time.monotonic()
        line = (
            f"{progress.judged} of {progress.configurations} configurations   "
            f"{progress.programs} programs judged, {progress.broken} violated, "
            f"{progress.reused} known before   {duration(now - self._begun)}"
        )
        if self._screen.is_watched:
            self._screen.show([self._title, f"  {line}"])
        elif now >= self._said_at + SAID_EVERY_SECONDS:
            self._said_at = now
            self.said(line)

    def said(self, sentence: str) -> None:
        """A message on stderr."""
        self._screen.say(sentence)
