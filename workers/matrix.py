"""A matrix: a row an oracle of a program, a column a set of patches, and what each cell says.

Put together from what was judged; no database, no engine.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from model.series import Column, Series, Variant
from storage.cells import StoredCell, StoredFinding
from storage.tables import VerificationVerdict
from workers.matrix_coordinator import Judgements, sentence_of
from workers.progress import Verdict


class State(Enum):
    """What a cell says. The value is the sentence shown to a person."""

    FOUND = "violation found"
    BEHIND = "violation found behind the assertion, where the kernel does not look"
    PROVED = "clean: proved, no reachable state is wrong"
    BOUNDED = "clean so far: not every state was seen"
    ABSENT = "the oracle is not there"
    EXEMPT = "the oracle is not there with any of these patches"
    UNKNOWN = "not judged"

    @property
    def is_violation(self) -> bool:
        """Whether something was found."""
        return self in (State.FOUND, State.BEHIND)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found where it was looked for."""
        return not self.is_violation and self is not State.UNKNOWN


class Kind(Enum):
    """What a row is about."""

    ANYTHING = "anything"
    ASSERTION = "assertion"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Row:
    """A variant of a program with all that is wrong, one oracle of a patch, or one signature."""

    variant: Variant
    kind: Kind
    site: str = ""
    step: str = ""

    def matches(self, finding: StoredFinding) -> bool:
        """Whether a finding belongs into the row."""
        match self.kind:
            case Kind.ANYTHING:
                return True
            case Kind.ASSERTION:
                return sentence_of(finding.found.site) == self.site
            case Kind.SIGNATURE:
                return (finding.found.site, finding.found.step) == (self.site, self.step)


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of a row in a column.

    `opened` says that it is violated here, and not with some of these patches only. `finding` is
    the smallest one; `judged` is what the cell rests on, `title` its program with the parameters.
    """

    state: State
    opened: bool
    title: str
    judged: StoredCell | None
    finding: StoredFinding | None

    @property
    def failure(self) -> int | None:
        """The number of its failure, where it is violated."""
        return None if self.finding is None else self.finding.found.failure_id


@dataclass(frozen=True, slots=True)
class Matrix:
    """All cells of a series, row by row, in the order of its columns."""

    series: Series
    columns: tuple[Column, ...]
    rows: tuple[tuple[Row, tuple[Cell, ...]], ...]
    disagreements: int

    @property
    def is_whole(self) -> bool:
        """False where some cell was not judged."""
        return all(cell.state is not State.UNKNOWN for _, cells in self.rows for cell in cells)

    def verdict(self, *, counting: frozenset[int] | None = None) -> Verdict:
        """The exit code: whether the series leaves, or opens on its way, a violation.

        What shows where a patch is left out says what that patch is needed for, and does not count.
        Where `counting` is given, only violations count that are of these failures.
        """
        if self.disagreements:
            return Verdict.INFRASTRUCTURE
        prefixes = [n for n, column in enumerate(self.columns) if column.omitted is None]
        for _, cells in self.rows:
            wrong = [cells[n] for n in prefixes if cells[n].opened]
            if cells[prefixes[-1]].state.is_violation:
                wrong.append(cells[prefixes[-1]])
            if any(counting is None or cell.failure in counting for cell in wrong):
                return Verdict.VIOLATIONS
        states = {cells[n].state for _, cells in self.rows for n in prefixes}
        return Verdict.BOUNDED if states & {State.UNKNOWN, State.BOUNDED} else Verdict.CLEAN


def matrix_of(series: Series, known: Judgements) -> Matrix:
    """The matrix of what was judged so far."""
    columns = series.columns
    rows = []
    for variant in series.variants:
        for row in _rows_of(series, known, variant):
            cells = [_cell(series, known, row, column) for column in columns]
            clean = [
                c.patches for c, cell in zip(columns, cells, strict=True) if cell.state.is_clean
            ]
            told = (
                replace(cell, opened=any(fewer < column.patches for fewer in clean))
                if cell.state.is_violation
                else cell
                for column, cell in zip(columns, cells, strict=True)
            )
            rows.append((row, tuple(told)))
    return Matrix(series, columns, tuple(rows), known.disagreements)


def size_of(finding: StoredFinding) -> tuple[int, int, int, int]:
    """The sizes of a minimum, in the order in which they count."""
    return finding.preemptions, finding.switches, finding.threads, finding.steps


def _rows_of(series: Series, known: Judgements, variant: Variant) -> Iterator[Row]:
    """Anything; the oracles of patches, where a patch adds one; each signature, smallest first."""
    yield Row(variant, Kind.ANYTHING)
    for sentence, number in series.assertions.items():
        if variant.source in series.patches[number - 1].sets:
            yield Row(variant, Kind.ASSERTION, sentence)
    smallest: dict[tuple[str, str], tuple[int, int, int, int]] = {}
    for column in series.columns:
        for finding in _findings(series, known, variant, column):
            if sentence_of(finding.found.site) not in series.assertions:
                name, size = (finding.found.site, finding.found.step), size_of(finding)
                smallest[name] = min(size, smallest.get(name, size))
    for site, step in sorted(smallest, key=lambda name: (smallest[name], name)):
        yield Row(variant, Kind.SIGNATURE, site, step)


def _findings(
    series: Series, known: Judgements, variant: Variant, column: Column
) -> Iterator[StoredFinding]:
    """What was found in a column, and behind its assertions."""
    for each in (column, series.without_assertions(column)):
        cell = known.cell(variant, each)
        if cell is not None:
            yield from cell.findings
        if not known.asserted(series, variant, column):
            return


def _cell(series: Series, known: Judgements, row: Row, column: Column) -> Cell:
    made, judged = known.configuration(row.variant, column), known.cell(row.variant, column)
    if made is None or judged is None:
        return Cell(State.UNKNOWN, False, row.variant.name, None, None)

    def cell(state: State, by: StoredCell, finding: StoredFinding | None = None) -> Cell:
        return Cell(state, False, made.program.title, by, finding)

    found = min(filter(row.matches, judged.findings), key=size_of, default=None)
    if found is not None:
        return cell(State.FOUND, judged, found)
    if row.kind is Kind.ASSERTION and row.site not in map(sentence_of, made.sites):
        every = (known.configuration(row.variant, each) for each in series.columns)
        asked = any(row.site in map(sentence_of, each.sites) for each in every if each is not None)
        return cell(State.ABSENT if asked else State.EXEMPT, judged)
    if row.kind is Kind.SIGNATURE and known.asserted(series, row.variant, column):
        behind = known.cell(row.variant, series.without_assertions(column))
        if behind is None:
            return Cell(State.UNKNOWN, False, made.program.title, None, None)
        found = min(filter(row.matches, behind.findings), key=size_of, default=None)
        if found is not None:
            return cell(State.BEHIND, behind, found)
    if row.kind is Kind.SIGNATURE and row.site not in made.sites:
        return cell(State.ABSENT, judged)
    told = judged.exhausted and (judged.findings or judged.verdict is VerificationVerdict.PROVED)
    return cell(State.PROVED if told else State.BOUNDED, judged)
