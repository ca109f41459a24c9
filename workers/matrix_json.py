"""A matrix for a script: every row with every cell. Counts are text: they may pass 2^53."""

import json

from storage.locations import without_secrets
from workers.matrix import Cell, Matrix, Row
from workers.matrix_text import label_of
from workers.progress import Verdict


def matrix_json(matrix: Matrix, *, verdict: Verdict, database: str) -> str:
    """What `gracefuzz matrix --json` prints."""
    return json.dumps(
        {
            "series": matrix.series.name,
            "title": matrix.series.title,
            "database": without_secrets(database),
            "exit_code": int(verdict),
            "patches": [
                {
                    "number": patch.number,
                    "title": patch.title,
                    "asserts": patch.asserts,
                    "sets": {source.name: dict(sets) for source, sets in patch.sets.items()},
                }
                for patch in matrix.series.patches
            ],
            "columns": [
                {"name": c.name, "patches": sorted(c.patches), "omitted": c.omitted}
                for c in matrix.columns
            ],
            "rows": [_row(row, cells) for row, cells in matrix.rows],
        },
        indent=2,
    )


def _row(row: Row, cells: tuple[Cell, ...]) -> dict[str, object]:
    return {
        "program": row.variant.source.name,
        "variant": row.variant.name,
        "kind": row.kind.value,
        "label": label_of(row),
        "site": row.site or None,
        "step": row.step or None,
        "cells": [_cell(cell) for cell in cells],
    }


def _cell(cell: Cell) -> dict[str, object]:
    told: dict[str, object] = {
        "state": cell.state.name.lower(),
        "opened": cell.opened,
        "program": cell.title,
    }
    if cell.judged is not None:
        told |= {
            "campaign": cell.judged.campaign_id,
            "states": str(cell.judged.states),
            "exhausted": cell.judged.exhausted,
            "schedules": str(cell.judged.effort.schedules),
        }
    if cell.finding is not None:
        found = cell.finding.found
        told |= {
            "failure": found.failure_id,
            "site": found.site,
            "step": found.step,
            "preemptions": cell.finding.preemptions,
            "switches": cell.finding.switches,
            "threads": cell.finding.threads,
            "steps": cell.finding.steps,
            "proof": json.loads(cell.finding.proof),
            "schedules_to_first": None if found.schedules is None else str(found.schedules),
            "engine_seconds_to_first": found.engine_seconds,
        }
    return told
