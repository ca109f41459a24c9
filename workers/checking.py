"""What a test of a program does: explore it, or fuzz it where it is too large, and say what showed.

Nothing is stored. The same check of the same program shows the same on every machine, unless it is
bounded in seconds.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from model.explore import Explorer, Verdict
from model.language import ProgramSource
from model.program import Program
from model.program_json import to_json
from model.signature import Signature, signature_of
from storage.sources import compile_source
from workers.minimizing import Minimized, minimized
from workers.shards import BlockRange, Replayed, ShardResult, ShardSpec, run_shard
from workers.testing import Check, Expect

MEMORY_MAX = 1 << 30


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check showed: failures, each minimized, and how it was looked for them."""

    program: Program
    expect: Expect
    failures: tuple[Minimized, ...]
    proved: bool
    searched: str

    @property
    def passed(self) -> bool:
        """True where it showed what is expected."""
        match self.expect:
            case Expect.VIOLATION:
                return bool(self.failures)
            case Expect.PROOF:
                return self.proved
        return not self.failures

    @property
    def text(self) -> str:
        """For the report: the failures in columns, or why there are none."""
        if self.failures:
            first = f"{self.program.title}: {self.failures[0].sentence}"
            return "\n".join([first, self.searched, "", *map(_failure_text, self.failures)])
        proved = "proved: no state violates an oracle" if self.proved else "no violation was found"
        lines = [f"{self.program.title}: {proved}; {self.searched}"]
        if not self.passed and self.expect is Expect.VIOLATION and self.proved:
            lines.append("    a violation is expected, and there is none: expect it no longer")
        elif not self.passed:
            what = "a violation" if self.expect is Expect.VIOLATION else "a proof"
            lines.append(f"    {what} is expected: raise the budgets, or lower the parameters")
        return "\n".join(lines)


def check_program(source: ProgramSource, check: Check) -> Checked:
    """Compile, explore, fuzz, minimize.

    Raises LanguageError, ParameterError and SourceError for what the author can mend.
    """
    program = compile_source(source, check.parameters)
    ends_at = None if check.seconds is None else time.monotonic() + check.seconds
    searched: list[str] = []
    found: tuple[Replayed, ...] = ()
    if check.states:
        explorer = Explorer(program, memory=MEMORY_MAX, symmetry=True)
        found = _explored(explorer, check.states, ends_at)
        verdict = explorer.explored().verdict
        searched.append(f"{explorer.states:,} states explored")
        if found or verdict is Verdict.PROVED:
            failures = _minimized(program, found)
            proved = verdict is Verdict.PROVED
            return Checked(program, check.expect, failures, proved, searched[0])
    if check.schedules:
        found, schedules = _fuzzed(program, check, ends_at)
        searched.append(f"{schedules:,} schedules executed, seed {check.seed}")
    failures = _minimized(program, found)
    return Checked(program, check.expect, failures, False, ", ".join(searched))


def _explored(explorer: Explorer, states_max: int, ends_at: float | None) -> tuple[Replayed, ...]:
    """The shortest violation of each site that was violated by the time the first was seen."""
    while explorer.states <= states_max and explorer.advance() and not _is_over(ends_at):
        if explorer.explored().sites:
            break
    sites = explorer.explored().sites
    traces = [
        explorer.trace(site) for site in sorted(sites) if sites[site] <= explorer.program.steps_max
    ]
    return tuple(
        Replayed(signature_of(trace), 0, 0, len(trace.events) - 1, trace.schedule, 0)
        for trace in traces
    )


def _fuzzed(
    program: Program, check: Check, ends_at: float | None
) -> tuple[tuple[Replayed, ...], int]:
    """Execute blocks up to the first with a violation: what it showed, and the schedules."""
    spec, total, block = ShardSpec(to_json(program), check.seed), ShardResult(), 0
    while total.schedules < check.schedules and not total.violations and not _is_over(ends_at):
        total = total + run_shard(spec, BlockRange(block, 1))
        block += 1
    assert not total.disagreements, f"the engines disagree: {total.disagreements[0].detail}"
    return total.replayed, total.schedules


def _minimized(program: Program, found: Iterable[Replayed]) -> tuple[Minimized, ...]:
    first: dict[Signature, Replayed] = {}
    for violation in found:
        first.setdefault(violation.signature, violation)
    smallest = [minimized(program, violation) for violation in first.values()]
    return tuple(sorted(smallest, key=lambda each: (each.preemptions, each.switches, each.steps)))


def _failure_text(failure: Minimized) -> str:
    proof = "proved minimal" if failure.is_proved else "minimal as far as searched"
    preemptions = f"{failure.preemptions} preemption{'' if failure.preemptions == 1 else 's'}"
    return (
        f"{failure.oracle}: {failure.sentence}\n"
        f"{failure.steps} steps, {preemptions}, {proof}\n\n{failure.diagram}"
    )


def _is_over(ends_at: float | None) -> bool:
    return ends_at is not None and time.monotonic() >= ends_at
