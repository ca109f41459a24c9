"""What `--open` means: which configurations there are, and which of them is smaller."""

import itertools

import pytest

from model.language import Param, ParameterError, Switch, program
from model.scenario_space import Feature, scenario_space, swarm
from tests.added_up import added_up


@program(many=Param(0, 1000, default=7), other=Switch(default=False))
def wide(p):
    """Only its parameters matter here."""


def every_configuration(space):
    values = [(feature.default, *feature.others) for feature in space.features]
    for chosen in itertools.product(*values):
        pairs = zip(space.features, chosen, strict=True)
        yield space.configuration({f.name: v for f, v in pairs if v != f.default})


def test_all_opens_what_is_not_given_in_the_order_of_declaration():
    space = scenario_space(added_up, {"reads": "2"}, ["all"])
    assert [feature.name for feature in space.features] == ["writers", "plain", "kind"]
    assert space.fixed == (("reads", 2),)
    assert space.base == (("writers", 1), ("plain", False), ("reads", 2), ("kind", "int"))
    assert space.size == len(set(every_configuration(space))) == 3 * 2 * 3


@pytest.mark.parametrize(
    ("opened", "feature"),
    [
        ("reads", Feature("reads", 0, (1, 2))),
        ("reads=0..1", Feature("reads", 0, (1,))),
        ("reads=1..2", Feature("reads", 1, (2,))),
        ("reads=2,1", Feature("reads", 2, (1,))),
        ("reads=1..1,0", Feature("reads", 0, (1,))),
        ("plain", Feature("plain", False, (True,))),
        ("plain=on,off", Feature("plain", False, (True,))),
        ("kind=none, int", Feature("kind", "int", ("none",))),
    ],
)
def test_an_opened_parameter_has_the_values_named_and_keeps_its_default_where_it_can(
    opened, feature
):
    assert scenario_space(added_up, {}, [opened]).features == (feature,)


@pytest.mark.parametrize(
    ("given", "opened", "sentence"),
    [
        ({}, ["nobody"], "added_up has no parameter 'nobody': it has writers, plain, reads, kind"),
        ({"reads": "1"}, ["reads"], "'reads' is given and opened: leave out one of the two"),
        ({}, ["reads", "reads=1..2"], "the parameter 'reads' is opened twice"),
        ({}, ["reads=1..9"], "reads: 9 is out of bounds: give 0 to 2"),
        ({}, ["reads=2..1"], "reads: '2..1' is empty: give 1..2"),
        ({}, ["reads="], "reads: '' is not a number: give 0 to 2"),
        ({}, ["kind=1..2"], "kind: '1..2' is not known: give int or unsigned or none"),
        ({}, ["reads=1"], "nothing is open: no parameter of added_up can vary"),
    ],
)
def test_what_cannot_be_opened_is_said(given, opened, sentence):
    with pytest.raises(ParameterError) as error:
        scenario_space(added_up, given, opened)
    assert str(error.value) == sentence


def test_a_number_with_very_many_values_is_no_feature():
    with pytest.raises(ParameterError, match=r"many has 1001 values.*as in many=0\.\.99"):
        scenario_space(wide, {}, ["all"])
    assert scenario_space(wide, {}, ["many=0..99"]).size == 100


def test_a_smaller_configuration_has_fewer_features_on_then_smaller_values():
    space = scenario_space(added_up, {}, ["all"])
    everything = sorted(every_configuration(space), key=space.size_of)
    assert len({space.size_of(each) for each in everything}) == space.size == 3 * 2 * 3 * 3
    assert everything[0] == space.base
    on = [len(space.on(each)) for each in everything]
    assert on == sorted(on)
    alone = [space.on(each) for each in everything if len(space.on(each)) == 1]
    assert alone[:2] == [(("kind", "unsigned"),), (("kind", "none"),)]


def test_the_name_of_a_space_tells_it_from_others():
    asked = [["all"], ["reads"], ["reads=0..1"], ["reads=1..2"], ["kind"]]
    names = [scenario_space(added_up, {}, each).name for each in asked]
    names.append(scenario_space(added_up, {"plain": "on"}, ["reads"]).name)
    assert len(set(names)) == len(names)
    assert names[2] == "added_up reads=0,1 with writers=1 plain=off kind=int"


def test_a_swarm_begins_with_every_feature_off_and_has_each_configuration_once():
    space = scenario_space(added_up, {}, ["all"])
    drawn = swarm(space, root_seed=1, count=space.size)
    assert drawn[0] == space.configuration({})
    assert len(set(drawn)) == len(drawn) <= space.size
    assert len(drawn) > 1
    assert swarm(space, root_seed=1, count=3) == drawn[:3]
    assert swarm(space, root_seed=2, count=3) != drawn[:3]
