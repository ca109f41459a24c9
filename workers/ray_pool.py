"""A pool of local Ray actors, one per core: the only file that imports Ray.

Every default of Ray that depends on the machine or on an earlier session is set here. A call is
executed at most once (`max_task_retries=0`): what was lost is decided by the coordinator, because
only the ledger knows what was counted. No wait is without a timeout.
"""

import contextlib
import logging
import os
import pickle
import secrets
import shutil
import tempfile
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from workers.errors import PoolError
from workers.pool import LEASE_SECONDS, WORK_PER_WORKER, Lost, Report, Work
from workers.shards import ShardSpec, compile_first
from workers.work import Timed, do, report_of

# Ray reads these when it is imported, and its processes inherit them. The token is drawn anew for
# each process, so that nobody else on the network is let in and no file in $HOME decides anything.
os.environ.update(
    RAY_AUTH_MODE="token",
    RAY_AUTH_TOKEN=secrets.token_hex(32),
    RAY_ENABLE_UV_RUN_RUNTIME_ENV="0",
    RAY_USAGE_STATS_ENABLED="0",
    RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",
)

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

OBJECT_STORE_BYTES = 80 * 2**20
START_SECONDS_MAX = 120.0
WORK_SECONDS_MAX = 300.0
RESTART_PAUSE_SECONDS = 0.2
# A socket's path has at most 107 bytes, of which Ray needs some 60.
TEMPORARY_PATH_MAX = 40


class _Worker:
    """The actor: compiles the program when it starts, and again when it is restarted."""

    def __init__(self, packed: bytes) -> None:
        self._spec: ShardSpec | None = pickle.loads(zlib.decompress(packed))
        if self._spec is not None:
            compile_first(self._spec)

    def process_id(self) -> int:
        """The number of the actor's process; answering shows that it is alive."""
        return os.getpid()

    def do(self, work: Work) -> Timed:
        """The result of a piece of work."""
        return do(self._spec, work)


@dataclass(slots=True)
class _Call:
    ref: Any
    work: Work
    # Counts from the moment when the call came first in its worker's queue.
    deadline: float


@dataclass(slots=True)
class _Member:
    """A worker as its pool sees it; `answer` is awaited while the actor is being restarted."""

    name: str
    actor: Any
    calls: deque[_Call] = field(default_factory=deque)
    answer: Any = None
    ask_again_at: float | None = None
    lost_since: float | None = None

    @property
    def is_ready(self) -> bool:
        return self.answer is None and self.ask_again_at is None


class RayPool:
    """Actors on this machine; without a spec, all work brings its own.

    Raises PoolError where Ray or an actor cannot start.
    """

    def __init__(self, spec: ShardSpec | None, *, workers: int) -> None:
        assert workers > 0
        self._folder = _start_ray(workers)
        self._members: list[_Member] = []
        try:
            self._members = _start_actors(spec, workers)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """How a person reads it."""
        return f"{self.workers} worker{'s' if self.workers > 1 else ''}"

    @property
    def workers(self) -> int:
        """The actors, also while one is being restarted."""
        return len(self._members)

    def process_ids(self) -> dict[str, int]:
        """The process of each worker that answers within a second."""
        found = {}
        for member in self._members:
            with contextlib.suppress(RayError):
                found[member.name] = ray.get(member.actor.process_id.remote(), timeout=1.0)
        return found

    @property
    def lease_seconds(self) -> float:
        """Two seconds: the coordinator is busy elsewhere for one percent of them."""
        return LEASE_SECONDS

    def takers(self) -> list[str]:
        """The workers that take one more piece of work, the least busy first."""
        able = [m for m in self._members if m.is_ready and len(m.calls) < WORK_PER_WORKER]
        return [member.name for member in sorted(able, key=lambda member: len(member.calls))]

    def submit(self, worker: str, work: Work) -> None:
        """Give work to a worker that takes some."""
        member = next(member for member in self._members if member.name == worker)
        assert member.is_ready and len(member.calls) < WORK_PER_WORKER
        deadline = time.monotonic() + WORK_SECONDS_MAX * (1 + len(member.calls))
        member.calls.append(_Call(member.actor.do.remote(work), work, deadline))

    def wait(self, *, seconds_max: float) -> list[Report]:
        """What has ended, after at most this time. Raises PoolError where a worker stays away."""
        self._ask_restarted()
        calls = [call.ref for member in self._members for call in member.calls]
        answers = [member.answer for member in self._members if member.answer is not None]
        refs = calls + answers
        if not refs:
            time.sleep(min(seconds_max, RESTART_PAUSE_SECONDS))
            return []
        ray.wait(refs, num_returns=1, timeout=seconds_max)
        ready = set(ray.wait(refs, num_returns=len(refs), timeout=0)[0])
        reports: list[Report] = []
        for member in self._members:
            if member.answer is not None:
                if member.answer in ready:
                    self._hear(member)
            else:
                reports += self._reports_of(member, ready)
        return reports

    def close(self) -> None:
        """End Ray's processes that this pool has started, and remove their folder."""
        self._members = []
        ray.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _reports_of(self, member: _Member, ready: set[Any]) -> list[Report]:
        """In the order of the queue: the first call that fails is the one that was executed."""
        reports: list[Report] = []
        while member.calls and member.calls[0].ref in ready:
            call = member.calls.popleft()
            try:
                timed: Timed = ray.get(call.ref, timeout=10.0)
            except RayTaskError as error:
                # Our own exception in a live worker: the worker goes on with what comes next.
                reason = _last_line(error)
                reports.append(Lost(call.work, member.name, reason, blamed=True))
            except RayError as error:
                return reports + self._lost(member, call, _last_line(error))
            else:
                reports.append(report_of(call.work, member.name, timed))
        if member.calls and time.monotonic() > member.calls[0].deadline:
            ray.kill(member.actor, no_restart=False)
            call = member.calls.popleft()
            reason = f"no answer within {WORK_SECONDS_MAX:.0f} s; the worker was ended"
            reports += self._lost(member, call, reason)
        return reports

    def _lost(self, member: _Member, call: _Call, reason: str) -> list[Report]:
        """The worker is gone, and with it all that it held; ask until it has been restarted."""
        reports: list[Report] = [Lost(call.work, member.name, reason, blamed=True)]
        reports += [Lost(each.work, member.name, reason, blamed=False) for each in member.calls]
        member.calls.clear()
        member.lost_since = time.monotonic()
        member.ask_again_at = member.lost_since + RESTART_PAUSE_SECONDS
        return reports

    def _ask_restarted(self) -> None:
        now = time.monotonic()
        for member in self._members:
            if member.lost_since is not None and now > member.lost_since + START_SECONDS_MAX:
                raise PoolError(
                    f"{member.name} has not come back within {START_SECONDS_MAX:.0f} s\n"
                    "    look for a lack of memory or of disk space"
                )
            if member.ask_again_at is not None and now >= member.ask_again_at:
                member.ask_again_at = None
                member.answer = member.actor.process_id.remote()

    def _hear(self, member: _Member) -> None:
        try:
            ray.get(member.answer, timeout=1.0)
        except RayError:
            member.ask_again_at = time.monotonic() + RESTART_PAUSE_SECONDS
        else:
            member.lost_since = None
        member.answer = None


