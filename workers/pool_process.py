"""A Ray pool in a process of its own, which is begun again when it ends.

A driver of Ray ends its whole process when its cluster's head or its own node is lost, and a
connection that was refused once cannot be tried again in one process. So the coordinator is no
driver: what it hands out goes through a pipe to one. When that ends, all it had in flight is lost,
which costs time and nothing else, and another one is started, later and later.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from workers.errors import PoolError
from workers.pool import (
    LEASE_SECONDS,
    WORK_PER_WORKER,
    DoneIn,
    Executed,
    Lost,
    MinimizedOne,
    Report,
    Work,
    WorkIn,
)
from workers.ray_environment import LOCAL, remove_folder, settings, temporary_folder
from workers.stopping import HEARD
from workers.work import Timed, report_of

# A message takes a millisecond, and a cluster has many workers.
CLUSTER_LEASE_SECONDS = 5.0
WAIT_SECONDS = 0.05
BEAT_SECONDS = 1.0
# Joining or starting Ray included.
SILENT_SECONDS = 150.0
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 1.0, 30.0
CLOSE_SECONDS = 15.0
LOG_BYTES_MAX = 2**20
# What Ray writes on stderr where it raises no more than `Failed to connect`.
REFUSED_TOKEN = "InvalidAuthToken"
LOST_HEAD = "Failed to connect to GCS within"


@dataclass(frozen=True, slots=True)
class Opening:
    """Which Ray: `workers` on this machine where the address is `local`, else that cluster."""

    address: str
    workers: int

    @property
    def is_local(self) -> bool:
        """Whether Ray is started, and not joined."""
        return self.address == LOCAL


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of the work of this number: a result with its seconds, or why it has none."""

    number: int
    timed: Timed | None
    reason: str = ""
    blamed: bool = False


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the driver says, at least once a beat."""

    ready: tuple[str, ...]
    results: tuple[_Result, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Submit:
    number: int
    worker: str
    work: WorkIn


@dataclass(frozen=True, slots=True)
class _Hold:
    """Whether workers are wanted: not where another coordinator leads."""

    workers: bool


@dataclass(slots=True)
class _Driver:
    """The process that talks to Ray, and what it was given."""

    process: BaseProcess
    connection: Connection
    folder: str
    heard_at: float
    ready: tuple[str, ...] = ()
    in_flight: dict[int, tuple[str, WorkIn]] = field(default_factory=dict)


class PoolProcess:
    """Workers of Ray for a coordinator of many campaigns; `said` hears of nodes and trouble.

    Starts in the background. Raises PoolError, by `wait`, where Ray cannot be started or joined at
    first; whatever fails later is tried again.
    """

    def __init__(
        self,
        opening: Opening,
        said: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opening, self._said, self._clock = opening, said, clock
        self._was_connected = False
        self._holds = opening.is_local
        self._numbers = 0
        self._pause_seconds, self._again_at = PAUSE_SECONDS, 0.0
        self._driver: _Driver | None = self._start()

    @property
    def name(self) -> str:
        """How a person reads it."""
        if not self._opening.is_local:
            return f"the Ray cluster at {self._opening.address}"
        return f"{self._opening.workers} worker{'s' if self._opening.workers > 1 else ''}"

    @property
    def workers(self) -> int:
        """Those that are there."""
        return len(self._driver.ready) if self._driver else 0

    @property
    def process_id(self) -> int | None:
        """The driver's, while there is one."""
        return self._driver.process.pid if self._driver else None

    @property
    def lease_seconds(self) -> float:
        """Longer in a cluster, where one coordinator serves more workers."""
        return LEASE_SECONDS if self._opening.is_local else CLUSTER_LEASE_SECONDS

    def takers(self) -> list[str]:
        """The workers that take one more piece of work, the least busy first."""
        self._hold(True)
        if self._driver is None:
            return []
        load = dict.fromkeys(self._driver.ready, 0)
        for worker, _ in self._driver.in_flight.values():
            if worker in load:
                load[worker] += 1
        able = [worker for worker, held in load.items() if held < WORK_PER_WORKER]
        return sorted(able, key=load.__getitem__)

    def submit(self, worker: str, work: Work) -> None:
        """Give work to a worker that takes some; lost where the driver has ended meanwhile."""
        assert self._driver is not None and isinstance(work, WorkIn)
        self._numbers += 1
        self._driver.in_flight[self._numbers] = (worker, work)
        self._send(_Submit(self._numbers, worker, work))

    def wait(self, *, seconds_max: float) -> list[Report]:
        """What has ended, after at most this time. Raises PoolError."""
        if self._driver is None:
            if self._clock() < self._again_at:
                time.sleep(min(seconds_max, max(0.0, self._again_at - self._clock())))
                return []
            self._driver = self._start()
        driver, reports, patience = self._driver, list[Report](), seconds_max
        while heard := _next(driver, patience_seconds=patience):
            if isinstance(heard, str):
                return reports + self._gone(heard)
            reports += self._hear(driver, heard)
            # Whatever else is there already is taken along.
            patience = 0.0
        if self._clock() - driver.heard_at > SILENT_SECONDS:
            silent = f"the process that talks to Ray was silent for {SILENT_SECONDS:.0f} s"
            return reports + self._gone(silent)
        return reports

    def rest(self) -> None:
        """Give a cluster's CPUs back: another one leads. What is in flight is not reported."""
        if self._driver is not None and not self._opening.is_local:
            self._driver.in_flight.clear()
            self._hold(False)

    def close(self) -> None:
        """End the driver, and Ray's processes that it has started."""
        if self._driver is not None:
            driver, self._driver = self._driver, None
            _end(driver, patience_seconds=CLOSE_SECONDS)

    # -- the driver --------------------------------------------------------------------------------

    def _start(self) -> _Driver:
        context = get_context("spawn")
        folder = temporary_folder()
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_drive, args=(self._opening, folder, theirs, self._holds), daemon=True
        )
        process.start()
        theirs.close()
        return _Driver(process, ours, folder, self._clock())

    def _hear(self, driver: _Driver, heard: _Heard) -> list[Report]:
        self._was_connected, self._pause_seconds = True, PAUSE_SECONDS
        driver.heard_at, driver.ready = self._clock(), heard.ready
        for sentence in heard.sentences:
            self._said(sentence)
        reports: list[Report] = []
        for result in heard.results:
            worker, work = driver.in_flight.pop(result.number, ("", None))
            if work is None:
                continue
            if result.timed is None:
                reports.append(Lost(work, worker, result.reason, result.blamed))
            else:
                reports.append(report_of(work, worker, result.timed))
        return reports

    def _hold(self, workers: bool) -> None:
        if workers != self._holds:
            self._holds = workers
            if self._driver is not None:
                self._send(_Hold(workers))

    def _send(self, message: _Submit | _Hold) -> None:
        assert self._driver is not None
        try:
            self._driver.connection.send(message)
        except OSError:
            # It has ended: the next `wait` sees that, and reports what it had.
            return

    def _gone(self, reason: str) -> list[Report]:
        """All that was in flight is lost; begin again after a pause that grows."""
        assert self._driver is not None
        driver, self._driver = self._driver, None
        _end(driver, patience_seconds=0.0)
        if not self._was_connected:
            raise PoolError(reason)
        self._again_at = self._clock() + self._pause_seconds
        what = "Ray is started" if self._opening.is_local else f"{self.name} is joined"
        self._said(f"{reason}\n    {what} again in {self._pause_seconds:.0f} s")
        self._pause_seconds = min(2 * self._pause_seconds, PAUSE_SECONDS_MAX)
        lost = driver.in_flight.values()
        return [Lost(work, worker, "Ray was lost", blamed=False) for worker, work in lost]


