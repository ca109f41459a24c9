"""Series of patches: their columns, what they set, and what is refused."""

import pytest

from model.language.parameters import Patch
from model.library import PROGRAMS, SERIES
from model.series import Column, Series, SeriesError, SeriesPatch, Variant
from tests.toy_series import TOY, add_up, look_only

ON = {"locked": "on"}


def test_columns_are_the_prefixes_and_the_omissions():
    names = [column.name for column in TOY.columns]
    assert names == ["none", "1", "1-2", "1-3", "all but 1", "all but 2", "all but 3"]
    assert TOY.columns[2].patches == {1, 2}
    assert TOY.columns[-1].patches == {1, 2}
    assert TOY.whole == TOY.columns[3]


def test_a_patch_sets_its_parameters_from_its_prefix_on():
    locked = [TOY.values(TOY.variants[0], column)["locked"] for column in TOY.columns]
    assert locked == [False, True, True, True, False, True, True]


def test_a_variant_keeps_what_is_fixed():
    assert TOY.variants[1].name == "add_up (adders=3)"
    assert {TOY.values(TOY.variants[1], column)["adders"] for column in TOY.columns} == {3}


def test_a_later_patch_wins():
    patches = (
        SeriesPatch(1, "on", {add_up: {"adders": 2}}),
        SeriesPatch(2, "off", {add_up: {"adders": 3, "asserted": "on"}}),
    )
    with pytest.raises(SeriesError, match="locked of add_up is patch 1, and no patch"):
        Series("wins", "", programs=[add_up], patches=patches)
    patches = (
        SeriesPatch(1, "on", {look_only: {}}),
        SeriesPatch(2, "off", {look_only: {"asserted": "on"}}),
        SeriesPatch(3, "again", {look_only: {}}),
    )
    series = Series("wins", "", programs=[look_only], patches=patches)
    assert series.values(series.variants[0], series.whole) == {"asserted": True}


def test_a_column_without_the_assertions():
    assert TOY.assertions == {"VM_BUG_ON(!spin_is_locked(lock))": 2}
    assert TOY.without_assertions(TOY.columns[4]) == Column(frozenset({3}))


@pytest.mark.parametrize(
    ("programs", "patches", "said"),
    [
        ([add_up], [], "its patches have the numbers []"),
        ([add_up], [SeriesPatch(2, "", {})], "numbers [2]"),
        ([], [SeriesPatch(1, "", {})], "it has no programs"),
        ([add_up, add_up], [SeriesPatch(1, "", {})], "add_up is there twice"),
        (
            [add_up, Variant(add_up, {"adders": 2})],
            [SeriesPatch(1, "", {})],
            "add_up (adders=2) is there twice",
        ),
        (
            [look_only],
            [SeriesPatch(1, "", {add_up: ON})],
            "patch 1 changes add_up, which is no program of the series",
        ),
        ([add_up], [SeriesPatch(1, "", {add_up: {"lock": "on"}})], "no parameter 'lock'"),
        ([add_up], [SeriesPatch(1, "", {add_up: {"locked": "maybe"}})], "neither on nor off"),
        ([Variant(add_up, {"adders": 4})], [SeriesPatch(1, "", {})], "4 is out of bounds"),
        (
            [add_up],
            [SeriesPatch(1, "", {add_up: {"asserted": "on"}})],
            "patch 1 sets asserted of add_up, which is patch 2",
        ),
        (
            [Variant(add_up, ON)],
            [SeriesPatch(1, "", {add_up: ON})],
            "patch 1 sets locked, which is fixed in add_up (locked=on)",
        ),
        (
            [add_up],
            [SeriesPatch(1, "", {add_up: ON})],
            "asserted of add_up is patch 2, and no patch of the series sets it",
        ),
    ],
)
def test_what_does_not_fit_is_refused(programs, patches, said):
    with pytest.raises(SeriesError) as raised:
        Series("refused", "", programs=programs, patches=patches)
    assert said in str(raised.value)


def test_a_name_can_be_typed():
    with pytest.raises(SeriesError, match="is no name of a series"):
        Series("Use RCU", "", programs=[add_up], patches=[SeriesPatch(1, "", {})])


def test_the_series_of_the_library_has_every_program_with_one_of_its_patches():
    (series,) = SERIES.values()
    with_patches = {
        source.name
        for source in PROGRAMS.values()
        if any(isinstance(p, Patch) and p.number for p in source.parameters.values())
    }
    # That one is thp_split with parameters that are to be drawn, not judged column by column.
    with_patches.discard("thp_scenario")
    assert with_patches <= {variant.source.name for variant in series.variants}
    assert [patch.number for patch in series.patches] == list(range(1, 10))
    assert len(series.columns) == 19
