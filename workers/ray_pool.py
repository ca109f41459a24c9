"""A pool of Ray actors, one a CPU of each node: the only file that imports Ray.

Every default of Ray that depends on the machine or on an earlier session is set, here and in
`workers.ray_environment`. An actor belongs to its node: where its process dies, Ray restarts it
there; where the node is gone, it is gone, and with a node that joins come new ones. A call is
executed at most once (`max_task_retries=0`): what was lost is decided by the coordinator, because
only the ledger knows what was counted. No wait is without a timeout.
"""

import contextlib
import logging
import os
import pickle
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workers.errors import PoolError
from workers.identity import Identity, difference, identity
from workers.pool import LEASE_SECONDS, WORK_PER_WORKER, Lost, Report, Work
from workers.ray_environment import (
    AUTO,
    LOCAL,
    answers,
    remove_folder,
    settings,
    silent_seconds_max,
    temporary_folder,
)
from workers.shards import ShardSpec, compile_first
from workers.work import Timed, do, report_of

os.environ.update(settings())

import ray
from ray.exceptions import (
    ActorDiedError,
    GetTimeoutError,
    RayActorError,
    RayError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

OBJECT_STORE_BYTES = 80 * 2**20
START_SECONDS_MAX = 120.0
WORK_SECONDS_MAX = 300.0
RESTART_PAUSE_SECONDS = 0.2
NODES_SECONDS = 1.0
STARTS_MAX = 4 * NODES_SECONDS / RESTART_PAUSE_SECONDS
# A node whose workers cannot be used is tried again after so long.
REFUSED_SECONDS = 60.0


class _Worker:
    """The actor: compiles the program when it starts, and again when it is restarted."""

    def __init__(self, packed: bytes) -> None:
        self._spec: ShardSpec | None = pickle.loads(zlib.decompress(packed))
        if self._spec is not None:
            compile_first(self._spec)

    def about(self) -> Identity:
        """Who it is; answering shows that it is alive."""
        return identity()

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
    """A worker as its pool sees it; `answer` is awaited while the actor starts or is restarted.

    `loss` is what its process was at when it died: not reported until it is known whether its node
    died too, for which no work is to blame.
    """

    name: str
    node: str
    actor: Any
    calls: deque[_Call] = field(default_factory=deque)
    answer: Any = None
    ask_again_at: float | None = None
    lost_since: float | None = None
    loss: Lost | None = None
    deaths: int = 0

    @property
    def is_ready(self) -> bool:
        return self.answer is None and self.ask_again_at is None


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a cluster that lives; `store_bytes` is the size of its object store."""

    number: str
    host: str
    address: str
    cpus: int
    store_bytes: int


class RayPool:
    """`workers` actors on this machine, or with an `address` one for each CPU of that cluster.

    Without a spec, all work brings its own. `folder` is for Ray's files, and `said` hears of nodes
    that come and go. A cluster's actors are made when work is asked for first. Raises PoolError
    where Ray or an actor cannot start.
    """

    def __init__(
        self,
        spec: ShardSpec | None,
        *,
        workers: int = 0,
        address: str | None = None,
        folder: str | None = None,
        said: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        assert (workers > 0) == (address is None)
        # Small enough to travel in the call: what lies in the object store may be gone at a
        # restart.
        self._packed = zlib.compress(pickle.dumps(spec))
        self._said = said
        self._members: dict[str, _Member] = {}
        self._refused: dict[str, float] = {}
        self._rests = address is not None
        self._look_again_at, self._head_seen = 0.0, time.monotonic()
        self._folder: str | None = None
        self._head: str | None = None
        if address is not None:
            self._head = _join(address)
            return
        self._folder = _start_ray(workers, folder)
        try:
            self._grow(nodes())
            self._await_all()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """How a person reads it."""
        there = f" on {len({m.node for m in self._members.values()})} nodes" if self._head else ""
        return f"{self.workers} worker{'' if self.workers == 1 else 's'}{there}"

    @property
    def workers(self) -> int:
        """The actors, also while one is being restarted."""
        return len(self._members)

    def process_ids(self) -> dict[str, int]:
        """The process of each worker that answers within a second."""
        found = {}
        for member in self._members.values():
            with contextlib.suppress(RayError):
                who: Identity = ray.get(member.actor.about.remote(), timeout=1.0)
                found[member.name] = who.process_id
        return found

    @property
    def lease_seconds(self) -> float:
        """Two seconds: the coordinator is busy elsewhere for one percent of them."""
        return LEASE_SECONDS

    def takers(self) -> list[str]:
        """The workers that take one more piece of work, the least busy first."""
        self._rests = False
        able = [member for member in self._members.values() if self.takes(member.name)]
        return [member.name for member in sorted(able, key=lambda member: len(member.calls))]

    def takes(self, worker: str) -> bool:
        """Whether this worker is there, and takes one more piece of work."""
        member = self._members.get(worker)
        return member is not None and member.is_ready and len(member.calls) < WORK_PER_WORKER

    def ready(self) -> list[str]:
        """The workers that are there, whatever they hold."""
        return [member.name for member in self._members.values() if member.is_ready]

    def submit(self, worker: str, work: Work) -> None:
        """Give work to a worker that takes some."""
        assert self.takes(worker)
        member = self._members[worker]
        deadline = time.monotonic() + WORK_SECONDS_MAX * (1 + len(member.calls))
        member.calls.append(_Call(member.actor.do.remote(work), work, deadline))

    def wait(self, *, seconds_max: float) -> list[Report]:
        """What has ended, after at most this time. Raises PoolError where a worker stays away."""
        reports = self._follow_nodes() + self._ask_restarted()
        calls = [call.ref for member in self._members.values() for call in member.calls]
        asked = [each.answer for each in self._members.values() if each.answer is not None]
        refs = calls + asked
        if not refs:
            time.sleep(min(seconds_max, RESTART_PAUSE_SECONDS))
            return reports
        ray.wait(refs, num_returns=1, timeout=0 if reports else seconds_max)
        ready = set(ray.wait(refs, num_returns=len(refs), timeout=0)[0])
        for member in list(self._members.values()):
            if member.answer is None:
                reports += self._reports_of(member, ready)
            elif member.answer in ready:
                reports += self._hear(member)
        return reports

    def rest(self) -> None:
        """Give the CPUs back until work is asked for again; what is in flight is not reported."""
        self._rests = True
        for member in self._members.values():
            ray.kill(member.actor)
        self._members.clear()

    def close(self) -> None:
        """End Ray's processes that this pool has started, and remove their folder."""
        self._members = {}
        ray.shutdown()
        if self._folder is not None:
            remove_folder(self._folder)

    # -- work --------------------------------------------------------------------------------------

    def _reports_of(self, member: _Member, ready: set[Any]) -> list[Report]:
        """In the order of the queue: the first call that fails is the one that was executed."""
        reports: list[Report] = []
        while member.calls and member.calls[0].ref in ready:
            call = member.calls.popleft()
            try:
                timed: Timed = ray.get(call.ref, timeout=10.0)
            except RayTaskError as error:
                # Our own exception in a live worker: the worker goes on with what comes next.
                reports.append(Lost(call.work, member.name, _last_line(error), blamed=True))
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
        waiting = [Lost(each.work, member.name, reason, blamed=False) for each in member.calls]
        member.calls.clear()
        member.loss = Lost(call.work, member.name, reason, blamed=True)
        member.lost_since = time.monotonic()
        member.ask_again_at = member.lost_since + RESTART_PAUSE_SECONDS
        return list[Report](waiting)

    def _ask_restarted(self) -> list[Report]:
        now, reports = time.monotonic(), list[Report]()
        for member in self._members.values():
            if member.lost_since is not None and now > member.lost_since + START_SECONDS_MAX:
                sentence = f"{member.name} has not come back within {START_SECONDS_MAX:.0f} s"
                if self._head is None:
                    raise PoolError(f"{sentence}\n    look for a lack of memory or of disk space")
                self._said(sentence)
                member.lost_since = now
                reports += _loss_of(member)
            if member.ask_again_at is not None and now >= member.ask_again_at:
                member.ask_again_at = None
                member.answer = member.actor.about.remote()
        return reports

    def _hear(self, member: _Member) -> list[Report]:
        """It lives again, or is asked again; what cannot be used is left alone for a while."""
        answer, member.answer = member.answer, None
        try:
            theirs: Identity = ray.get(answer, timeout=1.0)
        except RayError as error:
            member.ask_again_at = time.monotonic() + RESTART_PAUSE_SECONDS
            # Ray restarts what dies, but not what raises when it starts; that a node is gone has
            # been noticed before so many tries.
            member.deaths += isinstance(error, ActorDiedError)
            wrong = _last_line(error) if member.deaths > STARTS_MAX else None
        else:
            member.lost_since, member.deaths = None, 0
            wrong = difference(theirs)
        if wrong is not None and self._head is not None:
            self._said(f"no workers on {member.name.rpartition('/')[0]}: {wrong}")
            self._refused[member.node] = time.monotonic() + REFUSED_SECONDS
            return self._drop(member.node, wrong)
        return [] if member.lost_since is not None else _loss_of(member)

    # -- nodes -------------------------------------------------------------------------------------

    def _follow_nodes(self) -> list[Report]:
        """Let go of the nodes that are gone, and make workers on those that came."""
        now = time.monotonic()
        if self._head is None or now < self._look_again_at:
            return []
        self._look_again_at = now + NODES_SECONDS
        if not answers(self._head):
            if now > self._head_seen + silent_seconds_max():
                silent = now - self._head_seen
                raise PoolError(f"Ray's head at {self._head} was silent for {silent:.0f} s")
            return []
        self._head_seen = now
        alive = nodes()
        there = {each.number for each in alive}
        reports = []
        for gone in {member.node for member in self._members.values()} - there:
            host = next(m.name for m in self._members.values() if m.node == gone)
            self._said(f"{host.rpartition('/')[0]} is gone: what it had is executed again")
            reports += self._drop(gone, "its node is gone")
        if not self._rests:
            self._grow(alive)
        return reports

    def _grow(self, alive: list[Node]) -> None:
        """An actor for every CPU of the nodes that have none yet."""
        # Ray's annotations do not know all of its options.
        remote: Any = ray.remote
        actor = remote(
            num_cpus=1,
            max_restarts=-1,
            max_task_retries=0,
            max_pending_calls=2 * WORK_PER_WORKER,
            enable_task_events=False,
        )(_Worker)
        known = {member.node for member in self._members.values()}
        for node in alive:
            refused = self._refused.get(node.number, 0.0) > time.monotonic()
            if node.number in known or refused or node.cpus == 0:
                continue
            # Nodes of one host are told apart by a few digits.
            place = "worker " if self._head is None else f"{node.host}-{node.number[:4]}/"
            there = NodeAffinitySchedulingStrategy(node.number, soft=False)
            for number in range(1, node.cpus + 1):
                made = actor.options(scheduling_strategy=there).remote(self._packed)
                member = _Member(f"{place}{number}", node.number, made)
                member.answer = made.about.remote()
                self._members[member.name] = member
            if self._head is not None:
                self._said(f"{place[:-1]} is there: {node.cpus} workers")

    def _drop(self, node: str, reason: str) -> list[Report]:
        """Without the members on a node; no work is to blame for what they held."""
        reports: list[Report] = []
        for member in [each for each in self._members.values() if each.node == node]:
            held = [member.loss.work] if member.loss is not None else []
            held += [call.work for call in member.calls]
            reports += [Lost(work, member.name, reason, blamed=False) for work in held]
            ray.kill(member.actor)
            del self._members[member.name]
        return reports

    def _await_all(self) -> None:
        """Until every actor has answered, which it does when it has compiled the program."""
        try:
            ray.get([each.answer for each in self._members.values()], timeout=START_SECONDS_MAX)
        except RayError as error:
            raise PoolError(
                f"a worker cannot start: {_last_line(error)}\n    use --workers 0 to do without Ray"
            ) from error
        for member in self._members.values():
            member.answer = None


def nodes() -> list[Node]:
    """The nodes of the cluster that live, in the order of their numbers."""
    found = []
    # Ray does not say what it gives.
    listed: Any = ray.nodes
    for each in listed():
        if each["Alive"]:
            has = each["Resources"]
            found.append(
                Node(
                    each["NodeID"],
                    each["NodeManagerHostname"],
                    each["NodeManagerAddress"],
                    int(has.get("CPU", 0)),
                    int(has.get("object_store_memory", 0)),
                )
            )
    return sorted(found, key=lambda node: node.number)


def identities(asked: list[Node], *, seconds_max: float) -> dict[str, Identity | str]:
    """Who answers on each node, also where its CPUs are taken; else why nobody does."""
    remote: Any = ray.remote
    ask = remote(num_cpus=0, max_retries=0)(identity)
    refs = {}
    for node in asked:
        there = NodeAffinitySchedulingStrategy(node.number, soft=False)
        refs[node.number] = ask.options(scheduling_strategy=there).remote()
    ray.wait(list(refs.values()), num_returns=len(refs), timeout=seconds_max)
    found: dict[str, Identity | str] = {}
    for number, ref in refs.items():
        try:
            found[number] = ray.get(ref, timeout=0.1)
        except GetTimeoutError:
            found[number] = f"no answer within {seconds_max:g} s"
        except RayError as error:
            found[number] = _last_line(error)
    return found


def _loss_of(member: _Member) -> list[Report]:
    loss, member.loss = member.loss, None
    return [] if loss is None else [loss]


def _join(address: str) -> str:
    """Become a driver of a cluster; give HOST:PORT of its head."""
    if address != AUTO and not answers(address):
        raise PoolError(
            f"cannot join the Ray cluster at {address}: nothing answers there\n"
            "    is its head up (ray start --head), and reachable from here?"
        )
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        ray.shutdown()
        raise PoolError(
            f"cannot join the Ray cluster at {address}: {' '.join(str(error).split())[:300]}\n"
            f"    this machine must be a node of it too: ray start --address={address} --num-cpus=0"
        ) from error
    _silence_ray()
    head: str = ray.get_runtime_context().gcs_address
    return head


def _start_ray(workers: int, folder: str | None, *, again: bool = True) -> str:
    """Start Ray for this process alone, in a folder of its own; give the folder.

    Ray gives its processes 30 s, which a busy machine may need: it is tried twice.
    """
    if ray.is_initialized():
        raise PoolError("Ray is in use in this process already: a process has one pool")
    folder = folder or temporary_folder()
    try:
        ray.init(
            # Never join a cluster that RAY_ADDRESS or an earlier session points to.
            address=LOCAL,
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
        remove_folder(folder)
        if again and "timed out during startup" in str(error):
            return _start_ray(workers, None, again=False)
        raise PoolError(
            f"Ray cannot start: {_last_line(error)}\n    use --workers 0 to do without it"
        ) from error
    _silence_ray()
    return folder


def _silence_ray() -> None:
    """Keep what Ray says of dying workers out of our output: the coordinator says it itself.

    `log_to_driver=False` does not cover these messages, and they go to stdout.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private.ray_logging import global_worker_stdstream_dispatcher as dispatcher

        dispatcher.remove_handler("ray_print_logs")


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, RayActorError) and "creation task" not in lines[0]:
        return "its worker died: " + next((line for line in lines if "exit" in line), lines[0])
    return lines[-1] if lines else type(error).__name__
