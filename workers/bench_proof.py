"""How long proofs take, of programs and of minima: numbers for `gracefuzz bench`."""

from __future__ import annotations

import time
from statistics import median

from model.circuit.successors import Successors
from model.explore import Explorer, explore
from model.interpreter import Trace
from model.library import PROGRAMS
from model.minimize import BYTES_MAX
from model.program import Program
from model.search import Search
from model.signature import signature_of
from model.trace import Measure, measure
from workers.bench_engine import reference_program

PREEMPTIONS_MAX = 3
STEPS_MIN = 50


def measurements() -> dict[str, float]:
    """Figures by name, in seconds of the processor; takes some 30 s.

    `library_seconds` is every program of the library at its default size, compiled and proved or
    refuted. The others minimize a shortest execution for each oracle that `thp_split` violates,
    with all criteria proved, compiled before: the median and the longest where each has a search
    of its own, and all of them with the one search that a campaign keeps. `of_60_steps` are those
    whose smallest interleaving has up to 3 preemptions and at least 50 steps: 54 to 77.
    """
    begin = time.process_time()
    verdicts = [explore(source.compile()).verdict for source in PROGRAMS.values()]
    library = time.process_time() - begin
    assert "bounded" not in verdicts
    minimized, shared = _minimizing(reference_program())
    own = [seconds for seconds, _ in minimized]
    long = [
        (seconds, size.steps)
        for seconds, size in minimized
        if size.preemptions <= PREEMPTIONS_MAX and size.steps >= STEPS_MIN
    ]
    return {
        "library_seconds": library,
        "minimizing_seconds": median(own),
        "minimizing_seconds.high": max(own),
        "minimizing_all_seconds": shared,
        "minimized_failures": float(len(own)),
        "minimizing_of_60_steps_seconds": median(seconds for seconds, _ in long),
        "minimizing_of_60_steps_seconds.high": max(seconds for seconds, _ in long),
        "minimized_of_60_steps": float(len(long)),
        "minimized_of_60_steps.steps": float(median(steps for _, steps in long)),
    }


def _minimizing(program: Program) -> tuple[list[tuple[float, Measure]], float]:
    """What each failure takes with a search of its own, its minimum, and all of them with one."""
    explorer = Explorer(program)
    while explorer.advance():
        pass
    traces = [explorer.trace(site) for site in sorted(explorer.explored().sites)]
    successors = Successors(program)
    own = []
    for trace in traces:
        seconds, (size,) = _proved(Search(successors, bytes_max=BYTES_MAX), [trace])
        own.append((seconds, size))
    return own, _proved(Search(successors, bytes_max=BYTES_MAX), traces)[0]


def _proved(search: Search, traces: list[Trace]) -> tuple[float, list[Measure]]:
    """Seconds for the minima of all traces, and their sizes."""
    begin, sizes = time.process_time(), []
    for trace in traces:
        found = search.minimum(signature_of(trace), below=measure(trace))
        smallest = trace if found.trace is None else found.trace
        assert not found.limited and found.reached >= measure(smallest), "a minimum is not proved"
        sizes.append(measure(smallest))
    return time.process_time() - begin, sizes
