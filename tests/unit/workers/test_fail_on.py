"""`fuzz --fail-on new`: what a user's CI is told, with a baseline in a file or in the database."""

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
