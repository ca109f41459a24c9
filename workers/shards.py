"""A shard: a range of blocks executed in one worker. A pure function that gives addable numbers.

Every hit that is to become a sighting is replayed in the interpreter here, in the worker that found
it. What the interpreter does not confirm is a disagreement between the engines, and is reported.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from model.circuit.block import PASSES, BlockResult, Engine, Hit
from model.circuit.native import LANES
from model.coverage import Coverage
from model.exhaustive_engine import ExhaustiveEngine
from model.interpreter import Trace
from model.known import Pairs, contains
from model.program import DEADLOCK_SITE, Outcome, Program
from model.program_json import from_json
from model.schedule import Schedule, to_lists
from model.schedulers.exhaustive import exhaustive_named
from model.schedulers.named import UNIFORM_WALK, scheduler_named
from model.schedulers.portfolio import ARMS_MAX, is_sampled, portfolio_named
from model.signature import Signature, signature_of, site_name
from model.step_pairs import BodyStep
from workers.ahead import engine_ahead

# Replaying is done by the slow engine: in most blocks, one hit of each site is enough.
THOROUGH_BLOCKS = 8
REPLAYS_PER_SITE = 1
REPORTED_PER_SIGNATURE = 4
# Programs that a process remembers.
PROGRAMS_MAX = 4
# Following a block's first executions takes about as long as the block: 1 / 24 is 4 %.
SAMPLED_EVERY = 24
# Not the first: what is needed for it would be compiled before the first failure is found.
SAMPLED_FIRST = 1


@dataclass(frozen=True, slots=True)
class BlockRange:
    """The blocks from `first` on, `blocks` of them.

    `scheduler` is the one that was chosen for them; None where their campaign has one.
    """

    first: int
    blocks: int
    scheduler: str | None = None

    def __post_init__(self) -> None:
        assert self.first >= 0 and self.blocks > 0

    @property
    def stop(self) -> int:
        """The block after the last."""
        return self.first + self.blocks

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.stop))

    def __str__(self) -> str:
        if self.blocks == 1:
            return f"block {self.first}"
        return f"blocks {self.first} to {self.stop - 1}"


@dataclass(frozen=True, slots=True)
class ShardSpec:
    """All that a worker needs to know, and all that its results depend on besides the range.

    The program travels as JSON, the scheduler by name. `excluded` are the conflicting pairs of the
    interleavings to pass over. Of `sampled_every` blocks one is sampled for coverage, or none where
    it is None.
    """

    program: str
    root_seed: int
    excluded: tuple[Pairs, ...] = ()
    scheduler: str = UNIFORM_WALK
    sampled_every: int | None = SAMPLED_EVERY

    def samples(self, block: int) -> bool:
        """True where the coverage of a block is looked at: the block's number alone decides."""
        every = self.sampled_every
        if every is not None and portfolio_named(self.scheduler):
            return is_sampled(block)
        return every is not None and block % every == SAMPLED_FIRST % every


@dataclass(frozen=True, slots=True)
class Replayed:
    """A violation that both engines have shown; `ordinal`: the schedules of its shard so far."""

    signature: Signature
    block: int
    lane: int
    number: int
    schedule: Schedule
    ordinal: int


def replayed_of(trace: Trace) -> Replayed:
    """A violation that exploring has shown, in no block."""
    last = len(trace.events) - 1
    return Replayed(signature_of(trace), 0, 0, last, trace.schedule, ordinal=0)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A hit of the circuit that the interpreter does not confirm."""

    block: int
    lane: int
    number: int
    detail: str


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What a shard showed. `+` joins the results of neighbouring ranges, in order.

    The counts are exact; `replayed` holds the first 4 of each signature; `passed_over` counts the
    replayed violations that contain an excluded failure.
    """

    schedules: int = 0
    steps: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    site_hits: Mapping[str, int] = field(default_factory=dict)
    steps_reached: frozenset[str] = frozenset()
    coverage: Coverage = field(default_factory=Coverage)
    replayed: tuple[Replayed, ...] = ()
    passed_over: int = 0
    disagreements: tuple[Disagreement, ...] = ()

    @property
    def violations(self) -> int:
        """Executions that ended at an oracle site, deadlocks among them."""
        return sum(self.site_hits.values())

    def __add__(self, later: "ShardResult") -> "ShardResult":
        moved = tuple(
            Replayed(v.signature, v.block, v.lane, v.number, v.schedule, v.ordinal + self.schedules)
            for v in later.replayed
        )
        return ShardResult(
            schedules=self.schedules + later.schedules,
            steps=self.steps + later.steps,
            outcomes=_added(self.outcomes, later.outcomes),
            site_hits=_added(self.site_hits, later.site_hits),
            steps_reached=self.steps_reached | later.steps_reached,
            coverage=self.coverage + later.coverage,
            replayed=_first_of_each_signature(self.replayed + moved),
            passed_over=self.passed_over + later.passed_over,
            disagreements=self.disagreements + later.disagreements,
        )


