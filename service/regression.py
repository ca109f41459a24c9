"""A failure as a pytest file: a test that passes where the failure is gone, and shows it otherwise.

The file holds what is looked for (signature, stored schedule, size) and no program: it compiles
today's, from the library or from a file beside it. So it holds for later versions of the program,
with the verdicts of `model.recheck`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.columns import diagram
from model.language import LanguageError, ParameterError
from model.recheck import BYTES_MAX, Rechecked, Sought, Verdict, recheck
from model.signature import Signature
from service.failures import LoadedFailure, title_of
from storage.rechecks import sought_of
from storage.sources import SourceError, compile_source, file_of, find_source, library

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Regression:
    """A failure that is not to show again, in today's version of its program.

    `program` is a name of the library, or file.py:name, relative to the test's file. `schedule` is
    the stored schedule as JSON text, `memory` bounds a search in bytes.
    """

    fingerprint: str
    program: str
    parameters: Mapping[str, int | str]
    signature: Signature
    schedule: str
    preemptions: int
    memory: int = BYTES_MAX

    def recheck(self, file: str) -> Rechecked:
        """Ask today's program, as seen from a test's file. Raises what compiling it raises."""
        place = file_of(self.program)
        given = self.program
        if place is not None and not place.is_absolute():
            given = str(Path(file).absolute().parent / given)
        source = find_source(given)
        known = {k: v for k, v in self.parameters.items() if k in source.parameters}
        program = compile_source(source, known)
        sought = Sought(self.signature, self.schedule, self.preemptions)
        return recheck(program, sought, bytes_max=self.memory)

    def check(self, file: str) -> None:
        """Fail where the failure shows, or where nobody can say that it does not.

        Skips where the program has lost the oracle or the step, so that it cannot show.
        """
        import pytest

        try:
            found = self.recheck(file)
        except (LanguageError, ParameterError, SourceError) as error:
            pytest.fail(f"{self.program} does not compile: {error}", pytrace=False)
        match found.verdict:
            case Verdict.FIXED:
                return
            case Verdict.NOT_APPLICABLE:
                pytest.skip(f"not applicable: {found.reason}")
            case _:
                text = f"{found.verdict.value}: {found.reason}"
                if found.trace is not None and found.trace.site is not None:
                    sentence = found.trace.program.sites[found.trace.site].sentence
                    text += f"\n\n{diagram(found.trace, sentence=sentence)}"
                pytest.fail(text, pytrace=False)


_HEAD = '''\
"""Failures that gracefuzz found, and that are not to show again.

Written by `gracefuzz failures export --format pytest`. Each test follows the stored interleaving in
today's program, then searches for any other of the same signature with up to one preemption more.
It fails where one is found, and shows it. Execute it where gracefuzz is installed.
"""

import pytest

from model.signature import Signature
from service.regression import Regression

REGRESSIONS = [
'''
_TAIL = """\
]


@pytest.mark.parametrize("regression", REGRESSIONS, ids=lambda each: each.fingerprint[:8])
def test_the_failure_does_not_show_again(regression):
    regression.check(__file__)
"""


def pytest_file(
    failures: Sequence[LoadedFailure], *, programs: Mapping[str, str], beside: Path
) -> str:
    """The text of the test file. `programs` says where programs are that the library has not.

    `beside` is the folder of the file, from which its paths lead. Raises SourceError.
    """
    return _HEAD + "".join(_entry(each, programs, beside) for each in failures) + _TAIL


def _entry(loaded: LoadedFailure, programs: Mapping[str, str], beside: Path) -> str:
    record, sought = loaded.failure.record, sought_of(loaded.failure.record)
    program = _place(loaded.program.name, programs, beside)
    signature = sought.signature
    lines = [
        f"    # {title_of(loaded)}",
        f"    # {record.oracle}: {record.sentence}",
        "    Regression(",
        f"        fingerprint={record.fingerprint!r},",
        f"        program={program!r},",
        f"        parameters={json.loads(loaded.program.parameters)!r},",
        "        signature=Signature(",
        f"            {signature.program!r},",
        f"            {signature.site!r},",
        f"            {signature.step!r},",
        "        ),",
        f"        schedule={sought.schedule!r},",
        f"        preemptions={sought.preemptions},",
        "    ),",
    ]
    return "".join(f"{line}\n" for line in lines)


def _place(name: str, programs: Mapping[str, str], beside: Path) -> str:
    if name in programs:
        given = programs[name]
        file = file_of(given)
        assert file is not None
        path = os.path.relpath(file.absolute(), beside.absolute())
        return f"{path}:{name}"
    if name in library():
        return name
    raise SourceError(
        f"{name} is no program of the library\n    say in which file it is: --source FILE.py:{name}"
    )
