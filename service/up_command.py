"""`gracefuzz up`: the database, the coordinator with its workers, the API and the pages, in one.

The service imports no Ray: what executes campaigns is `gracefuzz workers`, a child of this process.
"""

import os
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Annotated

import typer

from service.options import DB_DEFAULT, Db
from service.serve_command import LOOPBACK, PORT_DEFAULT, address_of, listen, server_of

DRAIN = "10s"
ENDING_SECONDS_MAX = 40.0
# Children that die sooner than this, one after another, will not do better next time.
SHORT_LIFE_SECONDS = 60.0
SHORT_LIVES_MAX = 3
PAUSE_SECONDS = 1.0

UP_HELP = """
Have it all in one command: the database, the coordinator with its workers, the API, the pages.

The database is made, or brought to the form of this version. The address is printed; it is on
loopback, where everybody on this machine may come in as long as the database holds no token. Make
campaigns on its pages, or with gracefuzz campaigns create. Workers that die are started again;
after three short lives in a row everything ends, with exit code 3. Ctrl-C or SIGTERM ends it all:
what is in flight has 10 s, and what is left is executed again next time.

For a cluster, start the parts on their own: gracefuzz serve, gracefuzz workers.

Examples:

  gracefuzz up

  gracefuzz up --db campaigns.db --port 9000 --workers 4

  gracefuzz up --open
"""


class WorkersFailed(Exception):
    """The workers end again and again; the message says how."""


@dataclass(slots=True)
class Workers:
    """`gracefuzz workers` as a child that is started again when it dies."""

    command: list[str]
    environment: dict[str, str]
    stopping: Event = field(default_factory=Event)
    failure: str | None = None
    _child: subprocess.Popen[bytes] | None = None

    def watch(self, give_up: Callable[[], None]) -> None:
        """Keep a child alive until told to stop; `give_up` is called where that is in vain."""
        short_lives = 0
        while not self.stopping.is_set():
            begun = time.monotonic()
            # A session of its own: Ctrl-C is for this process, which tells the child.
            self._child = subprocess.Popen(
                self.command, env=self.environment, start_new_session=True
            )
            if self.stopping.is_set():
                self._child.terminate()
            code = self._child.wait()
            if self.stopping.is_set():
                return
            lived = time.monotonic() - begun
            short_lives = short_lives + 1 if lived < SHORT_LIFE_SECONDS else 1
            said = f"the workers ended with {_told(code)}"
            if short_lives >= SHORT_LIVES_MAX:
                self.failure = f"{said}, {short_lives} times in a row: see above for the cause"
                give_up()
                return
            typer.echo(f"{said}: they are started again", err=True)
            self.stopping.wait(PAUSE_SECONDS)

    def stop(self, watching: Thread) -> None:
        """End the child: by SIGTERM, and by SIGKILL where that takes too long."""
        self.stopping.set()
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
        watching.join(ENDING_SECONDS_MAX)
        if watching.is_alive() and self._child is not None:
            typer.echo("the workers do not end, and are killed", err=True)
            self._child.kill()
            watching.join()


def up_command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = PORT_DEFAULT,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes. [default: the cores; 0: no other]")
    ] = None,
    is_opened: Annotated[bool, typer.Option("--open", help="Show it in a browser.")] = False,
    db: Db = DB_DEFAULT,
) -> None:
    """Open everything, and end everything."""
    from storage.session import open_database

    command = [sys.executable, "-P", "-c", "from service.cli import main; main()", "workers"]
    command += ["--drain", DRAIN] + ([] if workers is None else ["--workers", str(workers)])
    # By the environment: a URL may hold a password, and others see the command lines.
    children = Workers(command, {**os.environ, "GRACEFUZZ_DB": db})
    with open_database(db) as database, listen(LOOPBACK, port) as listening:
        server = server_of(database, is_open=True)
        address = address_of(LOOPBACK, listening)

        def give_up() -> None:
            server.should_exit = True

        with _signals(give_up):
            watching = Thread(target=children.watch, args=(give_up,))
            watching.start()
            try:
                typer.echo(f"gracefuzz is up at {address} with {database.name}; Ctrl-C ends it")
                if is_opened:
                    webbrowser.open(address)
                server.run(sockets=[listening])
            finally:
                children.stop(watching)
    if children.failure is not None:
        raise WorkersFailed(children.failure)


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the server; it raises them again, when the children must end."""
    both = (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.signal(each, lambda *_: stop()) for each in both}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _told(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
