"""`gracefuzz export`: to stdout, to a new file, and what it refuses."""

from service import cli

PROGRAM = "tests/lost_update.py"


def test_a_model_goes_to_stdout(capsys):
    assert cli.execute(["export", PROGRAM, "--promela", "--param", "writers=3"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("/* lost_update (writers=3, locked=off)\n")
    assert "active [3] proctype add()" in said.out
    assert said.err == ""


def test_a_model_goes_to_a_new_file(tmp_path, capsys):
    file = tmp_path / "model.pml"
    assert cli.execute(["export", PROGRAM, "--promela", "--output", str(file)]) == 0
    assert capsys.readouterr().err == f"wrote {file}\n"
    cli.execute(["export", PROGRAM, "--promela"])
    assert file.read_text() == capsys.readouterr().out


def test_a_file_that_is_there_is_kept(tmp_path, capsys):
    file = tmp_path / "model.pml"
    file.write_text("mine")
    assert cli.execute(["export", PROGRAM, "--promela", "--output", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"{file} exists\n    give another name")
    assert file.read_text() == "mine"


def test_a_file_that_cannot_be_written_is_named(tmp_path, capsys):
    file = tmp_path / "no" / "model.pml"
    assert cli.execute(["export", PROGRAM, "--promela", "--output", str(file)]) == 2
    assert f"{file} cannot be written: No such file" in capsys.readouterr().err


def test_the_language_of_the_model_must_be_said(capsys):
    assert cli.execute(["export", PROGRAM]) == 2
    assert "--promela is the only one" in capsys.readouterr().err


def test_what_promela_cannot_hold_is_said_in_a_sentence(tmp_path, capsys):
    file = tmp_path / "wide.py"
    file.write_text(
        "from model.language import *\n"
        "@program(steps_max=9)\n"
        "def wide(p):\n"
        '    """A number of 40 bits."""\n'
        '    x = p.shared("x", uint(40))\n'
        "    @p.thread()\n"
        "    def reader():\n"
        "        READ_ONCE(x)\n"
    )
    assert cli.execute(["export", str(file), "--promela"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("x has values up to 1,099,511,627,775\n")
