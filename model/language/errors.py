"""Errors in a program, shown as a compiler shows them: place, line, caret, and the way out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Columns [start, end) of one source line; lines count from 1, columns from 0."""

    line: int
    start: int
    end: int


class LanguageError(Exception):
    """A program that is not one. Survives pickling; `str` gives the whole message with carets."""

    def __init__(
        self, file: str, spans: tuple[Span, ...], source: str, sentence: str, remedy: str
    ) -> None:
        assert spans
        super().__init__(file, spans, source, sentence, remedy)
        self.file, self.spans, self.source = file, spans, source
        self.sentence, self.remedy = sentence, remedy

    def __str__(self) -> str:
        first = min(self.spans, key=lambda span: span.start)
        width = max(span.end for span in self.spans)
        marks = "".join(self._mark(column) for column in range(width))
        return (
            f"{self.file}:{first.line}:{first.start + 1}: {self.sentence}\n"
            f"    {self.source}\n    {marks}\n    {self.remedy}"
        )

    def _mark(self, column: int) -> str:
        span = next((s for s in self.spans if s.start <= column < s.end), None)
        if span is not None:
            return "^" if column == span.start else "~"
        return "\t" if self.source[column : column + 1] == "\t" else " "


class ParameterError(ValueError):
    """A parameter that the program does not have, or a value that it does not take."""
