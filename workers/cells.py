"""A program judged for a matrix: explored, fuzzed, and every signature that it violates minimized.

A pure function but for the time that it takes. Both engines are asked: exploring says which
signatures there are, and that there are no others; fuzzing says after how many schedules they show.
"""

import time
from dataclasses import dataclass

from model.explore import Explored, Explorer
from model.program import Program
from model.schedulers.named import UNIFORM_WALK
from model.schedulers.wanted import settled
from model.signature import Signature
from workers.minimizing import Minimized, minimized
from workers.shards import (
    BlockRange,
    Disagreement,
    Replayed,
    ShardResult,
    ShardSpec,
    engine_of,
    program_of,
    replayed_of,
    run_shard,
)

# Where every state was seen and nothing is wrong, fuzzing only compares the engines.
CLEAN_SCHEDULER, CLEAN_BLOCKS = UNIFORM_WALK, 2
# It shows in one block what the walk does not show in 32 (`thp_split` with an exact put).
SCHEDULER = "surw"


@dataclass(frozen=True, slots=True)
class CellWork:
    """All that judging a program depends on. The program travels as JSON; memory is in bytes."""

    program: str
    root_seed: int
    blocks_max: int
    memory: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A violated signature, with an execution that shows it.

    `schedules` says how many executions had ended when it showed, `engine_seconds` what that took,
    to whole blocks; both are None where fuzzing did not show it.
    """

    minimal: Minimized
    shown: Replayed
    shortest: int
    schedules: int | None
    engine_seconds: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a program. `too_long` are the signatures beyond its step limit."""

    scheduler: str
    explored: Explored
    used_bytes: int
    blocks: int
    fuzzed: ShardResult
    engine_seconds: float
    findings: tuple[Finding, ...]
    too_long: tuple[Signature, ...]

    @property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """Hits of the circuit that the interpreter did not confirm."""
        return self.fuzzed.disagreements


@dataclass(slots=True)
class _Fuzzed:
    """What fuzzing has shown so far; `first` has each signature's schedules, seconds, violation."""

    scheduler: str
    result: ShardResult
    blocks: int
    seconds: float
    first: dict[Signature, tuple[int, float, Replayed]]


def judge(work: CellWork) -> Judged:
    """Explore, fuzz and minimize; takes some tenths of a second to some ten seconds."""
    program = program_of(work.program)
    explorer = Explorer(program, memory=work.memory, symmetry=True)
    while explorer.advance():
        pass
    explored = explorer.explored()
    fuzzed = _fuzz(work, program, explored)
    assert not explored.exhausted or fuzzed.first.keys() <= explored.signatures.keys(), (
        "fuzzing has shown what exploring says is not there"
    )
    found = {*explored.signatures, *fuzzed.first}
    too_long = {each for each in found if explored.signatures.get(each, 0) > program.steps_max}
    findings = tuple(
        _finding(program, explorer, fuzzed, signature) for signature in sorted(found - too_long)
    )
    return Judged(
        fuzzed.scheduler,
        explored,
        explorer.bytes,
        fuzzed.blocks,
        fuzzed.result,
        fuzzed.seconds,
        findings,
        tuple(sorted(too_long)),
    )


def _fuzz(work: CellWork, program: Program, explored: Explored) -> _Fuzzed:
    """Block after block, until each signature that there is has shown itself."""
    proved = explored.exhausted and not explored.signatures
    scheduler = CLEAN_SCHEDULER if proved else settled(SCHEDULER, program)
    spec = ShardSpec(work.program, work.root_seed, scheduler=scheduler)
    engine = engine_of(work.program, spec.scheduler)
    done = _Fuzzed(scheduler, ShardResult(), 0, 0.0, {})
    blocks_max = min(CLEAN_BLOCKS, work.blocks_max) if proved else work.blocks_max
    while done.blocks < blocks_max:
        begin = time.process_time()
        result = run_shard(spec, BlockRange(done.blocks, 1))
        done.seconds += time.process_time() - begin
        before, done.result = done.result.schedules, done.result + result
        for violation in sorted(result.replayed, key=lambda each: each.number):
            if violation.signature not in done.first:
                ended = engine.ended_within(
                    violation.number + 1, root_seed=spec.root_seed, block=done.blocks
                )
                done.first[violation.signature] = before + ended, done.seconds, violation
        done.blocks += 1
        known = explored.signatures.keys()
        if explored.exhausted and known and known <= done.first.keys():
            break
    return done


def _finding(
    program: Program, explorer: Explorer, fuzzed: _Fuzzed, signature: Signature
) -> Finding:
    """From a shortest execution, where exploring has met one: it bounds the search."""
    schedules, seconds, shown = fuzzed.first.get(signature, (None, None, None))
    shortest = explorer.explored().signatures.get(signature)
    explored = None if shortest is None else replayed_of(explorer.trace_of(signature))
    start = explored or shown
    assert start is not None
    return Finding(
        minimized(program, start),
        shown or start,
        shortest if shortest is not None else len(start.schedule),
        schedules,
        seconds,
    )
