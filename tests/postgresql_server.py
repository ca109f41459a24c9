"""The PostgreSQL server that all test processes of this user share.

It is stopped by a process that waits until the last of them is gone, however it went.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import psycopg

from workers.postgresql_server import Server, made_server

SHARED = Path(tempfile.gettempdir()) / f"gracefuzz-postgresql-{os.getuid()}"
# Stops the server once no test process holds the lock of the living any more.
KEEPER = """
import fcntl, shutil, subprocess, sys
lock, folder, *stop = sys.argv[1:]
with open(lock) as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    subprocess.run(stop, check=False, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)
"""


def do(server: Server, *statements: str, name: str = "postgres") -> None:
    """Execute statements, each in a transaction of its own."""
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def shared_server() -> Iterator[Server]:
    """The server of all test processes, started by the first of them."""
    SHARED.mkdir(exist_ok=True)
    with (SHARED / "starting").open("w") as starting, (SHARED / "living").open("w") as living:
        fcntl.flock(starting, fcntl.LOCK_EX)
        # Waits while the last server is being stopped.
        fcntl.flock(living, fcntl.LOCK_SH)
        known = SHARED / "server" / "known.json"
        if not known.exists():
            _start_shared(known)
        fcntl.flock(starting, fcntl.LOCK_UN)
        yield Server(**json.loads(known.read_text()))


def _start_shared(known: Path) -> None:
    shutil.rmtree(known.parent, ignore_errors=True)
    known.parent.mkdir()
    server = made_server(known.parent, is_durable=False)
    server.start()
    stop = server.stop_command("immediate")
    subprocess.Popen(
        [sys.executable, "-c", KEEPER, SHARED / "living", known.parent, *stop],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    known.write_text(json.dumps(asdict(server)))


