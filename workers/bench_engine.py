"""How fast the engine is, and how much faster than scalar C: numbers for `gracefuzz bench`.

Both walk the reference configuration of `thp_split` uniformly, on one core, in turns. Times are of
the processor, so that what else the machine does takes little away; only executed steps count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from model.circuit.block import Engine
from model.circuit.native import LANES, chunk_lanes, vector_name
from model.program import Program
from workers.scalar_c import compiled, generate

PAIRS = 7
TURN_SECONDS = 0.5
COMPILES = 3
ROOT_SEED = 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Steps per second of both walkers, one entry a turn; they took turns."""

    circuit: tuple[float, ...]
    scalar: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the ratios of neighbouring turns."""
        return median(c / s for c, s in zip(self.circuit, self.scalar, strict=True))


def measurements() -> dict[str, float]:
    """Figures by name; takes some 20 s. Raises FileNotFoundError without gcc.

    `thp_split.steps_per_second` is the best turn of `Engine.run_block` with its sampling, that is,
    what a worker gets before it replays hits; `compile_seconds` is the best of a few times from the
    IR to machine code. `thp_split.ratio_to_scalar_c` is a median, so it is not the quotient of the
    two best turns.
    """
    program = reference_program()
    engine, compile_seconds = compiled_engine(program)
    found = compare(engine, pairs=PAIRS, turn_seconds=TURN_SECONDS)
    return {
        "thp_split.steps_per_second": max(found.circuit),
        "thp_split.scalar_c_steps_per_second": max(found.scalar),
        "thp_split.ratio_to_scalar_c": found.ratio,
        "compile_seconds": compile_seconds,
        "compile_planes": float(len(engine.circuit.layout.planes)),
    }


def describe() -> str:
    """The vector extension in use and what it holds, as a person reads it."""
    return f"{vector_name()}, {chunk_lanes()} of {LANES} lanes a vector"


def reference_program() -> Program:
    """`thp_split` in the configuration that every figure is of."""
    from model.library import PROGRAMS
    from model.programs.thp_split import REFERENCE

    return PROGRAMS["thp_split"].compile(**REFERENCE)


def compare(engine: Engine, *, pairs: int, turn_seconds: float) -> Comparison:
    """Walk with the engine and with scalar C in turns, after a turn of each that does not count."""
    circuit: list[float] = []
    scalar: list[float] = []
    blocks = iter(range(1 << 62))

    def one_block() -> int:
        return engine.run_block(root_seed=ROOT_SEED, block=next(blocks)).steps

    with compiled(generate(engine.program)) as walk:
        for pair in range(pairs + 1):
            circuit.append(_steps_per_second(one_block, turn_seconds))
            turn = walk(seconds=turn_seconds, seed=ROOT_SEED + pair)
            scalar.append(turn.steps / turn.seconds)
    return Comparison(tuple(circuit[1:]), tuple(scalar[1:]))


def speed_of(program: Program, *, seconds: float) -> float:
    """Steps per second of one core, of its processor's time, without a comparison."""
    engine, blocks = Engine(program), iter(range(1 << 62))
    return _steps_per_second(
        lambda: engine.run_block(root_seed=ROOT_SEED, block=next(blocks)).steps, seconds
    )


def _steps_per_second(one_block: Callable[[], int], turn_seconds: float) -> float:
    begin, steps = time.process_time(), 0
    while (spent := time.process_time() - begin) < turn_seconds:
        steps += one_block()
    return steps / spent


def compiled_engine(program: Program) -> tuple[Engine, float]:
    """An engine, and the best time of making it a few times over."""
    best = float("inf")
    for _ in range(COMPILES):
        begin = time.process_time()
        engine = Engine(program)
        best = min(best, time.process_time() - begin)
    return engine, best
