"""A failure over the prefixes of a series: the patch that closes it and the one that opens it."""

import json
from pathlib import Path

import pytest

from model.recheck import Verdict
from model.series import SeriesError
from service import cli
from service.bisecting import bisect, bisected_lines, series_for
from storage.failures import get_failure
from storage.rechecks import sought_of
from storage.session import open_database
from tests.lost_update import lost_update
from tests.stored_failures import store_failures
from tests.toy_series import CLOSED, TOY, add_up

LOST = "at_end: update lost"
ASSERTED = "assert: VM_BUG_ON(!spin_is_locked(lock))"
MEMORY = 1 << 28


@pytest.fixture
def path(tmp_path):
    return tmp_path / "found.db"


def stored(path, source=add_up, **parameters):
    """The failures by their oracle sites: number, what is sought, parameters."""
    with open_database(path) as database:
        numbers = store_failures(database, source, **parameters)
        with database.read() as session:
            records = {number: get_failure(session, number).record for number in numbers}
    given = dict(source.compile(**parameters).parameters)
    return {f"{r.oracle}: {r.sentence}": (n, sought_of(r), given) for n, r in records.items()}


def asked(found, series, **options):
    heard = []
    result = bisect(*found, series, bytes_max=MEMORY, note=heard.append, **options)
    assert tuple(heard) == result.prefixes
    return result


def test_the_patch_that_closes_a_failure_and_the_one_that_opens_it_again_are_named(path):
    found = asked(stored(path)[LOST], TOY)
    assert [each.shows for each in found.prefixes] == [True, False, False, True]
    assert [each.number for each in found.closed_by] == [1]
    assert [each.number for each in found.opened_by] == [3]
    said = bisected_lines(found)
    assert said[-4:] == [
        "opened by patch 3: unlock it early",
        "closed by patch 1: lock it",
        "it shows before the first patch",
        "it shows with the whole series",
    ]
    assert said[2].startswith("none  reproduced  the stored interleaving fails as it did")


def test_a_series_that_only_closes_opens_nothing(path):
    found = asked(stored(path)[LOST], CLOSED)
    assert [each.number for each in found.closed_by] == [1] and found.opened_by == ()
    assert bisected_lines(found)[-1] == "it shows before the first patch"


def test_an_oracle_that_is_not_there_and_one_that_holds_are_told_apart(path):
    """The assertion of patch 2 fails where patch 1 is not applied, which no prefix is."""
    found = asked(stored(path, asserted="on")[ASSERTED], TOY)
    assert [each.rechecked.verdict for each in found.prefixes] == [
        Verdict.NOT_APPLICABLE,
        Verdict.NOT_APPLICABLE,
        Verdict.FIXED,
        Verdict.FIXED,
    ]
    assert bisected_lines(found)[-1] == "it shows in no prefix: another parameter is what opens it"


def test_parameters_that_no_patch_sets_stay(path):
    found = asked(stored(path, adders=3)[LOST], TOY)
    assert all("adders=3" in each.program for each in found.prefixes)
    assert [each.shows for each in found.prefixes] == [True, False, False, True]


def test_what_the_memory_does_not_suffice_for_is_not_decided(path):
    number, sought, given = stored(path)[LOST]
    found = bisect(number, sought, given, TOY, bytes_max=1, note=lambda _prefix: None)
    assert found.undecided == (1, 2)
    assert found.closed_by == () and found.opened_by == ()
    assert bisected_lines(found)[-1] == "not decided: 1, 1-2; raise --memory"


def test_a_failure_of_another_program_is_refused(path):
    number, sought, given = stored(path, lost_update)["at_end: an addition is lost"]
    with pytest.raises(SeriesError, match="lost_update is no program of the series toy"):
        bisect(number, sought, given, TOY, bytes_max=MEMORY, note=lambda _prefix: None)
    with pytest.raises(SeriesError, match="no series of the library has the program lost_update"):
        series_for("lost_update", None)


def test_the_library_has_the_series_of_its_programs():
    assert series_for("thp_split", None).name == "use-rcu-to-stabilize-page-counts"


def test_the_command_prints_json_and_its_exit_code_says_whether_it_still_shows(path, capsys):
    number, *_ = stored(path)[LOST]
    file = Path(__file__).parents[2] / "toy_series.py"
    wish = ["failures", "bisect", str(number), "--db", str(path), "--json"]
    assert cli.execute([*wish, "--series", f"{file}:toy"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["closed_by"] == [{"patch": 1, "title": "lock it"}]
    assert told["opened_by"] == [{"patch": 3, "title": "unlock it early"}]
    assert [each["shows"] for each in told["prefixes"]] == [True, False, False, True]
    assert cli.execute([*wish, "--series", f"{file}:closed"]) == 0
    assert cli.execute([*wish, "--series", f"{file}:closed", "--memory", "0"]) == 2
