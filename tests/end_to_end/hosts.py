"""Hosts of a test: network namespaces on a switch of their own, each with processes of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.repository.tree import ROOT

NETWORK = "10.77.0"
AGAIN = ["sh", "-c", 'while :; do "$@"; sleep 1; done', "again"]
FETCH = """
import json, sys, urllib.request
url, token, body = sys.argv[1:]
request = urllib.request.Request(url, data=body.encode() if body else None)
if token:
    request.add_header("Authorization", "Bearer " + token)
if body:
    request.add_header("Content-Type", "application/json")
try:
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
"""


def missing() -> str | None:
    """Why hosts cannot be made here; None where they can."""
    if os.getuid() != 0:
        return "only root makes network namespaces"
    lacking = [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]
    if lacking:
        return f"{lacking[0]} is not installed here"
    made = subprocess.run(["unshare", "-n", "-p", "-f", "true"], capture_output=True)
    return None if made.returncode == 0 else "namespaces are not allowed here"


@dataclass(slots=True)
class Host:
    """A namespace with one address; `processes` were started in it by this test."""

    name: str
    address: str
    switch: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, *command: str | Path) -> list[str]:
        """A command line that executes there."""
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def start(self, name: str, *command: str | Path, **environment: str) -> subprocess.Popen[bytes]:
        """A container there: its own processes, a log called NAME, started again when it ends."""
        alone = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        return self._started(name, self.command(*alone, *AGAIN, *command), environment)

    def start_beside(
        self, first: subprocess.Popen[bytes], name: str, *command: str | Path, **environment: str
    ) -> subprocess.Popen[bytes]:
        """A container in the namespaces of one that was started before, as in the same pod."""
        (child,) = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        enter = ["nsenter", "--target", child, "--net", "--pid", "--mount"]
        return self._started(name, [*enter, *AGAIN, *map(str, command)], environment)

    def _started(
        self, name: str, command: list[str], environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=clean(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Execute a command there and wait for it."""
        return subprocess.run(
            self.command(*command), env=clean(environment), capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip

    def fetch(self, url: str, token: str = "", body: str = "") -> tuple[int, str]:
        """The status and the text that a URL answers there; 0 where nobody does."""
        done = self.run(sys.executable, "-c", FETCH, url, token, body)
        if done.returncode != 0:
            return 0, done.stderr
        status, text = json.loads(done.stdout)
        return status, text

    def set_link(self, state: str) -> None:
        """Pull the cable (`down`), or put it back (`up`)."""
        _do("ip", "-n", self.switch, "link", "set", f"to-{self.address.rpartition('.')[2]}", state)

    def close(self) -> None:
        """End what was started here, the last first."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        left = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True)
        for number in left.stdout.split():
            os.kill(int(number), signal.SIGKILL)


def clean(environment: dict[str, str]) -> dict[str, str]:
    """This test's environment without what decides about databases and Ray, and with this."""
    ours = ("RAY_", "GRACEFUZZ_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return {**kept, "PYTHONPATH": str(ROOT), **environment}


@contextmanager
def hosts(folder: Path, *names: str) -> Iterator[list[Host]]:
    """Hosts on one switch, at 10.77.0.2 and on; their namespaces are gone afterwards."""
    switch = f"gfs{os.getpid()}"
    found = [
        Host(f"gf{os.getpid()}-{name}", f"{NETWORK}.{number}", switch, folder)
        for number, name in enumerate(names, start=2)
    ]
    try:
        _do("ip", "netns", "add", switch)
        _do("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
        _do("ip", "-n", switch, "link", "set", "bridge", "up")
        for host in found:
            number = host.address.rpartition(".")[2]
            port = f"to-{number}"
            _do("ip", "netns", "add", host.name)
            peer = ["type", "veth", "peer", "name", "eth0", "netns", host.name]
            _do("ip", "-n", switch, "link", "add", port, *peer)
            _do("ip", "-n", switch, "link", "set", port, "master", "bridge", "up")
            _do("ip", "-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
            _do("ip", "-n", host.name, "link", "set", "eth0", "up")
            _do("ip", "-n", host.name, "link", "set", "lo", "up")
        yield found
    finally:
        for host in reversed(found):
            host.close()
        for name in (*(host.name for host in found), switch):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def wait_until(holds: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Look every half second; fails where it never holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
