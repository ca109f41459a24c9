"""A second process that minimizes what the first finds, and searches before it is asked.

The search for minimal interleavings serves every signature of a program: while the first process
imports, compiles and fuzzes, this one is on its way to what it will be asked for. It is forked
before there are threads, when little but the program is in memory.
"""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from model.program import Program

if TYPE_CHECKING:
    from model.known import Pairs
    from workers.minimizing import Minimized
    from workers.shards import Replayed

END_SECONDS = 1.0


class MinimizerFailed(Exception):
    """The violation has no minimum: minimizing raised what the message says, or was killed."""


class Minimizer:
    """The process. It ends when it is closed, or when the first process is no more."""

    def __init__(self, program: Program) -> None:
        context = multiprocessing.get_context("fork")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(program, theirs, self._connection), daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def process_id(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def minimized(self, violation: Replayed, excluded: tuple[Pairs, ...]) -> Minimized:
        """As `workers.minimizing.minimized`. Raises MinimizerFailed."""
        try:
            self._connection.send((violation, excluded))
            answer = self._connection.recv()
        except (EOFError, OSError):
            raise MinimizerFailed("the process that minimizes has died") from None
        if isinstance(answer, str):
            raise MinimizerFailed(answer)
        found: Minimized = answer
        return found

    def close(self) -> None:
        """End it, whatever it does."""
        self._connection.close()
        self._process.terminate()
        self._process.join(END_SECONDS)


def _serve(program: Program, connection: Connection, theirs: Connection) -> None:
    # Ctrl-C is for the first process, which decides what is still to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Else the end of the first process would not be seen.
    theirs.close()
    from model.minimize import search_ahead
    from workers.minimizing import minimized

    while True:
        while not connection.poll() and search_ahead(program):
            pass
        try:
            violation, excluded = connection.recv()
        except EOFError:
            return
        try:
            connection.send(minimized(program, violation, excluded=excluded))
        except Exception as error:
            connection.send(f"{type(error).__name__}: {error}")
