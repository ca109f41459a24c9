"""Cells judged on several cores: plain processes, since each cell is a program of its own.

A campaign's workers hold one program for long, which is what Ray's actors are for; here each piece
of work brings its program and is done once. Workers do not hear signals: the coordinator does.
"""

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, Self

from workers.cells import CellWork, Judged, judge
from workers.errors import PoolError
from workers.stopping import HEARD

# Enough that no worker waits while the coordinator stores what came before.
WORK_PER_WORKER = 2


class CellPool(Protocol):
    """Something that judges programs. Used in a `with` statement."""

    @property
    def takes_more(self) -> bool:
        """Whether work that is submitted now would be begun soon."""

    def submit(self, name: str, work: CellWork) -> None:
        """Have a program judged, and reported under a name."""

    def wait(self, *, seconds_max: float) -> list[tuple[str, Judged]]:
        """What has ended, after at most this time; may be nothing. Raises PoolError."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *error: object) -> None:
        """End the processes that this pool has started, and no other."""


class ProcessCellPool:
    """So many processes."""

    def __init__(self, workers: int, judging: Callable[[CellWork], Judged] = judge) -> None:
        assert workers > 0
        context = multiprocessing.get_context("spawn")
        self._judging = judging
        self._executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore)
        self._names: dict[Future[Judged], str] = {}
        self._room = workers * WORK_PER_WORKER

    @property
    def takes_more(self) -> bool:
        """True while fewer pieces wait than two a worker."""
        return len(self._names) < self._room

    def submit(self, name: str, work: CellWork) -> None:
        """Have a program judged, and reported under a name."""
        self._names[self._executor.submit(self._judging, work)] = name

    def wait(self, *, seconds_max: float) -> list[tuple[str, Judged]]:
        """What has ended, after at most this time. Raises PoolError where a worker died."""
        done, _ = wait(self._names, timeout=seconds_max, return_when=FIRST_COMPLETED)
        try:
            return [(self._names.pop(future), future.result()) for future in done]
        except BrokenProcessPool as error:
            raise PoolError(
                "a worker died while it judged a cell; what was judged before is stored\n"
                "    look for a lack of memory, or give less with --memory or --workers"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End the processes, at once where there was an error."""
        if any(error):
            for process in multiprocessing.active_children():
                process.terminate()
        self._executor.shutdown(cancel_futures=True)


class LocalCellPool:
    """This process: work is done while someone waits for it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, CellWork]] = []

    @property
    def takes_more(self) -> bool:
        """True while there is nothing to do."""
        return not self._waiting

    def submit(self, name: str, work: CellWork) -> None:
        """Remember the work: the next `wait` does it."""
        self._waiting.append((name, work))

    def wait(self, *, seconds_max: float) -> list[tuple[str, Judged]]:
        """Do what was submitted, however long it takes."""
        done, self._waiting = self._waiting, []
        return [(name, judge(work)) for name, work in done]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing was started."""


def _ignore() -> None:
    """Ctrl-C reaches every process of a terminal: who decides is the coordinator."""
    for number in HEARD:
        signal.signal(number, signal.SIG_IGN)
