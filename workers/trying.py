"""Trying configurations of a scenario space: each is a campaign of its own, of so many blocks.

Its blocks are one lease, which is completed exactly once however often its worker is lost. What a
configuration shows is a pure function of its IR, the root seed and the number of blocks: so that
workers can be ahead of who asks, and nobody sees a difference. Minimizing is work like any other.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from model.known import Pairs
from model.language.errors import ParameterError
from model.program_json import to_json
from model.scenario_space import Configuration, ScenarioSpace
from model.schedulers.wanted import settled
from model.signature import Signature
from storage.session import Database
from storage.sources import compile_source
from storage.tables import CampaignState
from workers.backlog import ATTEMPTS_MAX, Backlog
from workers.campaign import WAIT_SECONDS
from workers.ledger import BlockLedger
from workers.minimizing import Minimized, as_found
from workers.orders import Observer
from workers.pool import DoneIn, Executed, Lost, MinimizedOne, Pool, Report, WorkIn
from workers.progress import Ending, FoundFailure, labels_of
from workers.recording import CampaignRecord
from workers.scenario_progress import ScenarioProgress, Tried, features_sentence
from workers.sentences import disagreement_sentence, quarantine_sentence
from workers.shards import BlockRange, Replayed, ShardResult, ShardSpec


class Over(BaseException):
    """There is no time for a configuration that was asked for.

    No Exception: for Hypothesis that would be a failure, and False would be an answer.
    """


@dataclass(frozen=True, slots=True)
class ScenarioOrder:
    """How a scenario space is fuzzed: `blocks` of each configuration.

    `text` is the program's source; `excluded` are the conflicting pairs of `excluded_failures`.
    """

    space: ScenarioSpace
    text: str
    scheduler: str
    root_seed: int
    blocks: int
    excluded_failures: tuple[int, ...] = ()
    excluded: tuple[Pairs, ...] = ()


@dataclass(slots=True)
class Trying:
    """Gives configurations to workers. Nothing new is begun once `is_over` says so."""

    database: Database
    pool: Pool
    order: ScenarioOrder
    progress: ScenarioProgress
    observer: Observer
    is_over: Callable[[], bool]
    # None: the program refuses it.
    _known: dict[Configuration, Tried | None] = field(init=False, default_factory=dict)
    _by_ir: dict[str, Tried] = field(init=False, default_factory=dict)
    _ahead: deque[Configuration] = field(init=False, default_factory=deque)
    _violations: deque[WorkIn] = field(init=False, default_factory=deque)
    _again: deque[WorkIn] = field(init=False, default_factory=deque)
    _attempts: Counter[WorkIn] = field(init=False, default_factory=Counter)
    _in_flight: set[WorkIn] = field(init=False, default_factory=set)
    _labels: set[str] = field(init=False, default_factory=set)

    def look_ahead(self, configurations: Iterable[Configuration]) -> None:
        """These will be asked for, in this order: workers without other work begin with them."""
        self._ahead = deque(each for each in configurations if each not in self._known)

    def shown(self, configuration: Configuration) -> Mapping[Signature, Replayed]:
        """The signatures that a configuration shows; waits until it has been tried.

        Raises Over where it has not been, and nothing new is begun any more.
        """
        while True:
            if configuration in self._known:
                tried = self._known[configuration]
                if tried is None:
                    return {}
                if tried.result is not None:
                    return tried.shown
            if self.is_over():
                raise Over
            self.turn(configuration)

    def tried_with(self, signature: Signature) -> list[Tried]:
        """What has shown a signature, the smallest configuration first."""
        found = [tried for tried in self.progress.tried if signature in tried.shown]
        return sorted(found, key=lambda tried: self.order.space.size_of(tried.configuration))

    def tried_as(self, configuration: Configuration) -> Tried:
        """What was tried for a configuration that has shown something."""
        tried = self._known[configuration]
        assert tried is not None
        return tried

    def minimize(self, tried: Tried, signature: Signature) -> None:
        """Have a violation minimized and stored, unless this IR's minimum is proved and stored."""
        violation = tried.shown[signature]
        known = tried.record.proved_before(self.order.excluded_failures).get(signature)
        if known is None:
            self._violations.append(WorkIn(tried.spec, violation))
        else:
            self._know(tried, violation, known)

    @property
    def is_idle(self) -> bool:
        """True where nothing is in flight and no violation waits."""
        return not (self._in_flight or self._violations or self._again)

    def turn(self, wanted: Configuration | None) -> None:
        """Give out work, what is wanted first; wait a moment for what comes back."""
        self._give_out(wanted)
        for report in self.pool.wait(seconds_max=WAIT_SECONDS):
            self._take(report)
        minimizing = sum(isinstance(work.work, Replayed) for work in self._in_flight)
        self.progress.totals.open_signatures = len(self._violations) + minimizing
        self.observer.progressed(self.progress.totals)

    def leave(self, ending: Ending) -> None:
        """End the campaigns whose blocks were not executed."""
        for tried in self.progress.tried:
            if tried.result is None:
                tried.record.finish(CampaignState.STOPPED, ending=ending.value)

    # -- giving out --------------------------------------------------------------------------------

    def _give_out(self, wanted: Configuration | None) -> None:
        while takers := self.pool.takers():
            work = self._next(wanted, worker=takers[0])
            if work is None:
                return
            self._in_flight.add(work)
            self.pool.submit(takers[0], work)

    def _next(self, wanted: Configuration | None, *, worker: str) -> WorkIn | None:
        """What was lost, what is wanted, a violation, and what will be wanted, in this order."""
        if self._again:
            return self._again.popleft()
        over, busy = self.is_over(), len(self._in_flight)
        if wanted is not None and wanted not in self._known and not over:
            work = self._begin(wanted, worker=worker)
            if work is not None:
                return work
        minimizing = sum(isinstance(work.work, Replayed) for work in self._in_flight)
        if self._violations and (over or minimizing < max(1, self.pool.workers // 2)):
            return self._violations.popleft()
        # A worker with something to do is not given what nobody waits for yet.
        while self._ahead and busy < self.pool.workers and not over:
            configuration = self._ahead.popleft()
            if configuration not in self._known:
                work = self._begin(configuration, worker=worker)
                if work is not None:
                    return work
        return None

    def _begin(self, configuration: Configuration, *, worker: str) -> WorkIn | None:
        """Start the campaign of a configuration; None where the program refuses it."""
        order = self.order
        try:
            program = compile_source(order.space.source, dict(configuration))
        except ParameterError:
            if configuration == order.space.base:
                raise
            self._known[configuration] = None
            self.progress.refused += 1
            return None
        scheduler = settled(order.scheduler, program)
        tried = Tried(
            configuration,
            program,
            ShardSpec(to_json(program), order.root_seed, order.excluded, scheduler),
            CampaignRecord.start(
                self.database,
                program,
                source=order.text,
                scheduler=scheduler,
                root_seed=order.root_seed,
                budget=json.dumps({"blocks": order.blocks, "space": order.space.name}),
                excluded_failures=order.excluded_failures,
            ),
            BlockLedger(stop_block=order.blocks),
        )
        self._known[configuration] = self._by_ir[tried.spec.program] = tried
        self.progress.tried.append(tried)
        self._labels |= labels_of(program)
        self.progress.totals.program_steps = len(self._labels)
        blocks = tried.ledger.take_new(order.blocks)
        assert blocks is not None
        tried.record.hold([(worker, blocks)])
        return WorkIn(tried.spec, blocks)

    # -- taking what comes back --------------------------------------------------------------------

    def _take(self, report: Report) -> None:
        assert isinstance(report.work, WorkIn)
        self._in_flight.remove(report.work)
        tried = self._by_ir[report.work.spec.program]
        match report:
            case DoneIn(_, Executed() as executed):
                self._complete(tried, executed)
            case DoneIn(_, MinimizedOne(violation, _, minimal)):
                self._know(tried, violation, minimal)
            case Lost(WorkIn(_, BlockRange() as blocks) as work):
                self._lose_blocks(tried, report, work, blocks)
            case Lost(WorkIn(_, Replayed() as violation) as work):
                self._lose_violation(tried, report, work, violation)

    def _complete(self, tried: Tried, executed: Executed) -> None:
        """Count the blocks, once; what they showed is stored when it is minimized."""
        tried.record.complete([executed], Backlog())
        tried.record.finish(CampaignState.FINISHED, ending=Ending.BLOCKS_DONE.value)
        tried.result = executed.result
        self.progress.totals.add(executed.work, executed.result)
        for disagreement in executed.result.disagreements:
            self.observer.said(disagreement_sentence(disagreement))

    def _know(self, tried: Tried, violation: Replayed, minimal: Minimized) -> None:
        recorded = tried.record.sight(violation, minimal, ordinal=violation.ordinal)
        number, failures = recorded.failure_id, self.progress.totals.failures
        if number in failures or number in self.order.excluded_failures:
            return
        where = features_sentence(self.order.space, tried.configuration)
        found = FoundFailure(
            number,
            recorded.is_new_failure,
            minimal,
            violation.ordinal,
            where,
            recorded.has_regressed,
        )
        failures[number] = found
        if found.is_new:
            self.progress.totals.last_new_timestamp_seconds = time.time()
        self.observer.found(found)

    def _lose_blocks(self, tried: Tried, lost: Lost, work: WorkIn, blocks: BlockRange) -> None:
        """Execute them again; the lease stays held, so that they count once."""
        where = features_sentence(self.order.space, tried.configuration)
        self._say_lost(lost, f"{blocks} with {where}")
        if not tried.ledger.lose(blocks, blamed=lost.blamed):
            assert tried.ledger.take_again() == blocks
            self._again.append(work)
            return
        sentence = quarantine_sentence(
            tried.program, tried.spec.scheduler, blocks, root_seed=self.order.root_seed
        )
        self.observer.said(sentence)
        self.progress.totals.quarantined.append(blocks)
        tried.record.finish(CampaignState.FAILED, ending=sentence)
        tried.result = ShardResult()

    def _lose_violation(self, tried: Tried, lost: Lost, work: WorkIn, violation: Replayed) -> None:
        """Minimize it again, or keep it as it was found."""
        self._say_lost(lost, f"the minimizing of {violation.signature.site!r}")
        self._attempts[work] += lost.blamed
        if self._attempts[work] >= ATTEMPTS_MAX:
            self._know(tried, violation, as_found(tried.program, violation, reason=lost.reason))
        else:
            self._again.append(work)

    def _say_lost(self, lost: Lost, what: str) -> None:
        if lost.blamed:
            self.progress.totals.workers_lost += 1
            self.observer.said(f"{lost.worker} lost {what}: {lost.reason}")