def _start_ray(workers: int) -> str:
    """Start Ray for this process alone, in a folder of its own; give the folder."""
    if ray.is_initialized():
        raise PoolError("Ray is in use in this process already: a process has one pool")
    folder = _temporary_folder()
    try:
        ray.init(
            # Never join a cluster that RAY_ADDRESS or an earlier session points to.
            address="local",
            num_cpus=workers,
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            configure_logging=True,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
    except Exception as error:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        raise PoolError(
            f"Ray cannot start: {_last_line(error)}\n    use --workers 0 to do without it"
        ) from error
    _silence_ray()
    return folder


def _temporary_folder() -> str:
    try:
        folder = tempfile.mkdtemp(prefix="gracefuzz-")
        if len(folder) > TEMPORARY_PATH_MAX:
            os.rmdir(folder)
            folder = tempfile.mkdtemp(prefix="gracefuzz-", dir="/tmp")
    except OSError as error:
        raise PoolError(
            f"Ray cannot start: no folder for temporary files: {error}\n"
            "    set TMPDIR to one that may be written, or use --workers 0"
        ) from error
    return folder


def _silence_ray() -> None:
    """Keep what Ray says of dying workers out of our output: the coordinator says it itself.

    `log_to_driver=False` does not cover these messages, and they go to stdout.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private.ray_logging import global_worker_stdstream_dispatcher as dispatcher

        dispatcher.remove_handler("ray_print_logs")


def _start_actors(spec: ShardSpec | None, workers: int) -> list[_Member]:
    """One actor a core, with the program compiled."""
    # Ray's annotations do not know all of its options.
    remote: Any = ray.remote
    actor = remote(
        num_cpus=1,
        max_restarts=-1,
        max_task_retries=0,
        max_pending_calls=2 * WORK_PER_WORKER,
        enable_task_events=False,
    )(_Worker)
    # Small enough to travel in the call: what lies in the object store may be gone at a restart.
    packed = zlib.compress(pickle.dumps(spec))
    members = [_Member(f"worker {n + 1}", actor.remote(packed)) for n in range(workers)]
    try:
        ray.get([m.actor.process_id.remote() for m in members], timeout=START_SECONDS_MAX)
    except RayError as error:
        raise PoolError(
            f"a worker cannot start: {_last_line(error)}\n    use --workers 0 to do without Ray"
        ) from error
    return members


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, RayActorError):
        return "its worker died: " + next((line for line in lines if "exit" in line), lines[0])
    return lines[-1] if lines else type(error).__name__