def run_shard(spec: ShardSpec, blocks: BlockRange) -> ShardResult:
    """Execute the blocks of a range: about 25 ms each, after the program was compiled once."""
    result, scheduler = ShardResult(), blocks.scheduler or spec.scheduler
    execute = _run_block if exhaustive_named(scheduler) is None else _exhaust_block
    for block in blocks:
        result = result + execute(spec, scheduler, block)
    return result


def program_of(program: str) -> Program:
    """A program given as JSON, read once a process."""
    if program not in _programs:
        _keep(program, from_json(program))
    return _programs[program]


def already_read(program: Program) -> str:
    """The program as JSON, which this process need not read to have it again."""
    if program.json not in _programs:
        _keep(program.json, program)
    return program.json


_programs: dict[str, Program] = {}


def _keep(text: str, program: Program) -> None:
    """Remember what was read last."""
    while len(_programs) >= PROGRAMS_MAX:
        del _programs[next(iter(_programs))]
    _programs[text] = program


@lru_cache(maxsize=ARMS_MAX)
def engine_of(program: str, scheduler: str) -> Engine:
    """The engine of a program given as JSON, compiled once a process; takes up to a second."""
    return engine_ahead(program_of(program), scheduler_named(scheduler)).result()


@lru_cache(maxsize=1)
def exhaustive_engine_of(program: str, scheduler: str) -> ExhaustiveEngine:
    """The engine of all schedules of a program given as JSON; takes a second or two."""
    exhaustive = exhaustive_named(scheduler)
    assert exhaustive is not None
    return ExhaustiveEngine(program_of(program), exhaustive)


def compile_first(spec: ShardSpec) -> None:
    """Compile what the first block of a campaign needs."""
    portfolio = portfolio_named(spec.scheduler)
    if exhaustive_named(spec.scheduler) is not None:
        exhaustive_engine_of(spec.program, spec.scheduler)
    else:
        engine_of(spec.program, spec.scheduler if portfolio is None else portfolio.arms[0])


def compile_next(spec: ShardSpec, blocks: BlockRange) -> None:
    """Begin to compile the scheduler of the next block, while a portfolio tries its first ones."""
    portfolio = portfolio_named(spec.scheduler)
    if portfolio is not None and blocks.first < len(portfolio.arms):
        for arm in portfolio.arms[blocks.first : blocks.first + 2]:
            engine_ahead(program_of(spec.program), scheduler_named(arm))


def confirms(trace: Trace, hit: Hit) -> bool:
    """True where the interpreter ended as the circuit did."""
    expected = Outcome.DEADLOCK if hit.site == DEADLOCK_SITE else Outcome.VIOLATION
    return trace.outcome is expected and trace.site == hit.site


def hits_from(block: int, *, thorough: bool) -> int:
    """From which pass on hits are chosen: at once in every other block, late in those between.

    What hits at once is short. Long executions of a site show themselves only where the lanes have
    come apart, and a campaign that passes over a short failure looks for nothing else.
    """
    return PASSES // 2 if thorough or block % 2 else 0


def hits_to_replay(result: BlockResult, *, thorough: bool) -> tuple[Hit, ...]:
    """A bounded choice of a block's hits that depends on the block only, never on its shard.

    Each site that was hit is replayed at least once; all that the engine kept are replayed in the
    first blocks of a campaign, and in every block of a campaign that passes over known failures.
    """
    if thorough or result.block < THOROUGH_BLOCKS:
        return result.hits
    seen: Counter[int] = Counter()
    chosen = []
    for hit in result.hits:
        seen[hit.site] += 1
        if seen[hit.site] <= REPLAYS_PER_SITE:
            chosen.append(hit)
    return tuple(chosen)


