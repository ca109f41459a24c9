"""Every rejected construct of `rejected.py`, compared with its whole message."""

import pickle
import re
from pathlib import Path

import pytest

from model.language import LanguageError, ProgramSource
from tests.errors import rejected

LINES = Path(rejected.__file__).read_text().split("\n")
# `#` stands in column 0, where a caret may belong.
EXPECTATION = re.compile(r"#(?P<carets> *[\^~][\^~ ]*?) (?P<sentence>[^\^~ ].*)")
PROGRAMS = {
    name: source for name, source in vars(rejected).items() if isinstance(source, ProgramSource)
}


def expected_messages() -> dict[int, str]:
    """By the line that is shown: the message that stands below it."""
    messages = {}
    for number, line in enumerate(LINES):
        match = EXPECTATION.fullmatch(line)
        if match is not None:
            carets = (" " if "^" in match["carets"] else "^") + match["carets"]
            messages[number] = (
                f"rejected.py:{number}:{carets.index('^') + 1}: {match['sentence']}\n"
                f"    {LINES[number - 1]}\n    {carets}\n    {LINES[number + 1][1:].strip()}"
            )
    return messages


def error_of(source: ProgramSource) -> LanguageError:
    with pytest.raises(LanguageError) as raised:
        source.compile()
    return raised.value


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_author_is_shown_the_whole_message(name):
    error = error_of(PROGRAMS[name])
    assert str(error) == expected_messages()[error.spans[0].line]


def test_every_message_is_somebody_s():
    lines = {error_of(source).spans[0].line for source in PROGRAMS.values()}
    assert lines == set(expected_messages())
    assert len(lines) == len(PROGRAMS) > 200


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_message_survives_pickling(name):
    error = error_of(PROGRAMS[name])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
