"""Violations that wait to be minimized, and the finished ranges that wait for them.

A range is completed in the database when every signature that it showed has its failure. Until
then it waits here, its lease held, while the workers go on. No clock, no database, no processes.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from model.signature import Signature
from workers.minimizing import Minimized
from workers.pool import Executed
from workers.shards import Replayed

ATTEMPTS_MAX = 3


@dataclass(slots=True)
class Backlog:
    """Each signature is minimized once, from the first violation that showed it.

    `minimal` may begin with what earlier campaigns of the same IR have proved.
    """

    minimal: dict[Signature, Minimized] = field(default_factory=dict)
    ordinals: dict[Signature, int] = field(default_factory=dict)
    _queue: deque[Replayed] = field(default_factory=deque)
    _attempts: Counter[Signature] = field(default_factory=Counter)
    _waiting: list[Executed] = field(default_factory=list)

    def add(self, report: Executed, *, schedules_before: int) -> None:
        """A finished range: queue the signatures that are new, and keep it until they are known."""
        for violation in report.result.replayed:
            if violation.signature in self.ordinals:
                continue
            self.ordinals[violation.signature] = schedules_before + violation.ordinal
            if violation.signature not in self.minimal:
                self._queue.append(violation)
        self._waiting.append(report)

    def next_violation(self) -> Replayed | None:
        """The next violation to minimize; None where there is none."""
        return self._queue.popleft() if self._queue else None

    def know(self, minimal: Minimized) -> None:
        """The signature's minimal interleaving has arrived."""
        self.minimal[minimal.signature] = minimal

    def lose(self, violation: Replayed, *, blamed: bool) -> bool:
        """Minimizing it gave nothing; True where it has been tried often enough."""
        self._attempts[violation.signature] += blamed
        if self._attempts[violation.signature] >= ATTEMPTS_MAX:
            return True
        self._queue.append(violation)
        return False

    def ready(self) -> Iterator[Executed]:
        """Take the ranges of which every signature is known."""
        waiting, self._waiting = self._waiting, []
        for report in waiting:
            if all(violation.signature in self.minimal for violation in report.result.replayed):
                yield report
            else:
                self._waiting.append(report)

    def give_up(self) -> list[Executed]:
        """Take the ranges that still wait, and forget the violations that they wait for."""
        waiting, self._waiting = self._waiting, []
        self._queue.clear()
        return waiting

    @property
    def open_signatures(self) -> int:
        """Signatures that have been seen and whose minimal interleaving is not known."""
        return len(self.ordinals.keys() - self.minimal.keys())

    @property
    def waiting_schedules(self) -> int:
        """The schedules of ranges that wait: executed, and not yet counted."""
        return sum(report.result.schedules for report in self._waiting)

    @property
    def waiting_blocks(self) -> int:
        """The blocks of ranges that wait."""
        return sum(report.work.blocks for report in self._waiting)
