"""A matrix judged cell by cell: each program that folds to other steps once, the others with it.

Where the oracle that a patch adds is violated, executions end there, and what they would do later
is not seen. So the same column is judged without that patch too, and what shows there is what a
kernel does that does not look: it stands in the matrix as found behind the assertion.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from model.program import Program
from model.program_json import to_json
from model.series import Column, Series, Variant
from model.signature import Signature, site_name
from storage.cells import StoredCell
from storage.sources import compile_source, text_of
from workers.cell_pool import CellPool
from workers.cells import Judged
from workers.matrix_record import MatrixRecord

WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Configuration:
    """A variant with the patches of a column: its program, by what it folds to, and its oracles."""

    variant: Variant
    column: Column
    program: Program
    sites: frozenset[str]

    @property
    def folded_hash(self) -> str:
        """What its cell is known by."""
        return self.program.folded_hash


@dataclass(frozen=True, slots=True)
class MatrixProgress:
    """How far it has come: configurations compiled and judged, of all that are known by now."""

    compiled: int
    judged: int
    configurations: int
    programs: int
    reused: int
    broken: int


class Observer(Protocol):
    """Who is told how it goes on."""

    def progressed(self, progress: MatrixProgress) -> None:
        """Some time has passed, or something was stored."""

    def said(self, sentence: str) -> None:
        """Something that a person should know of."""


@dataclass(slots=True)
class Judgements:
    """All that is known of a series: the cell of a variant in a column, where it was judged."""

    configurations: dict[tuple[str, Column], Configuration] = field(default_factory=dict)
    cells: dict[str, StoredCell] = field(default_factory=dict)
    reused: set[str] = field(default_factory=set)
    disagreements: int = 0

    def configuration(self, variant: Variant, column: Column) -> Configuration | None:
        """The program of a variant in a column; None where it was not compiled."""
        return self.configurations.get((variant.name, frozen(column)))

    def cell(self, variant: Variant, column: Column) -> StoredCell | None:
        """What is known of a variant in a column; None where that is nothing."""
        found = self.configuration(variant, column)
        return None if found is None else self.cells.get(found.folded_hash)

    def asserted(self, series: Series, variant: Variant, column: Column) -> bool:
        """True where an oracle that a patch adds ends some executions of a variant."""
        cell = self.cell(variant, column)
        return cell is not None and any(
            sentence_of(each.found.site) in series.assertions for each in cell.findings
        )


def frozen(column: Column) -> Column:
    """A column by its patches: `all but 9` of nine is `1-8`."""
    return Column(column.patches)


def sentence_of(site: str) -> str:
    """The sentence of a site's name."""
    return site.partition(": ")[2]


@dataclass(slots=True)
class MatrixCoordinator:
    """One matrix. `execute` may be called once; `is_stopping` is asked between pieces of work."""

    series: Series
    record: MatrixRecord
    pool: CellPool
    observer: Observer
    is_stopping: Callable[[], bool]
    known: Judgements = field(default_factory=Judgements)
    _programs: dict[tuple[str, str], Program] = field(init=False, default_factory=dict)
    _in_flight: dict[str, Configuration] = field(init=False, default_factory=dict)
    _wanted: int = field(init=False, default=0)

    def execute(self) -> Judgements:
        """Judge what is not stored, until all is or somebody stops it.

        Raises StorageError, PoolError and what compiling a program raises.
        """
        every = [(v, c) for v in self.series.variants for c in self.series.columns]
        self._judge(every)
        behind = [
            (variant, self.series.without_assertions(column))
            for variant, column in every
            if self.known.asserted(self.series, variant, column)
        ]
        self._judge(behind)
        return self.known

    def _judge(self, wanted: Iterable[tuple[Variant, Column]]) -> None:
        waiting = deque(
            dict.fromkeys((v, frozen(c)) for v, c in wanted if self.known.cell(v, c) is None)
        )
        self._wanted += len(waiting)
        while (waiting and not self.is_stopping()) or self._in_flight:
            while waiting and self.pool.takes_more and not self.is_stopping():
                self._begin(*waiting.popleft())
                self.observer.progressed(self._progress())
            for name, judged in self.pool.wait(seconds_max=WAIT_SECONDS):
                self._take(name, judged)
            self.observer.progressed(self._progress())

    def _begin(self, variant: Variant, column: Column) -> None:
        """Compile, and have it judged unless that is known or under way."""
        made = self._configuration(variant, column)
        self.known.configurations[variant.name, column] = made
        name = made.folded_hash
        if name in self.known.cells or name in self._in_flight:
            return
        stored = self.record.known(made.program)
        if stored is not None:
            self.known.cells[name] = stored
            self.known.reused.add(name)
            return
        self._in_flight[name] = made
        self.pool.submit(name, self.record.work(to_json(made.program)))

    def _configuration(self, variant: Variant, column: Column) -> Configuration:
        values = self.series.values(variant, column)
        key = variant.source.name, str(sorted(values.items()))
        if key not in self._programs:
            self._programs[key] = compile_source(variant.source, values)
        program = self._programs[key]
        sites = frozenset(site_name(program, n) for n in range(len(program.sites)))
        return Configuration(variant, column, program, sites)

    def _take(self, name: str, judged: Judged) -> None:
        """Store what was judged, and say what a person should know of."""
        made = self._in_flight.pop(name)
        self.known.cells[name] = self.record.store(
            made.program, judged, source=text_of(made.variant.source)
        )
        self.known.disagreements += len(judged.disagreements)
        title = made.program.title
        for odd in judged.disagreements:
            self.observer.said(
                f"{title}: the two engines disagree about lane {odd.lane} of block {odd.block}; "
                f"this is a defect of gracefuzz, please report it\n    {odd.detail}"
            )
        for signature in judged.too_long:
            self.observer.said(f"{title}: {_too_long(signature, made.program)}")

    def _progress(self) -> MatrixProgress:
        configurations = self.known.configurations.values()
        cells = [self.known.cells.get(each.folded_hash) for each in configurations]
        return MatrixProgress(
            compiled=len(cells),
            judged=sum(cell is not None for cell in cells),
            configurations=self._wanted,
            programs=len(self.known.cells),
            reused=len(self.known.reused),
            broken=sum(bool(cell.findings) for cell in self.known.cells.values()),
        )


def _too_long(signature: Signature, program: Program) -> str:
    return (
        f"{signature.site} is violated, after more than {program.steps_max} steps, the limit of "
        "its executions\n    raise its steps_max to have it in the matrix"
    )
