"""pytest collects programs that are decorated with `workers.testing.fuzzed`.

pytest loads this module in every session of an environment that has gracefuzz, so it imports
nothing of ours before a test module has done so. A failing program is shown by its minimal
interleaving, a wrong one by its error with a caret.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from workers.testing import Check, FuzzedSource

SECTION = "gracefuzz"


class ProgramFailed(Exception):
    """A check did not show what is expected; the message is what the report shows."""


class ProgramItem(pytest.Item):
    """One check of one program."""

    def __init__(self, *, source: FuzzedSource, check: Check, **given: Any) -> None:
        super().__init__(**given)
        self.source, self.check = source, check

    def runtest(self) -> None:
        """Execute the check."""
        from workers.checking import check_program

        checked = check_program(self.source, self.check)
        if not checked.passed:
            raise ProgramFailed(checked.text)
        self.add_report_section("call", SECTION, checked.text)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """A sentence where the author can mend it, a traceback where it is our mistake."""
        from model.language import LanguageError, ParameterError
        from storage.sources import SourceError

        if isinstance(excinfo.value, ProgramFailed | LanguageError | ParameterError | SourceError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the program stands."""
        code = self.source.function.__code__
        return self.path, code.co_firstlineno - 1, self.name


def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> list[pytest.Item] | None:
    """Tests of a decorated program; none of a kernel primitive, though it is called test_bit."""
    testing = sys.modules.get("workers.testing")
    if testing is not None and isinstance(obj, testing.FuzzedSource):
        return [
            ProgramItem.from_parent(
                collector, name=name + _shown(check.parameters), source=obj, check=check
            )
            for check in obj.checks
        ]
    vocabulary = sys.modules.get("model.language.vocabulary")
    if vocabulary is not None and isinstance(obj, vocabulary.Primitive):
        return []
    return None


def _shown(parameters: Any) -> str:
    from model.program import show_parameter

    shown = ",".join(f"{name}={show_parameter(value)}" for name, value in parameters.items())
    return f"[{shown}]" if shown else ""
