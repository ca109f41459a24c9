"""What `gracefuzz fuzz` does first: it compiles the program, and begins to make machine code of it.

Everything else that a campaign needs is imported after that, because reading SQLAlchemy takes as
long as LLVM does, and both can go on at once.
"""

import gc
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.program import Program
from storage.sources import compile_source, find_source, text_of

if TYPE_CHECKING:
    from workers.minimizer import Minimizer
    from workers.progress import Verdict


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line, with its units settled.

    `opened` are the parameters that may vary, `blocks` what is executed of each configuration;
    `again` is the campaign that is to be executed once more, `baseline` names
    what is known and not new: a stored baseline, or a file.
    """

    program: str
    parameters: Mapping[str, str]
    scheduler: str
    opened: tuple[str, ...]
    blocks: int
    seconds: float | None
    schedules: int | None
    block: int | None
    stop_on_first: bool
    seed: int
    workers: int
    database: str
    excluded_failures: tuple[int, ...]
    only_new: bool
    baseline: str | None
    metrics_port: int | None
    as_json: bool
    hint: Path | None = None
    again: int | None = None


def start(wish: Wish) -> "Verdict":
    """Start a campaign, show it, and give the exit code.

    Raises what the program, the database, the metrics' port or the pool refuse.
    """
    source = find_source(wish.program)
    if wish.opened:
        from workers.scenario_fuzzing import fuzz_space

        return fuzz_space(wish, source)
    program = compile_source(source, wish.parameters)
    if wish.workers > 0:
        return _start(wish, program, text_of(source), None)
    from workers.minimizer import Minimizer

    # What was imported and compiled stays: neither process need look for garbage in it.
    gc.freeze()
    # First of all, while this process has one thread and is small.
    with closing(Minimizer(program)) as minimizer:
        return _start(wish, program, text_of(source), minimizer)


def _start(
    wish: Wish, program: Program, source: str, minimizer: "Minimizer | None"
) -> "Verdict":
    """Follow the hint, where there is one, and fuzz where it shows nothing."""
    if wish.again is not None:
        from workers.again import wish_again

        wish = wish_again(wish, program)
    if wish.hint is not None:
        from workers.hinting import HintWish, show_hint
        from workers.progress import Verdict

        hint = HintWish(wish.hint, wish.database, source, wish.seed, wish.as_json)
        if show_hint(program, hint, minimizer):
            return Verdict.VIOLATIONS
    if minimizer is not None:
        from model.schedulers.wanted import first_wanted
        from workers.ahead import engine_ahead

        if (first := first_wanted(wish.scheduler)) is not None:
            engine_ahead(program, first.prepared(program))
    from workers.fuzzing import fuzz

    return fuzz(wish, program, source, minimizer)
