"""A PostgreSQL server for a while: installed binaries, in a folder of its own, on loopback.

For measuring and for tests; it asks for a password that nobody else knows, and leaves nothing.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

USER = "postgres"


@dataclass(frozen=True, slots=True)
class Server:
    """A server's folder and how to reach it; one that is not durable never waits for a disk."""

    folder: str
    port: int
    password: str
    is_durable: bool = True

    def url(self, name: str, *, password: str | None = None) -> str:
        """The URL of one of its databases."""
        word = self.password if password is None else password
        return f"postgresql://{USER}:{word}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it, or start it again."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        options += " -c max_connections=200 -c shared_buffers=64MB"
        if not self.is_durable:
            options += " -c fsync=off"
        _run("pg_ctl", "-D", f"{self.folder}/data", "-o", options, "-w", "-s", "start")

    def stop(self, *, mode: str = "fast") -> None:
        """Stop it: `fast` ends what is open in order, `immediate` is like pulling the plug."""
        subprocess.run(self.stop_command(mode), check=False, stdout=subprocess.DEVNULL)

    def stop_command(self, mode: str) -> list[str]:
        """What stops it, for another process too."""
        return as_user("pg_ctl", "-D", f"{self.folder}/data", "-m", mode, "-w", "-s", "stop")

    def kill(self) -> None:
        """kill -9 of all its processes."""
        note = Path(self.folder, "data", "postmaster.pid")
        first = note.read_text().split()[0]
        children = Path("/proc", first, "task", first, "children").read_text().split()
        for process in (first, *children):
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        deadline = time.monotonic() + 30
        while any(_is_alive(process) for process in (first, *children)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # A process that nobody has waited for yet would be taken for a server that is up.
        note.unlink()
        Path(self.folder, f".s.PGSQL.{self.port}.lock").unlink()

    def processor_seconds(self) -> float:
        """What all its processes have used, ended ones included."""
        first = Path(self.folder, "data", "postmaster.pid").read_text().split()[0]
        children = Path("/proc", first, "task", first, "children").read_text().split()
        ticks = 0
        for process in (first, *children):
            with suppress(FileNotFoundError, ProcessLookupError):
                told = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, told[11:15] if process == first else told[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


def _is_alive(process: str) -> bool:
    try:
        return Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def missing() -> str | None:
    """Why no server can be started here; None where one can."""
    if binaries() is None:
        return "no PostgreSQL 15 or newer in /usr/lib/postgresql: make system-packages"
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL refuses root, and setpriv is missing"
    return None


def binaries() -> Path | None:
    """Where the binaries of the newest installed PostgreSQL are."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    newest = max(found, key=lambda path: int(path.parent.name), default=None)
    return newest if newest and int(newest.parent.name) >= 15 else None


@contextmanager
def own_server() -> Iterator[Server]:
    """A server for one test, which may kill it; like one in production, it reaches the disk."""
    folder = Path(tempfile.mkdtemp(prefix="gracefuzz-postgresql-own-"))
    server = made_server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop(mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)


def made_server(folder: Path, *, is_durable: bool = True) -> Server:
    """A new cluster that asks for a password on loopback."""
    password = secrets.token_hex(8)
    if os.getuid() == 0:
        shutil.chown(folder, USER, USER)
        folder.chmod(0o755)
    given = folder / "password"
    given.write_text(password)
    options = ["-U", USER, "--no-sync", "-E", "UTF8", "--auth-local=trust"]
    options += ["--auth-host=scram-sha-256", f"--pwfile={given}"]
    _run("initdb", "-D", str(folder / "data"), *options)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    return Server(str(folder), port, password, is_durable)


def _run(*command: str) -> None:
    # A server that inherits a pipe keeps it open, and who reads it waits for ever.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            as_user(*command), stdout=said, stderr=said, stdin=subprocess.DEVNULL, check=False
        )
        said.seek(0)
        assert done.returncode == 0, said.read()


def as_user(name: str, *arguments: str) -> list[str]:
    """The command line of one of PostgreSQL's programs, which refuse root."""
    path = binaries()
    assert path is not None
    switch = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]
    return [*(switch if os.getuid() == 0 else []), str(path / name), *arguments]
