"""An interleaving that an author wrote down, as steps of a program in the order of its lines.

Two forms are read. Columns, as `model.columns` draws them, with all that `failures show` prints
around them; and a list of `thread: step` lines. Steps may be left out (`…`), notes and values too:
what is not written is not asked for. A step is called by its text, plain
or shortened as in columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from model.columns import MARK, shortened
from model.language.errors import LanguageError, Span
from model.program import Program

LEGEND = re.compile(r"\s*(CPU \d+)\s+(\S+)\s*")
DASHES = re.compile(r"[\s-]*-[\s-]*")
LISTED = re.compile(r"(?P<indent>\s*)(?P<name>[^\s:]+)(?::\s+|\s{2,})(?P<text>\S.*)")
NOTE = re.compile(r"\s+(?:-> \S+|\[(?:[^\[\]]|\[[^\[\]]*\])*\])$")
ORDINAL = re.compile(r"(?P<text>.*) #(?P<number>\d+)$")
NO_STEP = ("…", "...", "<preempted>", "<waits>")
CANDIDATES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """A step of the hint: which of its thread's steps may be meant, and what it shall choose.

    `choices` are as columns show them; none are no condition. `line` counts from 1.
    """

    line: int
    thread: int
    steps: frozenset[int]
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hint:
    """What a hint asks for, with its text for errors."""

    file: str
    lines: tuple[str, ...]
    wanted: tuple[Wanted, ...]

    def error(self, line: int, part: str, sentence: str, remedy: str) -> LanguageError:
        """An error at a part of a line."""
        return _error(self.file, self.lines, line, part, sentence, remedy)


@dataclass(slots=True)
class _Written:
    """A step as it stands there: its first line may end in values, which the rest does not."""

    line: int
    thread: int
    text: str
    value_ends: frozenset[int]
    rest: str = ""

    def readings(self) -> Iterator[str]:
        """The text without the values at its end: none taken off, then one after the other."""
        text = self.text.rstrip()
        while text.strip():
            yield f"{text.strip()} {self.rest}".strip()
            tail = re.search(r"(?<=\s)\S+$", text)
            if tail is None or len(text) not in self.value_ends:
                return
            text = text[: tail.start()].rstrip()


def read_hint(program: Program, text: str, *, file: str) -> Hint:
    """The steps that a hint names. Raises LanguageError where a thread or a step is not there."""
    lines = tuple(text.expandtabs().splitlines())
    names = {thread.name: number for number, thread in enumerate(program.threads)}
    for number, thread in enumerate(program.threads):
        alike = [other for other in program.threads if other.body == thread.body]
        if len(alike) == 1:
            names.setdefault(program.body_of(number).name, number)
    reader = _Reader(program, file, lines, names)
    header = reader.header()
    written = list(reader.listed() if header is None else reader.columns(header))
    if not written:
        raise _error(file, lines, 1, "", "the hint names no step", "write `thread: step` lines")
    return Hint(file, lines, tuple(reader.resolved(each) for each in written))


@dataclass(slots=True)
class _Reader:
    program: Program
    file: str
    lines: tuple[str, ...]
    names: dict[str, int]

    def header(self) -> int | None:
        """The line above the columns; None where there are none."""
        for number, line in enumerate(self.lines):
            if self._is_legend(line):
                continue
            below = self.lines[number + 1] if number + 1 < len(self.lines) else ""
            starts = [match.start() for match in self._headings(line)]
            first = len(line) - len(line.lstrip())
            if first in starts and (len(starts) > 1 or DASHES.fullmatch(below)):
                return number
        return None

    def columns(self, header: int) -> Iterator[_Written]:
        """The steps below a header, up to a blank line or the mark of the last one."""
        starts, ends = self._layout(header)
        last: _Written | None = None
        told = False
        for number in range(header + 1, len(self.lines)):
            line, mark, _ = self.lines[number].partition(MARK.strip())
            text = line.strip()
            if not text and (mark or last is not None):
                break
            offset = len(line) - len(line.lstrip())
            if number <= header + 2 and (DASHES.fullmatch(line) or offset not in starts):
                # Below the names, and the initial values.
                continue
            column = min(starts, key=lambda start: abs(start - offset))
            if text.startswith(NO_STEP):
                if last is not None:
                    yield last
                last, told = None, True
            elif abs(column - offset) > 2 and (last is not None or told):
                if last is not None:
                    last.rest = f"{last.rest} {text}".strip()
            else:
                if last is not None:
                    yield last
                last, told = _Written(number + 1, starts[column], line, ends), False
            if mark:
                break
        if last is not None:
            yield last

    def listed(self) -> Iterator[_Written]:
        """The steps of `thread: step` lines; a line that is indented deeper goes on."""
        last: _Written | None = None
        indent = 0
        shown = next((line for line in self.lines if line.strip()), "").startswith("failure ")
        for number, line in enumerate(self.lines, start=1):
            text = line.partition(MARK)[0]
            shown = shown and bool(text.strip())
            bare = text.strip()
            if shown or not bare or bare.startswith(("#", *NO_STEP)):
                continue
            match = LISTED.fullmatch(text)
            if match and match["name"] == "replay" and "replay" not in self.names:
                break
            if match and match["name"] in self.names:
                if last is not None:
                    yield last
                last = None
                if not match["text"].startswith(NO_STEP):
                    thread, indent = self.names[match["name"]], len(match["indent"])
                    last = _Written(number, thread, match["text"], frozenset())
            elif last is not None and len(text) - len(text.lstrip()) > indent:
                last.rest = f"{last.rest} {bare}".strip()
            else:
                self._refuse_thread(number, match["name"] if match else bare.split()[0])
        if last is not None:
            yield last

    def resolved(self, written: _Written) -> Wanted:
        """Which steps of its thread may be meant. Raises LanguageError where none is."""
        body = self.program.body_of(written.thread)
        for text, notes in (each for part in written.readings() for each in _unnoted(part)):
            match = ORDINAL.fullmatch(text)
            plain, ordinal = (match["text"], int(match["number"]) - 1) if match else (text, None)
            steps = frozenset(
                pc
                for pc, step in enumerate(body.steps)
                if _same(step.label.text) == _same(plain) and ordinal in (None, step.label.ordinal)
            )
            if steps:
                choices = tuple(note for note in notes if "->" not in note)
                return Wanted(written.line, written.thread, steps, choices)
        (*_, shortest) = written.readings()
        part = min((text for text, _ in _unnoted(shortest)), key=len)
        known = {_same(step.label.text): step.label.text for step in body.steps}
        close = get_close_matches(_same(part), known, n=CANDIDATES_SHOWN, cutoff=0.4)
        said = ", ".join(f"`{known[each]}`" for each in close or list(known)[:CANDIDATES_SHOWN])
        remedy = f"did you mean {said}" if close else f"its steps are such as {said}"
        name = self.program.threads[written.thread].name
        sentence = f"{name} has no step `{part}`"
        raise _error(self.file, self.lines, written.line, part, sentence, remedy)

    def _layout(self, header: int) -> tuple[dict[int, int], frozenset[int]]:
        """Where the columns of threads begin, and where those of values end."""
        legend = {
            match[1]: match[2] for match in map(LEGEND.fullmatch, self.lines[:header]) if match
        }
        starts: dict[int, int] = {}
        for match in self._headings(self.lines[header]):
            name = legend.get(match[0], match[0])
            if name not in self.names:
                self._refuse_thread(header + 1, name)
            starts[match.start()] = self.names[name]
        words = re.finditer(r"\S+", self.lines[header])
        return starts, frozenset(word.end() for word in words if word.start() > max(starts))

    def _headings(self, line: str) -> list[re.Match[str]]:
        known = "|".join(map(re.escape, sorted(self.names, key=len, reverse=True)))
        return list(re.finditer(rf"(?<!\S)(?:{known}|CPU \d+)(?!\S)", line))

    def _is_legend(self, line: str) -> bool:
        match = LEGEND.fullmatch(line)
        return match is not None and not match[2].startswith("CPU")

    def _refuse_thread(self, line: int, name: str) -> None:
        known = ", ".join(self.names)
        sentence = f"the program has no thread `{name}`"
        raise _error(self.file, self.lines, line, name, sentence, f"its threads are {known}")


def _unnoted(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The text with the notes at its end, then with one after the other taken off."""
    notes: tuple[str, ...] = ()
    yield text, notes
    while (match := NOTE.search(text)) is not None:
        notes = (match[0].strip().removeprefix("[").removesuffix("]"), *notes)
        text = text[: match.start()]
        yield text, notes


def _same(text: str) -> str:
    return re.sub(r"\s+", "", shortened(text))


def _error(
    file: str, lines: tuple[str, ...], line: int, part: str, sentence: str, remedy: str
) -> LanguageError:
    shown = lines[line - 1] if lines else ""
    start = max(0, shown.find(part))
    span = Span(line, start, start + max(1, len(part)))
    return LanguageError(file, (span,), shown, sentence, remedy)
