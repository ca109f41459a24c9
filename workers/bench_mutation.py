"""What the oracles of the library are worth: for `gracefuzz bench`."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from model.library_mutation import Configuration, Told, configurations, library_score, scores, told
from model.mutation import SURVIVING, Fate
from workers.commands import cores

STATES_MAX = 1_000_000


def measurements() -> dict[str, float]:
    """Figures by name; takes some minutes, on all cores.

    `mutation_score` is the share caught of the mutants that count, over all clean configurations of
    the library; `mutation_seconds` is what that takes of the processor.
    """
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        found = list(pool.map(partial(_timed, states_max=STATES_MAX), configurations()))
    judged = scores(each for each, _ in found)
    return {
        "mutation_score": library_score(judged),
        "mutants_counted": float(sum(s.count(Fate.CAUGHT, *SURVIVING) for s in judged)),
        "mutants_equivalent": float(sum(s.count(Fate.EQUIVALENT) for s in judged)),
        "mutation_seconds": sum(seconds for _, seconds in found),
    }


def _timed(configuration: Configuration, *, states_max: int) -> tuple[Told, float]:
    begin = time.process_time()
    found = told(configuration, states_max=states_max)
    return found, time.process_time() - begin
