"""The tutorial in model/README.md: every program is saved, every command executed, in its order."""

import re
import shlex
import subprocess

import pytest

from tests.end_to_end.test_fuzz_command import COMMAND, ROOT

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VIOLATIONS = {"fuzz": 1}


def blocks(text):
    return [(match[1], match[2]) for match in BLOCK.finditer(text)]


def says(expected, printed):
    """A line that is `…` stands for any lines, `…` in a line for the rest of it."""
    parts = []
    for line in expected.strip("\n").split("\n"):
        whole = r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        parts.append(whole)
    return re.fullmatch("".join(parts), printed.strip("\n") + "\n") is not None


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("GRACEFUZZ_DB", raising=False)
    commands = 0
    for kind, text in blocks((ROOT / "model" / "README.md").read_text()):
        if kind != "console":
            name = re.match(r"# (\S+)\n", text)
            (tmp_path / name[1]).write_text(text)
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            program, *arguments = shlex.split(command)
            assert program == "gracefuzz"
            ended = subprocess.run(
                [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=100
            )
            assert ended.returncode == VIOLATIONS.get(arguments[0], 0), ended.stderr
            assert says(expected, ended.stdout), f"{command}\n{ended.stdout}"
            commands += 1
    assert commands == 6


def test_other_output_than_shown_is_noticed():
    assert says("a\n…\nb", "a\n1\n2\nb\n") and says("a …", "a 1.5 s\n")
    assert not says("a\nb", "a\nc\n")
    assert not says("a", "a\nb\n")
    assert not says("…\nb", "a\nb\nc\n")
