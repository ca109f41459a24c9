"""How long the whole matrix of the series takes, and how soon fuzzing finds what is broken."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from model.library import SERIES
from storage.cells import StoredCell
from storage.session import open_database
from storage.tables import VerificationVerdict
from workers.cell_pool import ProcessCellPool
from workers.commands import cores
from workers.matrix import Kind, State, matrix_of
from workers.matrix_command import BLOCKS_DEFAULT, MEMORY_DEFAULT
from workers.matrix_coordinator import MatrixCoordinator, MatrixProgress
from workers.matrix_record import MatrixRecord

SERIES_NAME = "use-rcu-to-stabilize-page-counts"


class _Unheard:
    """Listens, and tells nobody."""

    def progressed(self, progress: MatrixProgress) -> None:
        """Nothing."""

    def said(self, sentence: str) -> None:
        """Nothing."""


def measurements() -> dict[str, float]:
    """Figures by name; takes some minutes.

    `matrix_seconds` is everything, fuzzing and proving, from an empty database, on as many
    processes as there are cores. A broken cell is a variant in a column with a violation:
    `broken_cell_engine_seconds` is the most of the processor's time that fuzzing took until one
    showed anything, replaying included, of those that did within their blocks;
    `broken_cells_not_fuzzed` counts those that did not, which only exploring has found. The shares
    are of cells proved, and of violated signatures that fuzzing showed too.
    """
    series = SERIES[SERIES_NAME]
    with tempfile.TemporaryDirectory(prefix="gracefuzz-bench-") as folder:
        begin = time.perf_counter()
        with (
            open_database(Path(folder, "bench.db")) as database,
            ProcessCellPool(cores()) as pool,
        ):
            record = MatrixRecord(database, 1, BLOCKS_DEFAULT, MEMORY_DEFAULT)
            watcher = _Unheard()
            known = MatrixCoordinator(series, record, pool, watcher, lambda: False).execute()
            matrix = matrix_of(series, known)
        seconds = time.perf_counter() - begin
    assert matrix.is_whole
    cells = {cell.campaign_id: cell for cell in known.cells.values()}.values()
    assert all(cell.verdict is not VerificationVerdict.BOUNDED for cell in cells)
    broken = [_first_seconds(cell) for cell in cells if cell.findings]
    findings = [finding for cell in cells for finding in cell.findings]
    fuzzed = [finding for finding in findings if finding.found.schedules is not None]
    tops = [cell for row, cells in matrix.rows if row.kind is Kind.ANYTHING for cell in cells]
    return {
        "matrix_seconds": seconds,
        "matrix_cells": float(sum(len(cells) for _, cells in matrix.rows)),
        "matrix_programs": float(len(cells)),
        "matrix_clean_share": sum(c.state is State.PROVED for c in tops) / len(tops),
        "broken_cell_engine_seconds": max(s for s in broken if s is not None),
        "broken_cells_not_fuzzed": float(broken.count(None)),
        "broken_signatures_fuzzed_share": len(fuzzed) / len(findings),
    }


def _first_seconds(cell: StoredCell) -> float | None:
    """What fuzzing took until it showed anything; None where it did not."""
    seconds = (finding.found.engine_seconds for finding in cell.findings)
    return min((taken for taken in seconds if taken is not None), default=None)
