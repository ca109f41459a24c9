"""The coordinator of all campaigns of a database: `gracefuzz workers`.

Any number of campaigns share one pool by weight. The database is the truth: whatever goes wrong
with it, or with leading, this process forgets what it knows, reads again, and goes on. What was in
flight is then executed again, under other tokens, and counts once. The clock is monotonic.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from storage.errors import StorageError
from storage.leadership import Leader, NotLeading, beat, lead, leader, resign, write_as
from storage.session import Database
from storage.steering import observe, to_coordinate
from storage.tables import CampaignState, DesiredState
from workers.adoption import Adopted, Said, adopt, instant, refuse
from workers.errors import PoolError
from workers.fair import Shares
from workers.pool import DoneIn, Executed, Lost, Report, SharedPool, WorkIn
from workers.progress import Ending
from workers.sentences import ending_sentence

WAIT_SECONDS = 0.1
REFRESH_SECONDS = 0.5
# A leader beats at every refresh. Who has seen no beat for so long by its own clock takes over.
SILENT_SECONDS = 5.0
RETRY_SECONDS = 0.5
STUCK_SECONDS = 600.0
DRAIN_SECONDS = 30.0


@dataclass(slots=True)
class _InFlight:
    worker: str
    since: float
    charged: float


@dataclass(slots=True)
class Fleet:
    """Executes campaigns until `is_stopping`; then what is in flight has `drain_seconds` to end.

    `holder` names this process among all coordinators. `execute` may be called once.
    """

    database: Database
    pool: SharedPool
    said: Said
    is_stopping: Callable[[], bool]
    holder: str
    drain_seconds: float = DRAIN_SECONDS
    stuck_seconds: float = STUCK_SECONDS
    silent_seconds: float = SILENT_SECONDS
    is_done_when_idle: bool = False
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    campaigns: dict[int, Adopted] = field(init=False, default_factory=dict)
    _epoch: int | None = field(init=False, default=None)
    _seen: Leader | None = field(init=False, default=None)
    _seen_since: float = field(init=False, default=float("-inf"))
    _shares: Shares = field(init=False, default_factory=Shares)
    _in_flight: dict[WorkIn, _InFlight] = field(init=False, default_factory=dict)
    _refreshed: float = field(init=False, default=float("-inf"))
    _drain_until: float | None = field(init=False, default=None)
    _trouble: str | None = field(init=False, default=None)

    def execute(self) -> None:
        """Lead where nobody does, coordinate, drain. Raises PoolError, never StorageError."""
        while True:
            try:
                if self._epoch is None and not self._lead():
                    if self.is_stopping():
                        return
                    # What a former lead had in flight means nothing; a pool that fails is noticed.
                    self.pool.wait(seconds_max=0)
                    self.sleep(WAIT_SECONDS)
                    continue
                if self._turn():
                    return
                self._trouble = None
            except NotLeading as error:
                self._forget(error)
                self.pool.rest()
            except PoolError:
                with suppress(StorageError):
                    self._resign()
                raise
            except StorageError as error:
                self._forget(error)
                if self.is_stopping():
                    return
                self.sleep(RETRY_SECONDS)

    # -- leading -----------------------------------------------------------------------------------

    def _lead(self) -> bool:
        """Become the leader, unless another one lives."""
        with self.database.read() as session:
            found = leader(session)
        if found != self._seen:
            self._seen, self._seen_since = found, self.clock()
        lives = found is not None and found.holder not in (None, self.holder)
        if lives and self.clock() - self._seen_since < self.silent_seconds:
            return False
        with self.database.write() as session:
            self._epoch = lead(session, self.holder, instead_of=found, now=instant())
        if self._epoch is not None:
            self.said(None, f"coordinating {self.database.name} with {self.pool.name}")
        return self._epoch is not None

    def _forget(self, error: StorageError) -> None:
        """What is in flight will be reported, and means nothing any more."""
        self.campaigns.clear()
        self._in_flight.clear()
        self._epoch, self._refreshed = None, float("-inf")
        if str(error) != self._trouble:
            self._trouble = str(error)
            self.said(None, str(error))

    # -- one turn ----------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Give out, take, store; True where there is nothing left to stay for."""
        assert self._epoch is not None
        stopping = self.is_stopping()
        if stopping and self._drain_until is None:
            self._drain_until = self.clock() + self.drain_seconds
            self.said(None, f"stopping: what is in flight has {self.drain_seconds:g} s to end")
        if self.clock() - self._refreshed >= REFRESH_SECONDS:
            self._refresh(self._epoch, adopting=not stopping)
        if not stopping:
            self._give_out()
        if not self._in_flight:
            # Where nothing was asked, some pools do not wait.
            self.sleep(WAIT_SECONDS / 2)
        for report in self.pool.wait(seconds_max=WAIT_SECONDS):
            self._take(report)
        self._give_up_the_stuck()
        for adopted in list(self.campaigns.values()):
            adopted.execution.store()
            if not stopping:
                self._end_if_done(adopted)
        if stopping:
            assert self._drain_until is not None
            done = not self._in_flight or self.clock() >= self._drain_until
        else:
            done = self.is_done_when_idle and not self.campaigns
        if done:
            self._refresh(self._epoch, adopting=False)
            self._resign()
        return done

    def _resign(self) -> None:
        if self._epoch is not None:
            with self.database.write() as session:
                resign(session, self._epoch, now=instant())

    def _refresh(self, epoch: int, *, adopting: bool) -> None:
        """Beat; read what people want; write where campaigns stand."""
        self._refreshed = self.clock()
        with write_as(self.database, epoch) as session:
            beat(session, epoch, now=instant())
            wanted = {each.campaign_id: each for each in to_coordinate(session)}
            for number, summary in wanted.items():
                adopted = self.campaigns.get(number)
                if adopted is None:
                    continue
                adopted.follow(summary)
                seconds = adopted.worked(self.clock())
                if seconds or adopted.state is not summary.state:
                    observe(session, number, adopted.state, active_seconds=seconds)
        for gone in self.campaigns.keys() - wanted.keys():
            del self.campaigns[gone]
        for number in (wanted.keys() - self.campaigns.keys()) if adopting else ():
            found = adopt(
                self.database,
                wanted[number],
                epoch=epoch,
                said=self.said,
                lease_seconds=self.pool.lease_seconds,
                now=self.clock(),
            )
            if isinstance(found, Adopted):
                self.campaigns[number] = found
            else:
                refuse(self.database, number, epoch=epoch, reason=found)
                self.said(number, found)
        self._shares.keep(self.campaigns)

    # -- giving out --------------------------------------------------------------------------------

    def _give_out(self) -> None:
        """Work for every worker that takes some, one transaction a campaign."""
        while takers := self.pool.takers():
            given: dict[int, list[tuple[str, WorkIn]]] = {}
            while takers:
                planned = self._plan(takers)
                if planned is None:
                    break
                worker, work = planned
                takers.remove(worker)
                given.setdefault(work.campaign_id, []).append((worker, work))
            for number, several in given.items():
                execution = self.campaigns[number].execution
                execution.hold([(worker, work.work) for worker, work in several])
                for worker, work in several:
                    self.pool.submit(worker, work)
            if takers:
                return

    def _plan(self, takers: list[str]) -> tuple[str, WorkIn] | None:
        """What the campaign that is owed most wants done; of those whose priority is highest."""
        turns = self._shares.in_turn(self.campaigns)
        for number in sorted(
            turns, key=lambda number: -self.campaigns[number].summary.plan.priority
        ):
            adopted = self.campaigns[number]
            if adopted.state is not CampaignState.RUNNING:
                continue
            ending = adopted.reason_to_end(self.clock())
            planned = adopted.execution.plan(
                takers,
                workers=max(1, self.pool.workers),
                only_minimizing=ending is not None,
                seconds_left=adopted.seconds_left(self.clock()),
            )
            if planned is None:
                continue
            worker, work = planned
            assert not isinstance(work, WorkIn)
            seconds = adopted.seconds_expected(work)
            weight = adopted.summary.plan.weight
            self._shares.charge(number, seconds, weight=weight)
            within = WorkIn(adopted.spec, work, number)
            self._in_flight[within] = _InFlight(worker, self.clock(), seconds)
            return worker, within
        return None

    # -- taking ------------------------------------------------------------------------------------

    def _take(self, report: Report) -> None:
        work = report.work
        assert isinstance(work, WorkIn)
        flown = self._in_flight.pop(work, None)
        if flown is None:
            # Reported twice, given up before, or given out before this process lost the lead.
            return
        adopted = self.campaigns.get(work.campaign_id)
        if adopted is None:
            return
        match report:
            case DoneIn(_, done):
                if isinstance(done, Executed):
                    weight = adopted.summary.plan.weight
                    extra = done.seconds - flown.charged
                    self._shares.charge(work.campaign_id, extra, weight=weight)
                adopted.execution.take(done)
            case Lost(_, worker, reason, blamed):
                adopted.execution.take(Lost(work.work, worker, reason, blamed))

    def _give_up_the_stuck(self) -> None:
        """The watchdog: whatever the pool says, no work stays with a silent worker for ever."""
        latest = self.clock() - self.stuck_seconds
        for work, flown in list(self._in_flight.items()):
            if flown.since >= latest:
                break
            reason = f"no answer within {self.stuck_seconds:g} s"
            self._take(Lost(work, flown.worker, reason, blamed=True))

    # -- ending ------------------------------------------------------------------------------------

    def _end_if_done(self, adopted: Adopted) -> None:
        """Finish a campaign that has a reason to end and nothing in flight."""
        execution, stopped = adopted.execution, adopted.state is CampaignState.STOPPING
        if adopted.summary.desired_state is DesiredState.PAUSED:
            return
        ending = Ending.STOPPED if stopped else adopted.reason_to_end(self.clock())
        if ending is None or execution.in_flight:
            return
        if execution.backlog.open_signatures and not stopped:
            # Violations wait to be minimized.
            return
        execution.give_up_waiting()
        state = CampaignState.FINISHED
        if ending is Ending.STOPPED:
            state = CampaignState.STOPPED
        elif ending is Ending.QUARANTINED:
            state = CampaignState.FAILED
        adopted.settle(self.database, self.clock())
        sentence = ending_sentence(ending, execution.order.scheduler, execution.progress)
        execution.record.finish(state, ending=sentence)
        self.said(adopted.summary.campaign_id, sentence)
        del self.campaigns[adopted.summary.campaign_id]
