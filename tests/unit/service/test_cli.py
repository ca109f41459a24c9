"""Every error has an exit code and a sentence; only our own mistakes have a traceback."""

import json
import os
import re
from pathlib import Path

import pytest

from model.language.errors import LanguageError, ParameterError, Span
from service import cli
from storage.errors import (
    CampaignBusy,
    NotResumable,
    StorageError,
    UnknownCampaign,
    UnknownFailure,
    UnknownProgram,
)
from storage.sources import SourceError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LanguageError("f.py", (Span(1, 0, 1),), "x", "wrong", "mend it"), 2),
        (ParameterError("too large"), 2),
        (SourceError("no such file"), 2),
        (UnknownFailure("none has the number"), 2),
        (UnknownCampaign("none has the number"), 2),
        (UnknownProgram("none has the hash"), 2),
        (CampaignBusy("another process has it"), 2),
        (NotResumable("it has ended"), 2),
        (StorageError("the disk is full"), 3),
        (ValueError("ours"), None),
        (AssertionError(), None),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error, code):
    assert cli.exit_code_of(error) == code


def test_an_unexpected_error_is_one_line_and_a_traceback_in_a_file(monkeypatch, capsys):
    def build():
        raise ZeroDivisionError("many\nlines")

    monkeypatch.setattr(cli, "build", build)
    monkeypatch.delenv("GRACEFUZZ_DEBUG", raising=False)
    assert cli.execute(["programs"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("gracefuzz failed: ZeroDivisionError: many lines\n")
    assert "Traceback" not in said
    file = Path(re.search(r"please report it with (\S+)", said)[1])
    assert "ZeroDivisionError: many\nlines" in file.read_text()
    file.unlink()


def test_the_traceback_is_shown_where_debugging_is_on(monkeypatch, capsys):
    def build():
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "build", build)
    monkeypatch.setenv("GRACEFUZZ_DEBUG", "1")
    assert cli.execute([]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["fuzz"], ["fuzz", "x", "--seed", "-1"], ["failures", "show", "x"]]
)
def test_wrong_usage_is_said_on_stderr(arguments, capsys):
    assert cli.execute(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Error: " in err


def test_the_version_says_what_it_was_built_from(capsys):
    assert cli.execute(["--version"]) == 0
    revision = r"[0-9a-f]{12}(\+changes)?|unknown"
    form = rf"gracefuzz \d+\.\d+\.\d+\S* \(({revision})\), Python 3\S+, .+\n"
    assert re.fullmatch(form, capsys.readouterr().out)


def test_a_secret_file_holds_the_url_of_the_database(tmp_path, monkeypatch):
    secret = tmp_path / "database_url"
    secret.write_text(f"sqlite:///{tmp_path}/kept.db\n")
    monkeypatch.setenv("GRACEFUZZ_DB_FILE", str(secret))
    monkeypatch.delenv("GRACEFUZZ_DB", raising=False)
    cli.take_secrets()
    assert os.environ["GRACEFUZZ_DB"] == f"sqlite:///{tmp_path}/kept.db"


def test_what_is_said_outright_comes_before_a_secret_file(tmp_path, monkeypatch):
    monkeypatch.setenv("GRACEFUZZ_DB", "said.db")
    monkeypatch.setenv("GRACEFUZZ_DB_FILE", str(tmp_path / "not there"))
    cli.take_secrets()
    assert os.environ["GRACEFUZZ_DB"] == "said.db"


def test_a_secret_file_that_is_not_there_is_named_by_its_variable(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRACEFUZZ_DB", "")
    monkeypatch.setenv("GRACEFUZZ_DB_FILE", str(tmp_path / "not there"))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "cannot read the file that GRACEFUZZ_DB_FILE names" in capsys.readouterr().err


COMMANDS = [
    ["fuzz"],
    ["verify"],
    ["bench"],
    ["programs"],
    ["show"],
    ["failures", "list"],
    ["failures", "show"],
    ["failures", "replay"],
    ["failures", "bisect"],
    ["failures", "export"],
    ["failures", "import"],
    ["failures", "status"],
    ["failures", "note"],
    ["failures", "history"],
    ["failures", "merge"],
    ["failures", "split"],
    ["failures", "undo"],
    ["failures", "recheck"],
    ["failures", "baseline"],
    ["webhook", "add"],
    ["webhook", "remove"],
    ["webhook", "list"],
    ["webhook", "deliver"],
    ["gc"],
    ["campaigns", "list"],
    ["campaigns", "show"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_examples_and_has_json(command, capsys):
    assert cli.execute([*command, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"gracefuzz {' '.join(command)}" in said
    assert "Example" in said and "--json" in said


def test_a_database_that_is_not_there_is_not_made_by_reading(tmp_path, capsys):
    path = tmp_path / "none.db"
    for command in (["failures", "list"], ["campaigns", "show", "1"]):
        assert cli.execute([*command, "--db", str(path)]) == 3
        assert capsys.readouterr().err.startswith(f"there is no database {path}\n")
    assert not path.exists()


def test_the_database_may_come_from_the_environment(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRACEFUZZ_DB", str(tmp_path / "from-environment.db"))
    assert cli.execute(["failures", "list"]) == 3
    assert "from-environment.db" in capsys.readouterr().err


def test_show_lists_parameters_steps_and_oracles(capsys):
    file = str(Path(__file__).parents[2] / "lost_update.py")
    assert cli.execute(["show", file, "--param", "locked=on"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("lost_update (writers=2, locked=on)\n  Threads add one to a counter;")
    assert "  writers  2   (1 to 4)\n  locked   on  (on or off)\n" in said
    assert "add: 4 steps; threads add#1, add#2\n  1  spin_lock(lock)" in said
    assert "  at_end    an addition is lost\n" in said
    assert said.rstrip().endswith('assert count == p.writers, "an addition is lost"')


def test_show_as_json_says_the_same(capsys):
    file = str(Path(__file__).parents[2] / "lost_update.py")
    assert cli.execute(["show", file, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [p["parameter"] for p in shown["parameters"]] == ["writers", "locked"]
    assert [body["body"] for body in shown["bodies"]] == ["add"]
    assert len(shown["bodies"][0]["steps"]) == 2 and len(shown["threads"]) == 2
    assert {"oracle": "at_end", "sentence": "an addition is lost"} in shown["oracles"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--param", "locked=maybe"], "locked: 'maybe' is neither on nor off"),
        (["--param", "writers=9"], "writers: 9 is out of bounds: give 1 to 4"),
        (["--param", "readers=1"], "lost_update has no parameter 'readers'"),
        (["--param", "writers"], "the parameter 'writers' is not of the form NAME=VALUE"),
    ],
)
@pytest.mark.parametrize("command", ["show", "fuzz"])
def test_a_wrong_parameter_is_usage(command, arguments, said, capsys, tmp_path):
    file = str(Path(__file__).parents[2] / "lost_update.py")
    database = ["--db", str(tmp_path / "x.db")] if command == "fuzz" else []
    assert cli.execute([command, file, *arguments, *database]) == 2
    assert capsys.readouterr().err.startswith(said)


def test_an_error_of_the_language_is_shown_as_a_compiler_does(tmp_path, capsys):
    path = tmp_path / "wrong.py"
    path.write_text(
        "from model.language import READ_ONCE, program, uint\n\n\n"
        "@program()\n"
        "def wrong(p):\n"
        '    slot = p.shared("slot", uint(2))\n\n'
        "    @p.thread()\n"
        "    def read():\n"
        "        value = READ_ONCE(slot) + READ_ONCE(slot)\n"
    )
    assert cli.execute(["fuzz", str(path), "--db", str(tmp_path / "x.db")]) == 2
    out, err = capsys.readouterr()
    first, source, marks, *_ = err.splitlines()
    assert out == "" and first.startswith("wrong.py:10:")
    assert source.strip() == "value = READ_ONCE(slot) + READ_ONCE(slot)"
    assert set(marks.strip()) == {"^", "~", " "}
    assert "Traceback" not in err
