"""A verification: explores a program state by state, and has stored what that shows.

What is found is stored when it is found. Checkpoints are taken at stated times, when someone asks
to stop, and when the memory is full: whoever is killed goes on from the last one.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from model.explore import Explored, Explorer
from model.explore import Verdict as Conclusion
from model.signature import Signature, site_name
from storage.checkpoints import CheckpointError
from storage.tables import CampaignState, VerificationVerdict
from storage.verifications import VerificationFigures
from workers.minimizing import Minimized, minimized
from workers.progress import Ending, FoundFailure, Verdict
from workers.recording import CampaignRecord
from workers.shards import replayed_of
from workers.verification_record import VerificationRecord, figures_of

FIGURES_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Reach:
    """How far exploring has come; minimizing takes time too, which `exploring_seconds` leaves out.

    `begun_states` were there when this process began: more than one where it resumed.
    """

    states: int
    transitions: int
    frontier: int
    depth: int
    used_bytes: int
    begun_states: int
    exploring_seconds: float

    @property
    def states_per_second(self) -> float:
        """What this process has added, by the time that it explored."""
        added = self.states - self.begun_states
        return added / self.exploring_seconds if self.exploring_seconds > 0 else 0.0


class Observer(Protocol):
    """Who is told how a verification goes on."""

    def progressed(self, reach: Reach, failures: Mapping[int, FoundFailure]) -> None:
        """Some time has passed, or something was stored."""

    def found(self, failure: FoundFailure) -> None:
        """A violation was found, minimized and stored."""

    def said(self, sentence: str) -> None:
        """Something went wrong that a person should know of."""


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """How a verification ended. `seconds` counts from where this process began or resumed."""

    campaign_id: int
    ending: Ending
    seconds: float
    explored: Explored
    reach: Reach
    failures: dict[int, FoundFailure]
    checkpoint: Path | None
    checkpoint_failed: bool

    def verdict(self, *, only_new: bool = False, known: frozenset[str] | None = None) -> Verdict:
        """The exit code. Only what was seen whole is clean; a lost checkpoint is no success.

        With `only_new`, known failures do not count: what is left is clean where all was seen.
        """
        explored, found = self.explored, self.failures.values()
        counting = any(each.counts(only_new=only_new, known=known) for each in found)
        # A violation that could not be stored is known to nobody.
        unknown = len(found) < len(explored.signatures)
        if explored.verdict is Conclusion.REFUTED and (counting or unknown):
            return Verdict.VIOLATIONS
        if explored.exhausted and explored.exact:
            return Verdict.CLEAN
        if self.ending is Ending.STOPPED and self.checkpoint_failed:
            return Verdict.INFRASTRUCTURE
        return Verdict.BOUNDED


@dataclass(slots=True)
class Verification:
    """One exploration and its campaign. `execute` may be called once."""

    explorer: Explorer
    record: VerificationRecord
    observer: Observer
    is_stopping: Callable[[], bool]
    checkpoint_seconds: float
    clock: Callable[[], float] = time.monotonic
    _minimal: dict[Signature, Minimized] = field(init=False)
    _sites: set[int] = field(init=False, default_factory=set)
    _failures: dict[int, FoundFailure] = field(init=False, default_factory=dict)
    _checkpoint_failed: bool = field(init=False, default=False)
    _begun_states: int = field(init=False)
    _exploring_seconds: float = field(init=False, default=0.0)

    def execute(self) -> VerificationReport:
        """Explore until there is a reason to end, and say which. Raises StorageError."""
        begun, self._begun_states = self.clock(), self.explorer.states
        self._minimal = self._campaign.proved_before(())
        try:
            ending = self._explore()
            self._end(ending)
        except KeyboardInterrupt:
            self._campaign.finish(CampaignState.STOPPED, ending=Ending.ABORTED.value)
            raise
        except Exception:
            self._campaign.finish(CampaignState.FAILED, ending=Ending.FAILED.value)
            raise
        return VerificationReport(
            campaign_id=self._campaign.campaign_id,
            ending=ending,
            seconds=self.clock() - begun,
            explored=self.explorer.explored(),
            reach=self._reach,
            failures=self._failures,
            checkpoint=self.record.checkpoint,
            checkpoint_failed=self._checkpoint_failed,
        )

    @property
    def _campaign(self) -> CampaignRecord:
        return self.record.campaign

    @property
    def _reach(self) -> Reach:
        explorer = self.explorer
        return Reach(
            states=explorer.states,
            transitions=explorer.transitions,
            frontier=explorer.frontier,
            depth=explorer.depth,
            used_bytes=explorer.bytes,
            begun_states=self._begun_states,
            exploring_seconds=self._exploring_seconds,
        )

    def _explore(self) -> Ending:
        figures_at = self.clock()
        checkpoint_at = figures_at + self.checkpoint_seconds
        while True:
            before = self.clock()
            going = self.explorer.advance()
            self._exploring_seconds += self.clock() - before
            self._store_new_violations()
            self.observer.progressed(self._reach, self._failures)
            if not going:
                if self.explorer.frontier:
                    return Ending.MEMORY_FULL
                exact = self.explorer.explored().exact
                return Ending.EXHAUSTED if exact else Ending.HASHED
            if self.is_stopping():
                return Ending.STOPPED
            if self.clock() >= figures_at:
                self.record.store(self._figures())
                figures_at = self.clock() + FIGURES_SECONDS
            if self.clock() >= checkpoint_at:
                self._checkpoint()
                checkpoint_at = self.clock() + self.checkpoint_seconds

    def _store_new_violations(self) -> None:
        """Each site that was violated for the first time: trace, minimize, store, say."""
        sites = self.explorer.explored().sites
        for site in sorted(sites.keys() - self._sites):
            self._sites.add(site)
            steps, program = sites[site], self.explorer.program
            if steps > program.steps_max:
                self.observer.said(
                    f"{site_name(program, site)}: violated after {steps} steps; executions of this "
                    f"program have at most {program.steps_max}\n"
                    "    raise its steps_max to have the failure minimized and stored"
                )
                continue
            violation = replayed_of(self.explorer.trace(site))
            minimal = self._minimal.get(violation.signature) or minimized(program, violation)
            failure = self.record.sight(violation, minimal)
            if failure.failure_id not in self._failures:
                self._failures[failure.failure_id] = failure
                self.observer.found(failure)

    def _figures(self) -> VerificationFigures:
        explorer = self.explorer
        return figures_of(explorer.program, explorer.explored(), used_bytes=explorer.bytes)

    def _checkpoint(self) -> None:
        """Take a checkpoint; where the disk refuses, keep the one before and go on."""
        try:
            self.record.checkpoint_now(self.explorer.snapshot(), self._figures())
            self._checkpoint_failed = False
        except CheckpointError as error:
            self._checkpoint_failed = True
            self.observer.said(f"{error}\n    exploring goes on; what was stored before is kept")

    def _end(self, ending: Ending) -> None:
        explored, sentence = self.explorer.explored(), ending.value
        if explored.frontier:
            self._checkpoint()
        if ending is not Ending.EXHAUSTED:
            sentence += f"; bounded, {explored.states:,} states"
        self.record.finish(
            CampaignState.STOPPED if ending is Ending.STOPPED else CampaignState.FINISHED,
            ending=sentence,
            figures=self._figures(),
            verdict=VerificationVerdict(explored.verdict.value),
        )
