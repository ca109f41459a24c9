"""A series of patches: which patch sets which parameters of which programs.

A column is a set of applied patches: each prefix of the series, and the series but for one patch. A
variant is a program, with some parameters fixed, to which the patches are applied. Where two
columns give a variant the same values, they are the same program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from model.language.declare import ProgramSource
from model.language.errors import ParameterError
from model.language.parameters import Patch
from model.program import show_parameter

Values = Mapping[str, int | str]


class SeriesError(ValueError):
    """What a series says fits neither its programs nor itself; the message says where."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesPatch:
    """A patch: what it sets in the programs that it changes.

    `asserts` is the sentence of an oracle that it adds and that a kernel without its debugging
    options does not have; such a patch does nothing else. What the oracle hides is looked for in
    the same column without the patch.
    """

    number: int
    title: str
    sets: Mapping[ProgramSource, Values]
    asserts: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """A program to which a series is applied, with the parameters that stay as they are given."""

    source: ProgramSource
    fixed: Values = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`find_get_page`, or `find_get_page (remove=truncate)`."""
        shown = ", ".join(f"{name}={show_parameter(value)}" for name, value in self.fixed.items())
        return f"{self.source.name} ({shown})" if shown else self.source.name


@dataclass(frozen=True, slots=True)
class Column:
    """A set of applied patches. `omitted` is the one that is left out, or None for a prefix."""

    patches: frozenset[int]
    omitted: int | None = None

    @property
    def name(self) -> str:
        """`none`, `1`, `1-4`, `all but 3`."""
        if self.omitted is not None:
            return f"all but {self.omitted}"
        last = len(self.patches)
        return "none" if last == 0 else "1" if last == 1 else f"1-{last}"


class Series:
    """A series over a set of programs. Raises SeriesError where the two do not fit.

    Patches are numbered from 1, in the order in which they are applied: where two set the same
    parameter, the later one does. A parameter that says which patch it is (`Patch(3)`) is set by
    that patch and by no other one.
    """

    def __init__(
        self,
        name: str,
        title: str,
        *,
        programs: Iterable[ProgramSource | Variant],
        patches: Iterable[SeriesPatch],
    ) -> None:
        self.name, self.title, self.patches = name, title, tuple(patches)
        self.variants = tuple(
            each if isinstance(each, Variant) else Variant(each) for each in programs
        )
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            raise SeriesError(f"{name!r} is no name of a series: give words joined by hyphens")
        self._check_numbers()
        self._check_variants()
        for patch in self.patches:
            self._check_patch(patch)
        self._check_every_patch_is_there()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The prefixes, from no patch to all, then all patches but one, for each."""
        whole = frozenset(patch.number for patch in self.patches)
        prefixes = [Column(frozenset(range(1, 1 + n))) for n in range(1 + len(whole))]
        return (*prefixes, *(Column(whole - {n}, omitted=n) for n in sorted(whole)))

    @property
    def whole(self) -> Column:
        """The column with every patch."""
        return Column(frozenset(patch.number for patch in self.patches))

    @property
    def assertions(self) -> dict[str, int]:
        """The sentences of the oracles that patches add, with the number of the patch."""
        return {patch.asserts: patch.number for patch in self.patches if patch.asserts is not None}

    def values(self, variant: Variant, column: Column) -> dict[str, int | str]:
        """The value of each parameter of a variant with the patches of a column."""
        given = dict(variant.fixed)
        for patch in self.patches:
            if patch.number in column.patches:
                given.update(patch.sets.get(variant.source, {}))
        return variant.source.values(given)

    def without_assertions(self, column: Column) -> Column:
        """A column without the patches that add an oracle."""
        return Column(column.patches - frozenset(self.assertions.values()))

    # -- what does not fit -------------------------------------------------------------------------

    def _check_numbers(self) -> None:
        numbers = [patch.number for patch in self.patches]
        if not numbers or numbers != list(range(1, 1 + len(numbers))):
            raise SeriesError(
                f"{self.name}: its patches have the numbers {numbers}\n"
                "    number them 1, 2, 3 …, in the order in which they are applied"
            )

    def _check_variants(self) -> None:
        if not self.variants:
            raise SeriesError(f"{self.name}: it has no programs")
        seen = set[tuple[str, tuple[tuple[str, int | str], ...]]]()
        for variant in self.variants:
            values = self._accepted(variant.source, variant.fixed, where="a variant")
            key = variant.source.name, tuple(sorted(values.items(), key=lambda item: item[0]))
            if key in seen:
                raise SeriesError(f"{self.name}: {variant.name} is there twice")
            seen.add(key)

    def _check_patch(self, patch: SeriesPatch) -> None:
        where = f"patch {patch.number}"
        for source, values in patch.sets.items():
            self._accepted(source, values, where=where)
            variants = [each for each in self.variants if each.source is source]
            if not variants:
                raise SeriesError(
                    f"{self.name}: {where} changes {source.name}, which is no program of the "
                    "series\n    add it to `programs`"
                )
            for name in values:
                parameter = source.parameters[name]
                if isinstance(parameter, Patch) and parameter.number not in (0, patch.number):
                    raise SeriesError(
                        f"{self.name}: {where} sets {name} of {source.name}, which is patch "
                        f"{parameter.number}"
                    )
                for variant in variants:
                    if name in variant.fixed:
                        raise SeriesError(
                            f"{self.name}: {where} sets {name}, which is fixed in {variant.name}"
                        )

    def _check_every_patch_is_there(self) -> None:
        """A parameter that is a patch and is never set would make a column that does not exist."""
        for variant in self.variants:
            for name, parameter in variant.source.parameters.items():
                if not isinstance(parameter, Patch) or not parameter.number:
                    continue
                setting = [p for p in self.patches if name in p.sets.get(variant.source, {})]
                if not setting:
                    raise SeriesError(
                        f"{self.name}: {name} of {variant.source.name} is patch "
                        f"{parameter.number}, and no patch of the series sets it"
                    )

    def _accepted(self, source: ProgramSource, values: Values, *, where: str) -> Values:
        try:
            return source.values(values)
        except ParameterError as error:
            raise SeriesError(f"{self.name}: {where} of {source.name}: {error}") from None
