"""What `gracefuzz doctor` sees of Ray; asked in a process of its own, which Ray may end."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.connection import Connection

from workers.doctor import Check, Level, fine, said_by
from workers.errors import PoolError
from workers.identity import Identity, difference
from workers.pool_process import ignore_signals, reason_of, speak_into
from workers.ray_environment import LOCAL, auth_mode, remove_folder, settings, temporary_folder

SECONDS_MAX = 120.0
NODE_SECONDS_MAX = 20.0
# Ray takes a third of the memory where nothing is said; results of blocks travel without it.
STORE_BYTES_MAX = 2 * 2**30


@dataclass(frozen=True, slots=True)
class SeenNode:
    """A node that lives, with what a worker there says of itself, or why none does."""

    host: str
    address: str
    cpus: int
    store_bytes: int
    identity: Identity | str


@dataclass(frozen=True, slots=True)
class SeenRay:
    """What was seen of a Ray that was started or joined, in so many seconds."""

    seconds: float
    nodes: tuple[SeenNode, ...]


def ray_checks(address: str) -> Iterator[Check]:
    """Whether Ray starts here, or the cluster can be joined; who lets whom in; each node."""
    try:
        yield auth_check(address)
        seen = see(address)
    except PoolError as error:
        yield said_by("ray", error)
        return
    what = "started with one worker" if address == LOCAL else f"joined at {address}"
    found = f"Ray {version('ray')}, {what} in {seen.seconds:.1f} s"
    workers = sum(node.cpus for node in seen.nodes)
    if workers == 0:
        remedy = f"start nodes with CPUs: ray start --address={address}"
        yield Check("ray", Level.WRONG, f"{found}, and no node has a CPU", remedy)
    else:
        yield fine("ray", found)
    for node in seen.nodes:
        yield from node_checks(node)


def auth_check(address: str) -> Check:
    """Who is let in. Raises PoolError for a mode that there is not."""
    if address == LOCAL:
        return fine("ray auth", "token, drawn anew at each start")
    if auth_mode() == "token":
        return fine("ray auth", "token")
    remedy = "ray get-auth-token --generate, the same on every node, and RAY_AUTH_MODE=token"
    return Check("ray auth", Level.NOTE, "disabled: who reaches the head executes code", remedy)


def node_checks(node: SeenNode) -> Iterator[Check]:
    """Whether a node can execute what this machine can."""
    name = f"node {node.address}"
    if isinstance(node.identity, str):
        remedy = "install gracefuzz there, in the Python that Ray was started with"
        yield Check(name, Level.WRONG, f"{node.host}: {node.identity}", remedy)
        return
    theirs = node.identity
    found = (
        f"{node.host}: {node.cpus} CPUs, gracefuzz {theirs.gracefuzz}, Python {theirs.python}, "
        f"{theirs.vector}, object store {node.store_bytes / 2**20:,.0f} MiB"
    )
    wrong = difference(theirs)
    if wrong is not None:
        sentence, _, remedy = wrong.partition("\n")
        yield Check(name, Level.WRONG, f"{node.host}: {sentence}", remedy.strip())
    elif node.store_bytes > STORE_BYTES_MAX:
        remedy = "ray start --object-store-memory=200000000 is enough"
        yield Check(name, Level.NOTE, found, remedy)
    else:
        yield fine(name, found)


def see(address: str) -> SeenRay:
    """Start or join Ray in another process, look, and end it again. Raises PoolError."""
    context, folder = get_context("spawn"), temporary_folder()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_look, args=(address, folder, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(SECONDS_MAX):
            raise PoolError(f"Ray did not answer within {SECONDS_MAX:.0f} s\n    see its logs")
        seen: SeenRay | str = ours.recv()
    except EOFError:
        raise PoolError("the process that talks to Ray has ended\n    see its logs") from None
    finally:
        process.kill()
        process.join()
        remove_folder(folder)
    if isinstance(seen, str):
        raise PoolError(seen)
    return seen


def _look(address: str, folder: str, connection: Connection) -> None:
    ignore_signals()
    speak_into(folder)
    begun = time.monotonic()
    try:
        os.environ.update(settings(address))
        from workers.ray_pool import RayPool, identities, nodes

        if address == LOCAL:
            pool = RayPool(None, workers=1, folder=folder)
        else:
            pool = RayPool(None, address=address)
        seconds, alive = time.monotonic() - begun, nodes()
        said = identities(alive, seconds_max=NODE_SECONDS_MAX)
    except PoolError as error:
        connection.send(reason_of(error, address, folder))
        return
    found = (
        SeenNode(node.host, node.address, node.cpus, node.store_bytes, said[node.number])
        for node in alive
    )
    connection.send(SeenRay(seconds, tuple(found)))
    pool.close()
