"""Mutants of the whole library: over all cores, for a person to read, and for a script."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from model.library_mutation import Score, configurations, library_score, scores, told
from model.mutation import SURVIVING, Fate
from service.reading import columns, pretty


def library_scores(*, states_max: int) -> list[Score]:
    """Judge the mutants of every clean configuration, one a process at a time; says how far it is.

    Takes some minutes of the processor.
    """
    asked = configurations()
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        waiting = [pool.submit(told, each, states_max=states_max) for each in asked]
        for done, future in enumerate(as_completed(waiting), start=1):
            future.result()
            end = "\r" if sys.stderr.isatty() and done < len(asked) else "\n"
            print(f"{done} of {len(asked)} configurations", end=end, file=sys.stderr, flush=True)
        return scores(future.result() for future in waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def library_lines(found: list[Score]) -> list[str]:
    """A line a program, then the survivors, and what no clean configuration ever reaches."""
    heads = ("PROGRAM", "CLEAN", *(fate.value.upper() for fate in Fate), "SCORE")
    rows = [
        (
            each.program,
            f"{each.configurations}",
            *(f"{each.count(fate):,}" for fate in Fate),
            _share(each),
        )
        for each in found
    ]
    lines = columns([heads, *rows], right=frozenset(range(1, len(heads))))
    for each in found:
        if each.survivors:
            lines += ["", f"survivors of {each.program}"]
            lines += [
                f"  {m.kind}: {m.step} ({m.function}, line {m.line}): {m.change}"
                for m in each.survivors
            ]
    for each in found:
        if each.unreached:
            lines += ["", f"never reached in {each.program}"]
            lines += [f"  {what}" for what in each.unreached]
    return [*lines, "", f"mutation score  {library_score(found):.1%}"]


def library_json(found: list[Score]) -> str:
    """The same as an object."""
    return pretty(
        {
            "score": library_score(found),
            "programs": [
                {
                    "program": each.program,
                    "configurations": each.configurations,
                    "counts": {fate.value: each.count(fate) for fate in Fate},
                    "score": each.score,
                    "survivors": [
                        {
                            "kind": named.kind,
                            "step": named.step,
                            "function": named.function,
                            "line": named.line,
                            "change": named.change,
                            "outcome": each.fates[named].value,
                        }
                        for named in each.survivors
                    ],
                    "unreached": each.unreached,
                }
                for each in found
            ],
        }
    )


def survive(found: list[Score]) -> bool:
    """True where some mutant counts against the score."""
    return any(each.count(*SURVIVING) for each in found)


def _share(score: Score) -> str:
    return "" if score.score is None else f"{score.score:.1%}"
