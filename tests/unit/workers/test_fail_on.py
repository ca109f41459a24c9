"""`--fail-on new`: what a user's CI is told, with a baseline in a file or in the database."""

import json
from pathlib import Path

import pytest

from service import cli
from storage.session import open_database
from tests.lost_update import lost_update
from tests.stored_failures import store_failures
from workers.progress import FoundFailure, Progress, Verdict

SOURCE = str(Path(__file__).parents[2] / "lost_update.py")
FUZZ = ["fuzz", SOURCE, "--workers", "0", "--schedules", "1000", "--json"]


@pytest.fixture
def known(tmp_path, capsys):
    """A file with what one installation knows."""
    database, file = tmp_path / "known.db", tmp_path / "known.json"
    with open_database(database) as opened:
        store_failures(opened, lost_update)
    wish = ["failures", "baseline", "release", "--output", str(file), "--db", str(database)]
    assert cli.execute(wish) == 0
    capsys.readouterr()
    return file


@pytest.mark.slow
def test_what_is_in_the_file_does_not_fail_and_what_is_not_does(known, tmp_path, capsys):
    """CI begins with an empty database: there, every failure is new."""
    wish = [*FUZZ, "--fail-on", "new", "--baseline", str(known)]
    assert cli.execute([*wish, "--db", str(tmp_path / "a.db")]) == 0
    (failure,) = json.loads(capsys.readouterr().out)["failures"]
    assert failure["new"] and not failure["regressed"]
    told = json.loads(known.read_text())
    known.write_text(json.dumps({**told, "failures": []}))
    # The second time, the database knows it: the baseline is what counts.
    assert cli.execute([*wish, "--db", str(tmp_path / "a.db")]) == 1


@pytest.mark.slow
def test_a_stored_baseline_says_the_same(known, tmp_path, capsys):
    wish = [*FUZZ, "--fail-on", "new", "--db", str(tmp_path / "known.db")]
    assert cli.execute([*wish, "--baseline", "release"]) == 0
    assert cli.execute(wish) == 0
    capsys.readouterr()
    assert cli.execute([*wish, "--baseline", "unknown"]) == 2
    said = capsys.readouterr().err
    assert "no baseline is called 'unknown': there is release" in said


@pytest.mark.slow
def test_verify_counts_what_is_new_only(known, tmp_path, capsys):
    wish = ["verify", SOURCE, "--memory", "64M", "--json", "--db", str(tmp_path / "v.db")]
    assert cli.execute([*wish, "--fail-on", "new", "--baseline", str(known)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["exit_code"], len(told["failures"])) == ("refuted", 0, 1)
    # The database knows the failure by now, and an empty baseline does not.
    assert cli.execute([*wish, "--fail-on", "new"]) == 0
    assert cli.execute(wish) == 1
    known.write_text(json.dumps({**json.loads(known.read_text()), "failures": []}))
    assert cli.execute([*wish, "--fail-on", "new", "--baseline", str(known)]) == 1


SERIES = '''
from model.language import READ_ONCE, WRITE_ONCE, Patch, program, uint
from model.series import Series, SeriesPatch


@program(steps_max=40, checked=Patch(1))
def adding(p):
    """Two threads add one, and what is added last may be all."""
    total = p.shared("total", uint(2))

    @p.thread(instances=2)
    def add():
        seen = READ_ONCE(total)
        if p.checked:
            seen = READ_ONCE(total)
        WRITE_ONCE(total, seen + 1)

    @p.at_end
    def nothing_is_lost():
        assert total == 2, "update lost"


PATCH = SeriesPatch(1, "look twice", {adding: {"checked": "on"}})
TINY = Series("tiny", "A series", programs=[adding], patches=[PATCH])
'''


@pytest.mark.slow
def test_the_matrix_counts_what_is_new_only(tmp_path, capsys):
    database, file = str(tmp_path / "m.db"), str(tmp_path / "known.json")
    series = tmp_path / "tiny.py"
    series.write_text(SERIES)
    wish = ["matrix", str(series), "--workers", "0", "--memory", "64M", "--blocks", "1", "--json"]
    wish += ["--db", database]
    assert cli.execute([*wish, "--fail-on", "new"]) == 1
    # Nothing is judged again, and nothing of it is new.
    assert cli.execute([*wish, "--fail-on", "new"]) == 0
    assert cli.execute(wish) == 1
    assert cli.execute(["failures", "baseline", "all", "--output", file, "--db", database]) == 0
    elsewhere = [*wish[:-1], str(tmp_path / "other.db"), "--fail-on", "new", "--baseline", file]
    assert cli.execute(elsewhere) == 0
    told = json.loads(Path(file).read_text())
    Path(file).write_text(json.dumps({**told, "failures": []}))
    assert cli.execute(elsewhere) == 1
    # What was fixed is new when it shows again.
    capsys.readouterr()
    assert cli.execute(["failures", "list", "--db", database, "--json"]) == 0
    for each in json.loads(capsys.readouterr().out):
        number = str(each["failure"])
        fixed = ["failures", "status", number, "fixed", "--why", "x", "--db", database]
        assert cli.execute(fixed) == 0
    assert cli.execute([*wish, "--fail-on", "new"]) == 1


def test_a_baseline_without_fail_on_new_is_usage(known, tmp_path, capsys):
    assert cli.execute([*FUZZ, "--baseline", str(known), "--db", str(tmp_path / "a.db")]) == 2
    assert "it needs --fail-on new" in " ".join(capsys.readouterr().err.replace("│", "").split())


class Named:
    """All of a minimal interleaving that a verdict looks at."""

    def __init__(self, fingerprint):
        self.fingerprint = fingerprint


@pytest.mark.parametrize(
    ("is_new", "has_regressed", "baseline", "verdict"),
    [
        (True, False, None, Verdict.VIOLATIONS),
        (False, False, None, Verdict.CLEAN),
        (False, True, None, Verdict.VIOLATIONS),
        (True, False, {"f"}, Verdict.CLEAN),
        (False, False, {"g"}, Verdict.VIOLATIONS),
        (False, True, {"f"}, Verdict.VIOLATIONS),
    ],
)
def test_what_counts_as_new(is_new, has_regressed, baseline, verdict):
    progress = Progress(lost_update.compile(), blocks=1)
    progress.failures[1] = FoundFailure(1, is_new, Named("f"), 0, has_regressed=has_regressed)
    known = None if baseline is None else frozenset(baseline)
    assert progress.verdict(only_new=True, known=known) is verdict
    assert progress.verdict(only_new=False) is Verdict.VIOLATIONS
