"""What a person sees of a campaign: the same few lines while it goes on and when it has ended."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version

from rich.console import Console
from rich.live import Live
from rich.text import Text

from model.program import Outcome, show_parameter
from model.residual_risk import classes_left
from storage.locations import option_for
from workers.progress import FoundFailure, Progress

PREFIXES = "kMGTPE"


@dataclass(frozen=True, slots=True)
class Title:
    """What does not change during a campaign."""

    program: str
    parameters: tuple[tuple[str, int | str], ...]
    seed: int
    workers: str
    cores: int
    vectors: str


def lines_of(
    title: Title, progress: Progress, *, seconds: float, timestamp_seconds: float
) -> list[str]:
    """The screen, without colours: title, amount of work, violations, coverage, failures."""
    parameters = "".join(f"  {k}={show_parameter(v)}" for k, v in title.parameters)
    rate = progress.steps / seconds / title.cores if seconds > 0 else 0.0
    core = " a core" if title.cores > 1 else ""
    lines = [
        f"gracefuzz {version('gracefuzz')}   {title.program}{parameters}"
        f"     seed {title.seed}   {title.workers}",
        f"  {amount(progress.schedules)} schedules in {duration(seconds)}   "
        f"{amount(rate)} steps/s{core}   512 lanes, {title.vectors}",
        _violations(progress, timestamp_seconds),
        _covered(progress),
        *_shares(progress),
        *_left(progress),
        *_warnings(progress),
    ]
    failures = sorted(progress.failures.values(), key=lambda found: found.failure_id)
    return lines + ([""] + [failure_line(found) for found in failures] if failures else [])


def last_lines(failures: Collection[int], *, database: str) -> list[str]:
    """What to do next, after a campaign has ended that showed the failures of these numbers."""
    if not failures:
        return ["", f"no failure was found; what was executed is in {database}"]
    option = option_for(database)
    first = min(failures)
    return [
        "",
        f"see one:   gracefuzz failures show {first}{option}",
        f"replay it: gracefuzz failures replay {first} --step{option}",
        f"all of it: gracefuzz failures list{option}",
    ]


def failure_line(found: FoundFailure) -> str:
    """One failure with its size and proof level."""
    minimal = found.minimal
    proof = "proved" if minimal.is_proved else "local"
    known = "" if found.is_new else "   known before"
    where = "" if found.where is None else f"   with {found.where}"
    return (
        f"  #{found.failure_id}  {minimal.oracle}: {minimal.sentence}   {minimal.steps} steps  "
        f"{minimal.preemptions} preemption{'' if minimal.preemptions == 1 else 's'}  "
        f"minimal: {proof}{known}{where}"
    )


def amount(number: float) -> str:
    """Three digits and a prefix: `4.10 G`; whole below a thousand."""
    if number < 999.5:
        return f"{number:.0f}"
    power = 0
    while number >= 999.5 and power < len(PREFIXES):
        number /= 1000
        power += 1
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f} {PREFIXES[power - 1]}"


def duration(seconds: float) -> str:
    """`0.31 s`, `1 m 02 s`, `3 h 05 m`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} m"


class LiveScreen:
    """The lines, kept up to date on a terminal. Nothing is written to what is no terminal.

    A campaign does not end because nobody looks on: a terminal that is gone is no error.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(
            console=console,
            transient=True,
            auto_refresh=False,
        )

    def begin(self) -> None:
        """Take the lower part of the terminal, where there is one."""
        if self.is_watched:
            self._live.start()

    def end(self) -> None:
        """Leave the terminal as it was."""
        with suppress(OSError):
            self._live.stop()

    @property
    def is_watched(self) -> bool:
        """True on a terminal; elsewhere lines need not be made."""
        return self._console.is_terminal

    def show(self, lines: Sequence[str]) -> None:
        """Replace the lines."""
        if self.is_watched:
            with suppress(OSError):
                self._live.update(styled(lines), refresh=True)

    def say(self, sentence: str) -> None:
        """Write a message above the lines."""
        with suppress(OSError):
            self._console.print(Text(sentence), soft_wrap=True)


@contextmanager
def watched(console: Console) -> Iterator[LiveScreen]:
    """A screen that is on inside the block."""
    sys.stdout.flush()
    screen = LiveScreen(console)
    screen.begin()
    try:
        yield screen
    finally:
        screen.end()


def styled(lines: Sequence[str]) -> Text:
    """The lines with the title bold and failures red, where colours are wanted."""
    text = Text()
    for number, line in enumerate(lines):
        style = "bold" if number == 0 else "red" if line.startswith("  #") else ""
        text.append(line, style)
        if number + 1 < len(lines):
            text.append("\n")
    return text


def _violations(progress: Progress, timestamp_seconds: float) -> str:
    distinct = f"{len(progress.failures)} distinct ({progress.new_failures} new)"
    count = f"  violations  {amount(progress.violations)}, {distinct}"
    if progress.last_new_timestamp_seconds is None:
        return count
    ago = max(0.0, timestamp_seconds - progress.last_new_timestamp_seconds)
    return f"{count}   last new {duration(ago)} ago"


def _covered(progress: Progress) -> str:
    """What sampled executions have shown, and how likely the next is of a new class."""
    coverage = progress.coverage
    if not progress.steps_reached:
        return "  covered     no execution was sampled yet"
    steps = f"  covered     {len(progress.steps_reached)}/{progress.program_steps} steps"
    if not coverage.executions:
        return steps
    left = classes_left(coverage.classes, coverage.executions)
    return (
        f"{steps}   {len(coverage.pairs):,}/{progress.possible_pairs:,} conflicting pairs   "
        f"{amount(left.seen)} classes, the next is new: {left.unseen:.2%}"
    )


def _shares(progress: Progress) -> list[str]:
    """Which part of the steps each scheduler of a portfolio had, and what it violated."""
    total = sum(gains.steps for gains in progress.shares.values())
    shown = [
        f"{name.partition(':')[0]} {gains.steps / total:.0%} ({amount(gains.violations)})"
        for name, gains in progress.shares.items()
        if total
    ]
    return [f"  schedulers  {'  '.join(shown)}"] if shown else []


def _left(progress: Progress) -> list[str]:
    """How far it is, where it is known how much there is."""
    if progress.all_blocks is None or progress.all_blocks <= 1:
        return []
    return [f"  executed    {progress.blocks:,} of {progress.all_blocks:,} blocks"]


def _warnings(progress: Progress) -> list[str]:
    """What a person must know before trusting the rest."""
    said = []
    if progress.open_signatures:
        said.append(f"  minimizing  {progress.open_signatures} more kinds of violations")
    limited = progress.outcomes[Outcome.STEP_LIMIT.value]
    if limited:
        said.append(f"  {amount(limited)} executions hit the step limit: they have passed nothing")
    discarded = progress.outcomes[Outcome.DISCARDED.value]
    if discarded:
        said.append(f"  {amount(discarded)} executions were discarded by assume()")
    if progress.passed_over:
        said.append(f"  {amount(progress.passed_over)} replayed violations were passed over")
    if progress.disagreements:
        said.append(f"  {progress.disagreements} DISAGREEMENTS between the engines: report this")
    if progress.quarantined:
        said.append(f"  in quarantine: {', '.join(map(str, progress.quarantined))}")
    return said
