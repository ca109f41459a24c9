"""Two machines of one cluster, as network namespaces: their cable is pulled, and plugged in."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from storage.campaigns import get_campaign
from storage.session import open_database
from tests.end_to_end.test_cluster import GONE, PATIENCE, check_undisturbed, end_soon, queue
from tests.end_to_end.test_fuzz_command import COMMAND, ROOT

SECONDS_MAX = 240
# Of this process: Ray finds a head of the same address in every namespace of a host.
HEAD, NODE = (f"10.77.{os.getpid() % 250}.{number}" for number in (1, 2))
PORT = 6379
EMPTY = ("--num-cpus=0", "--include-dashboard=false")
STORE = "--object-store-memory=83886080"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS_MAX + 60)]


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


def cannot():
    """Why this is not tested here; None where it is."""
    if "GRACEFUZZ_KILLS" not in os.environ:
        return "make faults tests it: it takes a minute"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"gf-probe-{os.getpid()}"
    try:
        made = ip("netns", "add", name, check=False)
    except FileNotFoundError:
        return "network namespaces need ip, of iproute2"
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    ip("netns", "delete", name)
    return None


@contextmanager
def two_machines():
    """Two namespaces with a cable between them; both are removed with all that runs in them."""
    names = [f"gf-{kind}-{os.getpid()}" for kind in ("head", "node")]
    ends = [f"gf{kind}{os.getpid()}" for kind in "hn"]
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        peer = ["peer", ends[1], "netns", names[1]]
        ip("link", "add", ends[0], "netns", names[0], "type", "veth", *peer)
        for name, end, address in zip(names, ends, (HEAD, NODE), strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
        yield names, ends
    finally:
        for name in names:
            for process in ip("netns", "pids", name, check=False).stdout.split():
                os.kill(int(process), signal.SIGKILL)
            ip("netns", "delete", name, check=False)


class Machine:
    """A namespace, and what is started in it; Ray's files have a folder with a short path."""

    def __init__(self, stack, name, token):
        self.name = name
        self.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gf-", dir="/tmp"))
        self.environment = {
            **os.environ,
            **PATIENCE,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        self.environment.pop("RAY_AUTH_TOKEN", None)

    def start(self, *words, said):
        command = ["ip", "netns", "exec", self.name, *words]
        options = {"env": self.environment, "cwd": ROOT, "stdout": said, "stderr": said}
        return subprocess.Popen(command, **options)

    def ray(self, *words, said):
        """`ray start`, as deploy/README.md has it; its processes stay when it has ended."""
        start = "from ray.scripts.scripts import main; main()"
        options = [STORE, f"--temp-dir={self.folder}"]
        process = self.start(sys.executable, "-c", start, "start", *words, *options, said=said)
        assert process.wait(timeout=90) == 0, all_of(said)

    def has_ray(self):
        """Whether its node of Ray lives."""
        numbers = ip("netns", "pids", self.name).stdout.split()
        return any(name_of(number) == "raylet" for number in numbers)


def name_of(process):
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""


def all_of(said):
    said.seek(0)
    return said.read()


def until(wanted, *, said):
    deadline = time.monotonic() + SECONDS_MAX
    while not wanted():
        assert time.monotonic() < deadline, all_of(said)
        time.sleep(0.2)


def test_a_host_that_is_cut_off_costs_its_leases_and_may_come_back(tmp_path):
    reason = cannot()
    if reason is not None:
        pytest.skip(reason)
    location, token = tmp_path / "found.db", tmp_path / "token"
    token.write_text("0123456789abcdef" * 4)
    with ExitStack() as stack:
        said = stack.enter_context(open(tmp_path / "said", "a+"))
        database = stack.enter_context(open_database(location))
        names, ends = stack.enter_context(two_machines())
        head, node = (Machine(stack, name, token) for name in names)
        head.ray("--head", f"--node-ip-address={HEAD}", f"--port={PORT}", *EMPTY, said=said)
        join = (f"--address={HEAD}:{PORT}", f"--node-ip-address={NODE}", "--num-cpus=1")
        node.ray(*join, said=said)
        number = queue(database)

        def blocks():
            with database.read() as session:
                return get_campaign(session, number).blocks_done

        words = ["--address", f"{HEAD}:{PORT}", "--db", str(location), "--until-idle"]
        coordinator = head.start(*COMMAND, "workers", *words, said=said)
        stack.callback(coordinator.kill)
        until(lambda: blocks() > 0, said=said)
        ip("-n", names[0], "link", "set", ends[0], "down")
        until(lambda: GONE in all_of(said), said=said)
        before = blocks()
        ip("-n", names[0], "link", "set", ends[0], "up")
        # A node that was given up ends itself when it hears of it; then it is started again.
        until(lambda: not node.has_ray(), said=said)
        node.ray(*join, said=said)
        until(lambda: blocks() > before, said=said)
        end_soon(database, number)
        assert coordinator.wait(timeout=SECONDS_MAX) == 0, all_of(said)
        assert all_of(said).count("is there: 1 workers") == 2
        check_undisturbed(database, number)