def _run_block(spec: ShardSpec, scheduler: str, block: int) -> ShardResult:
    engine = engine_of(spec.program, scheduler)
    thorough = bool(spec.excluded)
    result = engine.run_block(
        root_seed=spec.root_seed, block=block, hits_from=hits_from(block, thorough=thorough)
    )
    coverage = Coverage()
    if spec.samples(block):
        coverage = engine.coverage(root_seed=spec.root_seed, block=block)
    hits = hits_to_replay(result, thorough=thorough)
    traces = engine.recover(hits, root_seed=spec.root_seed, block=block) if hits else []
    return _replayed(
        spec,
        block,
        [*zip(hits, traces, strict=True)],
        ShardResult(
            schedules=result.schedules,
            steps=result.steps,
            outcomes={outcome.value: count for outcome, count in result.outcomes.items()},
            site_hits=_named(engine.program, enumerate(result.site_hits)),
            steps_reached=_labels(engine.program, coverage.steps),
            coverage=coverage,
        ),
    )


def _exhaust_block(spec: ShardSpec, scheduler: str, block: int) -> ShardResult:
    """All schedules of a block; a hit's lane is its number among the block's hits."""
    engine = exhaustive_engine_of(spec.program, scheduler)
    tally = engine.run_block(block)
    hits = [
        (Hit(len(moves) - 1, lane, site), engine.trace(moves))
        for lane, (site, moves) in enumerate(tally.hits[:LANES])
    ]
    return _replayed(
        spec,
        block,
        hits,
        ShardResult(
            schedules=tally.schedules,
            steps=tally.steps,
            outcomes={outcome.value: count for outcome, count in tally.outcomes.items()},
            site_hits=_named(engine.program, tally.sites.items()),
            steps_reached=_labels(engine.program, tally.reached),
        ),
    )


def _replayed(
    spec: ShardSpec, block: int, hits: Sequence[tuple[Hit, Trace]], result: ShardResult
) -> ShardResult:
    """The result of a block with its hits, as the interpreter has executed them."""
    replayed: list[Replayed] = []
    disagreements: list[Disagreement] = []
    passed_over = 0
    for hit, trace in hits:
        if not confirms(trace, hit):
            disagreements.append(_disagreement(program_of(spec.program), block, hit, trace))
        elif any(contains(trace, pairs) for pairs in spec.excluded):
            passed_over += 1
        else:
            replayed.append(
                Replayed(
                    signature_of(trace),
                    block,
                    hit.lane,
                    hit.number,
                    trace.schedule,
                    result.schedules,
                )
            )
    return replace(
        result,
        replayed=_first_of_each_signature(tuple(replayed)),
        passed_over=passed_over,
        disagreements=tuple(disagreements),
    )


def _disagreement(program: Program, block: int, hit: Hit, trace: Trace) -> Disagreement:
    said = trace.outcome.value if trace.outcome is not None else "no end"
    where = "" if trace.site is None else f" at {site_name(program, trace.site)!r}"
    picks = to_lists(trace.schedule)
    return Disagreement(
        block,
        hit.lane,
        hit.number,
        f"circuit: {site_name(program, hit.site)!r}; interpreter: {said}{where} after "
        f"{len(trace.events)} steps; schedule {picks}",
    )


def _named(program: Program, counts: Iterable[tuple[int, int]]) -> dict[str, int]:
    named: Counter[str] = Counter()
    for site, count in counts:
        if count:
            named[site_name(program, site)] += count
    return dict(named)


def _labels(program: Program, steps: Iterable[BodyStep]) -> frozenset[str]:
    return frozenset(str(program.bodies[body].steps[step].label) for body, step in steps)


def _added(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in sorted({*left, *right})}


def _first_of_each_signature(found: tuple[Replayed, ...]) -> tuple[Replayed, ...]:
    seen: Counter[Signature] = Counter()
    kept = []
    for violation in found:
        seen[violation.signature] += 1
        if seen[violation.signature] <= REPORTED_PER_SIGNATURE:
            kept.append(violation)
    return tuple(kept)
