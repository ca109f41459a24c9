"""Spin's search of the exported model of a program: a second opinion, and a rate to compare with.

pan is compiled and called as `model.promela` says, so that what it counts can be compared with
`model.explore`; running needs spin and gcc.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.program import Program
from model.promela import promela

TOOLS = ("spin", "gcc")
COMPILER = ("gcc", "-DSAFETY", "-DNOREDUCE", "-w")
MEBIBYTE = 1 << 20
STORED = re.compile(r"^\s*(\S+) states, stored$", re.MULTILINE)
ERRORS = re.compile(r"errors: (\d+)$", re.MULTILINE)
MEMORY = re.compile(r"^\s*(\S+)\s+(equivalent|actual) memory usage for states", re.MULTILINE)
VERDICT = re.compile(r"^pan:\d+: assertion violated \(verdict!=(\d+)\)", re.MULTILINE)


class SpinError(Exception):
    """Spin did not accept the model, or did not search all of it."""


@dataclass(frozen=True, slots=True)
class SpinRun:
    """What one full search has shown; `seconds` are of processor time, `memory` bytes of states.

    `states` are those from which executions go on, as `explore` counts them, `ends` the states in
    which executions end, which pan stores too. `sites` are the violated oracle sites.
    """

    states: int
    ends: int
    sites: frozenset[int]
    discarded: bool
    seconds: float
    memory: float

    @property
    def stored(self) -> int:
        """All states that pan stores."""
        return self.states + self.ends


Search = Callable[[], SpinRun]


def missing() -> list[str]:
    """The tools that are not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


@contextmanager
def compiled_model(
    program: Program, *, optimize: str = "-O3", depth_max: int = 1_000_000, hash_bits: int = 24
) -> Iterator[Search]:
    """A full search of a program by pan, compiled in a temporary folder.

    Raises FileNotFoundError without spin and gcc, SpinError, and CannotExport.
    """
    if missing():
        raise FileNotFoundError(f"Spin's search needs {' and '.join(missing())}, not installed")
    with tempfile.TemporaryDirectory(prefix="gracefuzz-") as folder:
        Path(folder, "model.pml").write_text(promela(program), encoding="utf-8")
        _call(["spin", "-DEVERY_END", "-o2", "-o3", "-a", "model.pml"], folder)
        _call([*COMPILER, optimize, "-o", "pan", "pan.c"], folder)

        def search() -> SpinRun:
            before = _processor_seconds()
            said = _call(["./pan", "-c0", f"-m{depth_max}", f"-w{hash_bits}"], folder)
            return _read(program, said, _processor_seconds() - before)

        yield search


def _call(command: list[str], folder: str) -> str:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr).strip()[-1000:]
        raise SpinError(f"{' '.join(command)} failed with {ended.returncode}:\n{said}")
    return ended.stdout


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _read(program: Program, said: str, seconds: float) -> SpinRun:
    """What pan has printed. Every error is a verdict of the judge, or the search is not sound."""
    strange = [
        line
        for line in said.splitlines()
        if re.match(r"pan:\d+:|error:|Warning: ", line) and not VERDICT.match(line)
    ]
    stored, errors = STORED.search(said), ERRORS.search(said)
    if strange or stored is None or errors is None:
        raise SpinError("\n".join(strange) or f"pan said:\n{said[-1000:]}")
    verdicts = {int(number) - 1 for number in VERDICT.findall(said)}
    memory = {kind: float(mebibytes) for mebibytes, kind in MEMORY.findall(said)}
    ends = int(errors[1])
    return SpinRun(
        int(float(stored[1])) - ends,
        ends,
        frozenset(number for number in verdicts if number < len(program.sites)),
        len(program.sites) in verdicts,
        seconds,
        memory.get("actual", memory["equivalent"]) * MEBIBYTE,
    )
