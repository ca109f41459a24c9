"""A program as a scalar random walker in C: the opponent that the circuit is measured against.

It executes the IR step by step, written to be fast: every (thread, step) has code of its own with
the thread's numbers folded in, all state is in local variables, the next step is a jump through the
address that the chosen thread left behind, and the mask of enabled threads, the invariants and the
end are looked at again only where a step can have changed them. `generate` is pure; running needs
gcc. The semantics are the interpreter's, so rates can be compared with the circuit's.

What limits it is that the jump cannot be predicted: which thread comes next is chance. On one core
(AMD Zen 1, 2.5 GHz) a walk of `thp_split` takes some 34 cycles a step, a loop of such jumps between
empty steps 29, and the same loop with jumps that are predicted 7.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.program import Program
from workers.scalar_c_generator import CannotGenerate, Generator

__all__ = ["CannotGenerate", "ScalarRun", "compile_and_run", "compiled", "generate"]

COMPILER = ("gcc", "-O3", "-march=native", "-fwrapv", "-w")


@dataclass(frozen=True, slots=True)
class ScalarRun:
    """Counts of one measurement, as `BlockResult` has them; `seconds` are of processor time."""

    steps: int
    schedules: int
    discarded: int
    step_limits: int
    seconds: float
    site_hits: tuple[int, ...]


Walk = Callable[..., ScalarRun]


def generate(program: Program) -> str:
    """C source of a walker. Raises CannotGenerate for over 64 threads or values over 127 bits."""
    return Generator(program).source()


def compile_and_run(
    source: str, *, seconds: float = 0.0, steps: int = 0, seed: int = 1
) -> ScalarRun:
    """Compile a generated source, and walk for so many seconds or at least so many steps.

    The last execution is always finished. Raises FileNotFoundError without gcc.
    """
    with compiled(source) as walk_:
        return walk_(seconds=seconds, steps=steps, seed=seed)


@contextmanager
def compiled(source: str) -> Iterator[Walk]:
    """A function of (seconds, steps, seed) that runs the source, compiled in a temporary folder."""
    if shutil.which(COMPILER[0]) is None:
        raise FileNotFoundError(f"{COMPILER[0]} is not installed: the scalar walker needs it")
    with tempfile.TemporaryDirectory(prefix="gracefuzz-") as folder:
        text, binary_file = Path(folder, "walker.c"), Path(folder, "walker")
        text.write_text(source, encoding="utf-8")
        subprocess.run([*COMPILER, str(text), "-o", str(binary_file)], check=True)

        def run(*, seconds: float = 0.0, steps: int = 0, seed: int = 1) -> ScalarRun:
            assert seconds > 0 or steps > 0
            arguments = [str(binary_file), str(seed), str(steps), str(seconds)]
            said = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
            counts = said.split()
            walked, schedules, discarded, limits = map(int, counts[:4])
            hits = tuple(map(int, counts[5:]))
            return ScalarRun(walked, schedules, discarded, limits, float(counts[4]), hits)

        yield run
