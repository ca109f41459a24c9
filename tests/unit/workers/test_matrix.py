"""Matrices of small series: every cell against the explorer, and what is made of them."""

import json
import re
import xml.etree.ElementTree as ElementTree
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from io import StringIO

import pytest
from rich.console import Console

from model.explore import Verdict as Conclusion
from model.explore import explore
from model.series import Series
from storage.session import open_database
from storage.tables import VerificationVerdict
from tests.toy_series import CLOSED, TOY
from workers.cell_pool import LocalCellPool
from workers.judging import diagrams_of
from workers.matrix import Kind, Matrix, State, matrix_of
from workers.matrix_coordinator import MatrixCoordinator
from workers.matrix_json import matrix_json
from workers.matrix_picture import page_of, svg_of
from workers.matrix_record import MatrixRecord
from workers.matrix_text import glyph, label_of, markdown_of, table_of
from workers.progress import Verdict

ASSERTION = "VM_BUG_ON(!spin_is_locked(lock))"


class Quiet:
    """Listens, and counts what is submitted through it."""

    def __init__(self):
        self.messages, self.reports = [], []

    def progressed(self, progress):
        self.reports.append(progress)

    def said(self, sentence):
        self.messages.append(sentence)


class CountingPool(LocalCellPool):
    def __init__(self):
        super().__init__()
        self.submitted = []

    def submit(self, name, work):
        self.submitted.append(name)
        super().submit(name, work)


@contextmanager
def coordinator(series: Series, path, *, stop_after: int | None = None):
    with open_database(path) as database, CountingPool() as pool:
        record = MatrixRecord(database, 1, 2, 1 << 26)
        watcher = Quiet()
        yield MatrixCoordinator(
            series,
            record,
            pool,
            watcher,
            lambda: stop_after is not None and len(pool.submitted) >= stop_after,
        )


def matrix(series: Series, path, **options) -> tuple[Matrix, list[str]]:
    with coordinator(series, path, **options) as made:
        return matrix_of(series, made.execute()), made.pool.submitted


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return tmp_path_factory.mktemp("matrix") / "toy.db"


@pytest.fixture(scope="module")
def toy(database) -> Matrix:
    return matrix(TOY, database)[0]


def shown(matrix: Matrix, kind: Kind, variant: str = "add_up") -> dict[str, str]:
    return {
        label_of(row): " ".join(glyph(cell).strip() or "." for cell in cells)
        for row, cells in matrix.rows
        if row.kind is kind and row.variant.name == variant
    }


def test_every_cell_equals_exploring_its_configuration(toy):
    """Judged or shared, a cell says what exploring that very configuration says."""
    conclusions = {Conclusion.REFUTED: State.FOUND, Conclusion.PROVED: State.PROVED}
    for row, cells in toy.rows:
        if row.kind is not Kind.ANYTHING:
            continue
        for column, cell in zip(toy.columns, cells, strict=True):
            program = row.variant.source.compile(**TOY.values(row.variant, column))
            explored = explore(program, symmetry=True)
            assert cell.state is conclusions[explored.verdict], (row, column)
            assert cell.judged.states == explored.states
            found = {(each.found.site, each.found.step) for each in cell.judged.findings}
            assert found == {(each.site, each.step) for each in explored.signatures}


def test_the_rows_of_the_toy_series(toy):
    assert shown(toy, Kind.ANYTHING) == {"add_up": "x1 · · X1 x0 X1 ·"}
    assert shown(toy, Kind.ASSERTION) == {ASSERTION: "- - · · X0 - ·"}


def test_what_the_assertion_hides_is_found_behind_it(toy):
    """Without patch 1 executions end at the assertion; without that too, updates are lost."""
    assert shown(toy, Kind.SIGNATURE) == {
        "update lost  [add: WRITE_ONCE(total, seen + 1)]": "x1 · · X1 b1 X1 ·"
    }


def test_an_oracle_that_is_nowhere_in_a_program_is_exempt(toy):
    assert shown(toy, Kind.ASSERTION, "look_only") == {ASSERTION: ". . . . . . ."}
    assert set(shown(toy, Kind.ANYTHING, "look_only").values()) == {"· · · · · · ·"}


def test_columns_that_fold_to_the_same_steps_share_their_work(database, toy):
    cells = {
        cell.judged.campaign_id
        for row, cells in toy.rows
        for cell in cells
        if row.variant.source.name == "look_only"
    }
    assert len(cells) == 1


def test_a_second_time_nothing_is_judged(database, toy):
    again, submitted = matrix(TOY, database)
    assert submitted == [] and again.rows == toy.rows


