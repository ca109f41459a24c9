"""An exported test file that pytest executes: it fails while the failure shows, and says how."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service import cli
from storage.session import open_database
from tests.lost_update import lost_update
from tests.stored_failures import store_failures

ROOT = Path(__file__).parents[3]
FIXED = (
    "        value = READ_ONCE(count)",
    "        spin_lock(lock)\n        value = READ_ONCE(count)",
)
END = "        if p.locked:\n            spin_unlock(lock)"


@pytest.fixture
def folder(tmp_path):
    """A database with a failure of a program, which stands in the folder too."""
    with open_database(tmp_path / "found.db") as database:
        store_failures(database, lost_update)
    (tmp_path / "my_lock.py").write_text((ROOT / "tests/lost_update.py").read_text())
    return tmp_path


def exported(folder, capsys):
    wish = ["failures", "export", "1", "--format", "pytest", "--db", str(folder / "found.db")]
    file = folder / "tests" / "test_races.py"
    file.parent.mkdir()
    source = ["--source", str(folder / "my_lock.py")]
    assert cli.execute([*wish, *source, "--output", str(file)]) == 0
    assert f"wrote {file}" in capsys.readouterr().err
    return file


def executed(file, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(file)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


def checked(file):
    """What the exported test does, in this process."""
    written: dict[str, object] = {}
    exec(compile(file.read_text(), str(file), "exec"), written)
    (regression,) = written["REGRESSIONS"]
    regression.check(str(file))


def mend(program):
    text = program.read_text().replace(*FIXED).replace(END, "        spin_unlock(lock)")
    program.write_text(text.replace("        if p.locked:\n            spin_lock(lock)\n", ""))


def test_pytest_shows_the_interleaving_while_the_race_is_there(folder, capsys):
    done = executed(exported(folder, capsys), ROOT)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert "reproduced: the stored interleaving fails as it did" in done.stdout
    assert "<preempted>" in done.stdout and "<-- an addition is lost" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_pytest_passes_once_the_race_is_gone(folder, capsys):
    file = exported(folder, capsys)
    mend(folder / "my_lock.py")
    done = executed(file, folder)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_it_passes_where_it_is_gone_and_fails_where_it_is_there(folder, capsys):
    file = exported(folder, capsys)
    with pytest.raises(pytest.fail.Exception, match="reproduced: "):
        checked(file)
    mend(folder / "my_lock.py")
    checked(file)


def test_it_is_skipped_where_the_oracle_is_gone_and_fails_where_the_program_is(folder, capsys):
    file = exported(folder, capsys)
    program = folder / "my_lock.py"
    program.write_text(program.read_text().replace("an addition is lost", "something is lost"))
    with pytest.raises(pytest.skip.Exception, match="has no oracle at_end: an addition is lost"):
        checked(file)
    program.unlink()
    with pytest.raises(pytest.fail.Exception, match="does not compile: there is no file"):
        checked(file)


def test_a_search_that_met_its_bound_is_no_pass(folder, capsys):
    file = exported(folder, capsys)
    mend(folder / "my_lock.py")
    text = file.read_text().replace("        preemptions=1,", "        preemptions=1, memory=1,")
    file.write_text(text)
    with pytest.raises(pytest.fail.Exception, match="not reproduced: the search met its bound"):
        checked(file)


def test_a_program_that_is_not_of_the_library_must_be_named(folder, capsys):
    wish = ["failures", "export", "--format", "pytest", "--db", str(folder / "found.db")]
    assert cli.execute(wish) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("lost_update is no program of the library\n")
    assert "--source FILE.py:lost_update" in err


def test_a_program_of_the_library_is_known_by_its_name(tmp_path, capsys):
    from model.library import PROGRAMS

    source = PROGRAMS["ep_remove_mutex_unlock"]
    with open_database(tmp_path / "found.db") as database:
        numbers = store_failures(database, source)
    assert numbers
    wish = ["failures", "export", "--format", "pytest", "--db", str(tmp_path / "found.db")]
    assert cli.execute(wish) == 0
    text = capsys.readouterr().out
    compile(text, "test_races.py", "exec")
    assert "program='ep_remove_mutex_unlock'," in text and ".py:" not in text