def _next(driver: _Driver, *, patience_seconds: float) -> _Heard | str | None:
    """What the driver says next: None where it says nothing, a sentence where it has ended."""
    try:
        if not driver.connection.poll(patience_seconds):
            return None
        heard: _Heard | str = driver.connection.recv()
    except (EOFError, OSError):
        return f"the process that talks to Ray has ended{_end_of(driver)}"
    return heard


def _end(driver: _Driver, *, patience_seconds: float) -> None:
    # That nobody listens any more is how a driver hears that it is over.
    driver.connection.close()
    driver.process.join(patience_seconds)
    if driver.process.is_alive():
        driver.process.kill()
        driver.process.join()
    remove_folder(driver.folder)


def _end_of(driver: _Driver) -> str:
    """The last that Ray said, which may be why."""
    said = _log(driver.folder)
    if LOST_HEAD in said:
        return ": the head of the cluster is lost"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f": {lines[-1][:300]}" if lines else ""


def _log(folder: str) -> str:
    try:
        with open(os.path.join(folder, "said"), errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _drive(opening: Opening, folder: str, connection: Connection, holds: bool) -> None:
    """What the driver does: until it is told that it is over, or Ray ends it."""
    ignore_signals()
    speak_into(folder)
    inbox = queue.Queue[_Submit | _Hold | None]()
    threading.Thread(target=_read, args=(connection, inbox), daemon=True).start()
    try:
        drive = _Drive(opening, folder, connection, inbox, holds)
        try:
            drive.execute()
        except (EOFError, BrokenPipeError):
            drive.close()
    except PoolError as error:
        # Then it is ended: what is left of Ray may wait for a head that does not come back.
        connection.send(reason_of(error, opening.address, folder))


def speak_into(folder: str) -> None:
    """Have what this process says on its outputs in a file: Ray writes there from its threads."""
    log = os.open(os.path.join(folder, "said"), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)


def reason_of(error: PoolError, address: str, folder: str) -> str:
    """Why Ray cannot be used; a token that is refused is only told on the outputs."""
    if REFUSED_TOKEN not in _log(folder):
        return str(error)
    return (
        f"cannot join the Ray cluster at {address}: its head refuses our token\n"
        "    take the one that its nodes were started with (RAY_AUTH_TOKEN_PATH), or say "
        "RAY_AUTH_MODE=disabled"
    )


def ignore_signals() -> None:
    """Ctrl-C reaches every process of a terminal: who decides is the coordinator.

    Heard and forgotten: what is ignored would be so by Ray's processes too, which end by SIGTERM.
    """
    for number in HEARD:
        signal.signal(number, lambda _number, _frame: None)


def _read(connection: Connection, inbox: "queue.Queue[_Submit | _Hold | None]") -> None:
    """Keep the pipe empty, so that the coordinator never waits for us."""
    try:
        while True:
            inbox.put(connection.recv())
    except (EOFError, OSError):
        inbox.put(None)
        # Ray may be busy starting, or waiting for what does not come.
        time.sleep(CLOSE_SECONDS)
        os._exit(0)


class _Drive:
    """One driver's life."""

    def __init__(
        self,
        opening: Opening,
        folder: str,
        connection: Connection,
        inbox: "queue.Queue[_Submit | _Hold | None]",
        holds: bool,
    ) -> None:
        self._connection, self._inbox, self._holds = connection, inbox, holds
        # By the object that the pool reports: equal work may be in flight twice.
        self._numbers: dict[int, tuple[int, WorkIn]] = {}
        self._sentences: list[str] = []
        os.environ.update(settings(opening.address))
        from workers.ray_pool import RayPool

        said = self._sentences.append
        if opening.is_local:
            self._pool = RayPool(None, workers=opening.workers, folder=folder, said=said)
        else:
            self._pool = RayPool(None, address=opening.address, said=said)
        ignore_signals()

    def execute(self) -> None:
        """Pass on what is asked and what has ended. Raises PoolError; EOFError where it is over."""
        told, ready = float("-inf"), list[str]()
        while True:
            self._take_what_was_asked()
            if self._holds:
                self._pool.takers()
            reports = self._pool.wait(seconds_max=WAIT_SECONDS)
            is_due = time.monotonic() - told > BEAT_SECONDS
            if reports or self._sentences or is_due or ready != self._pool.ready():
                told, ready = time.monotonic(), self._pool.ready()
                self._tell(reports, ready)
            if os.fstat(2).st_size > LOG_BYTES_MAX:
                os.ftruncate(2, 0)

    def close(self) -> None:
        """End Ray's processes where they are ours."""
        self._pool.close()

    def _take_what_was_asked(self) -> None:
        asked = None
        while not self._inbox.empty():
            asked = self._inbox.get()
            match asked:
                case _Submit(number, worker, work) if self._pool.takes(worker):
                    self._numbers[id(work)] = (number, work)
                    self._pool.submit(worker, work)
                case _Submit(number):
                    lost = _Result(number, None, "its worker was gone before it began")
                    self._connection.send(_Heard(tuple(self._pool.ready()), (lost,), ()))
                case _Hold(workers):
                    self._holds = workers
                    if not workers:
                        self._numbers.clear()
                        self._pool.rest()
                case None:
                    raise EOFError

    def _tell(self, reports: list[Report], ready: list[str]) -> None:
        results = []
        for report in reports:
            number, _ = self._numbers.pop(id(report.work))
            match report:
                case Lost(_, _, reason, blamed):
                    results.append(_Result(number, None, reason, blamed))
                case DoneIn(_, done):
                    results.append(_Result(number, _timed(done)))
                case _:
                    raise AssertionError("all work here brings its own spec")
        sentences = tuple(self._sentences)
        self._sentences.clear()
        self._connection.send(_Heard(tuple(ready), tuple(results), sentences))


def _timed(done: Executed | MinimizedOne) -> Timed:
    return (done.result, done.seconds) if isinstance(done, Executed) else (done.minimal, 0.0)
