"""Fuzzing a scenario space: Hypothesis says which configuration is tried next.

What earlier campaigns have kept of the space is replayed first. Then configurations are drawn; for
each signature that shows and has not shown before, Hypothesis looks for the smallest configuration
that still shows it, and there its interleaving is minimized.
"""

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from model.scenario_space import Configuration
from model.signature import Signature
from storage.session import Database
from workers.drawing import drawn, replayed, smallest
from workers.example_database import SqlExampleDatabase
from workers.execution import QUARANTINES_MAX
from workers.orders import Budget, Observer
from workers.pool import Pool
from workers.progress import Ending
from workers.scenario_progress import ScenarioProgress
from workers.trying import Over, ScenarioOrder, Trying


@dataclass(slots=True)
class Scenarios:
    """The coordinator of a scenario space. `execute` may be called once."""

    database: Database
    pool: Pool
    order: ScenarioOrder
    budget: Budget
    progress: ScenarioProgress
    observer: Observer
    is_stopping: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    _trying: Trying = field(init=False)
    _examples: SqlExampleDatabase = field(init=False)
    _settled: set[Signature] = field(init=False, default_factory=set)
    _begun: float = field(init=False)

    def execute(self) -> Ending:
        """Work until there is a reason to end, say which. Raises StorageError and PoolError."""
        self._examples = SqlExampleDatabase(self.database)
        self._begun = self.clock()
        self._trying = Trying(
            self.database,
            self.pool,
            self.order,
            self.progress,
            self.observer,
            lambda: self._reason_to_end() is not None,
        )
        ending = Ending.FAILED
        try:
            ending = self._search()
            ending = self._finish(ending)
        except KeyboardInterrupt:
            ending = Ending.ABORTED
            raise
        finally:
            self._trying.leave(ending)
        return ending

    def _search(self) -> Ending:
        space, seed = self.order.space, self.order.root_seed
        try:
            self._replay_kept()
            for number in itertools.count():
                configurations = drawn(space, root_seed=seed, round_number=number)
                self._trying.look_ahead(configurations)
                for configuration in configurations:
                    self._look_at(configuration, round_number=number)
                if self.progress.answered == space.size:
                    return Ending.ALL_TRIED
        except Over:
            pass
        ending = self._reason_to_end()
        assert ending is not None
        return ending

    def _reason_to_end(self) -> Ending | None:
        totals, budget = self.progress.totals, self.budget
        if len(totals.quarantined) >= QUARANTINES_MAX:
            return Ending.QUARANTINED
        if self._is_found:
            return Ending.FOUND
        if self.is_stopping():
            return Ending.STOPPED
        if budget.schedules is not None and totals.schedules >= budget.schedules:
            return Ending.SCHEDULES_SPENT
        if budget.seconds is not None and self.clock() >= self._begun + budget.seconds:
            return Ending.TIME_SPENT
        return None

    @property
    def _is_found(self) -> bool:
        """True where a failure is stored, and one was asked for."""
        return self.budget.stop_on_first and bool(self.progress.totals.failures)

    # -- one configuration, one signature ----------------------------------------------------------

    def _replay_kept(self) -> None:
        """Try what has failed in earlier campaigns, and forget what does not fail any more."""
        for name in self._examples.fetch(self._key()):
            signature = Signature(*json.loads(name))
            self.progress.doing = f"replaying {signature.site}"
            found = replayed(
                self.order.space,
                self._shows(signature),
                examples=self._examples,
                key=self._key(signature),
            )
            if found is None:
                self.progress.gone += 1
                self._examples.delete(self._key(), name)
            else:
                self.progress.kept += 1
                self._settle(signature, found)

    def _look_at(self, configuration: Configuration, *, round_number: int) -> None:
        """Try a configuration, and shrink it for each signature that is new."""
        self.progress.doing = "drawing"
        for signature in sorted(self._trying.shown(configuration)):
            if signature in self._settled:
                continue
            self.progress.doing = f"shrinking {signature.site}"
            self._examples.save(self._key(), _name(signature))
            found = smallest(
                self.order.space,
                self._shows(signature),
                root_seed=self.order.root_seed,
                round_number=round_number,
                examples=self._examples,
                key=self._key(signature),
            )
            assert found is not None, "the configuration that was shown is drawn again"
            self._settle(signature, found)

    def _shows(self, signature: Signature) -> Callable[[Configuration], bool]:
        return lambda configuration: signature in self._trying.shown(configuration)

    def _settle(self, signature: Signature, configuration: Configuration) -> None:
        self._settled.add(signature)
        self._trying.minimize(self._trying.tried_as(configuration), signature)

    def _finish(self, ending: Ending) -> Ending:
        """Minimize what has shown and was not shrunk to the end, where it is smallest so far."""
        self.progress.doing = "minimizing"
        shown = {signature for tried in self.progress.tried for signature in tried.shown}
        for signature in sorted(shown - self._settled):
            self._trying.minimize(self._trying.tried_with(signature)[0], signature)
        while not self._trying.is_idle and not self._is_found:
            self._trying.turn(None)
        return Ending.FOUND if self._is_found else ending

    def _key(self, signature: Signature | None = None) -> bytes:
        """Where Hypothesis keeps the examples of a signature; without one, which there are."""
        about = b"" if signature is None else b"\0" + _name(signature)
        return self.order.space.name.encode() + about


def _name(signature: Signature) -> bytes:
    return json.dumps([signature.program, signature.site, signature.step]).encode()
