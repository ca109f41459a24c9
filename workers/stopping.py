"""Ctrl-C once: end cleanly and keep everything. Twice: abort.

SIGTERM, and the loss of the terminal, are like the first Ctrl-C.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Whether a person or the system has asked to stop."""

    def __init__(self) -> None:
        self.is_requested = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over the signals inside the block. Only in the main thread of a process."""
        before = {number: signal.getsignal(number) for number in HEARD}
        self.listen()
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    def listen(self) -> None:
        """Take the signals over again: starting Ray installs what it wants."""
        for number in HEARD:
            # What nohup has switched off stays off.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._hear)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self.is_requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.is_requested = True
