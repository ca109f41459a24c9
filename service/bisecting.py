"""Which patch of a series closes a failure, and which one opens it.

Every prefix of the series is asked, since a later patch may open again what an earlier one closes;
prefixes whose programs fold to the same steps are asked once. The failure's own parameters stay,
but for those that patches of the series set.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model.recheck import Rechecked, Sought, Verdict, recheck
from model.series import Series, SeriesError, SeriesPatch
from service.reading import columns, pretty
from storage.sources import compile_source, find_series, library_series

Values = dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a failure does in the program with the first `patches` patches of a series."""

    patches: int
    program: str
    rechecked: Rechecked

    @property
    def shows(self) -> bool | None:
        """True where the failure shows, False where it is gone, None where nobody can say."""
        if self.rechecked.verdict is Verdict.REPRODUCED:
            return True
        return False if self.rechecked.is_gone else None


@dataclass(frozen=True, slots=True)
class Bisected:
    """A failure over all prefixes of a series, from none of its patches to all of them."""

    failure: int
    series: Series
    prefixes: tuple[Prefix, ...]

    @property
    def opened_by(self) -> tuple[SeriesPatch, ...]:
        """The patches before which it is gone, and with which it shows."""
        return self._turning(shows=True)

    @property
    def closed_by(self) -> tuple[SeriesPatch, ...]:
        """The patches before which it shows, and with which it is gone."""
        return self._turning(shows=False)

    @property
    def undecided(self) -> tuple[int, ...]:
        """The prefixes of which nobody can say."""
        return tuple(each.patches for each in self.prefixes if each.shows is None)

    def _turning(self, *, shows: bool) -> tuple[SeriesPatch, ...]:
        return tuple(
            self.series.patches[after.patches - 1]
            for before, after in zip(self.prefixes, self.prefixes[1:], strict=False)
            if before.shows is (not shows) and after.shows is shows
        )


def series_for(program: str, given: str | None) -> Series:
    """The series that was named, or the first of the library that has a program.

    Raises SourceError and SeriesError.
    """
    if given is not None:
        return find_series(given)
    for series in library_series().values():
        if program in {each.source.name for each in series.variants}:
            return series
    raise SeriesError(
        f"no series of the library has the program {program}\n    name one with --series"
    )


def bisect(
    number: int,
    failure: Sought,
    parameters: Values,
    series: Series,
    *,
    bytes_max: int,
    note: Callable[[Prefix], None],
) -> Bisected:
    """Ask each prefix; `note` hears of each as it is known. Takes up to seconds for a prefix.

    Raises SeriesError where the failure's program is none of the series, and what compiling raises.
    """
    sources = {each.source.name: each.source for each in series.variants}
    source = sources.get(failure.signature.program)
    if source is None:
        raise SeriesError(
            f"{failure.signature.program} is no program of the series {series.name}\n"
            f"    it has {', '.join(sorted(sources))}; name another series with --series"
        )
    patched = {name for patch in series.patches for name in patch.sets.get(source, {})}
    known = source.parameters.keys()
    given = {k: v for k, v in parameters.items() if k in known and k not in patched}
    asked: dict[str, Rechecked] = {}
    prefixes: list[Prefix] = []
    for count in range(len(series.patches) + 1):
        if count:
            given.update(series.patches[count - 1].sets.get(source, {}))
        program = compile_source(source, given)
        if program.folded_hash not in asked:
            asked[program.folded_hash] = recheck(program, failure, bytes_max=bytes_max)
        prefixes.append(Prefix(count, program.title, asked[program.folded_hash]))
        note(prefixes[-1])
    return Bisected(number, series, tuple(prefixes))


def bisected_lines(found: Bisected) -> list[str]:
    """A line for each prefix, then what that means."""
    rows = [
        (found.series.columns[each.patches].name, *_verdict(each))
        for each in found.prefixes
    ]
    return [
        f"failure {found.failure} in {found.series.name}, patches up to …",
        "",
        *columns(rows),
        "",
        *(f"opened by patch {each.number}: {each.title}" for each in found.opened_by),
        *(f"closed by patch {each.number}: {each.title}" for each in found.closed_by),
        *_standing(found),
    ]


def bisected_json(found: Bisected) -> str:
    """The same as an object."""
    return pretty(
        {
            "failure": found.failure,
            "series": found.series.name,
            "prefixes": [
                {
                    "patches": each.patches,
                    "program": each.program,
                    "verdict": each.rechecked.verdict.value,
                    "shows": each.shows,
                    "reason": each.rechecked.reason,
                    "states": each.rechecked.states,
                }
                for each in found.prefixes
            ],
            "opened_by": _patches(found.opened_by),
            "closed_by": _patches(found.closed_by),
            "undecided": list(found.undecided),
        }
    )


def _verdict(prefix: Prefix) -> tuple[str, str]:
    return prefix.rechecked.verdict.value, prefix.rechecked.reason


def _standing(found: Bisected) -> list[str]:
    """What no single patch is named for."""
    first, last = found.prefixes[0].shows, found.prefixes[-1].shows
    said = []
    if first is True:
        said.append("it shows before the first patch")
    if last is True:
        said.append("it shows with the whole series")
    if not any(each.shows for each in found.prefixes) and not found.undecided:
        said.append("it shows in no prefix: another parameter is what opens it")
    if found.undecided:
        known = ", ".join(found.series.columns[n].name for n in found.undecided)
        said.append(f"not decided: {known}; raise --memory")
    return said


def _patches(patches: Sequence[SeriesPatch]) -> list[dict[str, object]]:
    return [{"patch": each.number, "title": each.title} for each in patches]
