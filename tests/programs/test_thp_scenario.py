"""The scenario space of thp_split: its header counts the steps, and its fuzzing finds the truth."""

import re

import pytest

from model.explore import explore
from model.program_json import to_json
from model.programs import thp_scenario as module
from model.programs.thp_scenario import OPERATIONS, thp_scenario
from model.scenario_space import scenario_space
from storage.session import open_database
from tests.unit.workers.test_campaign import Notes
from workers.local_pool import LocalPool
from workers.orders import Budget
from workers.progress import Ending, Progress
from workers.scenario_progress import ScenarioProgress
from workers.scenarios import Scenarios
from workers.shards import ShardSpec
from workers.trying import ScenarioOrder

ALONE = {"lookups": 0, "first_2": "none"}


def steps_of(operation, **given):
    program = thp_scenario.compile(first_1=operation, **ALONE, **given)
    return len(next(body for body in program.bodies if body.name == "first").steps)


def test_the_header_counts_the_steps_of_each_operation():
    assert module.__doc__ is not None
    counts = dict(re.findall(r"^    (\w+) +(\d+)  ", module.__doc__, re.MULTILINE))
    assert counts.keys() == set(OPERATIONS) - {"none"}
    assert {name: steps_of(name) for name in counts} == {k: int(n) for k, n in counts.items()}
    upstream = dict(re.findall(r"^    (\w+) .*; (\d+) in 70b50f94$", module.__doc__, re.MULTILINE))
    for name in counts:
        assert steps_of(name, design="70b50f94") == int(upstream.get(name, counts[name]))


def test_the_largest_configuration_has_what_the_header_names():
    given = {"pages": 4, "lookups": 4, "splitters": 2, "second_1": "gup"}
    program = thp_scenario.compile(**given)
    names = [thread.name.partition("#")[0] for thread in program.threads]
    assert names.count("find_get_page") == 4 and names.count("split_huge_page_pmd") == 2
    assert program.variable["count"].element_names == ("HEAD", "TAIL", "SECOND", "THIRD")
    assert program.variable["slot"].length == 3


@pytest.mark.slow
def test_fuzzing_its_configurations_says_what_exploring_each_says(tmp_path):
    """A lookup, and a pin of the tail: every configuration that has both fails, no other."""
    opened = ["lookups=0..1", "second_1=none,gup"]
    space = scenario_space(thp_scenario, {}, opened)
    base = thp_scenario.compile(**dict(space.base))
    progress = ScenarioProgress(space, Progress(base))
    with open_database(tmp_path / "found.db") as database:
        ending = Scenarios(
            database,
            LocalPool(ShardSpec(to_json(base), 1)),
            ScenarioOrder(space, "source", "uniform_walk", 1, 16),
            Budget(),
            progress,
            Notes(),
            lambda: False,
        ).execute()
    assert ending is Ending.ALL_TRIED and progress.answered == 4
    for tried in progress.tried:
        explored = explore(tried.program, states_max=100_000)
        sites = {tried.program.sites[site].sentence for site in explored.sites}
        shown = {s.site.partition(": ")[2] for s in tried.shown}
        assert explored.exhausted and shown <= sites
        on = dict(tried.configuration)
        assert bool(sites) == (on["lookups"] == 1 and on["second_1"] == "gup")
    assert {found.where for found in progress.totals.failures.values()} == {"second_1=gup"}