def test_a_stop_keeps_what_was_judged_and_the_next_time_goes_on(tmp_path):
    path = tmp_path / "stopped.db"
    part, first = matrix(CLOSED, path, stop_after=1)
    assert len(first) == 1 and not part.is_whole
    assert {cell.state for _, cells in part.rows for cell in cells} >= {State.UNKNOWN, State.FOUND}
    assert part.verdict() is Verdict.BOUNDED
    whole, rest = matrix(CLOSED, path)
    assert whole.is_whole and not set(first) & set(rest)
    assert shown(whole, Kind.ANYTHING) == {"add_up": "x1 · · · x0 · ·"}
    assert whole.verdict() is Verdict.CLEAN


def test_a_series_that_opens_a_race_is_a_violation(toy):
    assert toy.verdict() is Verdict.VIOLATIONS


def test_what_is_beyond_the_step_limit_is_no_proof(tmp_path):
    """The lost update takes 4 steps; a limit of 3 hides it from the matrix, which says so."""
    short = replace(TOY.variants[0].source, steps_max=3)
    patch = replace(CLOSED.patches[0], sets={short: {"locked": "on"}})
    asserting = replace(CLOSED.patches[1], sets={short: {"asserted": "on"}})
    last = replace(CLOSED.patches[2], sets={short: {"early_unlock": "off"}})
    series = Series("short", "", programs=[short], patches=[patch, asserting, last])
    with coordinator(series, tmp_path / "short.db") as made:
        told = matrix_of(series, made.execute())
        assert "raise its steps_max" in made.observer.messages[0]
    ((row, cells), *_) = told.rows
    assert row.kind is Kind.ANYTHING and cells[0].state is State.BOUNDED
    assert cells[0].judged.verdict is VerificationVerdict.REFUTED


def test_the_object_has_every_cell(toy):
    told = json.loads(matrix_json(toy, verdict=toy.verdict(), database="toy.db"))
    assert [column["name"] for column in told["columns"]] == [c.name for c in toy.columns]
    first = told["rows"][0]["cells"][0]
    assert (first["state"], first["preemptions"], first["steps"]) == ("found", 1, 4)
    # It shows in the first pass in which an execution can end.
    assert 0 < int(first["schedules_to_first"]) <= 512
    assert set(first["proof"].values()) == {"proved"}
    assert told["exit_code"] == 1 and told["patches"][1]["sets"]["look_only"] == {"asserted": "on"}


def test_the_markdown_has_a_line_for_each_row(toy):
    lines = markdown_of(toy).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(toy.rows)
    assert {line.count("|") for line in table} == {2 + len(toy.columns)}
    assert "| **add_up** | x1 #1 |" in table[2]


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_keeps_its_columns_on_a_narrow_terminal(toy, width):
    console = Console(width=width, record=True, file=StringIO())
    console.print(table_of(toy, brief=False))
    lines = console.export_text().splitlines()
    (row,) = [line for line in lines if line.startswith("add_up  ") or line == "add_up"]
    assert row.split()[1:9] == ["x1", "·", "·", "X1", "│", "x0", "X1", "·"]
    assert max(map(len, lines)) <= width


def test_a_brief_table_leaves_signatures_out(toy):
    console = Console(width=200, record=True, file=StringIO())
    console.print(table_of(toy, brief=True))
    assert "update lost" not in console.export_text()


def test_the_picture_is_well_formed_and_tells_every_cell(toy):
    root = ElementTree.fromstring(svg_of(toy))
    space = {"svg": "http://www.w3.org/2000/svg"}
    titles = [title.text for title in root.findall("svg:g/svg:title", space)]
    assert len(titles) == len(toy.rows) * len(toy.columns)
    assert any("found by fuzzing in schedule" in title for title in titles)
    assert root.findall("svg:a", space) == []


def test_every_violation_on_the_page_leads_to_its_interleaving(toy, database):
    with open_database(database) as opened:
        diagrams = diagrams_of(toy, opened)
    page = page_of(toy, diagrams)
    cells = [cell for _, row in toy.rows for cell in row]
    wanted = [f"failure-{c.finding.found.failure_id}" for c in cells if c.finding is not None]
    assert re.findall('<a href="#([^"]+)">', page) == wanted
    sections = re.findall('<section id="([^"]+)">', page)
    assert set(sections) == set(wanted) and len(sections) == len(set(sections))
    for diagram in diagrams.values():
        assert f"<pre>{escape(diagram)}</pre>" in page
    space = {"svg": "http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in page and "http" not in page.replace(space["svg"], "")
